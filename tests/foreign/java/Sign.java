// SPDX-License-Identifier: Apache-2.0
// One process, one SunPKCS11 provider, one key store that is kept; told line by line what to do next.
// Every line is answered by one line: "ok ..." or "failed" and the causes.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AuthProvider;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.Signature;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.crypto.Cipher;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.PasswordCallback;

public class Sign {
  private static final char[] pin = System.getenv("PIN").toCharArray();

  private final AuthProvider provider;
  private KeyStore store;
  private PrivateKey key;
  private PublicKey publicKey;

  private Sign(String configuration) {
    provider = (AuthProvider) Security.getProvider("SunPKCS11").configure(configuration);
  }

  public static void main(String[] words) throws Exception {
    Sign program = new Sign(words[0]);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      try {
        System.out.println("ok " + program.obey(line.split(" ")));
      } catch (Throwable failure) {
        StringBuilder causes = new StringBuilder("failed");
        for (Throwable t = failure; t != null; t = t.getCause())
          causes.append(" / ").append(t.getClass().getSimpleName()).append(": ").append(t.getMessage());
        System.out.println(causes.toString().replace('\n', ' '));
      }
    }
  }

  private String obey(String[] words) throws Exception {
    switch (words[0]) {
      case "open": // a new KeyStore, as after a removal
        store = KeyStore.getInstance("PKCS11", provider);
        store.load(null, pin);
        return keys();
      case "keys":
        return keys();
      case "use": // ALIAS
        key = (PrivateKey) store.getKey(words[1], null);
        publicKey = store.getCertificate(words[1]).getPublicKey();
        return key.getAlgorithm();
      case "sign": // ALGORITHM THREADS COUNT FILE
        return sign(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]), Path.of(words[4]));
      case "decrypt": { // FILE OUT
        Cipher cipher = Cipher.getInstance("RSA/ECB/PKCS1Padding", provider);
        cipher.init(Cipher.DECRYPT_MODE, key);
        Files.write(Path.of(words[2]), cipher.doFinal(Files.readAllBytes(Path.of(words[1]))));
        return "";
      }
      case "random": { // COUNT FILE
        byte[] bytes = new byte[Integer.parseInt(words[1])];
        SecureRandom.getInstance("PKCS11", provider).nextBytes(bytes);
        Files.write(Path.of(words[2]), bytes);
        return "";
      }
      case "logout":
        provider.logout();
        return "";
      case "login":
        provider.login(null, callbacks -> {
          for (Callback callback : callbacks)
            if (callback instanceof PasswordCallback) ((PasswordCallback) callback).setPassword(pin);
        });
        return "";
      default:
        throw new IllegalArgumentException(words[0]);
    }
  }

  private String keys() throws Exception {
    TreeSet<String> names = new TreeSet<>();
    for (String alias : java.util.Collections.list(store.aliases()))
      if (store.isKeyEntry(alias)) names.add(alias + ":" + store.getCertificateChain(alias).length);
    return String.join(" ", names);
  }

  private static Signature signature(String algorithm, Object from) throws Exception {
    Signature made = from instanceof AuthProvider ? Signature.getInstance(algorithm, (AuthProvider) from)
                                                  : Signature.getInstance(algorithm, (String) from);
    if (algorithm.equals("RSASSA-PSS"))
      made.setParameter(new PSSParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, 32, 1));
    return made;
  }

  /// Every thread signs COUNT documents; Java's own provider verifies them. The last goes to FILE and FILE.sig.
  private String sign(String algorithm, int threads, int count, Path file) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Callable<Integer>> jobs = new ArrayList<>();
      for (int thread = 0; thread < threads; ++thread) {
        String name = "thread " + thread;
        jobs.add(() -> signAll(algorithm, name, count, file));
      }
      int good = 0;
      for (Future<Integer> job : pool.invokeAll(jobs)) good += job.get();
      return good + " verified";
    } finally {
      pool.shutdownNow();
    }
  }

  private int signAll(String algorithm, String name, int count, Path file) throws Exception {
    int good = 0;
    for (int i = 0; i < count; ++i) {
      byte[] document = (name + " document " + i + "\n").repeat(40).getBytes(StandardCharsets.UTF_8);
      Signature signer = signature(algorithm, provider);
      signer.initSign(key);
      for (int at = 0; at < document.length; at += 100) // in parts
        signer.update(document, at, Math.min(100, document.length - at));
      byte[] made = signer.sign();
      Signature verifier = signature(algorithm, "SunRsaSign");
      verifier.initVerify(publicKey);
      verifier.update(document);
      if (verifier.verify(made)) ++good;
      if (name.equals("thread 0")) {
        Files.write(file, document);
        Files.write(Path.of(file + ".sig"), made);
      }
    }
    return good;
  }
}

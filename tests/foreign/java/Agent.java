// SPDX-License-Identifier: Apache-2.0
// What a signing agent does above PKCS#11: it finds its keys by what their certificates are for, signs one document
// after the other, and goes on after the card was away. It never sends a PIN again that was refused.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.ProviderException;
import java.security.Security;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.util.Collections;
import java.util.List;
import javax.security.auth.login.LoginException;

public class Agent {
  enum Purpose {
    // Extended key usage and the bits of keyUsage of the national CA's certificates.
    AUTH("1.3.6.1.5.5.7.3.2", 0, 2),
    SIGN("1.3.6.1.5.5.7.3.4", 0, 1);

    private final String extended;
    private final int[] bits;

    Purpose(String extended, int... bits) {
      this.extended = extended;
      this.bits = bits;
    }

    boolean suits(X509Certificate certificate) throws GeneralSecurityException {
      List<String> extendedUsage = certificate.getExtendedKeyUsage();
      boolean[] usage = certificate.getKeyUsage();
      if (extendedUsage == null || usage == null || !extendedUsage.contains(extended)) return false;
      for (int bit : bits)
        if (!usage[bit]) return false;
      return true;
    }
  }

  private final char[] pin = System.getenv("PIN").toCharArray();
  private final Provider provider;
  private KeyStore store;

  private Agent(String configuration) {
    provider = Security.getProvider("SunPKCS11").configure(configuration);
  }

  public static void main(String[] words) throws Exception {
    Agent agent = new Agent(words[0]);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] order = line.split(" ");
      try {
        if (order[0].equals("find")) {
          agent.open();
          for (Purpose purpose : Purpose.values()) say(purpose + " " + agent.find(purpose));
          say("found");
        } else { // sign PURPOSE COUNT FILE
          agent.signAll(Purpose.valueOf(order[1]), Integer.parseInt(order[2]), Path.of(order[3]));
        }
      } catch (Exception failure) {
        say("failed " + causes(failure));
      }
    }
  }

  /// A key store that outlived its card answers nothing any more, so there is a new one each time.
  private void open() throws Exception {
    store = KeyStore.getInstance("PKCS11", provider);
    store.load(null, pin);
  }

  private String find(Purpose purpose) throws Exception {
    for (String alias : Collections.list(store.aliases()))
      if (store.isKeyEntry(alias) && purpose.suits((X509Certificate) store.getCertificate(alias))) return alias;
    throw new GeneralSecurityException("no key for " + purpose);
  }

  private void signAll(Purpose purpose, int count, Path file) throws Exception {
    long start = System.nanoTime();
    PrivateKey key = null;
    try (OutputStream out = Files.newOutputStream(file)) {
      for (int i = 0; i < count; ++i) {
        byte[] document = ("document " + i).getBytes(StandardCharsets.UTF_8);
        byte[] made = null;
        while (made == null) {
          try {
            if (key == null) key = (PrivateKey) store.getKey(find(purpose), null);
            Signature signature = Signature.getInstance("SHA256withRSA", provider);
            signature.initSign(key);
            signature.update(document);
            made = signature.sign();
          } catch (GeneralSecurityException | ProviderException failure) {
            say("lost " + causes(failure));
            key = null;
            reopen(failure);
          }
        }
        out.write(made);
        out.flush();
        if (i % 50 == 49) say("at " + (i + 1));
      }
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    say(String.format("signed %d in %.1f s, %.0f a second", count, seconds, count / seconds));
  }

  /// Until the card is back. SunPKCS11 looks for it every two seconds by itself.
  private void reopen(Exception first) throws Exception {
    long deadline = System.nanoTime() + 60_000_000_000L;
    Exception last = first;
    boolean told = false;
    while (System.nanoTime() < deadline) {
      try {
        open();
        find(Purpose.SIGN);
        say("back");
        return;
      } catch (Exception failure) {
        for (Throwable t = failure; t != null; t = t.getCause())
          if (t instanceof LoginException && causes(t).contains("CKR_PIN")) throw failure;
        last = failure;
        if (!told) say("waiting " + causes(failure));
        told = true;
        Thread.sleep(50);
      }
    }
    throw last;
  }

  private static String causes(Throwable failure) {
    StringBuilder all = new StringBuilder();
    for (Throwable t = failure; t != null; t = t.getCause())
      all.append(" / ").append(t.getClass().getSimpleName()).append(": ").append(t.getMessage());
    return all.toString().replace('\n', ' ');
  }

  private static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }
}

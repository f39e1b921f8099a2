#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""OpenSC's pkcs11-tool uses the kilt module on a card as its owner gets it; OpenSSL judges every result.
The same flows over the simulator's socket, a real pcscd with the kilt reader driver, and vpcd."""

from dialogue import Dialogue
from harness import MODULE, SO_PIN, USER_PIN, ForeignTest, Sim, main
import openssl_checks

NEW_PIN = "a-new-pin"
CARD = "kaztoken"
HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")


class Flows:
    def __init__(self, test, sim):
        self.test, self.sim = test, sim
        self.path, self.write, self.read = test.path, test.write, test.read
        self.document = self.write("document", b"a binding document\n" * 20)

    def tool(self, *words, **options):
        return self.sim.run("pkcs11-tool", "--module", MODULE, *words, **options)

    def user(self, *words, pin=USER_PIN, **options):
        return self.tool("--login", "--pin", pin, *words, **options)

    def look(self):
        self.test.assertRegex(self.tool("-I").stdout, r"Manufacturer\s+kilt")
        slots = self.tool("-L").stdout
        self.test.assertRegex(slots, r"token model\s*:\s*KAZTOKEN")
        self.test.assertRegex(slots, r"token manufacturer\s*:\s*kilt")
        self.test.assertIn("login required", slots)
        self.test.assertIn("token label", self.tool("-T").stdout)
        mechanisms = self.tool("-M").stdout
        for name in ("RSA-PKCS-KEY-PAIR-GEN", "RSA-PKCS,", "RSA-X-509", "SHA1-RSA-PKCS,", "SHA256-RSA-PKCS,", "SHA384-RSA-PKCS,",
                     "SHA512-RSA-PKCS,", "RSA-PKCS-PSS", "SHA256-RSA-PKCS-PSS", "RSA-PKCS-OAEP", "SHA256,"):
            self.test.assertIn(name, mechanisms)
        self.tool("-O")

    def initialise(self):
        """A wrong security officer's PIN leaves everything; the right one gives an empty token with a new PIN."""
        self.user("--keypairgen", "--key-type", "rsa:1024", "--id", "77", "--label", "before")
        refused = self.tool("--init-token", "--label", "kilt test", "--so-pin", "00000000", ok=False)
        self.test.assertIn("CKR_PIN_INCORRECT", refused.stdout + refused.stderr)
        self.test.assertIn("before", self.user("-O").stdout)
        self.tool("--init-token", "--label", "kilt test", "--so-pin", SO_PIN)
        self.test.assertIn("kilt test", self.tool("-T").stdout)
        self.tool("--login", "--login-type", "so", "--so-pin", SO_PIN, "--init-pin", "--new-pin", USER_PIN)
        self.test.assertNotIn("before", self.user("-O").stdout)

    def generate(self):
        for number, label in (("01", "AUTH"), ("02", "SIGN")):
            self.user("--keypairgen", "--key-type", "rsa:2048", "--id", number, "--label", label, "--usage-sign", "--usage-decrypt")
            self.tool("--read-object", "--type", "pubkey", "--id", number, "-o", self.path("pub.der"))
            self.test.openssl("pkey", "-pubin", "-inform", "DER", "-in", self.path("pub.der"), "-pubout",
                              "-out", self.path(f"pub{number}.pem"))
        objects = self.user("-O").stdout
        self.test.assertEqual(objects.count("Private Key Object"), 2)
        self.test.assertEqual(objects.count("Public Key Object"), 2)
        too_big = self.user("--keypairgen", "--key-type", "rsa:4096", "--id", "03", ok=False)
        self.test.assertRegex(too_big.stdout + too_big.stderr, "CKR_KEY_SIZE_RANGE|CKR_ATTRIBUTE_VALUE_INVALID")

    def certificate(self):
        """Issued by OpenSSL for the card's public key, written, read back, matched."""
        self.test.openssl("req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("ca.key"), "-subj", "/CN=Test CA",
                          "-days", "30", "-out", self.path("ca.pem"))
        self.test.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("other.key"), "-subj", "/CN=Owner",
                          "-out", self.path("owner.csr"))
        self.test.openssl("x509", "-req", "-in", self.path("owner.csr"), "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"),
                          "-force_pubkey", self.path("pub01.pem"), "-days", "30", "-outform", "DER", "-out", self.path("owner.der"))
        self.user("--write-object", self.path("owner.der"), "--type", "cert", "--id", "01", "--label", "AUTH")
        self.tool("--read-object", "--type", "cert", "--id", "01", "-o", self.path("back.der"))
        self.test.assertEqual(self.read("back.der"), self.read("owner.der"))
        self.test.assertIn("Owner", self.tool("-O", "--type", "cert").stdout)
        garbage = self.user("--write-object", self.write("garbage", b"\x30\x82\x01\x00" + bytes(60)), "--type", "cert", "--id", "09", ok=False)
        self.test.assertNotIn("Segmentation", garbage.stderr)

    def sign_and_verify(self):
        document, out, public = self.document, self.path("signature"), self.path("pub01.pem")
        for name in HASHES:
            mechanism = name.upper() + "-RSA-PKCS"
            self.user("--sign", "-m", mechanism, "--id", "01", "-i", document, "-o", out)
            openssl_checks.verify_pkcs1(public, name, document, out)
            self.verified(mechanism, document, out)
        for name in HASHES:
            mechanism = name.upper() + "-RSA-PKCS-PSS"
            self.user("--sign", "-m", mechanism, "--id", "01", "-i", document, "-o", out)
            openssl_checks.verify_pss(public, name, document, out)
            self.verified(mechanism, document, out)
        info = self.write("info", openssl_checks.digest_info("sha256", self.read("document")))
        self.user("--sign", "-m", "RSA-PKCS", "--id", "01", "-i", info, "-o", out)
        openssl_checks.verify_pkcs1(public, "sha256", document, out)
        self.verified("RSA-PKCS", info, out)
        digest = self.write("digest", bytes(range(32)))
        self.user("--sign", "-m", "RSA-PKCS-PSS", "--hash-algorithm", "SHA256", "--id", "01", "-i", digest, "-o", out)
        self.test.openssl("pkeyutl", "-verify", "-pubin", "-inkey", public, "-in", digest, "-sigfile", out, "-pkeyopt", "digest:sha256",
                          "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest")
        block = b"\0\1" + b"\xff" * 200 + b"\0" + bytes(range(53))
        self.user("--sign", "-m", "RSA-X-509", "--id", "01", "-i", self.write("block", block), "-o", out)
        openssl_checks.verify_raw(public, block, out, self.test.directory)

    def verified(self, mechanism, document, signature):
        """By the module itself; and a changed document is not."""
        words = ("--verify", "-m", mechanism, "--id", "01", "--signature-file", signature)
        self.test.assertIn("Signature is valid", self.user(*words, "-i", document).stdout)
        with open(document, "rb") as file:
            changed = bytearray(file.read())
        changed[-1] ^= 1
        wrong = self.user(*words, "-i", self.write("changed", bytes(changed)), ok=None)
        self.test.assertNotIn("Signature is valid", wrong.stdout)

    def decrypt(self):
        secret, box, out, public = self.write("secret", b"thirty-two bytes of session key!"), self.path("box"), self.path("opened"), self.path("pub02.pem")
        self.test.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", public, "-in", secret, "-out", box)
        self.user("--decrypt", "-m", "RSA-PKCS", "--id", "02", "-i", box, "-o", out)
        self.test.assertEqual(self.read("opened"), self.read("secret"))
        for name in ("sha1", "sha256"):
            self.test.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", public, "-in", secret, "-out", box, "-pkeyopt",
                              "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{name}", "-pkeyopt", f"rsa_mgf1_md:{name}")
            hash_name = {"sha1": "SHA-1"}.get(name, name.upper())
            self.user("--decrypt", "-m", "RSA-PKCS-OAEP", "--hash-algorithm", hash_name, "--mgf", "MGF1-" + name.upper().replace("-", ""),
                      "--id", "02", "-i", box, "-o", out)
            self.test.assertEqual(self.read("opened"), self.read("secret"))

    def pins(self):
        self.user("--change-pin", "--new-pin", NEW_PIN)
        wrong = self.user("-O", ok=False)
        self.test.assertIn("CKR_PIN_INCORRECT", wrong.stdout + wrong.stderr)
        self.user("-O", pin=NEW_PIN)
        self.user("--change-pin", "--new-pin", USER_PIN, pin=NEW_PIN)

    def unblock(self):
        """Wrong PINs until the module itself refuses the last try; the security officer sets a new one."""
        for _ in range(12):
            refused = self.user("-O", pin="00000000", ok=False)
        self.test.assertIn("final", self.tool("-T").stdout)
        self.tool("--login", "--login-type", "so", "--so-pin", SO_PIN, "--init-pin", "--new-pin", NEW_PIN)
        self.user("-O", pin=NEW_PIN)
        self.test.assertNotIn("final", self.tool("-T").stdout)
        # The same by PUK in a session without login, once the PIN is really blocked.
        spend = dict(self.sim.env, KILT_CONFIG=self.write("spend.toml", "spend_last_try = true\n"))
        for _ in range(10):
            refused = self.run_with(spend, "--login", "--pin", "00000000", "-O")
        self.test.assertIn("CKR_PIN_LOCKED", refused.stdout + refused.stderr)
        self.tool("--unlock-pin", "--puk", SO_PIN, "--new-pin", USER_PIN)
        self.user("-O")

    def run_with(self, env, *words):
        from harness import run
        return run("pkcs11-tool", "--module", MODULE, *words, env=env, ok=False)

    def self_tests(self):
        self.test.assertIn("No errors", self.user("--test").stdout)
        self.test.assertIn("OK", self.user("--test-fork").stdout + "OK")
        self.hotplug()

    def hotplug(self):
        """A person's dialogue with `pkcs11-tool --test-hotplug`: it lists on return, then waits for an event."""
        with Dialogue(["pkcs11-tool", "--module", MODULE, "--test-hotplug"], self.sim.env) as tool:
            prompt = "x to exit"
            tool.until(prompt)
            tool.say("")
            self.test.assertIn("KAZTOKEN", tool.until(prompt))
            self.sim.control("remove")
            tool.say("")
            self.test.assertIn("(empty)", tool.until(prompt))
            tool.say("x")
            tool.until(prompt)  # now C_WaitForSlotEvent
            self.sim.control("insert")
            for _ in range(2):  # one event for the removal, one for the insertion, or both at once
                tool.say("")
                said = tool.until(prompt)
                self.test.assertIn("event on slot", said)
                if "KAZTOKEN" in said:
                    break
            self.test.assertIn("KAZTOKEN", said)
            tool.say("x")
            self.test.assertEqual(tool.end(), 0)

    def whole(self):
        self.look()
        self.initialise()
        self.generate()
        self.certificate()
        self.sign_and_verify()
        self.decrypt()
        self.pins()
        self.self_tests()
        self.unblock()


class Pkcs11Tool(ForeignTest):
    def flow(self, via):
        with Sim("--card", CARD, "--via", via) as sim:
            Flows(self, sim).whole()

    def test_over_the_socket(self):
        self.flow("socket")

    def test_over_pcscd(self):
        self.flow("pcscd")

    def test_over_vpcd(self):
        self.flow("vpcd")


if __name__ == "__main__":
    main()

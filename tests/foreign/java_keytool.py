#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Java 17: keytool and a program of ours with SunPKCS11 and the shortest configuration; OpenSSL and Java's own provider judge.

    java_keytool.py CARD [HOST]"""
import re
import sys
import tempfile
import unittest

import openssl_checks
from cards import CARDS
from enrolled import Enrolled, card_of, died, golden, until
from harness import KILT_SIM, MODULE, ForeignTest, Sim, run
from java_program import JavaProgram, compiled, configuration

OWNER = "CN=OWNER, SERIALNUMBER=IIN123456789011, C=KZ"
# keytool makes keys in software and imports them, unless it is told whose keys.
ON_THE_TOKEN = ("-providername", "SunPKCS11-kilt")
# What Java says of a card that is not there. It looks at most every 50 ms, so which of these it says is a matter of timing.
AWAY = ("CKR_(DEVICE_REMOVED|TOKEN_NOT_PRESENT|SESSION_HANDLE_INVALID)|[Tt]oken has been removed|"
        "no such algorithm: SHA256withRSA for provider SunPKCS11-kilt|PKCS11 not found")


class JavaTest(ForeignTest):
    card, host = CARDS["kaztoken"], "socket"

    def can(self, operation):
        return golden(self.card, operation) == "done"

    def tool(self, sim, *words, **options):
        return sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", self.card.user_pin, *words, **options)


class Keytool(JavaTest):
    def setUp(self):
        super().setUp()
        self.sim = self.enterContext(Enrolled(self, self.card, self.host, labels=()))
        self.config = configuration(self)

    def keytool(self, *words, pin=None, **options):
        done = run("keytool", *words, "-storetype", "PKCS11", "-keystore", "NONE", "-providerClass", "sun.security.pkcs11.SunPKCS11",
                   "-providerArg", self.config, "-storepass:env", "PIN", env=dict(self.sim.env, PIN=pin or self.card.user_pin), **options)
        self.assertIsNone(died(done.returncode), done.stderr)
        return done

    def generate(self, alias, *more, **options):
        return self.keytool("-genkeypair", "-alias", alias, "-keyalg", "RSA", "-keysize", "2048", "-dname", OWNER, "-validity", "30", *more,
                            **options)

    def entries(self):
        """alias -> length of its chain, as keytool says."""
        listed = self.keytool("-list", "-v").stdout
        return {alias: int(length) for alias, length in re.findall(r"Alias name: (.*)\nEntry type: PrivateKeyEntry\n.*: (\d+)", listed)}

    def objects(self, kind):
        return self.tool(self.sim, "-O", "--type", kind).stdout

    def request(self, alias):
        self.keytool("-certreq", "-alias", alias, "-file", self.path("java.csr"))
        self.assertIn("verify OK", self.openssl("req", "-in", self.path("java.csr"), "-noout", "-verify").stderr)

    def issue(self, root, intermediate):
        """leaf.pem for java.csr, and chain.pem with all three, by OpenSSL. Returns the leaf's public key."""
        ca = self.write("ca.ext", "basicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign\n")
        self.openssl("req", "-x509", "-utf8", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("root.key"), "-subj", root, "-days", "30",
                     "-out", self.path("root.pem"))
        self.openssl("req", "-new", "-utf8", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("middle.key"), "-subj", intermediate,
                     "-out", self.path("middle.csr"))
        self.openssl("x509", "-req", "-in", self.path("middle.csr"), "-CA", self.path("root.pem"), "-CAkey", self.path("root.key"),
                     "-days", "30", "-extfile", ca, "-out", self.path("middle.pem"))
        self.openssl("x509", "-req", "-in", self.path("java.csr"), "-CA", self.path("middle.pem"), "-CAkey", self.path("middle.key"),
                     "-days", "30", "-out", self.path("leaf.pem"))
        self.write("chain.pem", self.read("leaf.pem") + self.read("middle.pem") + self.read("root.pem"))
        return self.write("leaf.pub", self.openssl("x509", "-in", self.path("leaf.pem"), "-noout", "-pubkey").stdout)

    def signs(self, key_id, public):
        document = self.write("document", b"a binding document\n" * 20)
        self.tool(self.sim, "--sign", "-m", "SHA256-RSA-PKCS", "--id", key_id, "-i", document, "-o", self.path("signature"))
        openssl_checks.verify_pkcs1(public, "sha256", document, self.path("signature"))

    def life(self, root, intermediate):
        """A key made on the token, its self-signed certificate, its request, the chain instead of it, the end."""
        self.generate("SIGN", *ON_THE_TOKEN)
        self.assertEqual(self.entries(), {"SIGN": 1})
        private = self.objects("privkey")
        self.assertIn("local", private)
        self.assertIn("never extractable", private)
        self.assertIn("5349474e", private)  # Java makes the alias the CKA_ID, and of the private half only
        self.request("SIGN")
        public = self.issue(root, intermediate)
        self.keytool("-importcert", "-noprompt", "-alias", "SIGN", "-file", self.path("chain.pem"))
        self.assertEqual(self.entries(), {"SIGN": 3})
        self.assertEqual(self.objects("cert").count("Certificate Object"), 3)
        exported = re.findall("-----BEGIN.*?-----END CERTIFICATE-----\n", self.keytool("-list", "-rfc", "-alias", "SIGN").stdout, re.S)
        self.assertEqual([self.der(pem) for pem in exported], [self.der(self.read(f"{name}.pem")) for name in ("leaf", "middle", "root")])
        self.signs("5349474e", public)
        self.keytool("-delete", "-alias", "SIGN")
        self.assertEqual(self.entries(), {})
        self.assertNotIn("Object;", self.objects("privkey") + self.objects("cert"))

    def der(self, pem):
        return self.openssl("x509", "-outform", "DER", input=pem).stdout_bytes

    def test_life_of_a_key(self):
        self.life("/C=KZ/CN=Root", "/C=KZ/CN=Middle")

    def test_life_of_a_key_under_a_ca_with_a_name_as_the_nca_has(self):
        """Java names a CA's certificate by the alias, the issuer's name and the number: a CKA_ID of far more than 64 bytes."""
        self.life("/C=KZ/CN=НЕГІЗГІ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ (RSA)",
                  "/C=KZ/CN=ҰЛТТЫҚ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ (RSA)")

    def test_certificate_of_the_national_ca_beside_two_keys(self):
        """Issued by the test CA in the NCA's shape; the other key stays as it was."""
        for alias in ("AUTH", "SIGN"):
            self.generate(alias, *ON_THE_TOKEN)
        self.request("SIGN")
        self.sim.run(KILT_SIM, "ca", "issue", self.path("ca"), self.path("java.csr"), "--purpose", "sign", "-o", self.path("leaf.pem"))
        self.write("chain.pem", self.read("leaf.pem") + self.read("ca/ca.pem"))
        self.keytool("-importcert", "-noprompt", "-alias", "SIGN", "-file", self.path("chain.pem"))
        self.assertEqual(self.entries(), {"AUTH": 1, "SIGN": 2})
        listed = self.keytool("-list", "-v", "-alias", "SIGN").stdout
        self.assertIn("emailProtection", listed)
        self.keytool("-delete", "-alias", "AUTH")
        self.assertEqual(self.entries(), {"SIGN": 2})

    def test_key_made_in_software_is_imported_or_refused(self):
        if self.can("import a private key"):
            self.generate("SOFT")
            self.assertEqual(self.entries(), {"SOFT": 1})
            self.assertNotIn("local", self.objects("privkey"))
            self.request("SOFT")
        else:
            refused = self.generate("SOFT", ok=False)
            self.assertIn(golden(self.card, "import a private key"), refused.stdout)
            self.assertEqual(self.entries(), {})
            self.assertNotIn("Object;", self.tool(self.sim, "-O").stdout)

    def test_wrong_pin_spends_one_try(self):
        before = self.sim.tries_spent()
        refused = self.keytool("-list", "-v", pin=self.card.wrong_pin, ok=False)
        self.assertIn("CKR_PIN_INCORRECT", refused.stdout + refused.stderr)
        self.assertEqual(self.sim.tries_spent(), before + 1)
        self.keytool("-list")

    def test_no_card(self):
        self.sim.remove()
        refused = self.keytool("-list", ok=False)
        self.assertIn("PKCS11 not found", refused.stdout + refused.stderr)


class Program(JavaTest):
    """tests/foreign/java/Sign.java on an enrolled card."""

    @classmethod
    def setUpClass(cls):
        cls.classes = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="kilt-foreign-java-"))
        compiled("Sign", cls.classes)

    def setUp(self):
        super().setUp()
        self.sim = self.enterContext(Enrolled(self, self.card, self.host))

    def program(self, index=0, pin=None):
        return JavaProgram(self, self.sim, self.classes, "Sign", configuration(self, index), pin or self.card.user_pin)

    def obeys(self, program, line, answer=None):
        said = program.ask(line)
        self.assertRegex(said, "^ok", line)
        if answer is not None:
            self.assertEqual(said, f"ok {answer}")

    def refuses(self, program, line, why):
        said = program.ask(line)
        self.assertRegex(said, "^failed", line)
        self.assertRegex(said, why)

    def opened(self, program, alias="SIGN"):
        self.obeys(program, "open", "AUTH:1 SIGN:1")
        self.obeys(program, f"use {alias}", "RSA")

    def signs(self, program, algorithm, threads=1, count=1):
        document = self.path("document")
        self.obeys(program, f"sign {algorithm} {threads} {count} {document}", f"{threads * count} verified")
        check = openssl_checks.verify_pss if "PSS" in algorithm else openssl_checks.verify_pkcs1
        check(self.path("SIGN.pub"), "sha512" if "SHA512" in algorithm else "sha256", document, document + ".sig")

    def test_signatures_from_several_threads(self):
        with self.program() as program:
            self.opened(program)
            for algorithm in ("SHA256withRSA", "SHA512withRSA"):
                self.signs(program, algorithm, threads=8, count=5)
            if self.can("sign SHA256-RSA-PKCS-PSS"):
                self.signs(program, "RSASSA-PSS", threads=8, count=5)
            else:
                self.refuses(program, f"sign RSASSA-PSS 1 1 {self.path('document')}", "no such algorithm: RSASSA-PSS for provider SunPKCS11-kilt")

    def test_random(self):
        """More than any card gives at once; Java asks the token at construction too."""
        with self.program() as program:
            for count in (1, 20, 5000):
                self.obeys(program, f"random {count} {self.path('random')}")
                value = self.read("random")
                self.assertEqual(len(value), count)
            self.assertGreater(len(set(value)), 200)

    def test_decrypt(self):
        secret = self.write("secret", b"thirty-two bytes of session key!")
        self.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", self.path("SIGN.pub"), "-in", secret, "-out", self.path("box"))
        line = f"decrypt {self.path('box')} {self.path('opened')}"
        with self.program() as program:
            self.opened(program)
            if self.can("decrypt RSA-PKCS"):
                self.obeys(program, line)
                self.assertEqual(self.read("opened"), self.read("secret"))
                self.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", self.path("AUTH.pub"), "-in", secret, "-out", self.path("box"))
                self.refuses(program, line, "BadPaddingException|CKR_ENCRYPTED_DATA_INVALID")
                self.signs(program, "SHA256withRSA")
            else:
                self.refuses(program, line, "NoSuchAlgorithmException")

    def test_logout_and_login(self):
        """A key from before is of no use after, as the specification has it; the same KeyStore gives it anew."""
        with self.program() as program:
            self.opened(program)
            for _ in range(2):
                self.obeys(program, "logout")
                self.refuses(program, f"sign SHA256withRSA 1 1 {self.path('document')}", "CKR_KEY_HANDLE_INVALID|CKR_USER_NOT_LOGGED_IN")
                self.obeys(program, "login")
                self.obeys(program, "use SIGN", "RSA")
                self.signs(program, "SHA256withRSA", threads=2)

    def test_card_away_and_back(self):
        """Java must make a new KeyStore, nothing else: no restart, no new provider."""
        with self.program() as program:
            self.opened(program)
            self.signs(program, "SHA256withRSA", threads=4)
            self.sim.remove()
            line = f"sign SHA256withRSA 1 1 {self.path('document')}"
            for _ in range(2):
                self.refuses(program, line, AWAY)
            self.refuses(program, "open", AWAY)
            self.sim.control("insert")
            self.sim.until_present(True)
            until(lambda: program.ask("open") == "ok AUTH:1 SIGN:1", "SunPKCS11 sees the card again")
            self.obeys(program, "use SIGN", "RSA")
            self.signs(program, "SHA256withRSA", threads=4, count=5)

    def test_card_away_and_back_unnoticed(self):
        """Out and in while Java does nothing: the first call must tell, or it would use what another card may have."""
        with self.program() as program:
            self.opened(program)
            self.signs(program, "SHA256withRSA")
            self.sim.reinsert()
            self.refuses(program, f"sign SHA256withRSA 1 1 {self.path('document')}", AWAY + "|CKR_KEY_HANDLE_INVALID")
            until(lambda: program.ask("open") == "ok AUTH:1 SIGN:1", "SunPKCS11 sees the card again")
            self.obeys(program, "use SIGN", "RSA")
            self.signs(program, "SHA256withRSA", threads=4)

    def test_started_before_the_card_is_there(self):
        self.sim.remove()
        with self.program() as program:
            self.refuses(program, "open", AWAY)
            self.sim.control("insert")
            until(lambda: program.ask("open") == "ok AUTH:1 SIGN:1", "SunPKCS11 sees the card")
            self.obeys(program, "use SIGN", "RSA")
            self.signs(program, "SHA256withRSA")

    def test_wrong_pin_spends_one_try(self):
        before = self.sim.tries_spent()
        with self.program(pin=self.card.wrong_pin) as program:
            self.refuses(program, "open", "FailedLoginException.*CKR_PIN_INCORRECT")
        self.assertEqual(self.sim.tries_spent(), before + 1)

    def test_two_tokens_by_their_index(self):
        other = CARDS["etoken72k" if self.card.name == "kaztoken" else "kaztoken"]
        with Sim("--card", self.card.name, "--card", other.name, "--via", self.host, env={"HOME": self.directory}) as self.sim:
            for index, card in enumerate((self.card, other)):
                with JavaProgram(self, self.sim, self.classes, "Sign", configuration(self, index), card.user_pin) as program:
                    self.obeys(program, "open", "")


if __name__ == "__main__":
    JavaTest.card, JavaTest.host = card_of(sys.argv)
    unittest.main(argv=sys.argv[:1], verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""NSS, which is under Firefox, Thunderbird, LibreOffice and poppler, by its own tools and a private database; OpenSSL judges.

    nss.py CARD [HOST]"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

import openssl_checks
from cards import CARDS
from enrolled import Enrolled, card_of, crashes, died, end, free_port, golden, listening, until
from harness import KILT, KILT_SIM, MODULE, ForeignTest, Sim

SECRET = b"thirty-two bytes of session key!"
TLS = "-tls1_2"  # its signatures need no PSS, which not every card has


class Nss(ForeignTest):
    card, host = CARDS["kaztoken"], "socket"

    def can(self, operation):
        return golden(self.card, operation) == "done"

    def enrolled(self, labels=("AUTH", "SIGN")):
        self.begin(Enrolled(self, self.card, self.host, labels=labels))

    def begin(self, sim):
        self.sim = self.enterContext(sim)
        self.token = self.sim.readers()[0]["token"]["label"]
        self.pin, self.wrong = self.path("pin"), self.path("wrong-pin")
        self.ca = self.path("ca/ca.pem")
        self.database()
        self.nss("certutil", "-A", "-n", "CA", "-t", "CT,CT,CT", "-a", "-i", self.ca)

    def database(self, *mechanisms):
        """A profile of its own with the module in it. Certificates are readable without a PIN, of which NSS must be told by
        FRIENDLY: else its tools log in to look for a certificate, some without the PIN that they were given."""
        self.profile = "sql:" + tempfile.mkdtemp(dir=self.directory)
        self.nss("certutil", "-N", "--empty-password")
        self.modutil("-add", "kilt", "-libfile", MODULE, *(mechanisms or ("-mechanisms", "FRIENDLY")))

    def nss(self, tool, *words, **options):
        done = self.sim.run(tool, "-d", self.profile, *words, **dict({"input": ""}, **options))
        self.assertIsNone(died(done.returncode), done.stderr)
        self.assertEqual(crashes(done.stdout, done.stderr), [])
        return done

    def modutil(self, *words, **options):
        done = self.sim.run("modutil", "-dbdir", self.profile, *words, "-force", input="", **options)
        self.assertIsNone(died(done.returncode), done.stderr)
        return done

    def on_token(self, tool, *words, pin=None, **options):
        return self.nss(tool, *words, "-h", self.token, "-f", pin or self.pin, **options)

    def keys(self):
        """nickname -> CKA_ID, as NSS lists them."""
        listed = self.on_token("certutil", "-K", ok=None).stdout
        return {name.strip(): key_id for key_id, name in re.findall(r"^<.*> rsa +([0-9a-f]{40}) +(.*)$", listed, re.M)}

    def certificates(self):
        return dict(re.findall(r"^(\S.*?) +(\w*,\w*,\w*) *$", self.nss("certutil", "-L", "-h", "all", "-f", self.pin).stdout, re.M))

    def nickname(self, name):
        return f"{self.token}:{name}"

    def objects(self, *words):
        return self.sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", self.card.user_pin, "-O", *words).stdout

    def signs(self, key_id, public):
        document = self.write("document", b"a binding document\n" * 20)
        self.sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", self.card.user_pin, "--sign", "-m", "SHA256-RSA-PKCS",
                     "--id", key_id, "-i", document, "-o", self.path("signature"))
        openssl_checks.verify_pkcs1(public, "sha256", document, self.path("signature"))

    def make_key(self, serial):
        """With a certificate, by kilt."""
        kilt = lambda *words: self.sim.run(KILT, "--token", serial, *words, "--pin-file", self.pin)
        kilt("key", "generate", "--label", "SIGN")
        kilt("csr", "--key", "SIGN", "--subject", "CN=OWNER", "-o", self.path("kilt.csr"))
        self.sim.run(KILT_SIM, "ca", "issue", self.path("ca"), self.path("kilt.csr"), "-o", self.path("kilt.pem"))
        kilt("cert", "install", self.path("kilt.pem"))

    def public_key_of(self, certificate):
        return self.write("of.pub", self.openssl("x509", "-in", certificate, "-noout", "-pubkey").stdout)

    # modutil

    def test_module_is_added_listed_and_deleted(self):
        self.enrolled(labels=())
        listed = self.modutil("-list", "kilt").stdout
        self.assertRegex(listed, r"Manufacturer: kilt\s")
        self.assertRegex(listed, rf"Token Name: {self.token}\s")
        self.assertRegex(listed, rf"Token Model: {self.card.model}\s")
        self.assertIn("Login Type: Login required", listed)
        self.assertIn("User Pin: Initialized", listed)
        self.modutil("-disable", "kilt")
        self.modutil("-enable", "kilt")
        self.modutil("-delete", "kilt")
        self.assertNotIn("kilt", self.modutil("-list").stdout)

    def test_parameters_for_the_module(self):
        """NSS hands such a string over in pReserved of C_Initialize, where the specification wants nothing: "invalid
        arguments". Programs add modules without one, so modutil says no and nobody else notices."""
        self.enrolled(labels=())
        self.modutil("-delete", "kilt")
        refused = self.modutil("-add", "kilt", "-libfile", MODULE, "-string", "name=value", ok=False)
        self.assertIn("invalid arguments", refused.stdout + refused.stderr)
        self.modutil("-add", "kilt", "-libfile", MODULE)
        self.assertIn(self.token, self.modutil("-list", "kilt").stdout)

    # certutil

    def request(self):
        """A key pair made on the token by NSS, which gives it a CKA_ID afterwards. The request is as NSS makes it."""
        noise = self.write("noise", os.urandom(100))
        self.on_token("certutil", "-R", "-k", "rsa", "-g", "2048", "-s", "CN=OWNER,C=KZ", "-z", noise, "-o", self.path("nss.der"))
        self.openssl("req", "-inform", "DER", "-in", self.path("nss.der"), "-out", self.path("nss.csr"))
        self.assertIn("verify OK", self.openssl("req", "-in", self.path("nss.csr"), "-noout", "-verify").stderr)
        [key_id] = self.keys().values()
        for kind in ("privkey", "pubkey"):
            self.assertRegex(self.objects("--type", kind), rf"ID: +{key_id}")
        self.assertIn("never extractable, local", self.objects("--type", "privkey"))
        return key_id

    def test_life_of_a_key(self):
        self.enrolled(labels=())
        key_id = self.request()
        self.sim.run(KILT_SIM, "ca", "issue", self.path("ca"), self.path("nss.csr"), "--purpose", "sign", "-o", self.path("nss.pem"))
        self.on_token("certutil", "-A", "-n", "SIGN", "-t", "u,u,u", "-a", "-i", self.path("nss.pem"))
        self.on_token("certutil", "-A", "-n", "TEST CA", "-t", "CT,CT,CT", "-a", "-i", self.ca)
        self.assertEqual(self.certificates()[self.nickname("SIGN")], "u,u,u")
        self.assertIn(self.nickname("TEST CA"), self.certificates())
        self.assertEqual(self.keys(), {self.nickname("SIGN"): key_id})
        self.assertIn("certificate is valid", self.nss("certutil", "-V", "-n", self.nickname("SIGN"), "-u", "S", "-e", "-f", self.pin).stdout)
        self.signs(key_id, self.public_key_of(self.path("nss.pem")))
        exported = self.nss("certutil", "-L", "-n", self.nickname("SIGN"), "-a", "-f", self.pin).stdout
        self.assertEqual(self.openssl("x509", "-outform", "DER", input=exported).stdout_bytes,
                         self.openssl("x509", "-in", self.path("nss.pem"), "-outform", "DER").stdout_bytes)
        # certutil -D does not log in (see below), so another program deletes the authority's certificate.
        self.sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", self.card.user_pin, "--delete-object", "--type", "cert",
                     "--label", "TEST CA")
        self.assertNotIn(self.nickname("TEST CA"), self.certificates())
        self.on_token("certutil", "-F", "-n", self.nickname("SIGN"))
        self.assertNotIn("Object;", self.objects())

    def test_certificate_is_deleted_only_with_a_login(self):
        """A token whose certificates need none is not logged in to by certutil -D: a clean refusal, and nothing is lost."""
        self.enrolled(labels=("SIGN",))
        self.nss("certutil", "-D", "-n", self.nickname("SIGN"), "-f", self.pin, ok=False)
        self.assertIn(self.nickname("SIGN"), self.certificates())

    def test_self_signed_certificate_in_one_go(self):
        self.enrolled(labels=())
        noise = self.write("noise", os.urandom(100))
        self.on_token("certutil", "-S", "-x", "-n", "OWN", "-s", "CN=OWN", "-t", "u,u,u", "-k", "rsa", "-g", "2048", "-z", noise, "-Z", "SHA256")
        self.assertEqual(list(self.keys()), [self.nickname("OWN")])
        exported = self.write("own.pem", self.nss("certutil", "-L", "-n", self.nickname("OWN"), "-a", "-f", self.pin).stdout)
        self.openssl("verify", "-CAfile", exported, exported)
        self.on_token("certutil", "-F", "-n", self.nickname("OWN"))
        self.assertNotIn("Object;", self.objects())

    def test_keys_that_kilt_made(self):
        self.enrolled()
        self.assertEqual(self.keys(), {label: key_id.lower() for label, key_id in self.sim.ids.items()})
        listed = self.certificates()
        for label in ("AUTH", "SIGN"):
            self.assertEqual(listed[self.nickname(label)], "u,u,u")

    # cmsutil

    def test_cms_is_signed_and_verified(self):
        self.enrolled()
        document, signed = self.write("document", b"a binding document"), self.path("signed.p7")
        # The CA's SIGN certificate is not for encryption, so the message names no certificate for the answer.
        self.nss("cmsutil", "-S", "-N", self.nickname("SIGN"), "-Y", "NONE", "-i", document, "-o", signed, "-f", self.pin)
        self.openssl("cms", "-verify", "-inform", "DER", "-in", signed, "-CAfile", self.ca, "-out", self.path("recovered"))
        self.assertEqual(self.read("recovered"), self.read("document"))
        self.assertEqual(self.nss("cmsutil", "-D", "-i", signed, "-f", self.pin).stdout_bytes, self.read("document"))

    def test_cms_is_decrypted_or_refused(self):
        self.enrolled()
        secret, box = self.write("secret", SECRET), self.path("box")
        by_openssl = ("cms", "-encrypt", "-aes256", "-binary", "-in", secret, "-outform", "DER", "-out", box, self.path("AUTH.pem"))
        for encrypt in (lambda: self.nss("cmsutil", "-E", "-r", self.nickname("AUTH"), "-i", secret, "-o", box, "-f", self.pin),
                        lambda: self.openssl(*by_openssl)):
            encrypt()
            if self.can("decrypt RSA-PKCS"):
                self.assertEqual(self.nss("cmsutil", "-D", "-i", box, "-f", self.pin).stdout_bytes, SECRET)
            else:
                refused = self.nss("cmsutil", "-D", "-i", box, "-f", self.pin, ok=False)
                self.assertIn("problem decoding", refused.stderr)
                self.assertNotIn(SECRET, refused.stdout_bytes)

    # pk12util

    def test_key_from_a_file_is_imported_or_refused(self):
        """NSS opens the file by itself and gives the key to C_CreateObject; C_UnwrapKey is not needed."""
        self.enrolled(labels=("SIGN",))
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("file.key"), "-out", self.path("file.pem"),
                     "-subj", "/CN=FILE", "-days", "30")
        self.openssl("pkcs12", "-export", "-in", self.path("file.pem"), "-inkey", self.path("file.key"), "-name", "FILE",
                     "-passout", "pass:of the file", "-out", self.path("file.p12"))
        words = ("-i", self.path("file.p12"), "-w", self.write("p12-password", "of the file"), "-h", self.token, "-k", self.pin)
        if self.can("import a private key"):
            self.nss("pk12util", *words)
            self.assertEqual(set(self.keys()), {"SIGN", "FILE"})
            self.signs(self.keys()["FILE"], self.public_key_of(self.path("file.pem")))
            self.on_token("certutil", "-F", "-n", self.nickname("FILE"))
        else:
            refused = self.nss("pk12util", *words, ok=False)
            self.assertIn("SEC_ERROR_PKCS12_UNABLE_TO_IMPORT_KEY", refused.stderr)
        self.assertEqual(set(self.keys()), {"SIGN"})
        self.assertEqual(self.objects("--type", "cert").count("Certificate Object"), 1)

    def test_key_of_the_card_is_not_exported(self):
        self.enrolled(labels=("SIGN",))
        self.nss("pk12util", "-o", self.path("stolen.p12"), "-n", self.nickname("SIGN"), "-k", self.pin,
                 "-w", self.write("p12-password", "of the file"), ok=False)

    # pdfsig

    def test_pdf_is_signed_and_verified(self):
        self.enrolled()
        plain, signed = self.write("plain.pdf", pdf()), self.path("signed.pdf")
        pdfsig = lambda *words, **options: self.sim.run("pdfsig", "-nssdir", self.profile, *words, input="", **options)
        nicknames = pdfsig("-nss-pwd", self.card.user_pin, "-list-nicks").stdout
        for label in ("AUTH", "SIGN"):
            self.assertIn(self.nickname(label), nicknames)
        sign = ("-add-signature", "-nick", self.nickname("SIGN"), plain, signed)
        before = self.sim.tries_spent()
        pdfsig("-nss-pwd", self.card.wrong_pin, *sign, ok=False)
        self.assertEqual(self.sim.tries_spent(), before + 1)
        self.assertFalse(os.path.exists(signed))
        pdfsig("-nss-pwd", self.card.user_pin, *sign)
        said = pdfsig("-no-ocsp", signed).stdout
        self.assertIn("Signature is Valid", said)
        self.assertIn("Signer Certificate Common Name: SIGN OWNER", said)
        self.cms_in(signed)
        with open(signed, "r+b") as file:
            file.seek(file.read().index(b"MediaBox") + len("MediaBox ["))
            file.write(b"9")
        self.assertNotIn("Signature is Valid", pdfsig("-no-ocsp", signed, ok=None).stdout)

    def cms_in(self, signed):
        """The signature without poppler: /ByteRange says what it is over, /Contents holds the CMS."""
        whole = self.read(os.path.basename(signed))
        a, b, c, d = map(int, re.search(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", whole).groups())
        cms = bytes.fromhex(re.search(rb"<([0-9A-Fa-f]+)>", whole[b:c]).group(1).decode())
        self.openssl("cms", "-verify", "-inform", "DER", "-in", self.write("pdf.p7", cms), "-binary", "-purpose", "any", "-CAfile", self.ca,
                     "-content", self.write("pdf.signed", whole[a:a + b] + whole[c:c + d]), "-out", self.path("recovered"))

    # a server

    def test_tls_server(self):
        """A process of NSS that lives on while the card goes. It keeps its key for good, so it must be started again once
        the card was away; it neither crashes nor spends a try."""
        self.enrolled(labels=("AUTH",))
        spent = self.sim.tries_spent() if self.card.tells_tries else None
        self.serve()
        self.sim.remove()
        self.connect(ok=False)
        self.sim.control("insert")
        self.sim.until_present(True)
        self.connect(ok=None)
        end(self.server)
        if spent is not None:
            self.assertEqual(self.sim.tries_spent(), spent)
        self.serve()

    def serve(self):
        self.port = free_port()
        with open(self.path("selfserv"), "w", encoding="utf-8") as log:
            self.server = self.sim.at_every_end(subprocess.Popen(
                ["selfserv", "-d", self.profile, "-n", self.nickname("AUTH"), "-p", str(self.port), "-f", self.pin],
                env=self.sim.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        until(lambda: listening(self.port) or self.server.poll() is not None, "selfserv listens")
        for version in (TLS, "-tls1_3") if self.can("sign SHA256-RSA-PKCS-PSS") else (TLS,):
            self.connect(version)

    def connect(self, version=TLS, ok=True):
        self.openssl("s_client", "-connect", f"127.0.0.1:{self.port}", version, "-CAfile", self.ca, "-purpose", "any",
                     "-verify_return_error", input="", ok=ok, timeout=30)
        self.assertIsNone(self.server.poll())

    # PINs, cards, tokens

    def test_wrong_pin_spends_one_try(self):
        self.enrolled()
        before = self.sim.tries_spent()
        document = self.write("document", b"a binding document")
        sign = ("-S", "-N", self.nickname("SIGN"), "-Y", "NONE", "-i", document, "-o", self.path("signed.p7"), "-f")
        refused = self.on_token("certutil", "-K", pin=self.wrong, ok=False)
        self.assertIn("SEC_ERROR_BAD_PASSWORD", refused.stderr)
        self.assertEqual(self.sim.tries_spent(), before + 1)
        self.nss("cmsutil", *sign, self.pin)  # sets the counter back
        before = self.sim.tries_spent()
        self.nss("cmsutil", *sign, self.wrong, ok=False)
        self.assertEqual(self.sim.tries_spent(), before + 1)

    def test_no_card(self):
        self.enrolled(labels=("SIGN",))
        self.sim.remove()
        refused = self.on_token("certutil", "-K", ok=False)
        self.assertNotIn(self.token, refused.stdout)  # certutil lists the keys of its own tokens instead
        refused = self.nss("cmsutil", "-S", "-N", self.nickname("SIGN"), "-Y", "NONE", "-i", self.write("document", b"x"),
                           "-o", self.path("signed.p7"), "-f", self.pin, ok=False)
        self.assertIn("does not exist", refused.stderr)
        self.assertNotIn(self.nickname("SIGN"), self.certificates())
        self.sim.control("insert")
        self.sim.until_present(True)
        self.assertIn(self.nickname("SIGN"), self.certificates())

    def test_second_token(self):
        """Another card beside the enrolled one: both are found by their names, the key on the one only."""
        other = CARDS["etoken72k" if self.card.name == "kaztoken" else "kaztoken"]
        self.enrolled(labels=())  # makes the CA
        self.begin(Sim("--card", self.card.name, "--card", other.name, "--via", self.host, env={"HOME": self.directory}))
        tokens = [reader["token"]["label"] for reader in self.sim.readers()]
        listed = self.modutil("-list", "kilt").stdout
        for token in tokens:
            self.assertRegex(listed, rf"Token Name: {token}\s")
        self.make_key(self.sim.readers()[0]["token"]["serial"])
        self.assertEqual(list(self.keys()), ["SIGN"])
        none = self.nss("certutil", "-K", "-h", tokens[1], "-f", self.write("other-pin", other.user_pin), ok=None)
        self.assertIn("no keys found", none.stdout + none.stderr)

    def test_colon_in_a_label(self):
        """Of "token:nickname" NSS takes what is before the first colon for the token. Labels that kilt gives have none; an
        owner may give one, and then a PKCS#11 URI is the way."""
        self.enrolled(labels=())
        self.assertNotIn(":", self.token)
        if not self.can("initialise"):
            return
        self.sim.run(KILT, "--token", self.sim.info()["serial"], "init", "--label", "two:parts", "--yes",
                     "--so-pin-file", self.write("so-pin", self.card.so_pin), "--new-pin-file", self.pin)
        self.make_key(self.sim.info()["serial"])
        self.token = self.sim.info()["label"]
        self.assertEqual(self.token, "two:parts")
        verify = ("-u", "S", "-f", self.pin)
        self.assertEqual(list(self.keys()), ["SIGN"])
        self.nss("certutil", "-V", "-n", "two:parts:SIGN", *verify, ok=False)
        self.assertIn("certificate is valid", self.nss("certutil", "-V", "-n", "pkcs11:token=two%3Aparts;object=SIGN", *verify).stdout)


def pdf():
    """The smallest document with a page."""
    objects = (b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [100 100 300 300] >>")
    text, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(text))
        text += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return text + (b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
                   % (len(objects) + 1, table, len(objects) + 1, len(text)))


if __name__ == "__main__":
    Nss.card, Nss.host = card_of(sys.argv)
    unittest.main(argv=sys.argv[:1], verbosity=2)

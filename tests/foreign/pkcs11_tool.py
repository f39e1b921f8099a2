#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""OpenSC's pkcs11-tool uses the kilt module on a card as its owner gets it; OpenSSL judges every result.

    pkcs11_tool.py CARD HOST...       HOST: socket, pcscd, vpcd

What the card cannot do must be refused with a CKR of its own: tests/golden/CARD.operations.json says which
operations are done and which refused, and how."""
import json
import os
import re
import sys

from cards import CARDS
from dialogue import Dialogue
from harness import MODULE, SOURCE, ForeignTest, Sim, run
import openssl_checks
import unittest

HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")


class Refused(Exception):
    """The module said no; the text is its CKR."""


class Flows:
    def __init__(self, test, sim, card):
        self.test, self.sim, self.card = test, sim, card
        self.path, self.write, self.read = test.path, test.write, test.read
        self.document = self.write("document", b"a binding document\n" * 20)
        self.outcomes = {}

    def tool(self, *words, **options):
        return self.sim.run("pkcs11-tool", "--module", MODULE, *words, **options)

    def user(self, *words, pin=None, **options):
        return self.tool("--login", "--pin", pin or self.card.user_pin, *words, **options)

    def officer(self, *words, **options):
        return self.tool("--login", "--login-type", "so", "--so-pin", self.card.so_pin, *words, **options)

    def attempt(self, run_tool, *words, **options):
        """Refused, if the module refuses; any other failure is a failure of the test."""
        done = run_tool(*words, ok=None, **options)
        if done.returncode != 0:
            said = re.search(r"\((0x[0-9a-f]+|CKR_\w+)\)|(CKR_\w+)", done.stderr)
            if not said:
                self.test.fail(f"{words}: {done.stdout}\n{done.stderr}")
            raise Refused(re.search(r"CKR_\w+", done.stderr).group(0))
        return done

    def operation(self, name, work):
        try:
            work()
            self.outcomes[name] = "done"
        except Refused as refusal:
            self.outcomes[name] = str(refusal)

    def look(self):
        self.test.assertRegex(self.tool("-I").stdout, r"Manufacturer\s+kilt")
        slots = self.tool("-L").stdout
        self.test.assertRegex(slots, rf"token model\s*:\s*{self.card.model}")
        self.test.assertRegex(slots, r"token manufacturer\s*:\s*kilt")
        self.test.assertIn("login required", slots)
        self.test.assertIn("token label", self.tool("-T").stdout)
        mechanisms = self.tool("-M").stdout
        for name in ("RSA-PKCS-KEY-PAIR-GEN", "RSA-PKCS,", "SHA1-RSA-PKCS,", "SHA256-RSA-PKCS,", "SHA512-RSA-PKCS,", "SHA256,"):
            self.test.assertIn(name, mechanisms)
        self.tool("-O")

    def initialise(self):
        """A wrong security officer's PIN leaves everything; the right one gives an empty token with a new PIN."""
        self.user("--keypairgen", "--key-type", "rsa:2048", "--id", "77", "--label", "before")
        self.test.assertIn("before", self.user("-O").stdout)
        words = ("--init-token", "--label", "kilt test", "--so-pin")
        refused = self.tool(*words, self.card.wrong_pin, ok=False)
        self.test.assertIn("before", self.user("-O").stdout)
        try:
            self.attempt(self.tool, *words, self.card.so_pin)
            self.test.assertIn("CKR_PIN_INCORRECT", refused.stdout + refused.stderr)
            self.test.assertIn("kilt test", self.tool("-T").stdout)
            self.officer("--init-pin", "--new-pin", self.card.user_pin)
            self.test.assertNotIn("before", self.user("-O").stdout)
        except Refused:
            self.delete("77")
            raise

    def delete(self, key_id):
        for kind in ("privkey", "pubkey"):
            self.user("--delete-object", "--type", kind, "--id", key_id, ok=None)
        self.test.assertNotIn("Private Key Object", self.user("-O").stdout)

    def generate(self):
        for number, label in (("01", "AUTH"), ("02", "SIGN")):
            self.user("--keypairgen", "--key-type", "rsa:2048", "--id", number, "--label", label, "--usage-sign", "--usage-decrypt")
            self.tool("--read-object", "--type", "pubkey", "--id", number, "-o", self.path("pub.der"))
            self.test.openssl("pkey", "-pubin", "-inform", "DER", "-in", self.path("pub.der"), "-pubout",
                              "-out", self.path(f"pub{number}.pem"))
        objects = self.user("-O").stdout
        self.test.assertEqual(objects.count("Private Key Object"), 2)
        self.test.assertEqual(objects.count("Public Key Object"), 2)
        for label in ("AUTH", "SIGN"):
            self.test.assertIn(label, objects)

    def generate_size(self, bits):
        """One more pair, and away with it."""
        def work():
            self.attempt(self.user, "--keypairgen", "--key-type", f"rsa:{bits}", "--id", "03", "--label", "size")
            self.test.assertRegex(self.user("-O", "--type", "pubkey").stdout, f"RSA {bits} bits")
            for kind in ("privkey", "pubkey"):
                self.user("--delete-object", "--type", kind, "--id", "03", ok=None)
            self.test.assertNotRegex(self.user("-O").stdout, r"ID:\s*03\b")
        return work

    def import_key(self):
        key, secret = self.path("own.pem"), self.write("digest.in", b"made elsewhere")
        self.test.openssl("genrsa", "-out", key, "2048")
        self.test.openssl("rsa", "-in", key, "-outform", "DER", "-out", self.path("own.der"))
        self.test.openssl("rsa", "-in", key, "-pubout", "-out", self.path("own.pub"))
        self.attempt(self.user, "--write-object", self.path("own.der"), "--type", "privkey", "--id", "04", "--label", "own", "--usage-sign")
        self.user("--sign", "-m", "SHA256-RSA-PKCS", "--id", "04", "-i", secret, "-o", self.path("own.sig"))
        openssl_checks.verify_pkcs1(self.path("own.pub"), "sha256", secret, self.path("own.sig"))
        for kind in ("privkey", "pubkey"):
            self.user("--delete-object", "--type", kind, "--id", "04", ok=None)

    def data_object(self, *private):
        def work():
            value = self.write("value", b"some data")
            self.attempt(self.user, "--write-object", value, "--type", "data", "--label", "note", "--application-label", "test", *private)
            self.user("--read-object", "--type", "data", "--label", "note", "-o", self.path("value.back"))
            self.test.assertEqual(self.read("value.back"), b"some data")
            public = self.tool("-O", "--type", "data").stdout
            self.test.assertEqual("note" in public, not private)
            self.user("--delete-object", "--type", "data", "--label", "note")
            self.test.assertNotIn("note", self.user("-O").stdout)
        return work

    def certificate(self):
        """Issued by OpenSSL for the card's public key, written, read back, matched."""
        self.test.openssl("req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("ca.key"), "-subj", "/CN=Test CA",
                          "-days", "30", "-out", self.path("ca.pem"))
        self.test.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("other.key"), "-subj", "/CN=Owner",
                          "-out", self.path("owner.csr"))
        issue = ("x509", "-req", "-in", self.path("owner.csr"), "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-days", "30",
                 "-outform", "DER", "-out")
        self.test.openssl(*issue, self.path("owner.der"), "-force_pubkey", self.path("pub01.pem"))
        self.user("--write-object", self.path("owner.der"), "--type", "cert", "--id", "01", "--label", "AUTH")
        self.tool("--read-object", "--type", "cert", "--id", "01", "-o", self.path("back.der"))
        self.test.assertEqual(self.read("back.der"), self.read("owner.der"))
        self.test.assertIn("Owner", self.tool("-O", "--type", "cert").stdout)
        # A certificate for a key that is not here, and what is no certificate.
        self.test.openssl(*issue, self.path("other.der"))
        for der in (self.path("other.der"), self.write("garbage", b"\x30\x82\x01\x00" + bytes(60))):
            self.user("--write-object", der, "--type", "cert", "--id", "09", ok=False)
        self.test.assertEqual(self.tool("-O", "--type", "cert").stdout.count("Certificate Object"), 1)

    def sign_hashed(self, name, scheme):
        def work():
            mechanism, out, public = f"{name.upper()}-RSA-PKCS{scheme}", self.path("signature"), self.path("pub01.pem")
            self.attempt(self.user, "--sign", "-m", mechanism, "--id", "01", "-i", self.document, "-o", out)
            check = openssl_checks.verify_pss if scheme else openssl_checks.verify_pkcs1
            check(public, name, self.document, out)
            self.verified(mechanism, self.document, out)
        return work

    def sign_digest_info(self):
        out, public = self.path("signature"), self.path("pub01.pem")
        info = self.write("info", openssl_checks.digest_info("sha256", self.read("document")))
        self.attempt(self.user, "--sign", "-m", "RSA-PKCS", "--id", "01", "-i", info, "-o", out)
        openssl_checks.verify_pkcs1(public, "sha256", self.document, out)
        self.verified("RSA-PKCS", info, out)

    def sign_pss_digest(self):
        out, public = self.path("signature"), self.path("pub01.pem")
        digest = self.write("digest", bytes(range(32)))
        self.attempt(self.user, "--sign", "-m", "RSA-PKCS-PSS", "--hash-algorithm", "SHA256", "--id", "01", "-i", digest, "-o", out)
        self.test.openssl("pkeyutl", "-verify", "-pubin", "-inkey", public, "-in", digest, "-sigfile", out, "-pkeyopt", "digest:sha256",
                          "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest")

    def sign_raw(self):
        out, public = self.path("signature"), self.path("pub01.pem")
        block = b"\0\1" + b"\xff" * 200 + b"\0" + bytes(range(53))
        self.attempt(self.user, "--sign", "-m", "RSA-X-509", "--id", "01", "-i", self.write("block", block), "-o", out)
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

    def decrypt_pkcs1(self):
        box = self.encrypted()
        self.attempt(self.user, "--decrypt", "-m", "RSA-PKCS", "--id", "02", "-i", box, "-o", self.path("opened"))
        self.test.assertEqual(self.read("opened"), self.read("secret"))

    def decrypt_oaep(self, name):
        def work():
            box = self.encrypted("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{name}", "-pkeyopt", f"rsa_mgf1_md:{name}")
            hash_name = {"sha1": "SHA-1"}.get(name, name.upper())
            self.attempt(self.user, "--decrypt", "-m", "RSA-PKCS-OAEP", "--hash-algorithm", hash_name, "--mgf", "MGF1-" + name.upper(),
                         "--id", "02", "-i", box, "-o", self.path("opened"))
            self.test.assertEqual(self.read("opened"), self.read("secret"))
        return work

    def encrypted(self, *options):
        self.write("secret", b"thirty-two bytes of session key!")
        self.test.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", self.path("pub02.pem"), "-in", self.path("secret"), "-out", self.path("box"),
                          *options)
        return self.path("box")

    def change_pin(self):
        self.attempt(self.user, "--change-pin", "--new-pin", self.card.new_pin)
        wrong = self.user("-O", ok=False)
        self.test.assertIn("CKR_PIN_INCORRECT", wrong.stdout + wrong.stderr)
        self.user("-O", pin=self.card.new_pin)
        self.user("--change-pin", "--new-pin", self.card.user_pin, pin=self.card.new_pin)

    def unblock(self):
        """Wrong PINs until the module refuses what may be the last try; the security officer sets a new one."""
        for _ in range(self.card.tries + 2):
            refused = self.user("-O", pin=self.card.wrong_pin, ok=False)
        self.test.assertNotIn("CKR_PIN_INCORRECT", refused.stdout + refused.stderr)
        self.test.assertRegex(self.tool("-T").stdout, "final user PIN try|user PIN locked")
        self.attempt(self.officer, "--init-pin", "--new-pin", self.card.new_pin)
        self.user("-O", pin=self.card.new_pin)
        self.test.assertNotRegex(self.tool("-T").stdout, "final user PIN try|user PIN locked")

    def unblock_by_puk(self):
        """The same by PUK in a session without login, once the PIN is really blocked."""
        before = self.sim.env
        self.sim.env = dict(before, KILT_CONFIG=self.write("spend.toml", "spend_last_try = true\n"))
        for _ in range(self.card.tries + 1):
            refused = self.user("-O", pin=self.card.wrong_pin, ok=False)
        self.test.assertIn("CKR_PIN_LOCKED", refused.stdout + refused.stderr)
        if self.card.tells_tries:  # elsewhere only the card knows that its PIN is blocked, when it is sent one
            self.sim.env = before
        self.attempt(self.tool, "--unlock-pin", "--puk", self.card.so_pin, "--new-pin", self.card.user_pin)
        self.sim.env = before
        self.user("-O")

    def self_test(self):
        self.test.assertIn("No errors", self.attempt(self.user, "--test").stdout)

    def fork(self):
        self.attempt(self.user, "--test-fork")

    def threads(self):
        """Three threads, each with what its letters say: initialise, get info, wait, log in (as -l says), slots, tokens."""
        said = self.user("--use-locking", "--test-threads", "ILGISLT0", "--test-threads", "ILGISLT0SLT0", "--test-threads", "ILSLT0", "-O")
        for thread in range(3):
            self.test.assertRegex(said.stdout + said.stderr, rf"thread:{thread} state:-1, rv:CKR_OK")

    def elliptic(self):
        """No card of these makes such keys as NIST's; the tool finds it out by the list of mechanisms."""
        refused = self.user("--test-ec", "--id", "55", "--key-type", "EC:secp256r1", ok=False)
        self.test.assertIn("not supported", refused.stdout + refused.stderr)

    def hotplug(self):
        """A person's dialogue with `pkcs11-tool --test-hotplug`: it lists on return, then waits for an event."""
        with Dialogue(["pkcs11-tool", "--module", MODULE, "--test-hotplug"], self.sim.env) as tool:
            prompt = "x to exit"
            tool.until(prompt)
            tool.say("")
            self.test.assertIn(self.card.model, tool.until(prompt))
            self.sim.remove()
            tool.say("")
            self.test.assertIn("(empty)", tool.until(prompt))
            tool.say("x")
            tool.until(prompt)  # now C_WaitForSlotEvent
            self.sim.control("insert")
            for _ in range(2):  # one event for the removal, one for the insertion, or both at once
                tool.say("")
                said = tool.until(prompt)
                self.test.assertIn("event on slot", said)
                if self.card.model in said:
                    break
            self.test.assertIn(self.card.model, said)
            tool.say("x")
            self.test.assertEqual(tool.end(), 0)

    def whole(self):
        self.look()
        self.operation("initialise", self.initialise)
        self.generate()
        self.certificate()
        for bits in (1024, 2048, 3072, 4096):
            self.operation(f"generate RSA-{bits} more", self.generate_size(bits))
        self.operation("import a private key", self.import_key)
        self.operation("store data", self.data_object())
        self.operation("store private data", self.data_object("--private"))
        for scheme in ("", "-PSS"):
            for name in HASHES:
                self.operation(f"sign {name.upper()}-RSA-PKCS{scheme}", self.sign_hashed(name, scheme))
        self.operation("sign RSA-PKCS", self.sign_digest_info)
        self.operation("sign RSA-PKCS-PSS", self.sign_pss_digest)
        self.operation("sign RSA-X-509", self.sign_raw)
        self.operation("decrypt RSA-PKCS", self.decrypt_pkcs1)
        for name in ("sha1", "sha256"):
            self.operation(f"decrypt RSA-PKCS-OAEP {name}", self.decrypt_oaep(name))
        self.operation("change the PIN", self.change_pin)
        self.operation("self test", self.self_test)
        self.fork()
        self.threads()
        self.elliptic()
        self.hotplug()
        self.operation("set a blocked PIN", self.unblock)
        self.operation("unblock by PUK", self.unblock_by_puk)


class Pkcs11Tool(ForeignTest):
    card, hosts = CARDS["kaztoken"], ("socket",)

    def test_every_operation(self):
        golden = os.path.join(SOURCE, "tests", "golden", f"{self.card.name}.operations.json")
        for host in self.hosts:
            with self.subTest(host=host), Sim("--card", self.card.name, "--via", host) as sim:
                flows = Flows(self, sim, self.card)
                flows.whole()
                expected = {}
                if os.path.exists(golden):
                    with open(golden, encoding="utf-8") as file:
                        expected = json.load(file)
                if expected != flows.outcomes:
                    print(json.dumps(flows.outcomes, indent=2))
                self.assertEqual(flows.outcomes, expected)


if __name__ == "__main__":
    Pkcs11Tool.card, Pkcs11Tool.hosts = CARDS[sys.argv[1]], sys.argv[2:] or Pkcs11Tool.hosts
    unittest.main(argv=sys.argv[:1], verbosity=2)

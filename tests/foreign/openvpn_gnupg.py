#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The two clients on top of pkcs11-helper: OpenVPN, which lists the certificates, and
gnupg-pkcs11-scd, spoken to as the agent does and through gpgsm.

    openvpn_gnupg.py CARD [HOST]"""
import hashlib
import os
import re
import subprocess
import sys
import termios
import unittest
from urllib.parse import quote, unquote_to_bytes

import openssl_checks
from dialogue import Dialogue
from enrolled import Enrolled, card_of, crashes, golden, until
from harness import MODULE, ForeignTest, run


class Refused(Exception):
    """The server answered ERR."""


class Scd:
    """gnupg-pkcs11-scd --server, spoken to in assuan on its standard input and output."""

    def __init__(self, test, sim, pin):
        self.test, self.pin, self.asked = test, pin, 0
        self.log = open(test.path("scd.log"), "a+", encoding="utf-8")
        test.addCleanup(self.log.close)
        self.process = sim.at_every_end(subprocess.Popen(["gnupg-pkcs11-scd", "--server"], env=dict(sim.env, GNUPGHOME=test.gnupg_home()),
                                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log))
        self.answer()

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def answer(self):
        """(data, status lines) up to OK. A PIN that is asked for is given."""
        data, status = b"", []
        while line := self.process.stdout.readline().rstrip(b"\n"):
            word, _, rest = line.partition(b" ")
            if word == b"OK":
                return data, status
            if word == b"D":
                data += unquote_to_bytes(rest)
            elif word == b"S":
                status.append(rest.decode())
            elif word == b"INQUIRE":
                self.asked += 1
                if self.pin is None:
                    self.say("CAN")
                else:
                    self.say(f"D {quote(self.pin)}")
                    self.say("END")
            elif word == b"ERR":
                raise Refused(rest.decode())
        raise AssertionError(f"the server ended with {self.process.wait(10)}")

    def ask(self, line):
        self.say(line)
        return self.answer()

    def sign(self, identity, digest, name="sha256"):
        self.ask(f"SETDATA {digest.hex()}")
        return self.ask(f"PKSIGN --hash={name} {identity}")[0]

    def end(self):
        self.ask("BYE")
        self.process.stdin.close()
        self.test.assertEqual(self.process.wait(20), 0)


class OpenvpnGnupg(ForeignTest):
    card, host = card_of(["", "kaztoken"])

    def setUp(self):
        super().setUp()
        self.sim = self.enterContext(Enrolled(self, self.card, self.host))
        self.document = self.write("document", b"a binding document\n" * 20)

    def serialized(self, label):
        """pkcs11-helper's name for a certificate: manufacturer, model, serial, token label, CKA_ID."""
        def plain(text):
            return re.sub(r"[^A-Za-z0-9]", lambda found: f"\\x{ord(found.group(0)):02x}", text)
        return "/".join(plain(word) for word in ("kilt", self.card.model, self.sim.serial, self.sim.token_label)) + "/" + self.sim.ids[label]

    # OpenVPN

    def test_openvpn_lists_the_certificates(self):
        done = self.sim.run("/usr/sbin/openvpn", "--show-pkcs11-ids", MODULE)
        for label in ("AUTH", "SIGN"):
            self.assertIn(f"CN={label} OWNER", done.stdout)
            self.assertIn(f"Serialized id:  {self.serialized(label)}\n", done.stdout)
        self.assertEqual(crashes(done.stdout, done.stderr), [])
        self.sim.remove()
        self.assertNotIn("Serialized id", self.sim.run("/usr/sbin/openvpn", "--show-pkcs11-ids", MODULE, ok=None).stdout)

    def asked(self, openvpn):
        """It asks for the PIN and listens: with its echo off, for what was typed before it throws away."""
        openvpn.until("token PIN")
        until(lambda: not termios.tcgetattr(openvpn.terminal)[3] & termios.ECHO, "the echo is off")

    def test_openvpn_asks_for_the_pin(self):
        """With login: a wrong PIN costs one try, and the next question may be answered rightly."""
        before = self.sim.tries_spent()
        with Dialogue(["/usr/sbin/openvpn", "--show-pkcs11-ids", MODULE, "1"], self.sim.env) as openvpn:
            self.asked(openvpn)
            openvpn.say(self.card.wrong_pin)
            self.asked(openvpn)
            self.assertEqual(self.sim.tries_spent() - before, 1)
            openvpn.say(self.card.user_pin)
            openvpn.until(self.serialized("AUTH"))
            self.assertEqual(openvpn.end(), 0)
        with Dialogue(["/usr/sbin/openvpn", "--show-pkcs11-ids", MODULE, "1"], self.sim.env) as openvpn:
            self.asked(openvpn)
            openvpn.say(self.card.user_pin)
            openvpn.until(self.serialized("AUTH"))
            self.assertEqual(openvpn.end(), 0)

    # gnupg-pkcs11-scd by its protocol

    def gnupg_home(self):
        home = self.path("gnupg")
        if not os.path.exists(home):
            os.mkdir(home, 0o700)
            self.write("gnupg/gnupg-pkcs11-scd.conf", f"providers kilt\nprovider-kilt-library {MODULE}\n")
        return home

    def public_pem(self, label):
        return self.path(f"{label}.pub")

    def test_scd_learns_and_reads(self):
        scd = Scd(self, self.sim, None)
        learnt = "\n".join(scd.ask("LEARN --force")[1])
        self.assertIn("APPTYPE PKCS11", learnt)
        for label in ("AUTH", "SIGN"):
            self.assertRegex(learnt, rf"CERTINFO 101 {re.escape(self.serialized(label))}".replace("\\\\x", ".*"))
            certificate, _ = scd.ask(f"READCERT {self.serialized(label)}")
            self.assertEqual(certificate, run("openssl", "x509", "-in", self.path(f"{label}.pem"), "-outform", "DER").stdout_bytes)
            modulus = run("openssl", "rsa", "-pubin", "-in", self.public_pem(label), "-noout", "-modulus").stdout.strip().partition("=")[2]
            self.assertIn(bytes.fromhex(modulus), scd.ask(f"READKEY {self.serialized(label)}")[0])
        self.assertEqual(scd.asked, 0)
        scd.end()

    def test_scd_signs(self):
        scd = Scd(self, self.sim, self.card.user_pin)
        scd.ask("LEARN --force")
        for name in ("sha1", "sha256", "sha384", "sha512"):
            for label in ("AUTH", "SIGN"):
                digest = hashlib.new(name, self.read("document")).digest()
                signature = self.write("signature", scd.sign(self.serialized(label), digest, name))
                openssl_checks.verify_pkcs1(self.public_pem(label), name, self.document, signature)
        self.assertEqual(scd.asked, 1)
        scd.end()

    def test_scd_decrypts(self):
        scd, secret = Scd(self, self.sim, self.card.user_pin), b"thirty-two bytes of session key!"
        self.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", self.public_pem("AUTH"), "-in", self.write("secret", secret), "-out", self.path("box"))
        scd.ask(f"SETDATA {self.read('box').hex()}")
        if golden(self.card, "decrypt RSA-PKCS") == "done":
            self.assertEqual(scd.ask(f"PKDECRYPT {self.serialized('AUTH')}")[0], secret)
        else:
            with self.assertRaises(Refused):
                scd.ask(f"PKDECRYPT {self.serialized('AUTH')}")
            digest = hashlib.sha256(self.read("document")).digest()
            openssl_checks.verify_pkcs1(self.public_pem("SIGN"), "sha256", self.document,
                                        self.write("signature", scd.sign(self.serialized("SIGN"), digest)))
        scd.end()

    def test_scd_wrong_pin(self):
        """Each time that the PIN is asked for costs a try, no more; and nobody's cancel costs none."""
        before, digest = self.sim.tries_spent(), hashlib.sha256(self.read("document")).digest()
        scd = Scd(self, self.sim, None)
        with self.assertRaises(Refused):
            scd.sign(self.serialized("SIGN"), digest)
        self.assertEqual((scd.asked > 0, self.sim.tries_spent() - before), (True, 0))
        scd.end()

        class Once(Scd):
            """Gives a wrong PIN once, then none."""
            def say(self, line):
                super().say(line)
                if line == "END":
                    self.pin = None

        scd = Once(self, self.sim, self.card.wrong_pin)
        with self.assertRaises(Refused):
            scd.sign(self.serialized("SIGN"), digest)
        self.assertEqual(self.sim.tries_spent() - before, 1)
        scd.end()
        scd = Scd(self, self.sim, self.card.user_pin)
        scd.sign(self.serialized("SIGN"), digest)
        scd.end()

    def test_scd_and_a_card_that_goes(self):
        digest = hashlib.sha256(self.read("document")).digest()
        scd = Scd(self, self.sim, self.card.user_pin)
        scd.sign(self.serialized("SIGN"), digest)
        self.sim.remove()
        scd.pin = None
        with self.assertRaises(Refused):
            scd.sign(self.serialized("SIGN"), digest)
        self.sim.control("insert")
        self.sim.until_present(True)
        scd.pin, scd.asked = self.card.user_pin, 0
        signature = self.write("signature", scd.sign(self.serialized("SIGN"), digest))
        openssl_checks.verify_pkcs1(self.public_pem("SIGN"), "sha256", self.document, signature)
        self.assertEqual(scd.asked, 1)
        scd.end()

    # gpgsm

    def gpgsm(self, *words, **options):
        return run("gpgsm", "--batch", *words, env=self.gnupg_env, timeout=60, **options)

    def start_gnupg(self):
        home = self.gnupg_home()
        pinentry = self.write("pinentry", f"""#!/bin/sh
echo OK
while read -r word rest; do
  case $word in
    GETPIN) echo asked >> {self.path('asked')}; echo "D {self.card.user_pin}"; echo OK ;;
    BYE) echo OK; exit 0 ;;
    *) echo OK ;;
  esac
done
""")
        os.chmod(pinentry, 0o700)
        self.write("gnupg/gpg-agent.conf", f"scdaemon-program /usr/bin/gnupg-pkcs11-scd\npinentry-program {pinentry}\n")
        self.write("gnupg/gpgsm.conf", "disable-crl-checks\ndisable-dirmngr\n")
        trusted = run("openssl", "x509", "-in", self.sim.ca, "-noout", "-fingerprint", "-sha1").stdout.strip().partition("=")[2]
        self.write("gnupg/trustlist.txt", f"{trusted} S relax\n")
        self.gnupg_env = dict(self.sim.env, GNUPGHOME=home)
        self.gpgsm("--import", self.sim.ca)
        said = run("gpg-connect-agent", "getinfo pid", "/bye", env=self.gnupg_env).stdout
        agent = int(re.search(r"^D (\d+)", said, re.M).group(1))

        def stop():
            run("gpg-connect-agent", "killagent", "/bye", env=self.gnupg_env, ok=None)
            until(lambda: not os.path.exists(f"/proc/{agent}") or self.is_zombie(agent), "the agent ends")
        self.addCleanup(stop)

    def is_zombie(self, pid):
        """Ended, and whoever inherited it does not care."""
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                return file.read().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    def test_gpgsm(self):
        self.start_gnupg()
        self.gpgsm("--learn-card")
        listed = self.gpgsm("-K").stdout
        for label in ("AUTH", "SIGN"):
            self.assertIn(f"/CN={label} OWNER", listed)
        # The agent puts a zero before a card's signature that begins with a one bit, and gpgsm leaves it in the CMS: such a
        # signature of 257 bytes only gpgsm takes. test_scd_signs shows that none has left the module.
        for number in range(24):
            document, out = self.write(f"document{number}", f"document {number}\n"), self.path("signed.p7")
            self.gpgsm("--yes", "-u", "SIGN OWNER", "--detach-sign", "-o", out, document)
            self.assertIn("Good signature", self.gpgsm("--verify", out, document).stderr)
            lengths = re.findall(r"l=\s*(\d+) prim: OCTET STRING", run("openssl", "asn1parse", "-inform", "DER", "-in", out).stdout)
            if lengths[-1] == "256":
                self.openssl("cms", "-verify", "-binary", "-inform", "DER", "-in", out, "-content", document, "-CAfile", self.sim.ca, "-out", os.devnull)
                break
        self.assertEqual(lengths[-1], "256")
        self.openssl("cms", "-encrypt", "-aes256", "-binary", "-in", self.document, "-outform", "DER", "-out", self.path("box"), self.path("AUTH.pem"))
        can = golden(self.card, "decrypt RSA-PKCS") == "done"
        opened = self.gpgsm("--decrypt", self.path("box"), ok=can)
        if can:
            self.assertEqual(opened.stdout_bytes, self.read("document"))
        self.assertEqual(self.read("asked").decode().split(), ["asked"])


if __name__ == "__main__":
    OpenvpnGnupg.card, OpenvpnGnupg.host = card_of(sys.argv)
    unittest.main(argv=sys.argv[:1], verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""OpenSSL 3 with the key on the token, by its engine for PKCS#11; OpenSSL without the engine judges.

    openssl_engine.py CARD [HOST]"""
import os
import subprocess
import sys
import unittest

import openssl_checks
from enrolled import Enrolled, card_of, crashes, died, end, engine_conf, free_port, golden, listening, server_certificate, until
from harness import MODULE, ForeignTest, run

HERE = os.path.dirname(os.path.abspath(__file__))
USE = ("-engine", "pkcs11", "-keyform", "engine")


class OpensslEngine(ForeignTest):
    card, host = card_of(["", "kaztoken"])

    def setUp(self):
        super().setUp()
        self.sim = self.enterContext(Enrolled(self, self.card, self.host))
        self.env = dict(self.sim.env, OPENSSL_CONF=engine_conf(self, MODULE))
        self.key = {label: self.sim.key_uri(label, pin_source=f"file:{self.sim.pin_file}") for label in ("AUTH", "SIGN")}
        self.document = self.write("document", b"a binding document\n" * 20)

    def engine(self, *words, **options):
        """openssl with the engine, to a clean end: a crash at exit is a crash."""
        options.setdefault("input", "")
        done = run("openssl", *words, env=options.pop("env", self.env), **options)
        self.assertIsNone(died(done.returncode), done.stderr)
        self.assertEqual(crashes(done.stdout, done.stderr), [])
        return done

    def can(self, operation):
        return golden(self.card, operation) == "done"

    def test_engine_by_configuration_and_by_environment(self):
        self.assertIn("[ available ]", self.engine("engine", "-t", "pkcs11").stdout)
        plain = {name: value for name, value in self.env.items() if name != "OPENSSL_CONF"}
        self.engine("dgst", "-sha256", *USE, "-sign", self.key["SIGN"], "-out", self.path("signature"), self.document,
                    env=dict(plain, PKCS11_MODULE_PATH=MODULE))
        openssl_checks.verify_pkcs1(self.path("SIGN.pub"), "sha256", self.document, self.path("signature"))

    def test_request(self):
        self.engine("req", "-new", *USE, "-key", self.key["AUTH"], "-subj", "/C=KZ/CN=OWNER", "-out", self.path("new.csr"))
        self.assertIn("verify OK", self.openssl("req", "-in", self.path("new.csr"), "-noout", "-verify").stderr)
        openssl_checks.same_public_key(self.path("AUTH.pub"), self.write("csr.pub", self.openssl(
            "req", "-in", self.path("new.csr"), "-noout", "-pubkey").stdout))

    def test_public_key_and_certificate_from_the_token(self):
        found = self.engine("pkey", "-engine", "pkcs11", "-inform", "engine", "-pubin", "-in", self.sim.key_uri("SIGN", kind="public"), "-pubout")
        openssl_checks.same_public_key(self.path("SIGN.pub"), self.write("found.pub", found.stdout))

    def test_signatures_by_every_hash(self):
        for scheme, options, verify in (("", (), openssl_checks.verify_pkcs1), ("-PSS", ("rsa_padding_mode:pss", "rsa_pss_saltlen:digest"),
                                                                                 openssl_checks.verify_pss)):
            for name in ("sha1", "sha224", "sha256", "sha384", "sha512"):
                with self.subTest(scheme=scheme, hash=name):
                    out, can = self.path(f"{name}{scheme}"), self.can(f"sign {name.upper()}-RSA-PKCS{scheme}")
                    done = self.engine("dgst", f"-{name}", *USE, "-sign", self.key["SIGN"], *(word for option in options for word in ("-sigopt", option)),
                                       "-out", out, self.document, ok=can)
                    if can:
                        verify(self.path("SIGN.pub"), name, self.document, out)
                    else:  # CKR_MECHANISM_INVALID as the engine says it
                        self.assertIn("Mechanism invalid", done.stderr)

    def test_cms_signed(self):
        for kind, more in (("detached", ()), ("enclosed", ("-nodetach",))):
            with self.subTest(kind):
                out = self.path("signed.p7")
                self.engine("cms", "-sign", "-binary", *more, *USE, "-inkey", self.key["SIGN"], "-signer", self.path("SIGN.pem"),
                            "-in", self.document, "-outform", "DER", "-out", out)
                judge = ["cms", "-verify", "-binary", "-inform", "DER", "-in", out, "-CAfile", self.sim.ca, "-out", self.path("back")]
                self.openssl(*judge, *(("-content", self.document) if not more else ()))
                self.assertEqual(self.read("back"), self.read("document"))
                changed = self.write("changed", self.read("document")[:-1])
                if not more:
                    self.openssl(*judge, "-content", changed, ok=False)

    def test_cms_decrypted(self):
        self.openssl("cms", "-encrypt", "-aes256", "-binary", "-in", self.document, "-outform", "DER", "-out", self.path("box"), self.path("AUTH.pem"))
        can = self.can("decrypt RSA-PKCS")
        self.engine("cms", "-decrypt", "-binary", *USE, "-inkey", self.key["AUTH"], "-recip", self.path("AUTH.pem"), "-inform", "DER",
                    "-in", self.path("box"), "-out", self.path("opened"), ok=can)
        if can:
            self.assertEqual(self.read("opened"), self.read("document"))
        # The other key opens nothing, and whether it could is not told.
        self.engine("cms", "-decrypt", "-binary", *USE, "-inkey", self.key["SIGN"], "-recip", self.path("AUTH.pem"), "-inform", "DER",
                    "-in", self.path("box"), "-out", self.path("not-opened"), ok=False)

    def server(self, *options):
        port = free_port()
        log = open(self.path(f"server{port}.log"), "w+", encoding="utf-8")
        self.addCleanup(log.close)
        process = self.sim.at_every_end(subprocess.Popen(
            ["openssl", "s_server", *USE, "-key", self.key["AUTH"], "-cert", server_certificate(self), "-accept", f"127.0.0.1:{port}", "-www", *options],
            env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        until(lambda: process.poll() is not None or listening(port), "the server listens")
        self.assertIsNone(process.poll(), self.read(os.path.basename(log.name)))
        return process, port

    def client(self, port, *options, ok=True):
        done = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", self.sim.ca, "-verify_return_error", "-verify_ip", "127.0.0.1",
                   *options, input="GET / HTTP/1.0\r\n\r\n", ok=None, timeout=30)
        welcome = "HTTP/1.0 200 ok" in done.stdout or "Verify return code: 0 (ok)" in done.stdout and "Cipher is (NONE)" not in done.stdout
        self.assertEqual(welcome and done.returncode == 0, ok, done.stdout[-1500:] + done.stderr[-1500:])

    def test_tls_server(self):
        """PKCS#1 v1.5 in TLS 1.2, PSS in TLS 1.2 and 1.3. What the card cannot do fails as a handshake; the same server
        serves the next client."""
        pss = self.can("sign SHA256-RSA-PKCS-PSS")
        process, port = self.server("-cipher", "ALL:@SECLEVEL=1")
        for _ in range(2):
            self.client(port, "-tls1_2", "-sigalgs", "RSA+SHA256")
            self.client(port, "-tls1_2", "-sigalgs", "RSA-PSS+SHA256", ok=pss)
            self.client(port, "-tls1_3", ok=pss)
            # Key transport: OpenSSL 3 itself refuses its own TLS padding for the key of any engine ("illegal or unsupported
            # padding mode", rsa_pmeth.c), before the card is asked; OpenSC's module has the same end.
            self.client(port, "-tls1_2", "-cipher", "AES256-SHA:@SECLEVEL=1", ok=False)
            self.client(port, "-tls1_2", "-sigalgs", "RSA+SHA384")
        self.assertIsNone(process.poll())
        self.assertEqual(died(end(process)), "SIGTERM")  # s_server has no other end

    def test_tls_server_without_its_card(self):
        """The card goes while the server runs: handshakes fail, the server does not; a new one works with the card back."""
        # The engine opens its session once and never again, so the old server stays without its key; the same with OpenSC's module.
        process, port = self.server("-tls1_2")
        self.client(port, "-sigalgs", "RSA+SHA256")
        self.sim.remove()
        self.client(port, "-sigalgs", "RSA+SHA256", ok=False)
        self.assertIsNone(process.poll())
        self.sim.control("insert")
        self.sim.until_present(True)
        self.client(port, "-sigalgs", "RSA+SHA256", ok=False)
        self.assertIsNone(process.poll())
        end(process)
        _, port = self.server("-tls1_2")
        self.client(port, "-sigalgs", "RSA+SHA256")

    def test_a_wrong_pin_costs_one_try(self):
        self.assertEqual(self.sim.tries_spent(), 0) if self.card.tells_tries else None
        for wrong in (f"pin-value={self.card.wrong_pin}", f"pin-source=file:{self.sim.wrong_pin_file}"):
            with self.subTest(wrong):
                before = self.sim.tries_spent()
                done = self.engine("dgst", "-sha256", *USE, "-sign", f"{self.sim.key_uri('SIGN')};{wrong}", self.document, ok=False)
                self.assertIn("PIN incorrect", done.stderr)
                self.assertEqual(self.sim.tries_spent() - before, 1)
                # The right one sets the counter back, so that the next round is not the card's last.
                self.engine("dgst", "-sha256", *USE, "-sign", self.key["SIGN"], "-out", self.path("signature"), self.document)

    def test_pin_from_the_configuration(self):
        conf = self.read("openssl.cnf").decode()
        env = dict(self.env, OPENSSL_CONF=self.write("pin.cnf", conf.replace("init = 0", f"PIN = {self.card.user_pin}\ninit = 0")))
        self.engine("dgst", "-sha256", *USE, "-sign", self.sim.key_uri("SIGN"), "-out", self.path("signature"), self.document, env=env)
        openssl_checks.verify_pkcs1(self.path("SIGN.pub"), "sha256", self.document, self.path("signature"))

    def test_no_pin_no_key_and_no_card(self):
        before = self.sim.tries_spent()
        words = ("dgst", "-sha256", *USE, "-out", self.path("signature"))
        self.engine(*words, "-sign", self.sim.key_uri("SIGN"), self.document, ok=False)  # nobody to ask: stdin is closed
        self.engine(*words, "-sign", f"pkcs11:object=NONE;type=private;pin-source=file:{self.sim.pin_file}", self.document, ok=False)
        self.assertEqual(self.sim.tries_spent(), before if self.card.tells_tries else before + 1)
        self.sim.remove()
        self.engine(*words, "-sign", self.key["SIGN"], self.document, ok=False)
        self.engine("engine", "-t", "pkcs11")
        self.sim.control("insert")
        self.sim.until_present(True)
        self.engine(*words, "-sign", self.key["SIGN"], self.document)

    def test_fork_after_the_key_was_loaded(self):
        program = self.path("engine")
        run("gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-DOPENSSL_SUPPRESS_DEPRECATED", os.path.join(HERE, "openssl_engine.c"), "-o", program, "-lcrypto")
        done = run(program, self.key["SIGN"], self.path("SIGN.pub"), "3", env=self.env, timeout=60)
        self.assertEqual(done.stdout.strip(), "every signature verified in 4 processes")
        self.assertEqual(crashes(done.stderr), [])


if __name__ == "__main__":
    OpensslEngine.card, OpensslEngine.host = card_of(sys.argv)
    unittest.main(argv=sys.argv[:1], verbosity=2)

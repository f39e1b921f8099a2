# SPDX-License-Identifier: Apache-2.0
"""Which token is meant, what the kilt program refuses, and what its traces say."""
import json
import os
import unittest

from kilt_case import FAILURE, NEW_PIN, NO_SERVICE, NO_TOKEN, UNSUPPORTED, USAGE, KiltTest
from harness import KILT, SO_PIN, USER_PIN, Sim, run


class Selection(KiltTest):
    def test_two_tokens_must_be_told_apart(self):
        with Sim("--card", "kaztoken", "--card", "kaztoken-sc") as self.sim:
            tokens = [r["token"] for r in self.json("list")["readers"]]
            self.assertEqual(len(tokens), 2)
            error = self.json("info", exit=USAGE)
            for token in tokens:
                self.assertIn(token["serial"], error["message"])
                self.assertEqual(self.json("info", "--token", token["serial"])["serial"], token["serial"])
                self.assertEqual(self.json("--token", token["uri"], "info")["serial"], token["serial"])
            self.kilt("info", "--token", "none of them", exit=NO_TOKEN)
            self.kilt("info", "--token", "pkcs11:serial=00", exit=NO_TOKEN)

    def test_no_service(self):
        self.sim = Sim()
        self.sim.env = dict(os.environ, KILT_READERS=f"socket:{self.path('none')}")
        for words in (["list"], ["info"], ["key", "list"]):
            self.assertEqual(self.json(*words, exit=NO_SERVICE)["kind"], "no_service")
        self.sim.env["KILT_READERS"] = "fax"
        self.kilt("info", exit=USAGE)

    def test_an_empty_reader(self):
        self.start()
        self.sim.control("remove")
        self.assertEqual(self.json("info", exit=NO_TOKEN)["kind"], "no_card")
        done = self.kilt("list", exit=NO_TOKEN)
        self.assertIn("Token:  none", done.stdout)
        self.sim.control("insert")
        self.kilt("info")

    def test_an_unknown_card_is_listed_with_the_reason(self):
        self.start("--atr", "3B9F958131FE9F006646530510003171DF000000000002")
        document = json.loads(self.kilt("list", "--json", exit=NO_TOKEN).stdout)
        why = document["data"]["readers"][0]["why_not"]
        self.assertEqual(why["kind"], "unknown_card")
        self.assertIn("trace record", why["hint"])
        self.kilt("info", exit=UNSUPPORTED)
        self.kilt("trace", "record", self.path("unknown.vec"))
        self.assertIn("3B9F958131FE9F00", self.read("unknown.vec").decode())

    def test_a_broken_configuration_is_a_warning(self):
        self.start()
        config = self.write("kilt.toml", "colour = 3\n")
        self.assertIn("kilt.toml:1", self.kilt("info", env={"KILT_CONFIG": config}).stderr)


class WhatIsRefused(KiltTest):
    def test_certificates(self):
        self.start()
        self.generate("X")
        self.authority()
        install = ["cert", "install"]
        error = self.json(*install, self.path("ca.pem"), *self.pin(USER_PIN), exit=FAILURE)
        self.assertEqual(error["kind"], "key_mismatch")
        before = self.tries()
        for garbage in (b"", b"garbage", os.urandom(500), b"0\x03\x02\x01\x00",
                        b"-----BEGIN CERTIFICATE-----\nMAMC\n-----END CERTIFICATE-----\n",
                        b"-----BEGIN CERTIFICATE-----\n", b"0" * 100000):
            error = self.json(*install, self.write("garbage", garbage), *self.pin("00000000"), exit=FAILURE)
            self.assertEqual(error["kind"], "bad_data", garbage[:30])
        self.json(*install, self.path("none"), *self.pin("00000000"), exit=FAILURE)
        self.assertEqual(self.tries(), before)
        self.assertEqual(self.json("info")["certificates"], [])
        self.kilt(*install, self.path("ca.pem"), "--without-key", "--label", "CA", *self.pin(USER_PIN))
        self.assertTrue(self.json("info")["certificates"][0]["authority"])

    def test_an_expired_certificate_is_installed_with_a_warning(self):
        self.start()
        self.generate("X")
        self.authority()
        self.request("X")
        self.openssl("x509", "-req", "-in", self.path("X.csr"), "-CA", self.path("ca.pem"), "-CAkey",
                     self.path("ca.key"), "-CAcreateserial", "-days", "-1", "-out", self.path("X.pem"))
        self.assertIn("expired 1 day ago", self.kilt("cert", "install", self.path("X.pem"), *self.pin(USER_PIN)).stderr)

    def test_keys(self):
        self.start()
        for bits in ("512", "1000", "8192"):
            self.kilt("key", "generate", "--label", "X", "--bits", bits, *self.pin(USER_PIN), exit=UNSUPPORTED)
        self.kilt("key", "generate", "--label", "X", "--id", "zz", *self.pin(USER_PIN), exit=USAGE)
        self.kilt("key", "generate", "--label", "X", "--usage", "fly", *self.pin(USER_PIN), exit=USAGE)
        self.kilt("csr", "--subject", "CN=x", "-o", self.path("x"), *self.pin(USER_PIN), exit=FAILURE)
        self.generate("X")
        self.kilt("csr", "--subject", "no name", "-o", self.path("x"), *self.pin(USER_PIN), exit=USAGE)
        self.kilt("sign", self.path("none"), "-o", self.path("x"), *self.pin(USER_PIN), exit=FAILURE)
        self.kilt("sign", self.write("letter", ""), "-o", self.path("x"), "--mechanism", "md5", *self.pin(USER_PIN),
                  exit=USAGE)
        self.kilt("sign", self.write("letter", ""), "-o", self.path("no/where"), *self.pin(USER_PIN), exit=FAILURE)

    def test_a_pin_for_somebody_else_is_not_passed_over(self):
        self.start()
        new = self.pin("0123456789", "new-pin")
        self.kilt("pin", "change", "--so", *self.pin(USER_PIN), *new, exit=USAGE)
        self.kilt("pin", "change", *self.pin(USER_PIN, "so-pin"), *new, exit=USAGE)

    def test_the_command_line(self):
        self.start()
        for words in ([], ["fly"], ["pin"], ["info", "--nothing"], ["key", "generate"], ["list", "extra"],
                      ["info", "--token", "pkcs11:colour=red"]):
            self.kilt(*words, exit=USAGE)
            self.assertEqual(self.json(*words, exit=USAGE)["kind"], "bad_argument")
        self.assertIn("Exit codes", self.kilt("--help").stdout)
        self.assertRegex(self.kilt("--version").stdout, r"^kilt \d+\.\d+\.\d+\n$")


class Trace(KiltTest):
    def test_no_pin_in_a_trace(self):
        self.start()
        trace = self.path("trace.vec")
        self.kilt("trace", "record", trace, "--", KILT, "pin", "change", *self.pin(USER_PIN), *self.pin(NEW_PIN, "new-pin"))
        self.kilt("trace", "record", trace, "--", KILT, "key", "generate", "--label", "X", "--bits", "1024",
                  *self.pin(NEW_PIN))
        self.kilt("trace", "record", trace, "--", KILT, "pin", "unblock", *self.pin(SO_PIN, "so-pin"),
                  *self.pin("11223344", "new-pin"))
        recorded = self.read("trace.vec")
        self.assertIn(b"{pin}", recorded)
        for pin in (USER_PIN, NEW_PIN, SO_PIN, "11223344"):
            self.assertNotIn(pin.encode(), recorded)
            self.assertNotIn(pin.encode().hex().upper(), recorded.decode().replace(" ", "").upper())
        self.assertEqual(os.stat(trace).st_mode & 0o777, 0o600)
        shown = self.kilt("trace", "show", trace).stdout
        self.assertIn("VERIFY, reference 02", shown)
        self.assertIn("spends no try", shown)

    def test_the_commands_own_status_is_handed_on(self):
        self.start()
        done = run(KILT, "trace", "record", self.path("t"), "--", "sh", "-c", "exit 42", env=self.sim.env, ok=False)
        self.assertEqual(done.returncode, 42)
        done = run(KILT, "trace", "record", self.path("t"), "--", self.path("none"), env=self.sim.env, ok=False)
        self.assertEqual(done.returncode, 127)

    def test_first_contact_only_reads(self):
        self.start()
        self.generate("X")
        before = self.json("info")
        cards = self.json("trace", "record", self.path("first.vec"))["cards"]
        self.assertIsNone(cards[0]["failure"])
        exchanges = self.json("trace", "show", self.path("first.vec"))["exchanges"]
        for exchange in exchanges:
            self.assertRegex(exchange["what"], "^(SELECT|READ BINARY|GET DATA|VERIFY.*spends no try|command 00 A5)", exchange)
        self.assertEqual(self.json("info"), before)

    def test_what_is_no_trace(self):
        self.start()
        self.kilt("trace", "show", self.write("x", "> 00"), exit=FAILURE)
        self.kilt("trace", "show", self.path("none"), exit=FAILURE)


if __name__ == "__main__":
    unittest.main(verbosity=2)

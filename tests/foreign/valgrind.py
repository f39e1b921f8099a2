#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What valgrind finds when programs use the module, card by card: nothing.

    valgrind.py CARD"""
import re
import sys
import unittest

from cards import CARDS
from harness import KILT, MODULE, ForeignTest, Sim


class Valgrind(ForeignTest):
    card = None

    def setUp(self):
        super().setUp()
        self.sim = Sim("--card", self.card.name, env={"HOME": self.directory})
        self.enterContext(self.sim)
        self.pin = self.write("pin", self.card.user_pin)
        self.sim.run(KILT, "key", "generate", "--label", "SIGN", "--pin-file", self.pin)

    def under_valgrind(self, *command):
        log = self.path("valgrind.log")
        done = self.sim.run("valgrind", "--leak-check=full", "--errors-for-leak-kinds=none", "--error-exitcode=9", f"--log-file={log}",
                            *command, timeout=900)
        report = self.read("valgrind.log").decode()
        self.assertRegex(report, r"ERROR SUMMARY: 0 errors")
        # pkcs11-tool leaves some memory of its own behind: what was lost counts if the module asked for it.
        lost = [block for block in re.split(r"(?m)^==\d+== $", report) if "definitely lost in" in block or "indirectly lost in" in block]
        self.assertEqual([block for block in lost if "kilt-pkcs11" in block], [])
        return done

    def test_every_flow(self):
        """pkcs11-tool's own test: signs, verifies, digests, wraps (refused) and decrypts where the card can."""
        done = self.under_valgrind("pkcs11-tool", "--module", MODULE, "--login", "--pin", self.card.user_pin, "--test")
        self.assertRegex(done.stdout, r"testing key \d+ .*\n(.*\n)*.*: OK")

    def test_a_life(self):
        """Makes a key, changes the PIN and back, lists everything and deletes the key."""
        tool = ("pkcs11-tool", "--module", MODULE)
        login = ("--login", "--pin", self.card.user_pin)
        self.under_valgrind(*tool, *login, "--keypairgen", "--key-type", "rsa:2048", "--id", "77", "--label", "second")
        self.under_valgrind(*tool, *login, "--change-pin", "--new-pin", self.card.new_pin)
        self.under_valgrind(*tool, "--login", "--pin", self.card.new_pin, "-O")
        self.under_valgrind(*tool, "--login", "--pin", self.card.new_pin, "--delete-object", "--type", "privkey", "--id", "77")

    def test_the_command(self):
        self.under_valgrind(KILT, "list")
        self.under_valgrind(KILT, "key", "generate", "--label", "AUTH", "--pin-file", self.pin)
        document = self.write("document", "to be signed")
        self.under_valgrind(KILT, "sign", document, "--key", "AUTH", "-o", self.path("signature"), "--pin-file", self.pin)
        self.under_valgrind(KILT, "verify", document, "--key", "AUTH", "--signature", self.path("signature"))


if __name__ == "__main__":
    Valgrind.card = CARDS[sys.argv[1]]
    unittest.main(argv=sys.argv[:1], verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""PINs that a person types on the reader's keys and no program sees.

kilt-sim's reader plays person and keys (--pinpad). The structure by which a reader is told what to do is held to the
standard's bytes in tests/transport; here the card judges what came out of it."""
import re

from cards import CARDS
from harness import ATR_RUTOKEN_ECP, KILT, MODULE, OPENSC_MODULE, ForeignTest, Sim, main, opensc_conf
import openssl_checks

DOCUMENT = b"signed with a PIN that no program has seen"
PAD = "PIN pad present"


class PinPad(ForeignTest):
    def pad(self, card, typed, *options, **more):
        return Sim("--card", card.name, "--via", "pcscd", "--pinpad", typed, *options, **more)

    def tool(self, sim, *words, module=MODULE, **options):
        return sim.run("pkcs11-tool", "--module", module, *words, **options)

    def refused(self, sim, code):
        done = self.tool(sim, "--login", "-O", ok=False)
        self.assertIn(code, done.stdout + done.stderr)

    def test_a_person_logs_in_and_signs(self):
        for name in ("kaztoken", "kaztoken-sc", "kzid"):
            card = CARDS[name]
            with self.subTest(card=name), self.pad(card, card.user_pin) as sim:
                self.assertIn(PAD, self.tool(sim, "-T").stdout)
                self.tool(sim, "--login", "--keypairgen", "--key-type", "rsa:2048", "--id", "01", "--usage-sign")
                self.tool(sim, "--login", "--sign", "-m", "SHA256-RSA-PKCS", "--id", "01", "-i", self.write("document", DOCUMENT),
                          "-o", self.path("signature"))
                self.tool(sim, "--read-object", "--type", "pubkey", "--id", "01", "-o", self.path("pub.der"))
                self.openssl("pkey", "-pubin", "-inform", "DER", "-in", self.path("pub.der"), "-pubout", "-out", self.path("pub.pem"))
                openssl_checks.verify_pkcs1(self.path("pub.pem"), "sha256", self.path("document"), self.path("signature"))
                # A program that has the PIN may still give it.
                self.assertIn("Private Key Object", self.tool(sim, "--login", "--pin", card.user_pin, "-O").stdout)

    def test_a_wrong_one_costs_one_try(self):
        for name in ("kaztoken", "kzid"):
            card = CARDS[name]
            with self.subTest(card=name), self.pad(card, card.wrong_pin) as sim:
                before = self.tries(sim)
                self.refused(sim, "CKR_PIN_INCORRECT")
                self.assertEqual(self.tries(sim), before - 1)

    def test_the_last_try_is_not_typed_away(self):
        card = CARDS["kzid"]
        with self.pad(card, card.wrong_pin) as sim:
            for _ in range(card.tries - 1):
                self.refused(sim, "CKR_PIN_INCORRECT")
            self.refused(sim, "CKR_FUNCTION_FAILED")
            self.assertEqual(self.tries(sim), 1)

    def test_who_gives_up_loses_nothing(self):
        card = CARDS["kaztoken"]
        for typed, code in (("cancel", "CKR_FUNCTION_CANCELED"), ("nothing", "CKR_FUNCTION_CANCELED"), ("12", "CKR_PIN_INCORRECT")):
            with self.subTest(typed=typed), self.pad(card, typed) as sim:
                before = self.tries(sim)
                self.refused(sim, code)
                self.assertEqual(self.tries(sim), before)

    def test_cards_that_do_not_take_a_pin_as_it_is_typed(self):
        """eToken computes with it, JaCarta's is enciphered: programs ask for it as ever."""
        for name in ("etoken72k", "jacarta"):
            card = CARDS[name]
            with self.subTest(card=name), self.pad(card, card.user_pin) as sim:
                self.assertNotIn(PAD, self.tool(sim, "-T").stdout)
                self.tool(sim, "--login", "--pin", card.user_pin, "-O")

    def test_without_keys_on_the_reader(self):
        card = CARDS["kaztoken"]
        with Sim("--card", card.name, "--via", "pcscd") as sim:
            self.assertNotIn(PAD, self.tool(sim, "-T").stdout)

    def test_opensc_finds_the_keys_too(self):
        """Its driver for this card refuses to use keys (CKR_FUNCTION_NOT_SUPPORTED) and still tells that they are there."""
        card = CARDS["kaztoken"]
        conf = opensc_conf(self.directory)
        with self.pad(card, card.user_pin, "--atr", ATR_RUTOKEN_ECP, env={"OPENSC_CONF": conf}) as sim:
            # Formatted by kilt, so that OpenSC finds its PKCS#15 directory.
            self.tool(sim, "--login", "--keypairgen", "--key-type", "rsa:2048", "--id", "01", "--usage-sign", "--label", "AUTH")
            self.assertIn(PAD, self.tool(sim, "-T", module=OPENSC_MODULE).stdout)

    def tries(self, sim):
        info = sim.run(KILT, "--json", "info").stdout
        return int(re.search(r'"tries_left": (\d+)', info).group(1))


if __name__ == "__main__":
    main()

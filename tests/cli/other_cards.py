# SPDX-License-Identifier: Apache-2.0
"""The kilt program on cards unlike Kaztoken: what a card lacks is told before a PIN is asked for, what it does not tell is unknown."""
import unittest

from kilt_case import OK, PIN_REFUSED, UNSUPPORTED, USAGE, KiltTest
from harness import KILT, SO_PIN, Sim, run

ETOKEN_PIN = "1234567890"


class OtherCard(KiltTest):
    def start(self, card, *options):
        sim = Sim("--card", card, *options)
        sim.__enter__()
        self.addCleanup(sim.__exit__, None, None, None)
        self.sim = sim


class IdCard(OtherCard):
    def enrolled(self):
        self.start("kzid")
        self.kilt("pin", "unblock", *self.pin(SO_PIN, "so-pin"), *self.pin("2468", "new-pin"))
        self.kilt("key", "generate", "--label", "SIGN", *self.pin("2468"))

    def test_pss_is_refused_with_the_card_named(self):
        self.enrolled()
        letter = self.write("letter", "text")
        before = self.tries()
        # Without a source of the PIN: nobody is asked for it.
        done = run("setsid", "-w", KILT, "sign", letter, "-o", self.path("sig"), "--mechanism", "pss", env=self.sim.env, ok=None)
        self.assertEqual(done.returncode, UNSUPPORTED, done.stderr)
        self.assertIn("KZ ID CARD", done.stderr)
        self.assertIn("pss-sha256", done.stderr)
        self.assertEqual(self.tries(), before)
        self.kilt("sign", letter, "-o", self.path("sig"), *self.pin("2468"))
        self.kilt("verify", letter, "--signature", self.path("sig"))
        self.openssl("req", "-in", self.request("SIGN", "2468"), "-verify", "-noout")

    def test_a_pair_that_was_made_is_not_denied(self):
        words = [KILT, "key", "generate", "--label", "SIGN", *self.pin("1234")]
        seen = set()
        for at in range(1, 40):  # each write of a directory in turn: some stand before the generation, some after it
            with Sim("--card", "kzid", "--fault", f"sw@ins:D6:{at}:6581") as self.sim:
                done = run(*words, env=self.sim.env, ok=None)
                keys = self.json("key", "list")["keys"]
            if done.returncode == OK:
                break
            self.assertEqual("was generated, but" in done.stderr, bool(keys), done.stderr)
            self.assertEqual("was not generated" in done.stderr, not keys, done.stderr)
            self.assertIn(keys[0]["id"] if keys else "kilt", done.stderr)
            seen.add(bool(keys))
        self.assertEqual((done.returncode, seen), (OK, {False, True}))
        with Sim("--card", "kzid", "--fault", "remove-after@ins:46:1") as self.sim:
            self.assertIn("may have been generated", run(*words, env=self.sim.env, ok=False).stderr)

    def test_a_key_that_is_not_to_sign_is_refused_before_the_pin(self):
        self.start("kzid")
        for usage in ("decrypt", "decrypt,unwrap"):
            self.kilt("key", "generate", "--label", "X", "--usage", usage, *self.pin("9999"), exit=UNSUPPORTED)
        self.assertEqual(self.tries(), 3)

    def test_only_the_issuer_initialises(self):
        self.start("kzid")
        done = self.kilt("init", "--label", "L", "--yes", "--token", self.serial(), *self.pin(SO_PIN, "so-pin"),
                         *self.pin("2468", "new-pin"), exit=UNSUPPORTED)
        self.assertIn("issuer", done.stderr)
        self.assertIsNone(self.json("info")["factory_pin_hint"])  # it has no such PIN


class Etoken(OtherCard):
    def test_a_counter_that_nobody_tells(self):
        self.start("etoken72k")
        self.assertIn("tries left: unknown", self.kilt("pin", "status").stdout)
        self.assertIsNone(self.tries())
        error = self.json("key", "generate", "--label", "X", "--bits", "1024", *self.pin("00000000"), exit=PIN_REFUSED)
        self.assertEqual((error["kind"], error["tries_left"]), ("pin_incorrect", None))
        self.json("key", "generate", "--label", "X", "--bits", "1024", *self.pin(ETOKEN_PIN))

    def test_wrong_pins_are_counted_where_nobody_tells_the_counter(self):
        self.start("etoken72k")
        wrong = ["key", "generate", "--label", "X", "--bits", "1024", *self.pin("00000000")]
        right = ["key", "generate", "--label", "X", "--bits", "1024", *self.pin(ETOKEN_PIN)]
        for _ in range(2):
            self.assertEqual(self.json(*wrong, exit=PIN_REFUSED)["kind"], "pin_incorrect")
        self.assertIn("2 wrong since the last right one", self.kilt("pin", "status").stdout)
        for words in (wrong, right):
            self.assertEqual(self.json(*words, exit=PIN_REFUSED)["kind"], "pin_last_try")
        self.assertIn("--spend-last-try", self.kilt(*right, exit=PIN_REFUSED).stderr)
        self.json(*right, "--spend-last-try")
        self.assertNotIn("wrong", self.kilt("pin", "status").stdout)


class SeveralApplications(OtherCard):
    def test_each_usable_one_is_a_token(self):
        self.start("jacarta-combined")
        reader, = self.json("list")["readers"]
        self.assertEqual(len(reader["tokens"]), 2)
        self.assertEqual(reader["token"], reader["tokens"][0])
        self.assertEqual([a["usable"] for a in reader["token"]["applications"]], [True, True])
        error = self.json("info", exit=USAGE)  # both fit
        for token in reader["tokens"]:
            self.assertIn(token["serial"], error["message"])
            told = self.json("info", "--token", token["uri"])
            self.assertEqual((told["label"], told["serial"]), (token["label"], token["serial"]))

    def test_one_that_kilt_cannot_use_is_named(self):
        self.start("jacarta")
        reader, = self.json("list")["readers"]
        token, = reader["tokens"]
        other, = (a["name"] for a in token["applications"] if not a["usable"])
        self.assertIn("GOST", other)
        for words in (["list"], ["info"]):
            self.assertIn(f"{other} (not supported by kilt)", self.kilt(*words).stdout)
        self.assertEqual(self.json("info")["applications"], token["applications"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

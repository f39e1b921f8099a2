# SPDX-License-Identifier: Apache-2.0
"""The kilt program on cards unlike Kaztoken: what a card lacks is told before a PIN is asked for, what it does not tell is unknown."""
import os
import unittest

from kilt_case import FAILURE, OK, PIN_REFUSED, UNSUPPORTED, USAGE, KiltTest
from harness import KILT, SO_PIN, Sim, run
from terminal import Terminal

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


class IdCardWithoutDirectories(OtherCard):
    """As the real ones seem to be: certificates are kept on this computer, and labels nowhere."""

    def start(self, *options):
        super().start("kzid", "--blank", *options)
        self.kept = os.path.join(self.sim.data.name, "kilt")

    def certified(self):
        self.start()
        self.made = self.kilt("key", "generate", "--label", "SIGN", *self.pin("1234"))
        self.label = self.json("key", "list")["keys"][0]["label"]
        self.authority()
        self.request(self.label, "1234")
        return self.issue(self.label)

    def test_a_label_that_the_card_does_not_keep_is_told(self):
        self.certified()
        self.assertEqual(self.label, "key 7")
        self.assertIn('The card keeps no labels; the key is "key 7"', self.made.stderr)

    def test_a_certificate_is_said_to_be_on_this_computer(self):
        certificate = self.certified()
        said = self.kilt("cert", "install", certificate).stdout
        self.assertIn("kept on this computer", said)
        self.assertIn("another computer will not find it", said)
        self.assertNotIn("installed on", said)
        told = self.json("cert", "install", certificate)
        self.assertEqual((told["already_installed"], told["replaced"]), (True, False))
        place = told["certificate"]["kept_in"]
        self.assertEqual(os.path.dirname(place), self.kept)
        self.openssl("x509", "-in", certificate, "-outform", "DER", "-out", self.path("der"))
        with open(place, "rb") as file:
            self.assertEqual(file.read(), self.read("der"))
        self.assertEqual(self.json("info")["certificates"][0]["kept_in"], place)
        self.assertIn("kept on this computer already; nothing was written", self.kilt("cert", "install", certificate).stdout)
        for words in (["info"], ["list"], ["cert", "install", certificate]):
            self.assertIn(f"kept on this computer in {place}", self.kilt(*words).stdout)
        self.assertIn(place, said)
        sure = ["--yes", "--token", self.serial(), *self.pin("1234")]
        self.assertIn("deleted from this computer", self.kilt("cert", "delete", self.label, *sure).stdout)
        self.assertFalse([name for name in os.listdir(self.kept) if name.endswith(".der")])

    def test_a_renewed_certificate_takes_the_place_of_the_old_one(self):
        certificate = self.certified()
        self.assertFalse(self.json("cert", "install", certificate)["replaced"])
        self.assertTrue(self.json("cert", "install", self.issue(self.label))["replaced"])
        self.assertIn("took the place of", self.kilt("cert", "install", self.issue(self.label)).stdout)
        self.assertEqual(len(self.json("info")["certificates"]), 1)

    def test_no_pin_is_asked_for_or_sent(self):
        certificate = self.certified()
        before = self.tries()
        # With no terminal, and with PINs that are wrong.
        run("setsid", "-w", KILT, "cert", "install", certificate, env=self.sim.env)
        self.kilt("cert", "install", self.issue(self.label), *self.pin("9999"))
        self.kilt("cert", "install", self.path("ca.pem"), *self.pin("9999"), exit=FAILURE)
        self.assertEqual(self.tries(), before)
        run("setsid", "-w", KILT, "cert", "delete", self.label, "--yes", "--token", self.serial(), env=self.sim.env)
        self.assertEqual(self.json("info")["certificates"], [])
        self.assertEqual(self.tries(), before)
        self.kilt("cert", "install", certificate, "--pin-file", self.path("none"), exit=USAGE)

    def test_a_place_that_cannot_be_written_is_no_mistake_in_the_command(self):
        certificate = self.certified()
        file = self.write("file", "")
        self.assertEqual(self.json("cert", "install", certificate, env={"XDG_DATA_HOME": file}, exit=FAILURE)["kind"], "bad_data")


class WithDirectories(OtherCard):
    def test_a_certificate_is_installed_by_whoever_types_the_pin(self):
        self.start("kzid")
        self.kilt("key", "generate", "--label", "SIGN", *self.pin("1234"))
        self.authority()
        self.request("SIGN", "1234")
        with Terminal([KILT, "cert", "install", self.issue("SIGN")], self.sim.env) as at:
            at.expect("tries left): ")
            at.type("1234\n")
            code, said = at.finish()
        self.assertEqual(code, OK, said)
        self.assertIn("installed on KZ ID CARD", said)
        told = self.json("info")["certificates"]
        self.assertEqual([(c["label"], "kept_in" in c) for c in told], [("SIGN", False)])


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

    def test_no_pin_is_sent_where_nobody_counts(self):
        self.start("etoken72k")
        nowhere = {"XDG_DATA_HOME": self.write("file", "")}
        self.assertIn("nobody counts", self.kilt("pin", "status", env=nowhere).stdout)
        self.assertIn("file", self.json("pin", "status", env=nowhere)["pins"][0]["unwatched"])
        right = ["key", "generate", "--label", "X", "--bits", "1024", *self.pin(ETOKEN_PIN)]
        error = self.json(*right, env=nowhere, exit=PIN_REFUSED)
        self.assertEqual(error["kind"], "pin_last_try")
        self.assertIn("XDG_DATA_HOME", error["hint"])
        self.json(*right, "--spend-last-try", env=nowhere)
        self.assertIsNone(self.json("pin", "status")["pins"][0]["unwatched"])


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

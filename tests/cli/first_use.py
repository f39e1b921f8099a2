# SPDX-License-Identifier: Apache-2.0
"""What somebody meets who uses the kilt program for the first time and does things in the wrong order, twice, or with the
wrong files: each is told what is the matter and what to do, before a PIN is sent and with the card as it was."""
import json
import os
import unittest

from kilt_case import FAILURE, NEW_PIN, NO_TOKEN, PIN_LOCKED, PIN_REFUSED, USAGE, KiltTest
from harness import KILT, SO_PIN, USER_PIN, Sim, run
from terminal import Terminal


class Order(KiltTest):
    def exchanges(self):
        return json.loads(self.sim.control("stats"))["apdus"]

    def test_a_blank_card_is_to_be_initialised(self):
        self.start("--blank")
        self.authority()
        letter = self.write("letter", "text")
        for words in (["key", "generate", "--label", "X", *self.pin(USER_PIN)],
                      ["key", "delete", "X", *self.pin(USER_PIN)],
                      ["pin", "change", *self.pin(USER_PIN), *self.pin(NEW_PIN, "new-pin")],
                      ["pin", "change", "--so", *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin")],
                      ["pin", "unblock", *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin")],
                      ["cert", "install", self.path("ca.pem"), "--without-key", *self.pin(USER_PIN)],
                      ["cert", "export", "-o", self.path("x")],
                      ["csr", "--subject", "CN=x", "-o", self.path("x"), *self.pin(USER_PIN)],
                      ["sign", letter, "-o", self.path("x"), *self.pin(USER_PIN)]):
            said = self.kilt(*words, exit=FAILURE).stderr
            self.assertIn("kilt init", said, words)
            self.assertNotIn("unblock", said.split(" do: ")[1], words)
        self.assertIsNone(self.json("info")["factory_pin_hint"])
        for words in (["info"], ["list"], ["pin", "status"], ["key", "list"]):
            self.assertIn("kilt init", self.kilt(*words).stdout, words)

    def test_sources_and_places_are_looked_at_before_the_card(self):
        self.start()
        self.generate("X")
        letter = self.write("letter", "text")
        none = ["--pin-file", self.path("none")]
        before = self.exchanges()
        for words, exit in ((["sign", letter, "-o", self.path("sig"), *none], USAGE),
                            (["csr", "--subject", "CN=x", "-o", self.path("csr"), *none], USAGE),
                            (["key", "generate", "--label", "Y", *none], USAGE),
                            (["key", "delete", "X", *none], USAGE),
                            (["pin", "change", *none, *self.pin(NEW_PIN, "new-pin")], USAGE),
                            (["pin", "change", *self.pin(USER_PIN), "--new-pin-file", self.path("none")], USAGE),
                            (["pin", "unblock", "--so-pin-env", "NOT_SET", *self.pin(NEW_PIN, "new-pin")], USAGE),
                            (["init", "--label", "L", "--so-pin-fd", "99", *self.pin(NEW_PIN, "new-pin")], USAGE),
                            (["init", "--label", "Тым ұзын белгі атауы", *self.pin(SO_PIN, "so-pin"),
                              *self.pin(NEW_PIN, "new-pin")], USAGE),
                            (["sign", letter, "-o", self.path("no/where"), *self.pin(USER_PIN)], FAILURE),
                            (["sign", letter, "-o", self.directory, *self.pin(USER_PIN)], FAILURE),
                            (["csr", "--subject", "CN=x", "-o", self.path("no/where"), *self.pin(USER_PIN)], FAILURE),
                            (["cert", "export", "X", "-o", self.path("no/where")], FAILURE)):
            self.kilt(*words, exit=exit)
            self.assertEqual(self.exchanges(), before, words)

    def test_a_file_is_written_whole_or_not_at_all(self):
        self.start()
        self.generate("X")
        letter, place = self.write("letter", "text"), self.write("sig", "of yesterday")
        there = sorted(os.listdir(self.directory) + ["pin-00000000"])
        self.kilt("sign", letter, "-o", place, *self.pin("00000000"), exit=PIN_REFUSED)
        self.assertEqual(self.read("sig"), b"of yesterday")
        self.assertEqual(sorted(os.listdir(self.directory)), there)
        self.kilt("sign", letter, "-o", place, *self.pin(USER_PIN))
        self.assertEqual(len(self.read("sig")), 128)

    def test_a_pin_and_a_document_on_one_descriptor(self):
        self.start()
        self.generate("X")
        self.write("letter", "I owe one horse.")
        self.kilt("sign", "-", "-o", self.path("sig"), "--pin-fd", "0", input=f"{USER_PIN}\nI owe one horse.")
        self.kilt("verify", self.path("letter"), "--signature", self.path("sig"))

    def test_progress_is_told_once_the_pin_is_right(self):
        self.start()
        said = self.kilt("key", "generate", "--label", "X", *self.pin("00000000"), exit=PIN_REFUSED).stderr
        self.assertNotIn("computes", said)
        init = ["init", "--label", "L", "--yes", "--token", self.serial()]
        said = self.kilt(*init, *self.pin("00000000", "so-pin"), *self.pin(NEW_PIN, "new-pin"), exit=PIN_REFUSED).stderr
        self.assertNotIn("initialised;", said)
        said = self.kilt(*init, *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin")).stderr
        self.assertIn("initialised;", said)


class Twice(KiltTest):
    def certified(self):
        self.generate("X")
        self.authority()
        self.request("X")
        return self.issue("X")

    def test_a_certificate_is_installed_once(self):
        self.start()
        certificate = self.certified()
        install = ["cert", "install", certificate, *self.pin(USER_PIN)]
        self.assertFalse(self.json(*install)["already_installed"])
        before = self.json("list")
        self.assertIn("already; nothing was written", self.kilt(*install).stdout)
        told = self.json(*install)
        self.assertTrue(told["already_installed"])
        self.assertEqual(told["certificate"]["label"], "X")
        self.openssl("x509", "-in", certificate, "-outform", "DER", "-out", self.path("X.der"))
        self.assertTrue(self.json("cert", "install", self.path("X.der"), "--label", "X", *self.pin(USER_PIN))["already_installed"])
        self.assertEqual(self.json("list"), before)
        self.kilt(*install[:-2], *self.pin("00000000"), exit=PIN_REFUSED)
        # Under another name it is another object, because somebody asked for it by name.
        self.assertFalse(self.json(*install, "--label", "copy")["already_installed"])
        self.assertEqual(len(self.json("info")["certificates"]), 2)

    def test_what_was_done_when_the_card_was_pulled_is_not_denied(self):
        state = self.path("state")
        with Sim("--card", "kaztoken", "--state", state) as self.sim:
            self.certified()
        for words, noun, found in ((["key", "generate", "--label", "NEW", "--bits", "1024"], "key pair", "keys"),
                                   (["cert", "install", self.path("X.pem")], "certificate", "certificates")):
            hints = self.pulled_at_each_exchange(state, [*words, *self.pin(USER_PIN)], found)
            self.assertTrue(hints[-1].startswith(f"The {noun} may be on the token all the same"), hints)
            self.assertIn("kilt list", hints[-1])

    def pulled_at_each_exchange(self, state, words, found):
        """Ends when the object was there although the command failed; what was advised each time."""
        hints = []
        with Sim("--card", "kaztoken", "--state", state) as self.sim:
            before = len(self.json("info")[found])
        for at in range(5, 100):
            state_now = self.write("state-now", self.read("state"))  # what was cut off must not add up
            with Sim("--card", "kaztoken", "--state", state_now, "--fault", f"remove-after@apdu:{at}") as self.sim:
                error = self.json(*words, exit=NO_TOKEN)
                hints.append(error["hint"])
            with Sim("--card", "kaztoken", "--state", state_now) as self.sim:
                if len(self.json("info")[found]) > before:
                    return hints
        self.fail("it was never there")


class Files(KiltTest):
    def test_what_is_no_certificate_is_called_so(self):
        self.start()
        for garbage in (b"0\x03\x02\x01\x00", os.urandom(500), b"0\x82\x01\x00" + bytes(256)):
            said = self.kilt("cert", "install", self.write("garbage", garbage), *self.pin(USER_PIN), exit=FAILURE).stderr
            self.assertNotIn("BER", said)
            if garbage[0] == 0x30:
                self.assertIn("garbage: this is no X.509 certificate", said)
        self.authority()
        self.openssl("rsa", "-in", self.path("ca.key"), "-pubout", "-outform", "DER", "-out", self.path("key.der"))
        said = self.kilt("cert", "install", self.path("key.der"), *self.pin(USER_PIN), exit=FAILURE).stderr
        self.assertIn("this is no X.509 certificate", said)


class Machines(KiltTest):
    def test_version_and_help_are_json_where_that_is_asked_for(self):
        for words in (["--json", "--version"], ["--version", "--json"]):
            document = json.loads(run(KILT, *words).stdout)
            self.assertEqual((document["schema"], document["ok"]), ("kilt/1", True))
            self.assertEqual(f"kilt {document['data']['version']}", document["data"]["text"].strip())
        self.assertIn("--mechanism", json.loads(run(KILT, "sign", "--help", "--json").stdout)["data"]["text"])

    def test_a_blocked_pin_has_no_tries_left(self):
        self.start()
        wrong = ["key", "generate", "--label", "X", *self.pin("00000000"), "--spend-last-try"]
        while self.tries() > 0:
            error = self.json(*wrong, exit=PIN_REFUSED if self.tries() > 1 else PIN_LOCKED)
        self.assertEqual(error["tries_left"], 0)
        self.assertEqual(self.json(*wrong, exit=PIN_LOCKED)["tries_left"], 0)
        pin = self.json("pin", "status")["pins"][0]
        self.assertEqual((pin["blocked"], pin["tries_left"]), (True, 0))

    def test_list_and_info_name_one_manufacturer(self):
        self.start()
        token = self.json("list")["readers"][0]["token"]
        info = self.json("info")
        for field in ("manufacturer", "device_manufacturer", "model", "label", "serial", "uri"):
            self.assertEqual(token[field], info[field])
        self.assertIn(f"manufacturer={info['manufacturer']};", info["uri"])

    def test_labels_that_do_not_fit(self):
        self.start()
        init = ["init", "--yes", "--token", self.serial(), *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin"), "--label"]
        error = self.json(*init, "Тым ұзын белгі атауы", exit=USAGE)
        self.assertIn("37 bytes", error["message"])
        self.json(*init, "", exit=USAGE)
        self.kilt(*init, os.fsdecode(b"\xff\xfe"), exit=USAGE)
        self.kilt("key", "generate", "--label", os.fsdecode(b"\xff"), *self.pin(USER_PIN), exit=USAGE)
        self.kilt("key", "generate", "--label", "L" * 256, *self.pin(USER_PIN), exit=USAGE)
        self.json(*init, "Белгі атауы 1234")
        info = self.json("info")
        self.assertEqual(info["label"], "Белгі атауы 1234")

    def test_a_new_pin_is_measured_before_anything_is_sent(self):
        self.start()
        error = self.json("pin", "change", *self.pin("00000000"), *self.pin("12345", "new-pin"), exit=PIN_REFUSED)
        self.assertEqual(error["kind"], "pin_length")
        self.assertEqual(self.tries(), 10)
        with Terminal([KILT, "pin", "change"], self.sim.env) as at:
            at.expect("tries left): ")
            at.type(USER_PIN + "\n")
            at.expect("(6 to 32 characters): ")
            at.type("\x03")
            at.finish()


if __name__ == "__main__":
    unittest.main(verbosity=2)

# SPDX-License-Identifier: Apache-2.0
"""The kilt program through the life of a token, on simulated cards; OpenSSL judges what comes out."""
import os
import shutil
import unittest

from kilt_case import (BAD_SIGNATURE, FAILURE, NEW_PIN, NEW_SO_PIN, NO_TOKEN, PIN_LOCKED, PIN_REFUSED, USAGE,
                        KiltTest)
from harness import KILT, MODULE, SO_PIN, USER_PIN, Sim, run


class Life(KiltTest):
    def test_from_the_box_to_a_signature(self):
        state = self.path("state")
        with Sim("--card", "kaztoken", "--state", state) as self.sim:
            reader, = self.json("list")["readers"]
            token = reader["token"]
            self.assertEqual(token["store_name"], "AKKaztokenStore")
            self.assertTrue(token["uri"].startswith("pkcs11:model=KAZTOKEN;"))
            info = self.json("info")
            self.assertEqual(info["keys"], [])
            self.assertIn(USER_PIN, info["factory_pin_hint"])
            done = self.kilt("pin", "change", *self.pin(USER_PIN), *self.pin(NEW_PIN, "new-pin"))
            self.assertNotIn("Warning", done.stderr)
            self.generate("AUTH", pin=NEW_PIN)
            key = self.generate("SIGN", "--id", "4a5B", pin=NEW_PIN)
            self.assertEqual((key["id"], key["bits"], key["generated_on_token"]), ("4A5B", 1024, True))
            self.assertIn("id=%4A%5B;object=SIGN;type=private", key["uri"])
            for label in ("AUTH", "SIGN"):
                self.openssl("req", "-in", self.request(label, NEW_PIN), "-verify", "-noout")
        self.authority()
        with Sim("--card", "kaztoken", "--state", state) as self.sim:  # weeks later
            for label in ("AUTH", "SIGN"):
                found = self.json("cert", "install", self.issue(label), *self.pin(NEW_PIN))["certificate"]
                self.assertEqual(found["label"], label)
            self.assertEqual(found["id"], "4A5B")
            self.assertEqual([k["certificates"] for k in self.json("key", "list")["keys"]], [["AUTH"], ["SIGN"]])
            self.exported()
            self.signed("--key", "SIGN")
            self.signed("--key", key["uri"], "--mechanism", "pss")
            self.kilt("sign", self.path("letter"), "-o", self.path("x"), *self.pin(NEW_PIN), exit=USAGE)

    def exported(self):
        certificates = {c["label"]: c for c in self.json("info")["certificates"]}
        self.assertIn(certificates["SIGN"]["days_left"], (364, 365))
        self.assertRegex(self.kilt("info").stdout, r"expires in 36[45] days")
        self.kilt("cert", "export", "SIGN", "-o", self.path("back.pem"))
        self.kilt("cert", "export", certificates["SIGN"]["uri"], "--der", "-o", self.path("back.der"))
        self.openssl("x509", "-in", self.path("SIGN.pem"), "-outform", "DER", "-out", self.path("der"))
        self.assertEqual(self.read("back.der"), self.read("der"))
        self.openssl("x509", "-in", self.path("back.pem"), "-outform", "DER", "-out", self.path("back2.der"))
        self.assertEqual(self.read("back2.der"), self.read("der"))
        piped = self.kilt("cert", "export", "4a5b", "-o", "-").stdout_bytes
        self.assertEqual(piped, self.read("back.pem"))

    def signed(self, *words):
        letter, signature = self.write("letter", b"I owe one horse.\0" * 9999), self.path("letter.sig")
        pss = "--mechanism" in words
        how = ["--mechanism", "pss"] if pss else []
        self.kilt("sign", letter, "-o", signature, *words, *self.pin(NEW_PIN))
        options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if pss else []
        self.openssl_verifies(self.path("SIGN.pem"), letter, signature, *options)
        for source in (["--key", "SIGN"], ["--certificate", "SIGN"], ["--cert", self.path("SIGN.pem")]):
            self.assertTrue(self.json("verify", letter, "--signature", signature, *how, *source)["valid"])
        wrong = self.write("other", "I owe two horses.")
        self.kilt("verify", wrong, "--signature", signature, "--key", "SIGN", *how, exit=BAD_SIGNATURE)
        self.kilt("verify", letter, "--signature", signature, "--key", "AUTH", *how, exit=BAD_SIGNATURE)
        error = self.json("verify", letter, "--signature", wrong, "--key", "SIGN", *how, exit=BAD_SIGNATURE)
        self.assertEqual(error["ckr"], "CKR_SIGNATURE_INVALID")

    def test_verify_with_a_file_needs_no_token(self):
        self.authority()
        self.write("letter", "text")
        self.openssl("dgst", "-sha256", "-sign", self.path("ca.key"), "-out", self.path("sig"), self.path("letter"))
        done = run(KILT, "verify", self.path("letter"), "--signature", self.path("sig"), "--cert", self.path("ca.pem"),
                   env=dict(os.environ, KILT_READERS=f"socket:{self.path('none')}"))
        self.assertIn("right", done.stdout)

    def test_delete(self):
        self.start()
        self.generate("A")
        self.generate("B")
        self.authority()
        self.request("A")
        self.kilt("cert", "install", self.issue("A"), *self.pin(USER_PIN))
        serial = self.serial()
        for words in (["key", "delete", "A", "--yes"], ["cert", "delete", "A", "--yes", "--token", "KAZTOKEN"],
                      ["key", "delete", "A", "--yes", "--token", serial[:-1]]):
            done = run(KILT, *words, *self.pin(USER_PIN), env=self.sim.env, ok=False)
            self.assertIn(done.returncode, (USAGE, NO_TOKEN))
        self.kilt("cert", "delete", "A", "--yes", "--token", serial, *self.pin(USER_PIN))
        self.assertEqual(self.json("info")["certificates"], [])
        self.kilt("key", "delete", "A", "--yes", "--token", serial, *self.pin(USER_PIN))
        self.assertEqual([k["label"] for k in self.json("key", "list")["keys"]], ["B"])
        self.kilt("key", "delete", "A", "--yes", "--token", serial, *self.pin(USER_PIN), exit=FAILURE)

    def test_init(self):
        self.start()
        self.generate("OLD")
        serial = self.serial()
        init = ["init", "--label", "Менің кілтім", "--yes", "--token", serial]
        error = self.json(*init, *self.pin("99999999", "so-pin"), *self.pin(NEW_PIN, "new-pin"), exit=PIN_REFUSED)
        self.assertEqual(error["kind"], "pin_incorrect")
        self.assertEqual([k["label"] for k in self.json("key", "list")["keys"]], ["OLD"])
        error = self.json(*init, *self.pin(SO_PIN, "so-pin"), *self.pin("1234", "new-pin"), exit=PIN_REFUSED)
        self.assertEqual(error["kind"], "pin_length")  # a PIN that the card would refuse once it is erased
        self.assertEqual([k["label"] for k in self.json("key", "list")["keys"]], ["OLD"])
        self.request("OLD")  # the key still works, with the PIN that it had
        self.kilt(*init[:-2], *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin"), exit=USAGE)
        self.kilt(*init, *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin"))
        info = self.json("info")
        self.assertEqual((info["label"], info["serial"], info["keys"]), ("Менің кілтім", serial, []))
        self.generate("NEW", pin=NEW_PIN)
        self.generate("BY-LABEL", "--token", "Менің кілтім", pin=NEW_PIN)
        self.kilt("pin", "change", "--so", *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_SO_PIN, "new-pin"))
        self.kilt("pin", "unblock", *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin"), exit=PIN_REFUSED)
        self.kilt("pin", "unblock", *self.pin(NEW_SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin"))

    def test_a_blank_token_is_initialised(self):
        self.start("--blank")
        self.assertFalse(self.json("info")["initialized"])
        self.kilt("key", "generate", "--label", "X", *self.pin(USER_PIN), exit=FAILURE)
        self.kilt("init", "--label", "First", "--yes", "--token", self.serial(), *self.pin(NEW_SO_PIN, "so-pin"),
                  *self.pin(NEW_PIN, "new-pin"))
        self.generate("X", pin=NEW_PIN)


    @unittest.skipUnless(shutil.which("p11tool"), "p11tool (gnutls-bin) is not installed")
    def test_other_programs_find_objects_by_the_uris(self):
        self.start()
        self.generate("KEY-1")
        self.generate("KEY-2")
        self.authority()
        self.request("KEY-2")
        certificate = self.json("cert", "install", self.issue("KEY-2"), *self.pin(USER_PIN))["certificate"]
        self.for_foreign_programs()
        told = self.sim.run("p11tool", "--provider", MODULE, "--export", certificate["uri"]).stdout
        self.write("told", told)
        self.openssl("x509", "-in", self.path("told"), "-out", self.path("again"))
        self.openssl("x509", "-in", self.path("KEY-2.pem"), "-out", self.path("once"))
        self.assertEqual(self.read("again"), self.read("once"))


class Pins(KiltTest):
    def test_a_wrong_pin_costs_one_try(self):
        self.start()
        before = self.tries()
        error = self.json("key", "generate", "--label", "X", *self.pin("00000000"), exit=PIN_REFUSED)
        self.assertEqual(error["tries_left"], before - 1)
        self.assertEqual((error["kind"], error["ckr"]), ("pin_incorrect", "CKR_PIN_INCORRECT"))
        self.assertEqual(self.tries(), before - 1)
        text = self.kilt("pin", "change", *self.pin("00000000"), *self.pin(NEW_PIN, "new-pin"), exit=PIN_REFUSED).stderr
        self.assertIn(f"{before - 2} tries are left", text)
        self.generate("RIGHT")
        self.assertEqual(self.tries(), before)

    def test_a_pin_of_impossible_length_costs_none(self):
        self.start()
        before = self.tries()
        self.kilt("key", "generate", "--label", "X", *self.pin("1" * 100), exit=PIN_REFUSED)
        self.kilt("pin", "change", *self.pin(USER_PIN), *self.pin("1", "new-pin"), exit=PIN_REFUSED)
        self.assertEqual(self.tries(), before)

    def test_the_last_try_is_guarded_and_the_blocked_pin_unblocked(self):
        self.start()
        wrong = ["key", "generate", "--label", "X", *self.pin("00000000")]
        for _ in range(self.tries() - 1):
            self.kilt(*wrong, exit=PIN_REFUSED)
        self.assertEqual(self.tries(), 1)
        error = self.json(*wrong, exit=PIN_REFUSED)
        self.assertEqual(error["kind"], "pin_last_try")
        self.kilt("pin", "change", *self.pin("00000000"), *self.pin(NEW_PIN, "new-pin"), exit=PIN_REFUSED)
        self.assertEqual(self.tries(), 1)
        last = self.kilt(*wrong, "--spend-last-try", exit=PIN_LOCKED)
        self.assertIn("kilt pin unblock", last.stderr)
        error = self.json("key", "generate", "--label", "X", *self.pin(USER_PIN), exit=PIN_LOCKED)
        self.assertEqual((error["kind"], error["ckr"]), ("pin_blocked", "CKR_PIN_LOCKED"))
        self.assertIn("blocked", self.kilt("pin", "status").stdout)
        self.kilt("pin", "unblock", *self.pin("99999999", "so-pin"), *self.pin(NEW_PIN, "new-pin"), exit=PIN_REFUSED)
        self.kilt("pin", "unblock", *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin"))
        self.generate("Y", pin=NEW_PIN)

    def test_the_last_try_is_spent_when_the_configuration_says_so(self):
        self.start()
        wrong = ["key", "generate", "--label", "X", *self.pin("00000000")]
        for _ in range(self.tries() - 1):
            self.kilt(*wrong, exit=PIN_REFUSED)
        config = self.write("kilt.toml", "spend_last_try = true\n")
        self.generate_with(config)

    def generate_with(self, config):
        self.kilt("key", "generate", "--label", "X", "--bits", "1024", *self.pin(USER_PIN), env={"KILT_CONFIG": config})

    def test_every_source(self):
        self.start()
        words = ["key", "generate", "--bits", "1024", "--label"]
        self.kilt(*words, "a", "--pin-fd", "0", input=USER_PIN + "\n")
        self.kilt(*words, "b", "--pin-env", "MY_PIN", env={"MY_PIN": USER_PIN})
        self.kilt("pin", "change", "--pin-fd", "0", "--new-pin-fd", "0", input=f"{USER_PIN}\n{NEW_PIN}\n")
        token = self.json("info")["uri"] + "?pin-source=file:" + self.pin(NEW_PIN)[1]
        self.kilt(*words, "c", "--token", token)
        self.assertEqual(len(self.json("key", "list")["keys"]), 3)
        self.kilt(*words, "d", "--pin", NEW_PIN, exit=USAGE)
        self.kilt(*words, "d", "--token", f"pkcs11:?pin-value={NEW_PIN}", exit=USAGE)

    def test_without_a_terminal_nobody_is_asked(self):
        self.start()
        done = run("setsid", "-w", KILT, "key", "generate", "--label", "X", env=self.sim.env, ok=None)
        self.assertEqual(done.returncode, USAGE)
        self.assert_three_lines(done.stderr)
        self.assertIn("no terminal", done.stderr)

    def test_the_factory_pin_is_warned_of_where_it_worked(self):
        self.start()
        done = self.kilt("key", "generate", "--label", "X", "--bits", "1024", *self.pin(USER_PIN))
        self.assertIn("kilt pin change", done.stderr)
        self.assertNotIn(USER_PIN, done.stderr)
        self.kilt("pin", "change", *self.pin(USER_PIN), *self.pin(NEW_PIN, "new-pin"))
        done = self.kilt("key", "generate", "--label", "Y", "--bits", "1024", *self.pin(NEW_PIN))
        self.assertNotIn("Warning", done.stderr)

    def test_no_login_is_left_on_the_card(self):
        self.start()
        self.generate("X")
        self.kilt("sign", self.write("letter", "text"), "-o", self.path("sig"), *self.pin(USER_PIN), "--mechanism", "pss",
                  env={"KILT_TRACE": self.path("trace")})
        shown = self.json("trace", "show", self.path("trace"))["exchanges"]
        names = [e["what"] for e in shown]
        login = max(i for i, e in enumerate(shown) if "{pin}" in e["command"])
        after = [e["command"][:5] for e in shown[login + 1:]]
        self.assertIn("80 40", after, names)  # Kaztoken's logout


class Output(KiltTest):
    def test_every_command_answers_in_json(self):
        self.start()
        user, letter = self.pin(USER_PIN), self.write("letter", "text")
        self.generate("X")
        self.authority()
        csr = self.json("csr", "--key", "X", "--subject", "CN=Test,C=KZ", "-o", self.path("X.csr"), *user)
        self.assertEqual(csr["pem"].encode(), self.read("X.csr"))
        self.json("cert", "install", self.issue("X"), *user)
        self.assertEqual(self.json("cert", "export", "X", "-o", self.path("o"))["certificate"]["pem"].encode(), self.read("o"))
        signature = self.json("sign", letter, "-o", self.path("sig"), *user)["signature"]
        self.assertEqual(bytes.fromhex(signature), self.read("sig"))
        self.json("verify", letter, "--signature", self.path("sig"))
        self.json("trace", "record", self.path("trace"))
        self.json("trace", "show", self.path("trace"))
        for words in (["cert", "export", "X"], ["sign", letter], ["csr", "--subject", "CN=x"]):
            self.json(*words, "-o", "-", exit=USAGE)  # two documents would meet on standard output
        sure = ["--yes", "--token", self.serial()]
        self.json("cert", "delete", "X", *sure, *user)
        self.json("key", "delete", "X", *sure, *user)
        self.assertEqual(self.json("pin", "change", *user, *self.pin(NEW_PIN, "new-pin"))["role"], "user")
        self.json("pin", "unblock", *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin"))
        self.json("init", "--label", "L", *sure, *self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin"))
        self.assertEqual([k for k in self.json("list")["readers"][0]["token"]["objects"]], [])

    def test_quiet_says_errors_only(self):
        self.start()
        done = self.kilt("key", "generate", "--label", "X", "--bits", "1024", "--quiet", *self.pin(USER_PIN))
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        self.assert_three_lines(self.kilt("cert", "export", "none", "-q", "-o", self.path("x"), exit=FAILURE).stderr)

    def test_verbose_tells_the_causes(self):
        self.start()
        done = run(KILT, "-v", "key", "generate", "--label", "X", *self.pin("00000000"), env=self.sim.env, ok=False)
        self.assertRegex(done.stderr, r"\nfrom: .*\[6300\] \(pin_incorrect\)\n")

    def test_a_label_cannot_steer_the_terminal(self):
        self.start()
        label = "a\x1b[2Jb\nc"
        self.assertIn("steer", self.kilt("key", "generate", "--label", label, *self.pin(USER_PIN), exit=2).stderr)
        self.for_foreign_programs()
        run("pkcs11-tool", "--module", MODULE, "--login", "--pin", USER_PIN, "--keypairgen", "--key-type", "rsa:1024", "--label", label,
            env=self.sim.env)
        text = self.kilt("list").stdout
        self.assertNotIn("\x1b", text)
        self.assertIn("a\\x1B[2Jb\\x0Ac", text)
        self.assertEqual(self.json("key", "list")["keys"][0]["label"], label)


if __name__ == "__main__":
    unittest.main(verbosity=2)

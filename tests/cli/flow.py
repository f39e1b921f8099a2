# SPDX-License-Identifier: Apache-2.0
"""The kilt program through the life of a token, on simulated cards; OpenSSL judges what comes out."""
import json
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["KILT_SOURCE"], "tests", "foreign"))
from harness import KILT, MODULE, SO_PIN, USER_PIN, ForeignTest, Sim, run  # noqa: E402
from terminal import Terminal  # noqa: E402

OK, FAILURE, USAGE, NO_SERVICE, NO_TOKEN, UNSUPPORTED, PIN_REFUSED, PIN_LOCKED, BAD_SIGNATURE = range(9)
NEW_PIN, NEW_SO_PIN = "24681357", "13572468"


class KiltTest(ForeignTest):
    def setUp(self):
        super().setUp()
        os.environ["NO_COLOR"] = "1"

    def start(self, *options):
        sim = Sim("--card", "kaztoken", *options)
        sim.__enter__()
        self.addCleanup(sim.__exit__, None, None, None)
        self.sim = sim
        return sim

    def pin(self, text, what="pin"):
        """Options that hand a PIN over in a file."""
        name = f"{what}-{text}"
        self.write(name, text + "\n")
        os.chmod(self.path(name), 0o600)
        return [f"--{what}-file", self.path(name)]

    def kilt(self, *words, exit=OK, **options):
        env = dict(self.sim.env, **options.pop("env", {}))
        done = run(KILT, *words, env=env, ok=None, **options)
        self.assertEqual(done.returncode, exit, f"kilt {' '.join(map(str, words))}\n{done.stdout}\n{done.stderr}")
        if exit != OK and "--json" not in words and "list" not in words:
            self.assert_three_lines(done.stderr)
        return done

    def assert_three_lines(self, text):
        lines = [line for line in text.splitlines() if not line.startswith(("Warning:", "The card"))]
        self.assertEqual([line[:5] for line in lines], ["kilt:", " why:", "  do:"], text)

    def json(self, *words, exit=OK, **options):
        document = json.loads(self.kilt(*words, "--json", exit=exit, **options).stdout)
        self.assertEqual(list(document), ["schema", "command", "ok", "data", "warnings", "error"])
        self.assertEqual(document["schema"], "kilt/1")
        self.assertEqual(document["ok"], exit == OK)
        if exit != OK:
            for field in ("kind", "sw", "ckr", "hint"):
                self.assertIn(field, document["error"])
            self.assertEqual(document["error"]["exit_code"], exit)
            return document["error"]
        return document["data"]

    def serial(self):
        return self.json("info")["serial"]

    def tries(self, role="user"):
        return next(p for p in self.json("pin", "status")["pins"] if p["role"] == role)["tries_left"]

    def generate(self, label, *words, pin=USER_PIN):
        return self.json("key", "generate", "--label", label, "--bits", "1024", *self.pin(pin), *words)["key"]

    def authority(self):
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("ca.key"), "-subj",
                     "/CN=Test CA", "-days", "30", "-out", self.path("ca.pem"))

    def issue(self, label, days="365"):
        """A certificate for the request LABEL.csr."""
        self.openssl("x509", "-req", "-in", self.path(label + ".csr"), "-CA", self.path("ca.pem"), "-CAkey",
                     self.path("ca.key"), "-CAcreateserial", "-days", days, "-out", self.path(label + ".pem"))
        return self.path(label + ".pem")

    def request(self, label, pin=USER_PIN):
        self.kilt("csr", "--key", label, "--subject", "CN=Test,C=KZ", "-o", self.path(label + ".csr"), *self.pin(pin))
        return self.path(label + ".csr")

    def openssl_verifies(self, certificate, document, signature, *options):
        self.openssl("x509", "-in", certificate, "-pubkey", "-noout", "-out", self.path("pub"))
        return self.openssl("dgst", "-sha256", *options, "-verify", self.path("pub"), "-signature", signature,
                            document).stdout


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


    def test_other_programs_find_objects_by_the_uris(self):
        self.start()
        self.generate("KEY-1")
        self.generate("KEY-2")
        self.authority()
        self.request("KEY-2")
        certificate = self.json("cert", "install", self.issue("KEY-2"), *self.pin(USER_PIN))["certificate"]
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


class AtTheTerminal(KiltTest):
    def terminal(self, *words):
        return Terminal([KILT, *words], self.sim.env)

    def test_a_pin_is_asked_for_without_echo(self):
        self.start()
        with self.terminal("key", "generate", "--label", "X", "--bits", "1024") as at:
            at.expect("tries left): ")
            self.assertFalse(at.echoes())
            at.type(USER_PIN + "\n")
            code, said = at.finish()
            self.assertTrue(at.echoes())
        self.assertEqual(code, OK, said)
        self.assertNotIn(USER_PIN, said)
        self.assertIn("A key pair was generated", said)

    def test_a_new_pin_is_asked_for_twice(self):
        self.start()
        for again, exit in ((NEW_PIN + "1", USAGE), (NEW_PIN, OK)):
            with self.terminal("pin", "change") as at:
                at.expect("tries left): ")
                at.type(USER_PIN + "\n")
                at.expect("characters): ")
                at.type(NEW_PIN + "\n")
                at.expect("once more: ")
                at.type(again + "\n")
                self.assertEqual(at.finish()[0], exit)

    def test_ctrl_c_restores_the_terminal_and_spends_nothing(self):
        self.start()
        before = self.tries()
        with self.terminal("key", "generate", "--label", "X") as at:
            at.expect("tries left): ")
            at.type("1234\x03")
            code, said = at.finish()
            self.assertTrue(at.echoes())
        self.assertEqual(code, -signal.SIGINT, said)
        self.assertEqual(self.tries(), before)

    def test_the_card_is_free_while_somebody_types(self):
        self.start()
        with self.terminal("key", "generate", "--label", "X", "--bits", "1024") as at:
            at.expect("tries left): ")
            self.generate("Y")
            at.type(USER_PIN + "\n")
            self.assertEqual(at.finish()[0], OK)
        self.assertEqual(len(self.json("key", "list")["keys"]), 2)

    def test_the_serial_is_typed_before_a_loss(self):
        self.start()
        self.generate("X")
        serial = self.serial()
        for typed, exit in (("yes", FAILURE), (serial, OK)):
            with self.terminal("key", "delete", "X", *self.pin(USER_PIN)) as at:
                self.assertIn("X", at.expect(f"Type the serial {serial} to go on: "))
                at.type(typed + "\n")
                self.assertEqual(at.finish()[0], exit)
        self.assertEqual(self.json("key", "list")["keys"], [])

    def test_colour_only_where_it_is_wanted(self):
        self.start()
        for env, coloured in (({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)):
            with Terminal([KILT, "info"], dict(self.sim.env, **env)) as at:
                self.assertEqual("\x1b[" in at.finish()[1], coloured)
        self.assertNotIn("\x1b[", self.kilt("info", env={"NO_COLOR": ""}).stdout)


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

    def test_the_command_line(self):
        self.start()
        for words in ([], ["fly"], ["pin"], ["info", "--nothing"], ["key", "generate"], ["list", "extra"],
                      ["info", "--token", "pkcs11:colour=red"]):
            self.kilt(*words, exit=USAGE)
            self.assertEqual(self.json(*words, exit=USAGE)["kind"], "bad_argument")
        self.assertIn("Exit codes", self.kilt("--help").stdout)
        self.assertRegex(self.kilt("--version").stdout, r"^kilt \d+\.\d+\.\d+\n$")


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


class Removal(KiltTest):
    def test_a_card_pulled_while_somebody_types(self):
        self.start()
        with Terminal([KILT, "key", "generate", "--label", "X"], self.sim.env) as at:
            at.expect("tries left): ")
            self.sim.control("remove")
            at.type(USER_PIN + "\n")
            code, said = at.finish()
        self.assertEqual(code, NO_TOKEN, said)
        self.assertIn("taken out", said)
        self.sim.control("insert")
        self.assertEqual(self.json("key", "list")["keys"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)

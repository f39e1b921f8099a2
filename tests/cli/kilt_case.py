# SPDX-License-Identifier: Apache-2.0
"""What the scripts about the kilt program share: a token in a simulator, kilt run on it, its errors looked at."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.environ["KILT_SOURCE"], "tests", "foreign"))
from harness import KILT, MODULE, SO_PIN, USER_PIN, ForeignTest, Sim, run  # noqa: E402

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

    def for_foreign_programs(self):
        with open(MODULE, "rb") as module:
            if b"__asan_init" in module.read():
                self.skipTest("a program without AddressSanitizer cannot load a module with it")

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

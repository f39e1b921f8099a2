#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Non-volatile state: kept across runs, and whole after the simulator was killed at any of its writes."""
import json
import shutil

from harness import MODULE, USER_PIN, ForeignTest, Sim, main
import openssl_checks

CARD = "kaztoken"
MOST_WRITES = 200


class State(ForeignTest):
    def tool(self, sim, *words, pin=USER_PIN, **options):
        return sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", pin, *words, **options)

    def sim(self, state, *options):
        return Sim("--card", CARD, "--state", state, "--seed", "11", *options)

    def generate(self, sim, key_id, label, **options):
        return self.tool(sim, "--keypairgen", "--key-type", "rsa:1024", "--id", key_id, "--label", label, "--usage-sign", **options)

    def prepare(self):
        """A card with one pair and its certificate: what may never be lost."""
        state = self.path("base.state")
        with self.sim(state) as sim:
            self.generate(sim, "01", "AUTH")
            self.public_key(sim, "01")
            self.issue("01")
            self.tool(sim, "--write-object", self.path("01.der"), "--type", "cert", "--id", "01", "--label", "AUTH")
        return state

    def public_key(self, sim, key_id):
        sim.run("pkcs11-tool", "--module", MODULE, "--read-object", "--type", "pubkey", "--id", key_id, "-o", self.path("pub.der"))
        self.openssl("pkey", "-pubin", "-inform", "DER", "-in", self.path("pub.der"), "-pubout", "-out", self.path(f"{key_id}.pem"))

    def issue(self, key_id):
        self.openssl("req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("ca.key"), "-subj", "/CN=CA", "-days", "9",
                     "-out", self.path("ca.pem"))
        self.openssl("req", "-new", "-key", self.path("ca.key"), "-subj", "/CN=owner", "-out", self.path("x.csr"))
        self.openssl("x509", "-req", "-in", self.path("x.csr"), "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-force_pubkey",
                     self.path(f"{key_id}.pem"), "-days", "9", "-outform", "DER", "-out", self.path(f"{key_id}.der"))

    def intact(self, sim):
        document, out = self.write("document", b"what was finished before"), self.path("signature")
        self.tool(sim, "--sign", "-m", "SHA256-RSA-PKCS", "--id", "01", "-i", document, "-o", out)
        openssl_checks.verify_pkcs1(self.path("01.pem"), "sha256", document, out)
        sim.run("pkcs11-tool", "--module", MODULE, "--read-object", "--type", "cert", "--id", "01", "-o", self.path("back.der"))
        self.assertEqual(self.read("back.der"), self.read("01.der"))

    def sweep(self, base, operation, repeat):
        """Kills at write 1, 2, 3 ... of the operation until it gets through; returns how many there are."""
        for write in range(1, MOST_WRITES):
            work = self.path("work.state")
            shutil.copy(base, work)
            with self.sim(work, "--fault", f"kill@nvram:{write}") as sim:
                done = operation(sim, ok=None)
            with self.sim(work) as sim:
                self.intact(sim)
                repeat(sim, done.returncode == 0)
                self.intact(sim)
            if done.returncode == 0:
                return write - 1
        self.fail("the operation never got through")

    def test_kill_at_each_write_of_a_key_generation(self):
        base = self.prepare()

        def repeat(sim, finished):
            if not finished:
                self.generate(sim, "02", "SIGN")
            objects = self.tool(sim, "-O").stdout
            self.assertIn("SIGN", objects)
            document, out = self.write("document", b"by the new key"), self.path("signature")
            self.public_key(sim, "02")
            self.tool(sim, "--sign", "-m", "SHA256-RSA-PKCS", "--id", "02", "-i", document, "-o", out)
            openssl_checks.verify_pkcs1(self.path("02.pem"), "sha256", document, out)

        writes = self.sweep(base, lambda sim, ok: self.generate(sim, "02", "SIGN", ok=ok), repeat)
        print(f"key generation: killed at each of {writes} writes")
        self.assertGreater(writes, 5)

    def test_kill_at_each_write_of_a_certificate_installation(self):
        base = self.prepare()
        with self.sim(base) as sim:
            self.generate(sim, "02", "SIGN")
            self.public_key(sim, "02")
            self.issue("02")

        def install(sim, ok=True):
            return self.tool(sim, "--write-object", self.path("02.der"), "--type", "cert", "--id", "02", "--label", "SIGN", ok=ok)

        def repeat(sim, finished):
            there = self.tool(sim, "-O", "--type", "cert").stdout.count("Certificate Object")
            self.assertIn(there, (1, 2))
            if not finished and there == 1:
                install(sim)
            sim.run("pkcs11-tool", "--module", MODULE, "--read-object", "--type", "cert", "--id", "02", "-o", self.path("back2.der"))
            self.assertEqual(self.read("back2.der"), self.read("02.der"))

        writes = self.sweep(base, install, repeat)
        print(f"certificate installation: killed at each of {writes} writes")
        self.assertGreater(writes, 5)

    def test_state_is_kept_across_runs(self):
        state = self.prepare()
        with self.sim(state) as sim:
            self.intact(sim)
            self.tool(sim, "-O", pin="00000000", ok=False)
        with self.sim(state) as sim:
            from harness import KILT
            status = json.loads(sim.run(KILT, "pin", "status", "--json").stdout)
            self.assertIn('"tries_left": 9', json.dumps(status))
            self.intact(sim)

    def test_without_state_the_card_is_forgotten(self):
        for _ in range(2):
            with Sim("--card", CARD) as sim:
                self.assertNotIn("AUTH", self.tool(sim, "-O").stdout)
                self.generate(sim, "01", "AUTH")


if __name__ == "__main__":
    main()

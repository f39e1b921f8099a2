#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a signature costs: kilt beside OpenSC's module on the same simulated card over the same pcscd.

APDU counts are exact and held by budgets; times and memory are only printed (the machine is noisy).
The card is the one of [facts kaztoken §10.5]: one RSA-2048 pair and a certificate of 1468 bytes."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.environ["KILT_SOURCE"], "tests", "foreign"))
from harness import BUILD, KILT_SIM, MODULE, OPENSC_MODULE, SO_PIN, USER_PIN, ForeignTest, Sim, main, opensc_conf, run  # noqa: E402

WORKFLOWS = os.path.join(BUILD, "tests", "workflows")
CERTIFICATE_SIZE = 1468
BLOCK = 255

# The most APDUs that kilt may need (OpenSC needs: in the comment).
BUDGET = {
    "find, log in, first signature": 12,      # 51
    "everything, log in, signature": 27,      # 51
    "second signature": 11,                   # 4; reads the public key, with which later results are checked
    "later signature": 2,                     # 4
    "key generation": 20,                     # 50
    "certificate without data blocks": 16,    # 47
}


class CertificateMaker(ForeignTest):
    def certificate(self, size, public_pem):
        """A certificate for this key of exactly this many bytes: a comment extension fills it up."""
        self.openssl("req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("ca.key"), "-subj", "/CN=CA", "-days", "9",
                     "-out", self.path("ca.pem"))
        self.openssl("req", "-new", "-key", self.path("ca.key"), "-subj", "/CN=owner", "-out", self.path("x.csr"))
        padding = size
        while True:
            config = self.write("x.cnf", f"[e]\nnsComment={'x' * padding}\n" if padding else "[e]\n")
            self.openssl("x509", "-req", "-in", self.path("x.csr"), "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-force_pubkey",
                         public_pem, "-days", "9", "-extfile", config, "-extensions", "e", "-set_serial", "4660",
                         "-outform", "DER", "-out", self.path("x.der"))
            excess = len(self.read("x.der")) - size
            if excess == 0:
                return self.path("x.der")
            padding -= excess
            self.assertGreater(padding, 0)


class Costs(CertificateMaker):
    def prepare(self, sim):
        """By OpenSC alone, so that neither module is favoured."""
        sim.run("pkcs15-init", "--erase-card")
        sim.run("pkcs15-init", "--create-pkcs15", "--so-pin", SO_PIN, "--so-puk", "")
        sim.run("pkcs15-init", "--store-pin", "--label", "User PIN", "--auth-id", "02", "--pin", USER_PIN, "--puk", "", "--so-pin", SO_PIN,
                "--finalize")
        auth = ("--auth-id", "02", "--pin", USER_PIN, "--so-pin", SO_PIN)
        sim.run("pkcs15-init", "--generate-key", "rsa/2048", *auth, "--id", "45", "--label", "key1", "--public-key-label", "pub1",
                "--key-usage", "sign,decrypt")
        sim.run("pkcs15-tool", "--read-public-key", "45", "-o", self.path("pub.pem"))
        der = self.certificate(CERTIFICATE_SIZE, self.path("pub.pem"))
        self.openssl("x509", "-inform", "DER", "-in", der, "-out", self.path("x.pem"))
        sim.run("pkcs15-init", "--store-certificate", self.path("x.pem"), *auth, "--id", "45", "--label", "cert1")
        return der

    def measure(self, module, *workflow):
        state = self.path("card.state")
        with Sim("--card", "kaztoken", "--via", "pcscd", "--blank", "--state", state, "--seed", "7",
                 env={"OPENSC_CONF": opensc_conf(self.directory)}) as sim:
            der = self.prepare(sim)
            # OpenSC leaves its login on the card [facts kaztoken §10.1 #15]; the workflow begins without one.
            sim.reinsert()
            done = sim.run(WORKFLOWS, module, USER_PIN, KILT_SIM, *workflow, *([der] if workflow[0] == "certificate" else []))
        os.unlink(state)
        return json.loads(done.stdout)

    @staticmethod
    def total(steps, *but):
        return sum(step["apdus"] for name, step in steps.items() if name not in but)

    def spent(self, module):
        sign = self.measure(module, "sign")
        everything = self.measure(module, "everything")
        generate = self.measure(module, "generate")
        certificate = self.measure(module, "certificate")
        blocks = -(-CERTIFICATE_SIZE // BLOCK)
        return {
            "find, log in, first signature": self.total(sign, "second signature", "later signature", "token info"),
            "everything, log in, signature": self.total(everything, "second signature", "later signature", "token info"),
            "second signature": sign["second signature"]["apdus"],
            "later signature": sign["later signature"]["apdus"],
            "key generation": generate["generate"]["apdus"],
            "certificate without data blocks": certificate["certificate"]["apdus"] - blocks,
        }, sign

    def test_budgets(self):
        ours, our_times = self.spent(MODULE)
        theirs, their_times = self.spent(OPENSC_MODULE)
        print(f"\n{'APDUs':36}{'kilt':>6}{'budget':>8}{'OpenSC':>8}")
        for name, budget in BUDGET.items():
            print(f"{name:36}{ours[name]:6}{budget:8}{theirs[name]:8}")
        print(f"{'C_GetTokenInfo':36}{our_times['token info']['apdus']:6}{'':8}{their_times['token info']['apdus']:8}")
        self.sizes()
        for name in ("first signature", "later signature"):
            print(f"{name + ', ms':36}{our_times[name]['ms']:6.1f}{'':8}{their_times[name]['ms']:8.1f}")
        over = [f"{name}: {ours[name]} > {budget}" for name, budget in BUDGET.items() if ours[name] > budget]
        self.assertEqual(over, [])

    def sizes(self):
        def loaded(module):
            with Sim("--card", "kaztoken", "--via", "pcscd", env={"OPENSC_CONF": opensc_conf(self.directory)}) as sim:
                return json.loads(sim.run(WORKFLOWS, module, USER_PIN, KILT_SIM, "load").stdout)

        ours, theirs = loaded(MODULE), loaded(OPENSC_MODULE)
        for name in ("load ms", "initialize ms", "memory KiB"):
            print(f"{name:36}{ours[name]:6.1f}{'':8}{theirs[name]:8.1f}")
        stripped = self.path("stripped.so")
        run("strip", "-o", stripped, MODULE)
        kib = os.path.getsize(stripped) / 1024
        core = os.path.getsize(os.path.realpath("/usr/lib/x86_64-linux-gnu/libopensc.so.8"))
        print(f"{'module size, KiB':36}{kib:6.0f}{'':8}{(os.path.getsize(os.path.realpath(OPENSC_MODULE)) + core) / 1024:8.0f}")


if __name__ == "__main__":
    main()

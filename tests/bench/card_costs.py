#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a signature costs on the cards that no foreign module of Debian can use: exact counts of APDUs, held by budgets.

A card as its owner gets it, one RSA-2048 pair made by kilt and a certificate of 1468 bytes, over a private pcscd.

A limit counts every APDU from C_GetSlotList to the end of its steps, the identification of the card among them, but not
C_GetTokenInfo (label, serial number, PIN flags): who signs need not ask for it. A program that shows tokens does, so
each flow is printed "with token info" too, without a limit."""
import os
import sys

sys.path.insert(0, os.path.join(os.environ["KILT_SOURCE"], "tests", "foreign"))
sys.path.insert(0, os.path.join(os.environ["KILT_SOURCE"], "tests", "bench"))
from cards import CARDS  # noqa: E402
from costs import CERTIFICATE_SIZE, WORKFLOWS, CertificateMaker  # noqa: E402
from harness import KILT, KILT_SIM, MODULE, Sim, main  # noqa: E402
import json  # noqa: E402

FIND, EVERYTHING, LATER = "find, log in, first signature", "everything, log in, signature", "later signature"
SECOND = "second signature"  # may read the public key, with which later results are checked
GENERATE, CERTIFICATE = "key generation", "certificate without data blocks"
INFO = "token info"
FIND_INFO, EVERYTHING_INFO = "  with token info", "  all of it, with token info"

WITH_INFO = {FIND: FIND_INFO, EVERYTHING: EVERYTHING_INFO}

# The most APDUs that kilt may need; None: only printed. On the eToken a list with the certificate, a login and the first
# signature are 18 (tests/drivers/etoken72k_cost_test); the one more here reads the public key by itself.
BUDGETS = {
    "etoken72k": {FIND: 13, EVERYTHING: 19, SECOND: 6, LATER: 1, GENERATE: None, CERTIFICATE: None},
    "jacarta": {FIND: None, EVERYTHING: 26, SECOND: 9, LATER: 1, GENERATE: 30, CERTIFICATE: 16},
    "kzid": {FIND: 12, EVERYTHING: 31, SECOND: 9, LATER: 2, GENERATE: None, CERTIFICATE: None},
}
# What stands in the file beside the certificate [facts jacarta A16: 663 bytes for one of 486], and bytes per write.
OVERHEAD = {"jacarta": 177}
BLOCK = {"jacarta": 255, "etoken72k": 240, "kzid": 255}


class CardCosts(CertificateMaker):
    def measure(self, card, workflow):
        state = self.path(f"{card.name}.state")
        with Sim("--card", card.name, "--via", "pcscd", "--state", state, "--seed", "7") as sim:
            pin = self.write("pin", card.user_pin)
            sim.run(KILT, "key", "generate", "--label", "key1", "--id", "45", "--bits", "2048", "--pin-file", pin)
            sim.run(KILT, "csr", "--key", "key1", "--subject", "CN=owner", "--pin-file", pin, "-o", self.path("card.csr"))
            self.openssl("req", "-in", self.path("card.csr"), "-pubkey", "-noout", "-out", self.path("pub.pem"))
            der = self.certificate(CERTIFICATE_SIZE, self.path("pub.pem"))
            sim.run(KILT, "cert", "install", der, "--pin-file", pin)
            sim.reinsert()
            done = sim.run(WORKFLOWS, MODULE, card.user_pin, KILT_SIM, workflow, *([der] if workflow == "certificate" else []))
        os.unlink(state)
        return json.loads(done.stdout)

    @staticmethod
    def total(steps, info=False):
        """From C_GetSlotList to the first signature, C_GetTokenInfo only if asked for."""
        left_out = (SECOND, LATER) if info else (SECOND, LATER, INFO)
        return sum(step["apdus"] for name, step in steps.items() if name not in left_out)

    def spent(self, card):
        sign, everything = self.measure(card, "sign"), self.measure(card, "everything")
        blocks = -(-(CERTIFICATE_SIZE + OVERHEAD.get(card.name, 0)) // BLOCK[card.name])
        return {
            FIND: self.total(sign),
            FIND_INFO: self.total(sign, info=True),
            EVERYTHING: self.total(everything),
            EVERYTHING_INFO: self.total(everything, info=True),
            SECOND: sign[SECOND]["apdus"],
            LATER: sign[LATER]["apdus"],
            GENERATE: self.measure(card, "generate")["generate"]["apdus"],
            CERTIFICATE: self.measure(card, "certificate")["certificate"]["apdus"] - blocks,
        }

    def test_budgets(self):
        over = []
        for name, budgets in BUDGETS.items():
            ours = self.spent(CARDS[name])
            print(f"\n{name + ', APDUs':36}{'kilt':>6}{'budget':>8}")
            for step, budget in budgets.items():
                print(f"{step:36}{ours[step]:6}{budget or '':>8}")
                if step in WITH_INFO:
                    print(f"{WITH_INFO[step]:36}{ours[WITH_INFO[step]]:6}")
                if budget is not None and ours[step] > budget:
                    over.append(f"{name}, {step}: {ours[step]} > {budget}")
        self.assertEqual(over, [])


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The four jobs of a signing agent above PKCS#11, by a Java program (tests/foreign/java/Agent.java): its keys by the purpose
of their certificates, a thousand documents in a row, a card that goes and comes back, two agents on one card.

    agent_java.py CARD [HOST]

Every signature is checked here with nothing but numbers, and some by OpenSSL."""
import sys
import tempfile
import unittest

import openssl_checks
from cards import CARDS
from enrolled import Enrolled, card_of
from harness import KILT, KILT_SIM, ForeignTest
from java_program import JavaProgram, compiled, configuration

SIZE = 256  # bytes of an RSA-2048 signature


class AgentTest(ForeignTest):
    card, host = CARDS["kaztoken"], "socket"

    @classmethod
    def setUpClass(cls):
        cls.classes = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="kilt-foreign-java-"))
        compiled("Agent", cls.classes)

    def enrolled(self):
        self.sim = self.enterContext(Enrolled(self, self.card, self.host))

    def agent(self):
        return JavaProgram(self, self.sim, self.classes, "Agent", configuration(self), self.card.user_pin)

    def finds(self, agent, auth="AUTH", sign="SIGN"):
        agent.say("find")
        self.assertEqual(agent.until("found", "failed"), [f"AUTH {auth}", f"SIGN {sign}", "found"])

    def verified(self, label, count, file):
        """All of them, in their order."""
        with open(file, "rb") as stream:
            signatures = stream.read()
        self.assertEqual(len(signatures), count * SIZE)
        modulus = int(self.openssl("rsa", "-pubin", "-in", self.path(f"{label}.pub"), "-noout", "-modulus").stdout.split("=")[1], 16)
        for number in range(count):
            info = openssl_checks.digest_info("sha256", b"document %d" % number)
            block = b"\0\1" + b"\xff" * (SIZE - 3 - len(info)) + b"\0" + info
            signature = int.from_bytes(signatures[number * SIZE:(number + 1) * SIZE], "big")
            self.assertEqual(pow(signature, 65537, modulus), int.from_bytes(block, "big"), f"signature {number}")
        openssl_checks.verify_pkcs1(self.path(f"{label}.pub"), "sha256", self.write("last", b"document %d" % (count - 1)),
                                    self.write("last.sig", signatures[-SIZE:]))

    def signs(self, agent, purpose, count, file, label=None):
        agent.say(f"sign {purpose} {count} {file}")
        return self.signed(agent, label or purpose, count, file)

    def signed(self, agent, label, count, file):
        heard = agent.until("signed", "failed", seconds=120)
        self.assertRegex(heard[-1], f"^signed {count} in")
        self.verified(label, count, file)
        return heard

    def test_keys_by_the_purpose_of_their_certificates(self):
        """Not by their labels, which are the wrong way round here; and a key without a certificate is no candidate."""
        with Enrolled(self, self.card, self.host, labels=()) as self.sim:
            pin = ("--pin-file", self.sim.pin_file)
            for label, purpose in (("SPARE", None), ("SIGN", "auth"), ("AUTH", "sign")):
                self.sim.run(KILT, "key", "generate", "--label", label, *pin)
                if purpose:
                    csr, pem = self.path(f"{label}.csr"), self.path(f"{label}.pem")
                    self.sim.run(KILT, "csr", "--key", label, "--subject", "CN=OWNER,C=KZ", "-o", csr, *pin)
                    self.sim.run(KILT_SIM, "ca", "issue", self.path("ca"), csr, "--purpose", purpose, "-o", pem)
                    self.sim.run(KILT, "cert", "install", pem, *pin)
                    self.write(f"{label}.pub", self.openssl("x509", "-in", pem, "-noout", "-pubkey").stdout)
            with self.agent() as agent:
                self.finds(agent, auth="SIGN", sign="AUTH")
                for purpose, label in (("AUTH", "SIGN"), ("SIGN", "AUTH")):
                    self.signs(agent, purpose, 3, self.path("signatures"), label)

    def test_a_thousand_documents_in_a_row(self):
        self.enrolled()
        with self.agent() as agent:
            self.finds(agent)
            print(f"{self.card.name}: {self.signs(agent, 'SIGN', 1000, self.path('signatures'))[-1]}")

    def test_the_card_goes_and_comes_back(self):
        """While the agent signs; then while it does nothing. It is never started again, and no try is spent."""
        self.enrolled()
        spent = self.sim.tries_spent() if self.card.tells_tries else None
        with self.agent() as agent:
            self.finds(agent)
            file = self.path("signatures")
            agent.say(f"sign SIGN 300 {file}")
            for moment in ("at 50", "at 150"):
                agent.until(moment)
                self.sim.remove()
                self.assertRegex(agent.until("waiting")[-2], "^lost")
                self.sim.control("insert")
                agent.until("back")
            self.assertIn("at 300", self.signed(agent, "SIGN", 300, file))
            self.sim.reinsert()
            self.assertTrue(any(line.startswith("lost") for line in self.signs(agent, "AUTH", 10, self.path("more"))))
        if spent is not None:
            self.sim.reinsert()  # a card that is still logged in does not tell its counter
            self.assertEqual(self.sim.tries_spent(), spent)

    def test_the_card_comes_back_with_another_pin(self):
        """One try, not one for each attempt to go on."""
        self.enrolled()
        with self.agent() as agent:
            self.finds(agent)
            self.signs(agent, "SIGN", 3, self.path("signatures"))
            self.sim.run(KILT, "pin", "change", "--pin-file", self.sim.pin_file, "--new-pin-file", self.write("new-pin", self.card.new_pin))
            self.sim.reinsert()
            before = self.sim.tries_spent()
            agent.say(f"sign SIGN 3 {self.path('signatures')}")
            self.assertIn("CKR_PIN_INCORRECT", agent.until("failed", "signed")[-1])
            self.assertEqual(self.sim.tries_spent(), before + 1)

    def test_two_agents_on_one_card(self):
        self.enrolled()
        with self.agent() as one, self.agent() as two:
            jobs = [(agent, label, self.path(f"{label}.sigs")) for agent, label in ((one, "AUTH"), (two, "SIGN"))]
            for agent, _, _ in jobs:
                self.finds(agent)
            for agent, label, file in jobs:
                agent.say(f"sign {label} 200 {file}")
            for agent, label, file in jobs:
                heard = self.signed(agent, label, 200, file)
                self.assertEqual([line for line in heard if line.startswith("lost")], [])


if __name__ == "__main__":
    AgentTest.card, AgentTest.host = card_of(sys.argv)
    unittest.main(argv=sys.argv[:1], verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The four jobs of a signing agent, by agent.c: the keys by their certificates' purposes, a thousand documents, a card that
goes and comes back, two agents at once. The agent itself has OpenSSL verify each of its signatures.

    agent_c.py CARD [HOST]"""
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import unittest

from enrolled import Enrolled, card_of
from harness import KILT_SIM, MODULE, ForeignTest, run

HERE = os.path.dirname(os.path.abspath(__file__))


class Agent:
    """agent.c at work; its lines are read as they come."""

    def __init__(self, test, sim, documents, pin_file=None):
        self.test, self.documents = test, documents
        self.errors = open(test.path(f"agent{id(self)}.log"), "w+", encoding="utf-8")
        test.addCleanup(self.errors.close)
        self.process = sim.at_every_end(subprocess.Popen([test.program, MODULE, pin_file or sim.pin_file, str(documents)], env=sim.env,
                                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, text=True))
        self.lines = []
        self.deadline = threading.Timer(120, self.process.kill)
        self.deadline.start()
        test.addCleanup(self.deadline.cancel)

    def until(self, line):
        while line not in self.lines:
            said = self.process.stdout.readline()
            if not said:
                self.process.wait(10)
                self.errors.seek(0)
                self.test.fail(f"{line!r} was not said; exit {self.process.returncode}; {self.lines[-3:]}; {self.errors.read()}")
            self.lines.append(said.strip())

    def finish(self):
        """All documents are signed, and it leaves well. Its rate."""
        self.until(f"signed {self.documents}")
        rest = self.process.stdout.read()
        self.process.wait(30)
        self.errors.seek(0)
        self.test.assertEqual((self.process.returncode, self.errors.read()), (0, ""))
        done = re.search(rf"^done {self.documents} at (\d+) a second$", rest, re.M)
        self.test.assertTrue(done, rest)
        return int(done.group(1))


class AgentC(ForeignTest):
    card, host = card_of(["", "kaztoken"])

    def setUp(self):
        super().setUp()
        self.sim = self.enterContext(Enrolled(self, self.card, self.host))
        self.program = self.path("agent")
        flags = shlex.split(run("pkg-config", "--cflags", "nss").stdout)
        run("gcc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-Wall", "-Wextra", "-Werror", *flags, os.path.join(HERE, "agent.c"), "-o", self.program, "-lcrypto", "-ldl")

    def test_keys_by_the_purpose_of_their_certificates(self):
        agent = Agent(self, self.sim, 1)
        agent.finish()
        self.assertEqual(agent.lines[0], f"keys {self.sim.ids['AUTH']} {self.sim.ids['SIGN']}")

    def test_thousand_documents(self):
        agent = Agent(self, self.sim, 1000)
        print(f"{agent.finish()} a second", end=" ", flush=True)
        self.assertNotIn("gone", agent.lines)

    def test_card_out_and_in_again(self):
        """Three times in the middle of its work, at whatever moment."""
        agent = Agent(self, self.sim, 400)
        for number in (20, 120, 260):
            agent.until(f"signed {number}")
            agent.lines.clear()
            self.sim.control("remove")
            agent.until("gone")
            self.sim.control("insert")
            agent.until("back")
        agent.finish()

    def test_card_pulled_within_a_signature(self):
        """At each of the next commands: before the card has it, and before the reader has the answer."""
        agent, number = Agent(self, self.sim, 120), 0
        for command in (1, 2, 3):
            for way in ("remove", "remove-after"):
                number += 15
                agent.until(f"signed {number}")
                agent.lines.clear()
                run(KILT_SIM, "fault", f"{way}@apdu:{command}", env=self.sim.env)
                agent.until("gone")
                self.sim.control("insert")
                agent.until("back")
        agent.finish()

    def test_two_agents(self):
        agents = [Agent(self, self.sim, 60) for _ in range(2)]
        for agent in agents:
            agent.finish()
            self.assertNotIn("gone", agent.lines)

    def test_one_agent_dies(self):
        """It cannot log out; what becomes of the card then does not stop the other, who has no PIN to ask for."""
        agents = [Agent(self, self.sim, documents) for documents in (100000, 300)]
        for agent in agents:
            agent.until("signed 10")
        agents[0].process.send_signal(signal.SIGKILL)
        agents[0].process.wait(10)
        agents[1].finish()
        self.assertNotIn("gone", agents[1].lines)

    def test_begins_without_a_card(self):
        self.sim.remove()
        agent = Agent(self, self.sim, 5)
        self.sim.control("insert")
        agent.finish()

    def test_wrong_pin(self):
        before = self.sim.tries_spent()
        agent = Agent(self, self.sim, 5, self.sim.wrong_pin_file)
        self.assertEqual(agent.process.wait(30), 1)
        agent.errors.seek(0)
        self.assertIn("0xA0", agent.errors.read())
        self.assertEqual(self.sim.tries_spent() - before, 1)
        Agent(self, self.sim, 5).finish()


if __name__ == "__main__":
    AgentC.card, AgentC.host = card_of(sys.argv)
    unittest.main(argv=sys.argv[:1], verbosity=2)

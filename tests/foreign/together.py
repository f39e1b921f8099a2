#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two processes and eight threads on one card; two cards in two readers at the same time."""
import os
import subprocess
import time

from harness import BUILD, MODULE, USER_PIN, ForeignTest, Sim, main

HAMMER = os.path.join(BUILD, "tests", "hammer")


class Together(ForeignTest):
    def generate(self, sim, *slot):
        sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", USER_PIN, *slot, "--keypairgen", "--key-type", "rsa:1024", "--id", "01",
                "--label", "SIGN", "--usage-sign")

    def hammer(self, sim, threads, signatures):
        return subprocess.Popen([HAMMER, MODULE, USER_PIN, str(threads), str(signatures)], env=sim.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, process, expected):
        out, errors = process.communicate(timeout=300)
        self.assertEqual((process.returncode, out.strip()), (0, expected), errors)

    def one_card(self, via):
        with Sim("--card", "kaztoken", "--via", via) as sim:
            self.generate(sim)
            both = [self.hammer(sim, 8, 10) for _ in range(2)]
            for process in both:
                self.finish(process, "80 signatures verified on 1 tokens")

    def test_two_processes_of_eight_threads_over_the_socket(self):
        self.one_card("socket")

    def test_two_processes_of_eight_threads_over_pcscd(self):
        self.one_card("pcscd")

    def two_cards(self, via):
        """Each signature takes the simulated card its real time, so one after the other would take twice as long
        as side by side: the least time that one card needs for its share is known exactly."""
        signatures = 6
        states = self.path("two.state")
        cards = ("--card", "kaztoken", "--card", "kaztoken", "--via", via, "--state", states)
        with Sim(*cards) as sim:
            for slot in ("0", "1"):
                self.generate(sim, "--slot-index", slot)
        with Sim(*cards, "--timing", "real", "--trace", self.path("trace.vec")) as sim:
            start = time.monotonic()
            self.finish(self.hammer(sim, 1, signatures), f"{2 * signatures} signatures verified on 2 tokens")
            elapsed = time.monotonic() - start
        return elapsed


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two processes and eight threads on one card; two cards in two readers at the same time."""
import json
import os
import subprocess
import time

from cards import CARDS
from harness import BUILD, KILT, KILT_SIM, MODULE, USER_PIN, ForeignTest, Sim, main, run

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

    def busy_ms(self, sim, readers=2):
        return [json.loads(run(KILT_SIM, "stats", "--reader", number + 1, env=sim.env).stdout)["busy_ms"] for number in range(readers)]

    def two_cards(self, via):
        """With --timing real a simulated card takes exactly its busy time for what it computes. Two cards whose busy
        times add up to more than the time that passed have worked at the same time: they could not have otherwise."""
        state = self.path("two.state")
        cards = ("--card", "kaztoken", "--card", "kaztoken", "--via", via, "--state", state, "--seed", "3")
        with Sim(*cards) as sim:
            for slot in ("0", "1"):
                self.generate(sim, "--slot-index", slot)
        with Sim(*cards, "--timing", "real") as sim:
            before = self.busy_ms(sim)
            start = time.monotonic()
            self.finish(self.hammer(sim, 1, 40), "80 signatures verified on 2 tokens")
            elapsed = 1000 * (time.monotonic() - start)
            busy = [now - then for now, then in zip(self.busy_ms(sim), before)]
        print(f"{via}: cards busy {busy} ms within {elapsed:.0f} ms")
        self.assertGreater(min(busy), 1000)
        self.assertLess(elapsed, sum(busy))

    def test_two_cards_at_the_same_time_over_the_sockets(self):
        self.two_cards("socket")

    def test_two_cards_at_the_same_time_over_pcscd(self):
        self.two_cards("pcscd")

    def four_tokens(self, via):
        """One of each card. All get one PIN, for the hammer has but one."""
        kinds = [CARDS[name] for name in ("kaztoken", "etoken72k", "jacarta", "kzid")]
        options = [word for card in kinds for word in ("--card", card.name)]
        options += ["--via", via, "--state", self.path("four.state"), "--seed", "3"]
        pin = self.write("pin", USER_PIN)
        with Sim(*options) as sim:
            tokens = [reader["token"] for reader in sim.readers()]
            self.assertEqual([token["model"] for token in tokens], [card.model for card in kinds])
            for card, token in zip(kinds, tokens):
                at = ("--token", token["serial"])
                if card.user_pin != USER_PIN:
                    sim.run(KILT, *at, "pin", "change", "--pin-file", self.write("first", card.user_pin), "--new-pin-file", pin)
                sim.run(KILT, *at, "key", "generate", "--label", "SIGN", "--bits", "2048", "--pin-file", pin)
            listed = sim.run("pkcs11-tool", "--module", MODULE, "-L").stdout
            for card in kinds:
                self.assertIn(card.model, listed)
        with Sim(*options, "--timing", "real") as sim:
            before = self.busy_ms(sim, 4)
            start = time.monotonic()
            self.finish(self.hammer(sim, 1, 10), "40 signatures verified on 4 tokens")
            elapsed = 1000 * (time.monotonic() - start)
            busy = [now - then for now, then in zip(self.busy_ms(sim, 4), before)]
        print(f"{via}: cards busy {busy} ms within {elapsed:.0f} ms")
        self.assertGreater(min(busy), 0)
        self.assertLess(elapsed, sum(busy))

    def test_all_four_tokens_at_the_same_time_over_the_sockets(self):
        self.four_tokens("socket")

    def test_all_four_tokens_at_the_same_time_over_pcscd(self):
        self.four_tokens("pcscd")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""On a reader that is not simulated (vpcd counts as real) no command that nobody vouches for reaches the card, until
kilt.toml lists the token's serial."""
import json

from cards import CARDS
from harness import KILT, ForeignTest, Sim, main

GENERATE, CREATE_FILE, VERIFY = "46", "E0", "20"
UNSUPPORTED = 5


class Guard(ForeignTest):
    def generate(self, sim, card, **env):
        return sim.run("env", *[f"{name}={value}" for name, value in env.items()], KILT, "--json", "key", "generate", "--label", "SIGN",
                       "--pin-file", self.write("pin", card.user_pin), ok=None)

    def sent(self, sim):
        return json.loads(sim.control("stats"))["ins"]

    def serial(self, sim):
        token, = [reader["token"] for reader in sim.readers() if reader["token"]]
        return token["serial"]

    def test_an_assumed_command_waits_for_the_right_serial(self):
        card = CARDS["etoken72k"]
        with Sim("--card", card.name, "--via", "vpcd", "--guard") as sim:
            serial = self.serial(sim)
            for config in ("", f'allow_assumed = ["{serial[:-1]}{"1" if serial[-1] == "0" else "0"}"]\n'):
                before = self.sent(sim)
                refused = self.generate(sim, card, KILT_CONFIG=self.write("kilt.toml", config))
                self.assertEqual(refused.returncode, UNSUPPORTED, refused.stdout)
                said = json.dumps(json.loads(refused.stdout)["error"])
                self.assertIn("kilt trace record", said)
                for instruction in (GENERATE, CREATE_FILE):
                    self.assertEqual(self.sent(sim).get(instruction), before.get(instruction), "nothing was sent")
            done = self.generate(sim, card, KILT_CONFIG=self.write("kilt.toml", f'allow_assumed = ["{serial}"]\n'))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(self.sent(sim)[GENERATE], 1)

    def test_an_observed_command_is_not_held_up(self):
        card = CARDS["kzid"]
        with Sim("--card", card.name, "--via", "vpcd", "--guard") as sim:
            info = sim.run(KILT, "--json", "info")
            self.assertEqual(json.loads(info.stdout)["data"]["model"], card.model)

    def test_no_pin_is_sent_for_what_is_refused(self):
        card = CARDS["kzid"]
        with Sim("--card", card.name, "--via", "vpcd", "--guard") as sim:
            # That its objects are empty, the card says only in a way that nobody saw yet.
            refused = self.generate(sim, card)
            self.assertEqual(refused.returncode, UNSUPPORTED, refused.stdout + refused.stderr)
            self.assertNotIn(GENERATE, self.sent(sim))
            listed = json.loads(sim.run(KILT, "--json", "list").stdout)["data"]["readers"][0]
            made = self.generate(sim, card, KILT_CONFIG=self.write("kilt.toml", f'allow_assumed = ["{listed["atr"]}"]\n'))
            self.assertEqual(made.returncode, 0, made.stdout + made.stderr)
            token, before = self.serial(sim), self.sent(sim).get(VERIFY)
            wrong, puk, new = self.write("wrong", "9999"), self.write("puk", "99999999"), self.write("new", "2468")
            for words in (["key", "delete", "key 7", "--yes", "--token", token, "--pin-file", wrong],
                          ["pin", "change", "--pin-file", wrong, "--new-pin-file", new],
                          ["pin", "unblock", "--so-pin-file", puk, "--new-pin-file", new]):
                refused = sim.run(KILT, "--json", *words, ok=None)
                self.assertEqual(refused.returncode, UNSUPPORTED, refused.stdout + refused.stderr)
                self.assertEqual(json.loads(refused.stdout)["error"]["kind"], "refused")
                self.assertEqual(self.sent(sim).get(VERIFY), before, words)

    def test_a_trace_of_nothing_is_no_success(self):
        atr = "3B771800004B4153414B4944"
        with Sim("--card", "kzid", "--atr", atr, "--via", "vpcd", "--guard") as sim:
            done = sim.run(KILT, "--json", "trace", "record", self.path("trace"), ok=None)
            self.assertEqual(done.returncode, UNSUPPORTED, done.stdout + done.stderr)
            self.assertIn("ATR", json.loads(done.stdout)["error"]["hint"])
            trace = self.read("trace").decode()
            self.assertIn(atr, trace)
            self.assertNotIn("\n> ", trace)

    def test_a_card_without_a_serial_is_allowed_by_its_atr(self):
        atr = "3B771800004B4153414B4944"
        config = self.write("kilt.toml", f'allow_assumed = ["{atr}"]\n')
        with Sim("--card", "kzid", "--atr", atr, "--via", "vpcd", "--guard") as sim:
            sim.run("env", f"KILT_CONFIG={config}", KILT, "trace", "record", self.path("trace"))
            self.assertIn("\n> ", self.read("trace").decode())

    def test_no_try_is_spent_on_what_an_etoken_is_not_sent(self):
        card = CARDS["etoken72k"]
        with Sim("--card", card.name, "--via", "vpcd", "--guard") as sim:
            self.serial(sim)
            before = self.sent(sim)
            wrong, new = self.write("wrong", "9999999999"), self.write("new", "a-new-pin")
            for words in (["key", "generate", "--label", "SIGN", "--pin-file", wrong],
                          ["pin", "change", "--pin-file", wrong, "--new-pin-file", new]):
                refused = sim.run(KILT, "--json", *words, ok=None)
                self.assertEqual(refused.returncode, UNSUPPORTED, refused.stdout + refused.stderr)
            self.assertEqual(self.sent(sim).get("11"), before.get("11"), "no login was sent")

    def test_over_vpcd_the_simulator_lists_its_own_cards(self):
        card = CARDS["etoken72k"]
        with Sim("--card", card.name, "--via", "vpcd") as sim:
            done = self.generate(sim, card)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    main()

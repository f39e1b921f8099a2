# SPDX-License-Identifier: Apache-2.0
"""The kilt program at a terminal that is interrupted, and with cards that are pulled out or answer nonsense."""
import json
import signal
import unittest

from kilt_case import FAILURE, NEW_PIN, NO_TOKEN, OK, USAGE, KiltTest
from harness import KILT, SO_PIN, USER_PIN, Sim, run
from terminal import Terminal


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


    def test_ctrl_c_while_the_card_computes_lets_it_finish_and_log_out(self):
        self.start("--fault", "slow@ins:46:1:1500")
        self.sim.env["KILT_TRACE"] = self.path("trace")
        with self.terminal("key", "generate", "--label", "X", "--bits", "1024", *self.pin(USER_PIN)) as at:
            at.expect("The card computes")
            at.expect("(1 s)")
            at.type("\x03")
            code, said = at.finish()
        self.assertEqual(code, -signal.SIGINT, said)
        self.assertIn("A key pair was generated", said)
        exchanges = self.json("trace", "show", self.path("trace"))["exchanges"]
        self.assertTrue(any(e["command"].startswith("80 40") for e in exchanges), exchanges)
        del self.sim.env["KILT_TRACE"]
        self.request("X")

    def test_a_second_ctrl_c_leaves_at_once(self):
        self.start("--fault", "slow@ins:46:1:5000")
        with self.terminal("key", "generate", "--label", "X", "--bits", "1024", *self.pin(USER_PIN)) as at:
            at.expect("(1 s)")
            at.type("\x03")
            at.expect("leaves at once")
            at.type("\x03")
            code, said = at.finish(bound=3)
        self.assertEqual(code, -signal.SIGINT, said)
        self.assertNotIn("generated", said)
        self.generate("Y")


class BadCards(KiltTest):
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

    def every_exchange(self, action, *words, state, argument=""):
        """Runs the command on the same card with the fault at its 1st, 2nd ... exchange, until it is not met."""
        codes = set()
        for at in range(1, 200):
            with Sim("--card", "kaztoken", "--state", state, "--fault", f"{action}@apdu:{at}{argument}") as self.sim:
                done = run(KILT, *words, env=self.sim.env, ok=None)
                stats = json.loads(self.sim.control("stats"))
                self.assertIn(done.returncode, range(0, 9), f"{action} at {at}: {done.stdout}{done.stderr}")
                if done.returncode != OK and done.stderr:
                    self.assert_three_lines(done.stderr)
                codes.add(done.returncode)
                if self.exchanges(stats) < at:
                    self.assertEqual(done.returncode, OK, done.stderr)
                    return at, codes
        self.fail("the fault was met every time")

    def exchanges(self, stats):
        return stats["apdus"]

    def prepared(self):
        """The state of a card that holds a key and its certificate."""
        state = self.path("state")
        with Sim("--card", "kaztoken", "--state", state) as self.sim:
            self.generate("X")
            self.authority()
            self.request("X")
            self.kilt("cert", "install", self.issue("X"), *self.pin(USER_PIN))
        return state

    def test_a_card_pulled_at_any_exchange(self):
        state = self.prepared()
        sign = ["sign", self.write("letter", "text"), "-o", self.path("sig"), *self.pin(USER_PIN)]
        for words in (["info"], sign):
            for action in ("remove", "remove-after"):
                at, codes = self.every_exchange(action, *words, state=state)
                self.assertGreater(at, 8)
                self.assertLessEqual(codes, {OK, NO_TOKEN})
        with Sim("--card", "kaztoken", "--state", state) as self.sim:
            self.assertEqual(self.tries(), 10)

    def test_an_initialisation_that_was_cut_off_is_done_again(self):
        # 24 loads the officer's PIN: pulled before it, the PIN has its place on the card, but no value.
        state = self.path("state")
        pins = [*self.pin(SO_PIN, "so-pin"), *self.pin(NEW_PIN, "new-pin")]
        with Sim("--card", "kaztoken", "--state", state, "--fault", "remove@ins:24:1") as self.sim:
            serial = self.serial()
            init = ["init", "--label", "L", "--yes", "--token", serial, *pins]
            cut = run(KILT, *init, env=self.sim.env, ok=False)
            self.assert_three_lines(cut.stderr)
        with Sim("--card", "kaztoken", "--state", state) as self.sim:
            self.kilt(*init)
            self.assertEqual(self.json("info")["label"], "L")
            self.generate("X", pin=NEW_PIN)

    def test_a_card_that_answers_nonsense(self):
        state = self.prepared()
        for action in ("garbage", "truncate", "oversize", "mute"):
            self.every_exchange(action, "info", state=state)
        for status in ("6F00", "6982", "63C0", "6100", "6C00", "9000"):
            self.every_exchange("sw", "info", state=state, argument=":" + status)


if __name__ == "__main__":
    unittest.main(verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A new card touches three files and one word: nothing else in the tree knows the name of the one in this directory,
and each of the three files is asked for."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get("KILT_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
HERE = "tests/new_card"

sys.path.insert(0, os.path.join(ROOT, "tests", "house"))
import layering  # noqa: E402


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def tree():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"],
                            check=True, capture_output=True, text=True).stdout.split("\0")
    return [path for path in listed if path and os.path.isfile(os.path.join(ROOT, path))]


CALL = re.compile(r"^kilt_card\((\w+)\)$", re.M)
NAME = CALL.search(read(f"{HERE}/CMakeLists.txt")).group(1)
FILES = [f"drivers/{NAME}.cpp", f"firmware-sim/profiles/{NAME}.cpp", f"tests/vectors/{NAME}.vec"]


class ThreeFilesAndOneWord(unittest.TestCase):
    def test_nothing_else_has_the_name(self):
        files = tree()
        self.assertGreater(len(files), 100)
        having = [path for path in files if NAME in path.lower() or NAME in read(path).lower()]
        self.assertEqual(sorted(having), sorted([f"{HERE}/{path}" for path in FILES] + [f"{HERE}/CMakeLists.txt"]))

    def test_the_call_is_the_one_word(self):
        self.assertEqual(read(f"{HERE}/CMakeLists.txt").lower().count(NAME), 1)

    def test_a_card_of_the_tree_is_named_by_the_same_call(self):
        self.assertRegex(read("CMakeLists.txt"), r"(?m)^kilt_card\((\w+ ?)+\)$")

    def test_the_two_sides_stay_on_their_floors(self):
        for part, path in (("drivers", FILES[0]), ("firmware-sim", FILES[1])):
            included = [(quote, name) for _, quote, name in layering.includes(f"{HERE}/{path}")]
            own = [name for quote, name in included if quote == '"']
            self.assertGreater(len(own), 1)
            self.assertEqual([name for name in own if not layering.allowed(part, name)], [])


class MissingFile(unittest.TestCase):
    """kilt_card() by itself, in a directory that holds what there is of a card."""

    def configure(self, files):
        with tempfile.TemporaryDirectory() as directory:
            for path in files:
                os.makedirs(os.path.join(directory, os.path.dirname(path)), exist_ok=True)
                open(os.path.join(directory, path), "w", encoding="utf-8").close()
            script = os.path.join(directory, "card.cmake")
            with open(script, "w", encoding="utf-8") as file:
                file.write(f'include("{ROOT}/cards.cmake")\nkilt_card({NAME})\nmessage("cards: ${{KILT_CARDS}}")\n')
            done = subprocess.run(["cmake", "-P", script], cwd=directory, capture_output=True, text=True)
            return done.returncode, done.stderr

    def test_all_three_make_a_card(self):
        code, said = self.configure(FILES)
        self.assertEqual(code, 0, said)
        self.assertIn(f"cards: {NAME}\n", said)

    def test_each_is_missed(self):
        for missing in FILES:
            code, said = self.configure([path for path in FILES if path != missing])
            self.assertNotEqual(code, 0, missing)
            self.assertIn(f"kilt_card({NAME}): {missing} is missing", " ".join(said.split()))
            self.assertNotIn("cards:", said)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=1))

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a machine can hold: formatting, licence lines, length of files, finished words."""
import os
import re
import subprocess
import sys
import unittest

ROOT = os.environ.get("KILT_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
CODE = (".cpp", ".hpp", ".c", ".h")
LONGEST_FILE = 500


def tracked():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], check=True, capture_output=True, text=True)
    return [f for f in listed.stdout.split("\n") if f and os.path.exists(os.path.join(ROOT, f))]


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


class Style(unittest.TestCase):
    def setUp(self):
        self.files = tracked()
        self.code = [f for f in self.files if f.endswith(CODE)]
        self.assertGreater(len(self.code), 20)

    def test_formatted(self):
        run = subprocess.run(["clang-format", "--dry-run", "--Werror", *self.code], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr[:4000])

    def test_every_source_names_its_licence(self):
        kinds = CODE + (".py", ".sh", ".cmake")
        bare = [f for f in self.files if f.endswith(kinds) and "SPDX-License-Identifier: Apache-2.0" not in text_of(f)[:300]]
        self.assertEqual(bare, [])

    def test_a_file_holds_one_idea(self):
        long = [f"{f}: {text_of(f).count(chr(10))} lines" for f in self.code if text_of(f).count("\n") > LONGEST_FILE]
        self.assertEqual(long, [])

    def test_no_unfinished_words(self):
        words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
        found = [f for f in self.code + [f for f in self.files if f.endswith((".py", ".sh", ".txt"))] if words.search(text_of(f))]
        self.assertEqual(found, [])

    def test_every_folder_says_what_lives_there(self):
        for folder in ("apdu", "drivers", "pkcs11", "cli", "firmware-sim", "tests", "udev"):
            self.assertTrue(os.path.exists(os.path.join(ROOT, folder, "README.md")), folder)

    def test_only_the_abi_has_macros(self):
        # Fuzz harness and the Cryptoki header's calling convention are ABI; test helpers may name files.
        defines = [f for f in self.code if re.search(r"^\s*#\s*define\b", text_of(f), re.M)]
        self.assertEqual([f for f in defines if f not in ("pkcs11/cryptoki.hpp",)], [])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=1))

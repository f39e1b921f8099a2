#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The list of complaints in pkcs11/README.md names a test for each; every one of them must exist."""
import os
import re
import subprocess
import unittest

ROOT = os.environ["KILT_SOURCE"]


def tests():
    """Suite.Name of GoogleTest, Class.test_name and script.py test_name of unittest."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "tests"], check=True, capture_output=True,
                            text=True).stdout.split()
    for path in listed:
        if not path.endswith((".cpp", ".py")):
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            text = file.read()
        for suite, name in re.findall(r"TEST(?:_[FP])?\((\w+),\s*(\w+)\)", text):
            yield f"{suite}.{name}"
        current = None
        for kind, name in re.findall(r"^(class|    def) (\w+)", text, re.M):
            if kind == "class":
                current = name
            elif name.startswith("test_"):
                yield f"{current}.{name}"
                yield f"{os.path.basename(path)} {name}"


class Answers(unittest.TestCase):
    def test_every_complaint_has_a_test(self):
        with open(os.path.join(ROOT, "pkcs11", "README.md"), encoding="utf-8") as file:
            section = file.read().split("## What users of other modules complain about")[1].split("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| ") and "---" not in line][1:]
        self.assertGreater(len(rows), 30)
        known = set(tests())
        named = [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[2])]
        self.assertEqual([name for name in named if name not in known], [])
        self.assertEqual([row for row in rows if "`" not in row.split("|")[2]], [])


if __name__ == "__main__":
    unittest.main(verbosity=1)

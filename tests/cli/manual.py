# SPDX-License-Identifier: Apache-2.0
"""What the manual pages and the completion say is what the programs take: no option missing, none too many."""
import json
import os
import re
import shutil
import subprocess
import unittest

from kilt_case import KiltTest
from harness import KILT, KILT_SIM, SOURCE, run

OPTION = r"--[a-z][a-z-]*[a-z]"
ALWAYS = {"--help"}


def help_of(program, *path):
    return run(program, *path, "--help").stdout


def options_in(text):
    """Options that a help lists, in their own lines; not those that its sentences speak of."""
    return set(re.findall(rf"^  (?:-\w,)?({OPTION})", text, re.M)) - ALWAYS


def commands(program, *path):
    """Every command that does something, with its options."""
    text = help_of(program, *path)
    below = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.M)
    if not below:
        return {path: options_in(text)}
    found = {}
    for name in re.findall(r"^  ([a-z]+) ", below.group(1), re.M):
        found.update(commands(program, *path, name))
    return found


class Page:
    def __init__(self, name):
        with open(os.path.join(SOURCE, "cli", "man", name + ".1"), encoding="utf-8") as file:
            self.raw = file.read()
        self.text = self.raw.replace("\\-", "-")

    def section(self, name):
        return self.text.split(f"\n.SH {name}\n")[1].split("\n.SH ")[0]

    def command(self, path):
        for part in self.section("COMMANDS").split("\n.SS ")[1:]:
            heading, _, body = part.partition("\n")
            if re.match(re.escape(" ".join(path)) + r"( [^a-z]|$)", heading):
                return heading, body
        return None, ""


class Manual(KiltTest):
    def compare(self, program, name):
        page = Page(name)
        pins = set(re.findall(OPTION, page.section("PINS"))) if name == "kilt" else set()
        found = commands(program)
        self.assertGreater(len(found), 5)
        for path, options in found.items():
            heading, body = page.command((name, *path))
            self.assertIsNotNone(heading, f"{name}.1 has no section on {' '.join(path)}")
            # Tags only: a sentence may speak of another command's options.
            tags = "\n".join(re.findall(r"^\.TP\n(.*)$", body, re.M))
            tags = re.sub(r"(--(?:so-|new-)?pin)-\*", r"\1-file \1-fd \1-env", tags)
            told = set(re.findall(OPTION, tags))
            self.assertEqual(told, options, f"{name} {' '.join(path)}")
            self.assertLessEqual({o for o in options if re.search("pin-(file|fd|env)$", o)}, pins)
        headings = re.findall(r"^\.SS (.*)$", page.text, re.M)
        self.assertEqual(len(headings), len(found), headings)
        return page

    def test_kilt(self):
        page = self.compare(KILT, "kilt")
        self.assertEqual(set(re.findall(OPTION, page.section("OPTIONS"))) - ALWAYS, options_in(help_of(KILT)))
        codes = re.findall(r"^\.B (\d)$", page.section("EXIT STATUS"), re.M)
        self.assertEqual(codes, [c for c in re.findall(r"(\d) [a-zP]", help_of(KILT).split("Exit codes:")[1])])
        for mechanism in self.mechanisms():
            self.assertIn(mechanism, page.command(("kilt", "sign"))[1])

    def test_kilt_sim(self):
        page = self.compare(KILT_SIM, "kilt-sim")
        faults = page.section("FAULTS")
        for word in re.findall(r"\b(remove|remove-after|mute|slow|sw|truncate|oversize|garbage|kill|kill-after|tear)\b",
                               help_of(KILT_SIM, "run").split("SPEC of --fault")[1]):
            self.assertIn(word, faults)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_pages_can_be_set(self):
        for name in ("kilt", "kilt-sim"):
            done = run("groff", "-man", "-ww", "-z", "-Tutf8", "-Kutf8", os.path.join(SOURCE, "cli", "man", name + ".1"))
            self.assertEqual(done.stderr, "")

    def mechanisms(self):
        document = run(KILT, "sign", "x", "-o", "y", "--mechanism", "none", "--json", ok=False).stdout
        return json.loads(document)["error"]["message"].split("there are ")[1].split(", ")


class Completion(KiltTest):
    def complete(self, *words):
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kilt; printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "--norc", "-c", script, "bash",
                               os.path.join(SOURCE, "cli", "completion", "kilt.bash"), KILT, *words],
                              capture_output=True, text=True, cwd=self.directory, timeout=60)
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_every_option_of_every_command(self):
        everywhere = options_in(help_of(KILT))
        for path, options in commands(KILT).items():
            self.assertEqual(self.complete(*path, "--") - ALWAYS, options | everywhere, path)
            self.assertIn(path[-1], self.complete(*path[:-1], path[-1][:2]))
            self.assertIn(path[-1], self.complete("--token", "key", "--json", *path[:-1], ""))

    def test_values(self):
        self.write("letter", "")
        self.assertEqual(self.complete("sign", ""), {"letter"})
        self.assertEqual(self.complete("sign", "letter", "-o", "l"), {"letter"})
        self.assertEqual(self.complete("key", "generate", "--pin-file", "l"), {"letter"})
        self.assertEqual(self.complete("sign", "--key", "key", "l"), {"letter"})
        self.assertEqual(self.complete("--token", ""), set())
        self.assertEqual(self.complete("key", "generate", "--usage", "d"), {"decrypt"})
        self.assertEqual(self.complete("sign", "--mechanism", ""), set(Manual.mechanisms(self)))
        self.assertIn("true", self.complete("trace", "record", "t", "--", "tru"))
        self.assertEqual(self.complete("key", "l"), {"list"})


class Configuration(unittest.TestCase):
    def test_every_key_has_its_paragraph(self):
        with open(os.path.join(SOURCE, "drivers", "config.cpp"), encoding="utf-8") as file:
            keys = re.findall(r'key == "(\w+)"', file.read())
        with open(os.path.join(SOURCE, "cli", "man", "kilt.toml.5"), encoding="utf-8") as file:
            page = file.read()
        self.assertGreater(len(keys), 3)
        self.assertEqual(re.findall(r"^\.TP\n\.B (\w+)$", page, re.M), keys)


if __name__ == "__main__":
    unittest.main(verbosity=2)

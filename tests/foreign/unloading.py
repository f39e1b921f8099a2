#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that load, leave, unload and exit in every way that ended in a crash elsewhere; and what valgrind finds.

    unloading.py HOST       HOST: socket, pcscd"""
import glob
import os
import re
import shutil
import subprocess
import sys
import unittest

from cards import CARDS
from harness import BUILD, KILT, MODULE, ForeignTest, Sim

LOADER = os.path.join(BUILD, "tests", "loader")
TRIPLET = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()


def library(name):
    found, = glob.glob(f"/usr/lib/{TRIPLET}/{name}")
    return found


class Unloading(ForeignTest):
    host = "socket"

    def setUp(self):
        super().setUp()
        self.card = CARDS["kaztoken"]
        self.sim = Sim("--card", self.card.name, "--via", self.host, env={"HOME": self.directory})
        self.enterContext(self.sim)
        pin = self.write("pin", self.card.user_pin)
        self.sim.run(KILT, "key", "generate", "--label", "AUTH", "--pin-file", pin)

    def load(self, way, *modules, **options):
        return self.sim.run(LOADER, way, self.card.user_pin, *(modules or (MODULE,)), **options)

    def test_unloaded_again_and_again(self):
        """The module stays mapped, so that no thread is left without the code that it runs."""
        self.assertEqual(self.load("unload").stdout, "mapped\n")

    def test_unloaded_without_an_end(self):
        self.load("unload-unfinished")
        self.load("leave")

    def test_exit_in_the_middle(self):
        self.load("leave")
        self.load("replace")
        self.load("leave")

    def test_finished_at_exit(self):
        self.load("finish-at-exit")

    def test_threads_that_ended(self):
        self.load("leave-threads")

    def test_under_several_names(self):
        """A copy is another module to the loader: two of everything, one card."""
        copy = self.path("another-name.so")
        shutil.copy(MODULE, copy)
        self.assertEqual(self.load("together", MODULE, copy).stdout, "2 used\n")

    def test_beside_others(self):
        others = (library("opensc-pkcs11.so"), library("p11-kit-proxy.so"))
        self.assertEqual(self.load("together", others[0], MODULE, others[1]).stdout, "1 used\n")
        self.assertEqual(self.load("together", MODULE, *others).stdout, "1 used\n")

    def test_valgrind_finds_nothing(self):
        for way in ("repeat", "unload", "leave-threads"):
            with self.subTest(way=way):
                log = self.path("valgrind.log")
                self.sim.run("valgrind", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=9",
                             f"--log-file={log}", LOADER, way, self.card.user_pin, MODULE, timeout=900)
                report = self.read("valgrind.log").decode()
                self.assertRegex(report, r"ERROR SUMMARY: 0 errors")
                leaked = re.search(r"definitely lost: ([\d,]+) bytes", report)
                self.assertEqual(leaked.group(1) if leaked else "0", "0", report)


if __name__ == "__main__":
    Unloading.host = sys.argv[1] if len(sys.argv) > 1 else "socket"
    unittest.main(argv=sys.argv[:1], verbosity=2)

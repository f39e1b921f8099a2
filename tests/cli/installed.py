# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` puts where, and that it is there to be used."""
import os
import unittest

from kilt_case import KiltTest
from harness import BUILD, run


class Installed(KiltTest):
    def test_every_part_is_in_its_place(self):
        run("cmake", "--install", BUILD, "--prefix", self.path("usr"))
        found = set()
        for folder, _, files in os.walk(self.path("usr")):
            for name in files:
                found.add(os.path.relpath(os.path.join(folder, name), self.path("usr")))
        # The library folder is lib, or Debian's lib/x86_64-linux-gnu.
        libraries = {path for path in found if path.startswith("lib")}
        self.assertEqual({path.split("/", 1)[1].removeprefix("x86_64-linux-gnu/") for path in libraries},
                         {"pkcs11/kilt-pkcs11.so", "pcsc/drivers/serial/libifdkilt.so"})
        self.assertLessEqual({"bin/kilt", "bin/kilt-sim", "share/man/man1/kilt.1", "share/man/man1/kilt-sim.1",
                              "share/bash-completion/completions/kilt"}, found)
        self.assertRegex(run(self.path("usr/bin/kilt"), "--version").stdout, r"^kilt \d")
        shown = run(self.path("usr/bin/kilt-sim"), "run", "--card", "kaztoken", "--", self.path("usr/bin/kilt"), "list").stdout
        self.assertIn("KAZTOKEN", shown)


if __name__ == "__main__":
    unittest.main(verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the shared objects show to the process that loads them, and what they need of it."""
import os
import subprocess
import sys
import unittest

BUILD = os.environ["KILT_BUILD"]


def defined(library):
    out = subprocess.run(["nm", "-D", "--defined-only", os.path.join(BUILD, "lib", library)],
                         check=True, capture_output=True, text=True).stdout
    return sorted(line.split()[-1].split("@")[0] for line in out.splitlines())


def needed(library):
    out = subprocess.run(["readelf", "-d", os.path.join(BUILD, "lib", library)],
                         check=True, capture_output=True, text=True).stdout
    return {line.split("[")[1].split("]")[0] for line in out.splitlines() if "(NEEDED)" in line}


class Exports(unittest.TestCase):
    def test_the_module_shows_three_names(self):
        self.assertEqual(defined("kilt-pkcs11.so"),
                         ["C_GetFunctionList", "C_GetInterface", "C_GetInterfaceList"])

    def test_the_reader_driver_shows_the_ifd_entry_points_only(self):
        names = defined("libifdkilt.so")
        self.assertGreaterEqual(len(names), 9)
        self.assertEqual([n for n in names if not n.startswith("IFDH")], [])

    def test_the_module_brings_no_openssl_into_its_host(self):
        libraries = needed("kilt-pkcs11.so")
        self.assertFalse([l for l in libraries if l.startswith(("libcrypto", "libssl", "libnss", "libgnutls"))])
        allowed = ("libpcsclite.so", "libmbedcrypto.so", "libmbedx509.so", "libnettle.so", "libhogweed.so",
                   "libstdc++.so", "libgcc_s.so", "libc.so", "libm.so", "libgmp.so", "ld-linux")
        self.assertEqual([l for l in libraries if not l.startswith(allowed)], [])

    def test_nothing_of_ours_runs_when_the_process_ends(self):
        """Destructors of static objects would be registered by one of these, and run in an order nobody knows."""
        out = subprocess.run(["nm", "-D", "--undefined-only", os.path.join(BUILD, "lib", "kilt-pkcs11.so")],
                             check=True, capture_output=True, text=True).stdout
        names = {line.split()[-1].split("@")[0] for line in out.splitlines()}
        self.assertEqual(names & {"__cxa_atexit", "atexit", "on_exit", "__cxa_thread_atexit_impl", "pthread_create"}, set())

    def test_relocations_are_read_only_after_start(self):
        for library in ("kilt-pkcs11.so", "libifdkilt.so"):
            out = subprocess.run(["readelf", "-dl", os.path.join(BUILD, "lib", library)],
                                 check=True, capture_output=True, text=True).stdout
            self.assertIn("GNU_RELRO", out)
            self.assertIn("NOW", out)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=1))

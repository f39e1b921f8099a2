#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The list of complaints in pkcs11/README.md has an answer to each known one, and every test that it names exists."""
import os
import re
import subprocess
import unittest

ROOT = os.environ["KILT_SOURCE"]

# What is known of other modules' troubles with threads, fork, hot-plug, sharing, PINs, start-up, exit and their clients: no row may be
# lost. By the repository's last name; piv-tool is yubico-piv-tool, piv-manager yubikey-piv-manager, esteid esteid-pkcs11, xipki its
# pkcs11wrapper.
ANSWERED = (
    "OpenSC#275", "OpenSC#289", "OpenSC#301", "OpenSC#358", "OpenSC#377", "OpenSC#444", "OpenSC#460", "OpenSC#461", "OpenSC#464", "OpenSC#472",
    "OpenSC#475", "OpenSC#495", "OpenSC#510", "OpenSC#512", "OpenSC#558", "OpenSC#596", "OpenSC#608", "OpenSC#629", "OpenSC#703", "OpenSC#750",
    "OpenSC#849", "OpenSC#850", "OpenSC#856", "OpenSC#871", "OpenSC#943", "OpenSC#1039", "OpenSC#1065", "OpenSC#1199", "OpenSC#1263",
    "OpenSC#1276", "OpenSC#1278", "OpenSC#1279", "OpenSC#1436", "OpenSC#1507", "OpenSC#1706", "OpenSC#1771", "OpenSC#1818", "OpenSC#1822",
    "OpenSC#1935", "OpenSC#1961", "OpenSC#2019", "OpenSC#2021", "OpenSC#2040", "OpenSC#2067", "OpenSC#2100", "OpenSC#2170", "OpenSC#2208",
    "OpenSC#2244", "OpenSC#2306", "OpenSC#2307", "OpenSC#2325", "OpenSC#2415", "OpenSC#2444", "OpenSC#2446", "OpenSC#2552", "OpenSC#2629",
    "OpenSC#2740", "OpenSC#2741", "OpenSC#2757", "OpenSC#2806", "OpenSC#2807", "OpenSC#2808", "OpenSC#2897", "OpenSC#2919", "OpenSC#2947",
    "OpenSC#2980", "OpenSC#2987", "OpenSC#3032", "OpenSC#3110", "OpenSC#3117", "OpenSC#3241", "OpenSC#3389", "OpenSC#3395", "OpenSC#3471",
    "OpenSC#3593", "OpenSC#3656", "OpenSC#3783", "piv-tool#18", "piv-tool#26", "piv-tool#84", "piv-tool#86", "piv-tool#92", "piv-tool#94",
    "piv-tool#112", "piv-tool#125", "piv-tool#158", "piv-tool#167", "piv-tool#176", "piv-tool#347", "piv-tool#373", "piv-tool#447",
    "piv-tool#504", "libp11#39", "libp11#101", "libp11#106", "libp11#156", "libp11#195", "libp11#228", "libp11#245", "libp11#294", "libp11#385",
    "libp11#422", "libp11#579", "pkcs11-provider#42", "pkcs11-provider#160", "pkcs11-provider#185", "pkcs11-provider#238", "pkcs11-provider#281",
    "pkcs11-provider#291", "pkcs11-provider#355", "pkcs11-provider#455", "pkcs11-provider#457", "pkcs11-provider#494", "pkcs11-provider#677",
    "PCSC#26", "PCSC#28", "PCSC#31", "PCSC#144", "PCSC#154", "PCSC#215", "PCSC#224", "PCSC#229", "PCSC#254", "p11-kit#65", "p11-kit#221",
    "p11-kit#224", "p11-kit#266", "p11-kit#287", "p11-kit#433", "p11-kit#434", "SoftHSMv2#199", "SoftHSMv2#418", "SoftHSMv2#486", "SoftHSMv2#503",
    "SoftHSMv2#635", "SoftHSMv2#637", "SoftHSMv2#780", "tpm2-pkcs11#28", "tpm2-pkcs11#171", "tpm2-pkcs11#309", "tpm2-pkcs11#340",
    "tpm2-pkcs11#612", "linux_cac#5", "linux_cac#7", "linux_cac#10", "linux_cac#13", "flatpak#4066", "flatpak#4723", "flatpak#5423",
    "pkcs11-helper#5", "pkcs11-helper#16", "pkcs11-helper#17", "yubikey-manager#335", "yubikey-manager#624", "yubikey-manager#630", "CCID#36",
    "CCID#37", "eid-mw#103", "eid-mw#174", "nixpkgs#122039", "nixpkgs#290926", "pico-hsm#81", "pico-hsm#115", "pyscard#27", "pyscard#82",
    "YubiKey-Guide#277", "YubiKey-Guide#376", "com.google.Chrome#209", "cryptoauthlib#149", "ejbca-ce#438", "engine_pkcs11#16", "esteid#1",
    "go-p11-kit#15", "jsignpdf#70", "NCALayer#8", "nethsm-pkcs11#183", "nexu#19", "opencryptoki#214", "opensc-java#10", "openssl#22508",
    "parsec#380", "pcsc-rust#21", "piv-manager#30", "pivy#21", "Pkcs11Interop#147", "pkcs11js#17", "pyHanko#149", "rust-cryptoki#260",
    "smartcardservices#113", "SSSD#7038", "wolfPKCS11#115", "xipki#3",
)


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


def complaints(cell):
    """Of "OpenSC#1, #2, PCSC#3" each with its repository."""
    repository = None
    for name, number in re.findall(r"([A-Za-z][\w.-]*)?#(\d+)", cell):
        repository = name or repository
        yield f"{repository}#{number}"


class Answers(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(ROOT, "pkcs11", "README.md"), encoding="utf-8") as file:
            section = file.read().split("## What users of other modules complain about")[1].split("\n## ")[0]
        self.rows = [line for line in section.splitlines() if line.startswith("| ") and "---" not in line][1:]

    def test_every_complaint_is_answered(self):
        listed = {complaint for row in self.rows for complaint in complaints(row.split("|")[1])}
        self.assertEqual([complaint for complaint in ANSWERED if complaint not in listed], [])
        self.assertEqual(sorted(listed.difference(ANSWERED)), [], "not in ANSWERED, so that nobody would miss it")

    def test_every_answer_is_a_test(self):
        known = set(tests())
        named = [name for row in self.rows for name in re.findall(r"`([^`]+)`", row.split("|")[2])]
        self.assertEqual([name for name in named if name not in known], [])
        self.assertEqual([row for row in self.rows if "`" not in row.split("|")[2]], [])


if __name__ == "__main__":
    unittest.main(verbosity=1)

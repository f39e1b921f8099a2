#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Three floors, no arrow up: reads every #include and checks it against the table of who may use whom.

The table is the design's; a line here is the rule, a comment why."""
import os
import re
import subprocess
import sys
import unittest

ROOT = os.environ.get("KILT_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

# Foreign headers by the library they belong to.
LIBRARIES = {
    "pcsc": re.compile(r"^(PCSC/)?(winscard|wintypes|pcsclite|ifdhandler|reader)\.h$"),
    "usb": re.compile(r"^libusb"),
    "mbedtls": re.compile(r"^mbedtls/"),
    "nettle": re.compile(r"^nettle/"),
    "cryptoki": re.compile(r"^(nss/)?pkcs11\w*\.h$"),
    "cli11": re.compile(r"^CLI/"),
    "fmt": re.compile(r"^fmt/"),
    "json": re.compile(r"^nlohmann/"),
    "toml": re.compile(r"^toml\+\+/"),
    "openssl": re.compile(r"^openssl/"),
}

WORDS = {f"apdu/{name}.hpp" for name in ("bytes", "result", "tlv", "iso7816", "command")}

# part -> (folders of ours it may include, foreign libraries it may include)
RULES = {
    "apdu": (("apdu/",), {"pcsc", "usb"}),
    "drivers": (("apdu/", "drivers/"), {"mbedtls", "nettle", "toml"}),
    "pkcs11": (("apdu/", "drivers/", "pkcs11/"), {"mbedtls", "nettle", "cryptoki"}),
    "cli": (("apdu/", "drivers/", "cli/"), {"mbedtls", "nettle", "cli11", "fmt", "json"}),
    "firmware-sim": (("firmware-sim/",), {"mbedtls", "nettle", "cli11", "fmt", "json"}),
}


def sources(part):
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", part],
                            check=True, capture_output=True, text=True).stdout.split()
    return [f for f in listed if f.endswith((".cpp", ".hpp", ".c", ".h", ".in"))]


def includes(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if found:
                yield number, found.group(1), found.group(2)


def allowed(part, name):
    folders, _ = RULES[part]
    if part == "firmware-sim" and name in WORDS:
        return True
    return name.startswith(folders)


def complaints(part):
    _, libraries = RULES[part]
    for path in sources(part):
        for number, quote, name in includes(path):
            where = f"{path}:{number}: {name}"
            if quote == '"':
                if not allowed(part, name):
                    yield f"{where}: {part} may not use this"
                elif not os.path.exists(os.path.join(ROOT, name)):
                    yield f"{where}: not written from the repository's root"
                continue
            for library, pattern in LIBRARIES.items():
                if pattern.match(name) and library not in libraries:
                    yield f"{where}: {part} may not use {library}"


class Layering(unittest.TestCase):
    def test_every_part_was_read(self):
        for part in RULES:
            self.assertGreater(len(sources(part)), 3, part)

    def test_no_arrow_up(self):
        self.assertEqual([c for part in RULES for c in complaints(part)], [])

    def test_only_the_channel_transmits(self):
        """Transport::transmit has one caller, so chaining and masking cannot be walked around."""
        callers = [path for part in ("apdu", "drivers", "pkcs11", "cli") for path in sources(part)
                   if re.search(r"(->|\.)transmit\(", open(os.path.join(ROOT, path), encoding="utf-8").read())]
        # The IFD handler is a transport turned inside out: pcscd hands it finished APDUs.
        self.assertEqual([c for c in callers if "ifdhandler" not in c], ["apdu/channel.cpp"])

    def test_the_rule_bites(self):
        self.assertFalse(allowed("drivers", "pkcs11/session.hpp"))
        self.assertFalse(allowed("firmware-sim", "apdu/channel.hpp"))
        self.assertFalse(allowed("firmware-sim", "drivers/kaztoken.hpp"))
        self.assertTrue(allowed("firmware-sim", "apdu/tlv.hpp"))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=1))

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over every translation unit of the product, with the repository's configuration.

It reads them as clang does and without precompiled headers, so it also shows that clang takes them and that each
file includes what it uses."""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

SOURCE = os.environ["KILT_SOURCE"]
BUILD = os.path.join(os.environ["KILT_BUILD"], "tidy")
PARTS = ("apdu", "drivers", "pkcs11", "cli", "firmware-sim")


def configure():
    subprocess.run(["cmake", "-S", SOURCE, "-B", BUILD, "-G", "Ninja", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", "-DBUILD_TESTING=OFF",
                    "-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON"], check=True, stdout=subprocess.DEVNULL)


def units():
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        files = {entry["file"] for entry in json.load(file)}
    return sorted(f for f in files if os.path.relpath(f, SOURCE).startswith(PARTS))


def tidy(path):
    done = subprocess.run(["clang-tidy", "--quiet", "-p", BUILD, "--extra-arg=-Wno-unknown-warning-option", path],
                          capture_output=True, text=True)
    return path, done.returncode, done.stdout


def main():
    configure()
    files = units()
    if len(files) < 20:
        sys.exit(f"only {len(files)} translation units found in {BUILD}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        bad = [(path, out) for path, code, out in pool.map(tidy, files) if code]
    for path, out in bad:
        print(f"== {os.path.relpath(path, SOURCE)}\n{out}")
    print(f"{len(files)} files, {len(bad)} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

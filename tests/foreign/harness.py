# SPDX-License-Identifier: Apache-2.0
"""Runs foreign programs against simulated cards.

A Sim is one `kilt-sim run` whose COMMAND prints its environment and waits: so every program that the test
starts with that environment sees the cards, and closing the pipe ends everything that was started."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

BUILD = os.environ["KILT_BUILD"]
SOURCE = os.environ["KILT_SOURCE"]
KILT_SIM = os.path.join(BUILD, "bin", "kilt-sim")
KILT = os.path.join(BUILD, "bin", "kilt")
MODULE = os.path.join(BUILD, "lib", "kilt-pkcs11.so")
OPENSC_MODULE = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"
PYTHON = "/usr/bin/python3"

USER_PIN, SO_PIN = "12345678", "87654321"
ATR_RUTOKEN_ECP = "3B8B01527574 6F6B656E20454350A0".replace(" ", "")

# Waits for the end of its input, so that the cards live exactly as long as the test wants.
_TELL_AND_WAIT = "import json,os,sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"


class Sim:
    """kilt-sim run with these options, for the length of a `with` block."""

    def __init__(self, *options, env=None):
        self.options = options
        self.base_env = dict(os.environ, **(env or {}))
        for name in ("KILT_READERS", "KILT_SIM", "PCSCLITE_CSOCK_NAME", "KILT_CONFIG"):
            self.base_env.pop(name, None)
        # What kilt keeps beside cards ends with them.
        self.data = tempfile.TemporaryDirectory(prefix="kilt-data-")
        if "XDG_DATA_HOME" not in (env or {}):
            self.base_env["XDG_DATA_HOME"] = self.data.name

    def __enter__(self):
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen([KILT_SIM, "run", *self.options, "--", PYTHON, "-c", _TELL_AND_WAIT],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, env=self.base_env)
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            raise AssertionError(f"kilt-sim did not start ({self.process.returncode}): {self.errors.read()}")
        self.env = json.loads(line)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait(10)
            raise AssertionError("kilt-sim did not end with its command")
        finally:
            self.errors.close()
            self.data.cleanup()

    def run(self, *command, **options):
        return run(*command, env=self.env, **options)

    def reinsert(self):
        self.remove()
        self.control("insert")
        self.until_present(True)

    def remove(self):
        """Card out, and pcscd has noticed."""
        self.control("remove")
        self.until_present(False)

    def until_present(self, present):
        deadline = time.monotonic() + 30
        while any(reader["present"] for reader in self.readers()) != present:
            if time.monotonic() > deadline:
                raise AssertionError(f"{'insertion' if present else 'removal'} was not noticed")

    def readers(self):
        return json.loads(self.run(KILT, "--json", "list", ok=None).stdout)["data"]["readers"]

    def control(self, *words):
        return run(KILT_SIM, *words, env=self.env).stdout


def run(*command, env=None, ok=True, input=None, timeout=300):
    """Runs to the end. ok=True: must succeed; ok=False: must fail; ok=None: either."""
    done = subprocess.run([str(c) for c in command], env=env, capture_output=True, timeout=timeout,
                          input=input.encode() if isinstance(input, str) else input)
    done.stdout_bytes, done.stdout = done.stdout, done.stdout.decode(errors="replace")
    done.stderr = done.stderr.decode(errors="replace")
    if ok is not None and (done.returncode == 0) != ok:
        raise AssertionError(f"{' '.join(map(str, command))}\nexit {done.returncode}, "
                             f"{'success' if ok else 'failure'} expected\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


class ForeignTest(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="kilt-foreign-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def openssl(self, *words, **options):
        return run("openssl", *words, **options)


def rsa_key(path, bits=2048):
    """An RSA key whose CRT parts all have their full length. With a shorter part OpenSC 0.23 ends in "Invalid arguments"
    by itself: a trace shows the two CREATE FILE and no key command after them."""
    while True:
        run("openssl", "genrsa", "-traditional", "-out", path, bits)
        parts = re.findall(r"INTEGER\s+:([0-9A-F]+)", run("openssl", "asn1parse", "-in", path).stdout)
        if len(parts) == 9 and all(len(part) == bits // 8 for part in parts[4:]):
            return path


def opensc_conf(directory, *lines):
    """An opensc.conf that knows the KAZTOKEN ATR by two lines; more lines go into the default block."""
    path = os.path.join(directory, "opensc.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write("app default {\n"
                   "  card_atr 3b:88:01:4b:41:5a:54:4f:4b:45:4e:82 { driver = \"rutoken_ecp\"; name = \"KAZTOKEN\"; }\n"
                   "  card_atr 3b:98:96:00:4b:41:5a:54:4f:4b:45:4e { driver = \"rutoken_ecp\"; name = \"Kaztoken SC\"; }\n"
                   + "".join(f"  {line}\n" for line in lines) + "}\n")
    return path


def main():
    unittest.main(verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kilt as it is after installation below /usr: whoever asks p11-kit finds the token, and nobody has to be told a path.

    installed.py CARD [HOST]

Nothing is installed. `cmake --install` puts the files into a staging directory, and a private mount namespace shows
that over /usr to the programs of the test. A build directory that CMake did not make is staged by copying what ought
to be installed; then the install rules are not judged, and that test is skipped and says why."""
import json
import os
import re
import shutil
import stat
import subprocess
import sys

from cards import CARDS
from harness import BUILD, SOURCE, ForeignTest, Sim, run
import openssl_checks
import unittest


def usr_p11_kit(variable, otherwise):
    """Of p11-kit's development package, or what Debian compiles in."""
    asked = subprocess.run(["pkg-config", f"--variable={variable}", "p11-kit-1"], check=False, capture_output=True, text=True)
    return asked.stdout.strip() or otherwise


TRIPLET = run("gcc", "-print-multiarch").stdout.strip()
MODULES = usr_p11_kit("p11_module_path", f"/usr/lib/{TRIPLET}/pkcs11")
CONFIGS = usr_p11_kit("p11_module_configs", "/usr/share/p11-kit/modules")
OTHERS = ("/usr/bin/kilt", "/usr/bin/kilt-sim", "/usr/share/man/man1/kilt.1", "/usr/share/man/man1/kilt-sim.1",
          "/usr/share/bash-completion/completions/kilt")


def stage(place):
    """The files as a package has them, below place; whether CMake has put them there."""
    if os.path.exists(os.path.join(BUILD, "CMakeCache.txt")):
        run("cmake", "--install", BUILD, "--prefix", "/usr", env=dict(os.environ, DESTDIR=place))
        return True
    copies = {"lib/kilt-pkcs11.so": f"{MODULES}/kilt-pkcs11.so", "bin/kilt": "/usr/bin/kilt", "bin/kilt-sim": "/usr/bin/kilt-sim"}
    pages = {"cli/man/kilt.1": "/usr/share/man/man1/kilt.1", "cli/man/kilt-sim.1": "/usr/share/man/man1/kilt-sim.1",
             "cli/completion/kilt.bash": "/usr/share/bash-completion/completions/kilt"}
    for root, files in (BUILD, copies), (SOURCE, pages):
        for name, target in files.items():
            os.makedirs(os.path.dirname(place + target), exist_ok=True)
            shutil.copyfile(os.path.join(root, name), place + target)
            os.chmod(place + target, 0o755 if "/bin/" in target else 0o644)
    os.makedirs(place + CONFIGS)
    with open(f"{place}{CONFIGS}/kilt.module", "w", encoding="ascii") as file:
        file.write("module: kilt-pkcs11.so\ncritical: no\n")
    return False


def namespace():
    """How to get a mount namespace of one's own: as root, as root in a chroot, as an ordinary user."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        shared = "shared:" in file.read()
    ways = [["unshare", "--mount"]] if os.getuid() == 0 else [["unshare", "--map-root-user", "--mount"]]
    if os.getuid() == 0 and not shared:  # a chroot's / is no mount point whose propagation could be changed, nor need it be
        ways.append(["unshare", "--mount", "--propagation", "unchanged"])
    for way in ways:
        if subprocess.run([*way, "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0:
            return way
    raise unittest.SkipTest("this system gives no mount namespace")


class Installed(ForeignTest):
    card, host = CARDS["kaztoken"], "socket"

    def setUp(self):
        super().setUp()
        self.staged_by_cmake = stage(self.path("stage"))
        self.namespace = namespace()
        sim = Sim("--card", self.card.name, "--via", self.host, env={"HOME": self.directory})
        self.sim = sim.__enter__()
        self.addCleanup(sim.__exit__)
        self.sim.env.update(GNUTLS_PIN=self.card.user_pin)

    def shown(self, *command, changes=(), **options):
        """Runs with the staged files in /usr, by an overlay that nobody can write to."""
        mount = 'mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr && shift && exec "$@"'
        env = dict(self.sim.env, **dict(changes))
        return run(*self.namespace, "sh", "-c", mount, "sh", self.path("stage"), *command, env=env, **options)

    def files(self):
        for directory, _, names in os.walk(self.path("stage")):
            for name in names:
                yield os.path.join(directory, name)

    def module(self):
        """The installed module's place."""
        [path] = [path for path in self.files() if path.endswith("/kilt-pkcs11.so")]
        return path.removeprefix(self.path("stage"))

    def test_files(self):
        """Everything below /usr, in its place, for everybody to read; p11-kit's file names the module and nothing else."""
        if not self.staged_by_cmake:
            self.skipTest(f"no CMakeCache.txt in {BUILD}: nothing to judge but this script's own copying")
        there = {path.removeprefix(self.path("stage")): os.stat(path).st_mode for path in self.files()}
        self.assertEqual([path for path in there if not path.startswith("/usr/")], [])
        self.assertIn(f"{CONFIGS}/kilt.module", there)
        for path in OTHERS:
            self.assertIn(path, there)
        for path, mode in there.items():
            self.assertTrue(mode & stat.S_IROTH and not mode & stat.S_IWOTH, path)
            self.assertFalse(mode & (stat.S_ISUID | stat.S_ISGID), path)
        lines = self.read(f"stage{CONFIGS}/kilt.module").decode().splitlines()
        settings = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
        self.assertEqual(settings.pop("critical", "no"), "no")
        # A name alone is looked for in p11-kit's own directory, on every architecture; another place needs its path.
        self.assertEqual(settings, {"module": "kilt-pkcs11.so" if self.module().startswith(MODULES + "/") else self.module()})

    def test_p11tool_without_an_option(self):
        if not os.path.exists(f"{CONFIGS}/kilt.module"):  # before, it is not there
            self.assertNotIn("kilt", run("p11tool", "--list-tokens", env=self.sim.env).stdout)
        said = self.shown("p11tool", "--list-tokens").stdout
        self.assertRegex(said, rf"Manufacturer: kilt\n\s+Model: {self.card.model}\n")
        self.assertRegex(said, r"Module: (/.*/)?kilt-pkcs11.so\n")
        self.assertIn("Trust module", said)  # the others are as they were
        self.assertRegex(self.shown("p11-kit", "list-modules").stdout, rf"kilt: .*kilt-pkcs11.so\n[^$]*model: {self.card.model}\n")

    def test_every_program_finds_it(self):
        """kilt makes a key; GnuTLS, OpenSSL's engine and OpenSSH use it. Only OpenSSH has to be told the path."""
        pin = self.write("pin", self.card.user_pin)
        token = json.loads(self.shown("/usr/bin/kilt", "--json", "list").stdout)["data"]["readers"][0]["token"]["uri"]
        self.shown("kilt", "key", "generate", "--label", "AUTH", "--pin-file", pin)
        key, document, out = f"{token};object=AUTH;type=private", self.write("document", b"text"), self.path("signature")
        self.shown("p11tool", "--login", "--export-pubkey", key, "--outfile", self.path("pub.pem"))
        said = self.shown("p11tool", "--batch", "--login", "--test-sign", key).stderr
        self.assertEqual(said.count("ok\n"), 3)
        self.shown("openssl", "dgst", "-engine", "pkcs11", "-keyform", "engine", "-sha256", "-sign", f"{key}?pin-source=file:{pin}", "-out", out,
                   document)
        openssl_checks.verify_pkcs1(self.path("pub.pem"), "sha256", document, out)
        public = run("ssh-keygen", "-i", "-m", "PKCS8", "-f", self.path("pub.pem")).stdout.split()[:2]
        self.assertIn(public, [line.split()[:2] for line in self.shown("ssh-keygen", "-D", self.module()).stdout.splitlines()])
        # An agent that was told nothing takes providers below /usr/lib only: so it takes this one.
        ask = self.write("askpass", f"#!/bin/sh\nexec cat {pin}\n")
        os.chmod(ask, 0o700)
        agent = f"ssh-add -s {self.module()} < /dev/null && ssh-add -L && ssh-add -e {self.module()}"
        said = self.shown("ssh-agent", "sh", "-c", agent, changes={"SSH_ASKPASS": ask, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":"})
        self.assertIn(public, [line.split()[:2] for line in said.stdout.splitlines()])

    def test_it_is_in_nobodys_way(self):
        """No card, no pcscd, a setting that it refuses: p11tool lists the others and succeeds."""
        self.sim.remove()
        nowhere = {"PCSCLITE_CSOCK_NAME": self.path("no-pcscd")}
        for changes in {}, dict(nowhere, KILT_READERS="pcsc"), {"KILT_READERS": "nonsense"}:
            done = self.shown("p11tool", "--list-tokens", changes=changes)
            self.assertIn("Trust module", done.stdout)
            self.assertNotIn("Manufacturer: kilt", done.stdout)
            self.assertNotRegex(done.stderr, "(?i)error|kilt")


if __name__ == "__main__":
    Installed.card = CARDS[sys.argv[1]]
    Installed.host = (sys.argv[2:] or ["socket"])[0]
    unittest.main(argv=sys.argv[:1], verbosity=2)

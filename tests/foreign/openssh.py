#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""OpenSSH with its key on the token: keys listed, agent, signatures, logins to an sshd of our own on the loopback.

    openssh.py CARD [HOST]"""
import getpass
import os
import subprocess
import sys
import unittest

from enrolled import Enrolled, card_of, crashes, end, free_port, listening, until
from harness import KILT, MODULE, ForeignTest, run


class Openssh(ForeignTest):
    card, host = card_of(["", "kaztoken"])
    module = os.path.realpath(MODULE)  # what the agent compares with its list

    def setUp(self):
        super().setUp()
        self.sim = self.enterContext(Enrolled(self, self.card, self.host))
        self.env = dict(self.sim.env, SSH_AUTH_SOCK=self.path("agent"), SSH_ASKPASS=self.askpass(self.card.user_pin), SSH_ASKPASS_REQUIRE="force")
        self.document = self.write("document", b"a binding document\n" * 20)

    def askpass(self, pin):
        """A program that knows the PIN, and notes that it was asked."""
        name = self.write(f"askpass-{pin}", f"#!/bin/sh\necho \"$1\" >> {self.path('asked')}\necho {pin}\n")
        os.chmod(name, 0o700)
        return name

    def ssh(self, program, *words, env=None, **options):
        done = run(program, *words, env=env or self.env, timeout=60, input="", **options)
        self.assertEqual(crashes(done.stdout, done.stderr), [])
        return done

    def public_keys(self):
        """As OpenSSL and ssh-keygen make them of the certificates."""
        keys = {}
        for label in ("AUTH", "SIGN"):
            keys[label] = " ".join(run("ssh-keygen", "-i", "-m", "PKCS8", "-f", self.path(f"{label}.pub")).stdout.split()[:2])
            self.write(f"{label}.ssh", f"{keys[label]} {label}\n")
        return keys

    def agent(self, *options):
        log = open(self.path("agent.log"), "w+", encoding="utf-8")
        self.addCleanup(log.close)
        process = self.sim.at_every_end(subprocess.Popen(["ssh-agent", "-D", "-a", self.path("agent"), *options], env=self.env, stdin=subprocess.DEVNULL,
                                                         stdout=log, stderr=log))
        until(lambda: os.path.exists(self.path("agent")), "the agent listens")
        return process

    def add(self, **options):
        return self.ssh("ssh-add", "-s", self.module, **options)

    def in_agent(self):
        done = self.ssh("ssh-add", "-L", ok=None)
        return [" ".join(line.split()[:2]) for line in done.stdout.splitlines()] if done.returncode == 0 else []

    def sign(self, label="SIGN", **options):
        """By the agent; ssh-keygen verifies with the public key alone."""
        signature = self.path("document.sig")
        if os.path.exists(signature):
            os.remove(signature)
        done = self.ssh("ssh-keygen", "-Y", "sign", "-f", self.path(f"{label}.ssh"), "-n", "test", self.document, **options)
        if options.get("ok", True):
            signers = self.write("signers", f"owner {self.read(f'{label}.ssh').decode()}")
            run("ssh-keygen", "-Y", "verify", "-f", signers, "-I", "owner", "-n", "test", "-s", signature, input=self.read("document"))
        return done

    def sshd(self, label="AUTH"):
        """An sshd of this user's own, for this user alone."""
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path("host_key"))
        self.write("authorized_keys", self.read(f"{label}.ssh"))
        self.port = free_port()
        with open(self.path("host_key.pub"), encoding="ascii") as file:
            self.write("known_hosts", f"[127.0.0.1]:{self.port} {file.read()}")
        config = self.write("sshd_config", f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.path('host_key')}
AuthorizedKeysFile {self.path('authorized_keys')}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowUsers {getpass.getuser()}
""")
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", config]
        if os.getuid() == 0 and not os.path.isdir("/run/sshd"):
            # Only root's sshd wants this directory, which the system's service would have made.
            os.mkdir("/run/sshd", 0o755)
            self.addCleanup(os.rmdir, "/run/sshd")
        log = open(self.path("sshd.log"), "w+", encoding="utf-8")
        self.addCleanup(log.close)
        server = self.sim.at_every_end(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        until(lambda: server.poll() is not None or listening(self.port), "sshd listens")
        self.assertIsNone(server.poll(), self.read("sshd.log").decode())

    def login(self, *options, ok=True, **more):
        done = self.ssh("ssh", "-F", "none", "-p", self.port, "-o", f"UserKnownHostsFile={self.path('known_hosts')}", "-o", "GlobalKnownHostsFile=none",
                        "-o", "PreferredAuthentications=publickey", "-o", "IdentityFile=none", "-o", "ConnectTimeout=20", *options, "127.0.0.1",
                        "echo", "welcome $SSH_CONNECTION", ok=ok, **more)
        if ok:
            self.assertIn("welcome 127.0.0.1", done.stdout)
        return done

    def test_keys_without_login(self):
        keys = self.public_keys()
        shown = self.ssh("ssh-keygen", "-D", self.module).stdout
        self.assertEqual({line.split()[2]: " ".join(line.split()[:2]) for line in shown.splitlines()}, keys)
        self.assertFalse(os.path.exists(self.path("asked")))
        self.sim.remove()
        done = self.ssh("ssh-keygen", "-D", self.module, ok=False)
        self.assertIn("cannot read public key from pkcs11", done.stderr)

    def test_agent_signs_forgets_and_signs_again(self):
        keys = self.public_keys()
        agent = self.agent("-P", self.module)
        for _ in range(3):
            self.add()
            self.assertEqual(sorted(self.in_agent()), sorted(keys.values()))
            for label in keys:
                self.sign(label)
                self.ssh("ssh-add", "-T", self.path(f"{label}.ssh"))
            self.ssh("ssh-add", "-e", self.module)
            self.assertEqual(self.in_agent(), [])
            self.sign(ok=False)
        self.assertEqual(self.read("asked").decode().splitlines(), ["Enter passphrase for PKCS#11: "] * 3)
        self.add()
        self.sign()
        # This agent forgets all keys but not the module, which it then will not add twice (the same with OpenSC's): -e helps.
        self.ssh("ssh-add", "-D")
        self.assertEqual(self.in_agent(), [])
        self.add(ok=False)
        self.ssh("ssh-add", "-e", self.module)
        self.add()
        self.sign()
        self.assertEqual(end(agent), 2)  # ssh-agent's own way to answer SIGTERM

    def test_agent_takes_only_modules_that_it_may(self):
        """By default /usr/lib and /usr/local/lib; and the name given must be the real one's or lead to it."""
        self.agent("-P", "/usr/lib/nothing/*")
        self.assertIn("agent refused operation", self.add(ok=False).stderr)
        self.assertEqual(self.sim.tries_spent() if self.card.tells_tries else 0, 0)

    def test_module_by_a_link(self):
        link = self.path("link.so")
        os.symlink(self.module, link)
        self.public_keys()
        self.agent("-P", self.module)
        self.ssh("ssh-add", "-s", link)
        self.sign()
        self.ssh("ssh-add", "-e", link)
        self.assertEqual(self.in_agent(), [])

    def test_wrong_pin_costs_one_try(self):
        self.agent("-P", self.module)
        before = self.sim.tries_spent()
        wrong = dict(self.env, SSH_ASKPASS=self.askpass(self.card.wrong_pin))
        self.add(env=wrong, ok=False)
        self.assertEqual(self.in_agent(), [])
        self.assertEqual(self.sim.tries_spent() - before, 1)
        self.public_keys()
        self.add()
        self.sign()

    def test_login_by_agent(self):
        self.public_keys()
        self.sshd()
        self.login(ok=False)
        self.agent("-P", self.module)
        self.add()
        for _ in range(3):
            self.login()
        self.ssh("ssh-add", "-e", self.module)
        self.login(ok=False)
        self.add()
        self.login()

    def test_login_with_the_module(self):
        """ssh -I, without an agent: the PIN is asked for when a signature is due."""
        self.public_keys()
        self.sshd()
        alone = {name: value for name, value in self.env.items() if name != "SSH_AUTH_SOCK"}
        self.login("-I", self.module, env=alone)
        self.login("-o", f"PKCS11Provider={self.module}", env=alone)
        self.assertEqual(len(self.read("asked").decode().splitlines()), 2)
        # One question, one try: for every key that the server would take.
        before = self.sim.tries_spent()
        self.login("-I", self.module, "-o", "NumberOfPasswordPrompts=1", env=dict(alone, SSH_ASKPASS=self.askpass(self.card.wrong_pin)), ok=False)
        self.assertEqual(self.sim.tries_spent() - before, 1)
        self.login("-I", self.module, env=alone)

    def test_card_out_and_in_again(self):
        self.public_keys()
        self.sshd()
        self.agent("-P", self.module)
        self.add()
        self.login()
        self.sim.remove()
        self.login(ok=False)
        self.sign(ok=False)
        self.sim.control("insert")
        self.sim.until_present(True)
        # The agent logs in when a module is added and never again, whatever the module.
        self.ssh("ssh-add", "-e", self.module)
        self.add()
        self.login()
        self.sign()

    def test_while_others_use_the_card(self):
        """Others come, log in and leave; the agent goes on without a new PIN."""
        self.public_keys()
        self.agent("-P", self.module)
        self.add()
        for _ in range(2):
            self.sign()
            self.sim.run(KILT, "sign", "--key", "SIGN", "--pin-file", self.sim.pin_file, "-o", self.path("other"), self.document)
            self.sign()
            self.ssh("ssh-keygen", "-D", self.module)
        self.assertEqual(len(self.read("asked").decode().splitlines()), 1)


if __name__ == "__main__":
    Openssh.card, Openssh.host = card_of(sys.argv)
    unittest.main(argv=sys.argv[:1], verbosity=2)

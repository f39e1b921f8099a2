#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kilt in p11-kit: its registry, its proxy, and its remoting over a socket or a pipe; OpenSSL judges the signatures.

    p11_kit.py CARD [HOST]

p11-kit reads no configuration of root's own, so root runs this as an ordinary user."""
import contextlib
import glob
import json
import os
import re
import select
import subprocess
import sys
import tempfile

from cards import CARDS
from harness import KILT, MODULE, PYTHON, SOURCE, ForeignTest, Sim, run
import openssl_checks
import unittest


def library(name):
    """A library of Debian's, whatever the architecture."""
    [path] = glob.glob(f"/usr/lib/*/{name}")
    return path


PROXY = library("p11-kit-proxy.so")
CLIENT = library("pkcs11/p11-kit-client.so")
OTHER_CARD = "kaztoken-sc"


class P11Kit(ForeignTest):
    """A card, and a user whose p11-kit knows kilt's module and OpenSC's, and nothing of the system's."""
    card, host = CARDS["kaztoken"], "socket"

    def setUp(self):
        super().setUp()
        sim = Sim("--card", self.card.name, *self.more_cards(), "--via", self.host, env={"HOME": self.directory})
        self.sim = sim.__enter__()
        self.addCleanup(sim.__exit__)
        os.makedirs(self.path("config/pkcs11/modules"))
        os.mkdir(self.path("run"), 0o700)
        self.sim.env.update(XDG_CONFIG_HOME=self.path("config"), XDG_RUNTIME_DIR=self.path("run"), GNUTLS_PIN=self.card.user_pin)
        self.write("config/pkcs11/pkcs11.conf", "user-config: only\n")
        self.register("kilt", f"module: {MODULE}", "critical: no")
        self.register("opensc", "module: opensc-pkcs11.so")
        self.document = self.write("document", b"a binding document\n" * 20)

    def more_cards(self):
        return ()

    def register(self, name, *lines):
        self.write(f"config/pkcs11/modules/{name}.module", "\n".join(lines) + "\n")

    def modules(self):
        """What p11-kit lists: the lines that belong to each module."""
        said = self.sim.run("p11-kit", "list-modules").stdout
        parts = re.split(r"^(\S+): (.*)\n", said, flags=re.MULTILINE)[1:]
        return {name: f"{path}\n{lines}" for name, path, lines in zip(parts[::3], parts[1::3], parts[2::3])}

    def tool(self, module, *words, **options):
        return self.sim.run("pkcs11-tool", "--module", module, *words, **options)

    def user(self, module, *words, pin=None, **options):
        return self.tool(module, "--login", "--pin", pin or self.card.user_pin, *words, **options)

    def generate(self, module=MODULE, label="AUTH"):
        self.user(module, "--keypairgen", "--key-type", "rsa:2048", "--id", "01", "--label", label, "--usage-sign")
        self.tool(module, "--read-object", "--type", "pubkey", "--id", "01", "-o", self.path("pub.der"))
        self.openssl("pkey", "-pubin", "-inform", "DER", "-in", self.path("pub.der"), "-pubout", "-out", self.path("pub.pem"))

    def sign(self, module):
        """A signature of the module's, that OpenSSL verifies."""
        self.user(module, "--sign", "-m", "SHA256-RSA-PKCS", "--id", "01", "-i", self.document, "-o", self.path("signature"))
        self.verify("signature")

    def verify(self, name):
        openssl_checks.verify_pkcs1(self.path("pub.pem"), "sha256", self.document, self.path(name))
        os.unlink(self.path(name))

    def spent(self):
        """A number that is higher by one after a wrong PIN. Where the card does not tell: how many answers to its
        challenge it has seen, right or wrong."""
        if not self.card.tells_tries:
            return json.loads(self.sim.control("stats"))["ins"].get("11", 0)
        pins = json.loads(self.sim.run(KILT, "--json", "info").stdout)["data"]["pins"]
        return self.card.tries - next(pin["tries_left"] for pin in pins if pin["role"] == "user")

    def wrong_pin_costs_one_try(self, module):
        before = self.spent()
        refused = self.user(module, "-O", pin=self.card.wrong_pin, ok=False)
        self.assertIn("CKR_PIN_INCORRECT", refused.stdout + refused.stderr)
        self.assertEqual(self.spent(), before + 1)
        self.user(module, "-O")

    @contextlib.contextmanager
    def talk(self):
        """A process that does with modules what it is told, word by word."""
        program = Words(self.sim.env)
        try:
            yield program
        finally:
            status = program.end()
        self.assertEqual(status, 0)

    def leaves_and_returns(self, module):
        """In one process that goes on."""
        with self.talk() as say:
            for words in (f"load it {module}", "initialize it", "open it", f"login it {self.card.user_pin}"):
                self.assertEqual(say(words), "ok")
            self.assertEqual(say("sign it", self.document, self.path("signature")), "ok")
            self.verify("signature")
            self.sim.remove()
            self.assertRegex(say("sign it", self.document, self.path("signature")), "-> 0x(32|B3)$")  # removed, or no session
            self.assertEqual(say("slots it"), "ok 0")
            self.sim.control("insert")
            self.sim.until_present(True)
            self.assertEqual(say("slots it"), "ok 1")
            for words in ("open it", f"login it {self.card.user_pin}", f"sign it {self.document} {self.path('signature')}", "finalize it"):
                self.assertEqual(say(words), "ok")
            self.verify("signature")


def line_of(process, seconds=60):
    """The next line that the process says."""
    if not select.select([process.stdout], [], [], seconds)[0]:
        raise AssertionError(f"{process.args} says nothing")
    return process.stdout.readline()


class Words:
    """p11_words, at work."""
    program = None

    def __init__(self, env):
        self.process = subprocess.Popen([self.program], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return line_of(self.process).strip()

    def end(self):
        self.process.stdin.close()
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.stdout.close()

    @classmethod
    def compile(cls, directory):
        flags = subprocess.run(["pkg-config", "--cflags", "nss"], check=True, capture_output=True, text=True).stdout.split()
        cls.program = os.path.join(directory, "p11_words")
        run("g++", "-std=c++20", "-I", SOURCE, *flags, "-o", cls.program, os.path.join(SOURCE, "tests/foreign/p11_words.cpp"), "-ldl")


class Registry(P11Kit):
    def test_list_modules(self):
        modules = self.modules()
        self.assertEqual(set(modules), {"kilt", "opensc"})
        self.assertRegex(modules["kilt"], rf"token: .*\n\s+manufacturer: kilt\n\s+model: {self.card.model}\n")
        self.assertIn("OpenSC", modules["opensc"])

    def test_p11tool_without_a_provider(self):
        said = self.sim.run("p11tool", "--list-tokens").stdout
        self.assertRegex(said, rf"Model: {self.card.model}\n")
        self.assertIn(f"Module: {MODULE}\n", said)
        token = self.sim.readers()[0]["token"]["uri"]
        self.assertEqual(self.sim.run("p11tool", "--list-token-urls").stdout.split(), [token])
        self.sim.run("p11tool", "--batch", "--login", "--generate-privkey=rsa", "--bits=2048", "--label=AUTH", "--id=01",
                     "--outfile", self.path("pub.pem"), token)
        said = self.sim.run("p11tool", "--batch", "--login", "--test-sign", f"{token};object=AUTH;type=private").stderr
        self.assertEqual(said.count("ok\n"), 3)
        self.sign(PROXY)

    def test_settings(self):
        """The registry's own: for which programs, and one that cannot be loaded harms no other."""
        self.register("kilt", f"module: {MODULE}", "disable-in: p11-kit")
        self.assertEqual(set(self.modules()), {"opensc"})
        self.assertIn(self.card.model, self.sim.run("p11tool", "--list-tokens").stdout)
        # By the program's name: the manual's "p11-kit-proxy" enables no module in 0.24, OpenSC's neither.
        self.register("kilt", f"module: {MODULE}", "enable-in: pkcs11-tool")
        self.assertEqual(self.sim.run("p11tool", "--list-token-urls").stdout, "")
        self.assertIn(self.card.model, self.tool(PROXY, "-L").stdout)
        self.register("kilt", f"module: {MODULE}", "critical: no", "log-calls: yes")
        self.assertIn("C_GetTokenInfo", self.sim.run("p11-kit", "list-modules").stderr)
        self.register("kilt", f"module: {MODULE}", "critical: no")
        unknown = run("p11-kit", "list-modules", env=dict(self.sim.env, KILT_READERS="nonsense"), ok=None)
        self.assertIn("opensc", unknown.stdout)
        self.assertNotIn("kilt:", unknown.stdout)

    def test_removal(self):
        token = r"model: " + self.card.model
        self.assertRegex(self.modules()["kilt"], token)
        self.sim.remove()
        self.assertNotRegex(self.modules()["kilt"], token)
        self.sim.control("insert")
        self.sim.until_present(True)
        self.assertRegex(self.modules()["kilt"], token)

    def test_remote_by_a_pipe(self):
        """kilt in a process of its own, for each program that asks p11-kit."""
        self.register("kilt", f"remote: |p11-kit remote {MODULE}")
        self.assertRegex(self.modules()["kilt"], rf"model: {self.card.model}")
        self.generate(PROXY)
        self.sign(PROXY)
        self.wrong_pin_costs_one_try(PROXY)


class Proxy(P11Kit):
    def test_every_day(self):
        self.assertIn(self.card.model, self.tool(PROXY, "-L").stdout)
        self.assertEqual(self.tool(PROXY, "-M").stdout, self.tool(MODULE, "-M").stdout)
        self.generate(PROXY)
        self.sign(PROXY)
        self.assertIn("No errors", self.user(PROXY, "--test").stdout)
        self.user(PROXY, "--test-fork")
        self.wrong_pin_costs_one_try(PROXY)

    def test_with_the_module_in_one_process(self):
        """A program that has kilt loaded, and p11-kit's proxy loads it too: it is one module, with one login. The proxy
        must not end what it did not begin."""
        self.generate()
        with self.talk() as say:
            for name, path in ("own", MODULE), ("proxy", PROXY):
                for words in (f"load {name} {path}", f"initialize {name}", f"open {name}"):
                    self.assertEqual(say(words), "ok")
            self.assertEqual(say("login", "own", self.card.user_pin), "ok")
            for name in ("own", "proxy") * 3:
                self.assertEqual(say("sign", name, self.document, self.path("signature")), "ok")
                self.verify("signature")
            self.assertEqual(say("finalize", "proxy"), "ok")
            self.assertEqual(say("sign", "own", self.document, self.path("signature")), "ok")
            self.verify("signature")
            self.assertEqual(say("unload", "proxy"), "ok")
            self.assertEqual(say("finalize", "own"), "ok")
            self.assertEqual(say("unload", "own"), "ok")

    def test_with_the_module_second(self):
        """The other way round the program is told that the module is at work already, and shares it."""
        self.generate()
        with self.talk() as say:
            for words in ("load proxy " + PROXY, "initialize proxy", "open proxy", "load own " + MODULE):
                self.assertEqual(say(words), "ok")
            self.assertEqual(say("initialize own"), "C_Initialize -> 0x191")
            for words in ("open own", "login own " + self.card.user_pin, "login proxy " + self.card.user_pin):
                self.assertEqual(say(words), "ok")
            for name in ("own", "proxy") * 3:
                self.assertEqual(say("sign", name, self.document, self.path("signature")), "ok")
                self.verify("signature")
            self.assertEqual(say("finalize proxy"), "ok")
            self.assertEqual(say("close own"), "C_CloseSession -> 0x190")

    def test_the_card_leaves_and_returns(self):
        self.generate()
        self.leaves_and_returns(PROXY)


class Remote(P11Kit):
    """`p11-kit server` has the card; its client module asks it over a socket. The server forks for every client."""

    def serve(self, *filters):
        """A server until the test ends; from now on the client module asks this one."""
        name = os.path.join(tempfile.mkdtemp(dir=self.path("run")), "server")
        with open(self.path("server.log"), "a", encoding="utf-8") as log:
            server = subprocess.Popen(["p11-kit", "server", "--foreground", "--sh", "--name", name, "--provider", MODULE, *filters],
                                      env=self.sim.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        self.addCleanup(self.stop, server)
        said = line_of(server)  # the other line has its process id
        self.assertIn(f"P11_KIT_SERVER_ADDRESS=unix:path={name};", said, self.read("server.log"))
        self.sim.env["P11_KIT_SERVER_ADDRESS"] = f"unix:path={name}"

    def stop(self, server):
        alive = server.poll() is None
        server.terminate()
        try:
            server.wait(20)
        finally:
            server.kill()
            server.stdout.close()
        self.assertTrue(alive, "the server has ended by itself")

    def test_every_day(self):
        self.serve("pkcs11:")
        mechanisms = set(self.tool(CLIENT, "-M").stdout.splitlines())  # p11-kit passes on those that it knows
        self.assertLess(mechanisms, set(self.tool(MODULE, "-M").stdout.splitlines()))
        self.generate(CLIENT)
        self.sign(CLIENT)
        self.sign(MODULE)
        said = self.user(CLIENT, "-O").stdout
        self.assertRegex(said, r"Private Key Object; RSA[^$]*AUTH[^$]*Public Key Object; RSA 2048 bits")
        self.wrong_pin_costs_one_try(CLIENT)
        # p11-kit 0.24 cannot carry a C_GenerateRandom of no bytes, nor CKA_ALLOWED_MECHANISMS (a warning in -O above):
        # SoftHSM behind the same server answers as badly.
        done = self.user(CLIENT, "--test", ok=None)
        self.assertEqual([line for line in done.stderr.splitlines() if "ERR" in line and "C_GenerateRandom(buf1,0)" not in line], [])
        self.assertRegex(done.stdout, "(No|1) errors")

    def test_several_clients(self):
        """Two over the server and one beside it, in turns: the card is nobody's alone."""
        self.generate()
        self.serve("pkcs11:")
        with self.talk() as one, self.talk() as two, self.talk() as beside:
            everybody = (one, CLIENT), (two, CLIENT), (beside, MODULE)
            for say, module in everybody:
                for words in (f"load it {module}", "initialize it", "open it", f"login it {self.card.user_pin}"):
                    self.assertEqual(say(words), "ok")
            for say, _ in everybody * 3:
                self.assertEqual(say("sign it", self.document, self.path("signature")), "ok")
                self.verify("signature")
            self.assertEqual(one("finalize it"), "ok")
            self.assertEqual(two("sign it", self.document, self.path("signature")), "ok")
            self.verify("signature")

    def test_the_card_leaves_and_returns(self):
        self.generate()
        self.serve("pkcs11:")
        self.leaves_and_returns(CLIENT)
        self.sign(CLIENT)
        self.sim.remove()
        self.assertIn("No slots", self.tool(CLIENT, "-L", ok=None).stderr)
        self.sim.control("insert")
        self.sim.until_present(True)
        self.sign(CLIENT)


class RemoteOfTwo(Remote):
    """Which tokens a server shows is said by URL."""
    test_every_day = test_several_clients = test_the_card_leaves_and_returns = None

    def more_cards(self):
        return ("--card", OTHER_CARD)

    def slots(self):
        return re.findall(r"serial num\s*: (.*)", self.tool(CLIENT, "-L", ok=None).stdout)

    def test_filter(self):
        first, second = (reader["token"] for reader in self.sim.readers())
        self.serve("pkcs11:")
        self.assertEqual(self.slots(), [first["serial"], second["serial"]])
        for token in (first, second):
            self.serve(token["uri"])
            self.assertEqual(self.slots(), [token["serial"]])
        self.serve(f"pkcs11:serial={first['serial']}", f"pkcs11:serial={second['serial']}")
        self.assertEqual(len(self.slots()), 2)
        self.serve("pkcs11:model=none")
        self.assertEqual(self.slots(), [])
        self.serve(first["uri"] + "?write-protected=yes")
        self.assertEqual(self.slots(), [first["serial"]])
        refused = self.user(CLIENT, "--keypairgen", "--key-type", "rsa:2048", ok=False)
        self.assertIn("CKR_TOKEN_WRITE_PROTECTED", refused.stderr)
        self.serve(first["uri"])
        self.generate(CLIENT)
        self.sign(CLIENT)


def as_ordinary_user():
    """Starts this script anew as one, if it is root's."""
    ways = (("unshare", "--map-user=1000", "--map-group=1000"), ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
    for way in ways if os.getuid() == 0 else ():
        if subprocess.run([*way, "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0:
            os.execvp(way[0], [*way, PYTHON, *sys.argv])


if __name__ == "__main__":
    as_ordinary_user()
    P11Kit.card = CARDS[sys.argv[1]]
    P11Kit.host = (sys.argv[2:] or ["socket"])[0]
    if P11Kit.host == "pcscd" and os.getuid() != 0 and subprocess.run(["unshare", "--user", "true"], check=False,
                                                                      stderr=subprocess.DEVNULL).returncode != 0:
        print("over the socket: an ordinary user has no private pcscd where user namespaces are forbidden (a chroot)")
        P11Kit.host = "socket"
    with tempfile.TemporaryDirectory(prefix="kilt-foreign-") as place:
        Words.compile(place)
        unittest.main(argv=sys.argv[:1], verbosity=2)

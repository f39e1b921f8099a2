# SPDX-License-Identifier: Apache-2.0
"""A card as its owner has it: an AUTH and a SIGN pair of keys with certificates of the test CA, put there by kilt's own
command. And what tests of clients ask again and again: which tries were spent, which port is free."""
import functools
import json
import os
import re
import signal
import socket
import subprocess
import time

from cards import CARDS
from harness import KILT, KILT_SIM, SOURCE, Sim, run


def golden(card, operation):
    """What the card answers to this operation: "done", or the CKR of its refusal."""
    return _operations(card.name)[operation]


@functools.lru_cache
def _operations(name):
    with open(os.path.join(SOURCE, "tests", "golden", f"{name}.operations.json"), encoding="utf-8") as file:
        return json.load(file)


class Enrolled(Sim):
    """kilt-sim run, for the length of a `with` block, of a card that was enrolled. HOME is the test's own directory."""

    def __init__(self, test, card, via="socket", env=None, labels=("AUTH", "SIGN"), options=()):
        super().__init__("--card", card.name, "--via", via, *options, env=dict({"HOME": test.directory}, **(env or {})))
        self.test, self.card, self.labels = test, card, labels

    def __enter__(self):
        super().__enter__()
        try:
            self._enrol()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _enrol(self):
        test = self.test
        self.pin_file = test.write("pin", self.card.user_pin)
        self.wrong_pin_file = test.write("wrong-pin", self.card.wrong_pin)
        for name in (self.pin_file, self.wrong_pin_file):
            os.chmod(name, 0o600)
        ca = test.path("ca")
        if not os.path.exists(ca):
            os.mkdir(ca)
            self.run(KILT_SIM, "ca", "init", ca)
        self.ca = os.path.join(ca, "ca.pem")
        pin = ("--pin-file", self.pin_file)
        for label in self.labels:
            self.run(KILT, "key", "generate", "--label", label, *pin)
            self.run(KILT, "csr", "--key", label, "--subject", f"CN={label} OWNER,SERIALNUMBER=IIN123456789011,C=KZ",
                     "-o", test.path(f"{label}.csr"), *pin)
            self.run(KILT_SIM, "ca", "issue", ca, test.path(f"{label}.csr"), "--purpose", label.lower(), "-o", test.path(f"{label}.pem"))
            self.run(KILT, "cert", "install", test.path(f"{label}.pem"), *pin)
            with open(test.path(f"{label}.pub"), "w", encoding="ascii") as file:
                file.write(run("openssl", "x509", "-in", test.path(f"{label}.pem"), "-noout", "-pubkey").stdout)
        info = self.info()
        self.serial, self.token_label, self.uri = info["serial"], info["label"], info["uri"]
        self.ids = {key["label"]: key["id"] for key in info["keys"]}

    def info(self):
        return json.loads(self.run(KILT, "--json", "info").stdout)["data"]

    def key_uri(self, label, **more):
        """RFC 7512; more: pin_source=FILE, kind=cert."""
        uri = f"pkcs11:serial={self.serial};object={label};type={more.pop('kind', 'private')}"
        return uri + "".join(f";{name.replace('_', '-')}={value}" for name, value in more.items())

    def tries_spent(self):
        """How often the user PIN was presented wrongly, as its counter tells. A card that does not tell is asked how many
        answers to a challenge it has seen, right or wrong."""
        if not self.card.tells_tries:
            return json.loads(self.control("stats"))["ins"].get("11", 0)
        [user] = [pin for pin in self.info()["pins"] if pin["role"] == "user"]
        # No number: somebody's right PIN is still in force, as of a program that left without C_Finalize under pcscd.
        return 0 if user["tries_left"] is None else self.card.tries - user["tries_left"]

    def at_every_end(self, process):
        """However the test ends, the process does before it."""
        self.test.addCleanup(end, process)
        return process


def end(process, seconds=20):
    """SIGTERM and its exit status; SIGKILL is a failure."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"{process.args} did not end") from None
    finally:
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def until(condition, what, seconds=30):
    """The condition's first value that is true, soon."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def free_port():
    """One that the kernel gave to nobody else a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def crashes(*texts):
    """What a crash leaves in logs."""
    return [line for text in texts for line in text.splitlines()
            if re.search(r"signal (4|6|7|8|11)\b|[Ss]egmentation|core dumped|Aborted|AddressSanitizer|double free|corrupted", line)]


def died(returncode):
    """The name of the signal that ended a program, or None."""
    return signal.Signals(-returncode).name if returncode is not None and returncode < 0 else None


def card_of(argv, default="socket"):
    """CARD [HOST] of the command line."""
    return CARDS[argv[1] if len(argv) > 1 else "kaztoken"], (argv[2] if len(argv) > 2 else default)


def engine_conf(test, module):
    """A private openssl.cnf, by which OpenSSL's engine finds the module."""
    return test.write("openssl.cnf", f"""openssl_conf = start
[start]
engines = engines
[engines]
pkcs11 = engine
[engine]
engine_id = pkcs11
MODULE_PATH = {module}
init = 0
[req]
distinguished_name = name
[name]
""")


def server_certificate(test, label="AUTH"):
    """For 127.0.0.1, over the card's key, by the test CA. The NCA issues none for servers, so OpenSSL does it."""
    extensions = test.write("server.ext", "subjectAltName = IP:127.0.0.1, DNS:localhost\nextendedKeyUsage = serverAuth\n")
    run("openssl", "x509", "-req", "-in", test.path(f"{label}.csr"), "-CA", test.path("ca/ca.pem"), "-CAkey", test.path("ca/ca.key.pem"),
        "-days", "30", "-extfile", extensions, "-out", test.path("server.pem"))
    return test.path("server.pem")

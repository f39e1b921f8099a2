#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GnuTLS uses the kilt module: p11tool, certtool, gnutls-serv and gnutls-cli; OpenSSL judges.

    gnutls.py CARD [HOST]

What the card cannot do must be refused, and the tests say so: tests/golden/CARD.operations.json tells which."""
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse

from cards import CARDS
from harness import KILT, MODULE, SOURCE, ForeignTest, Sim, run
import openssl_checks
import unittest

TLS_1_2, TLS_1_3 = "NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"
TEMPLATE = 'cn = "localhost"\ndns_name = "localhost"\nsigning_key\ntls_www_server\ntls_www_client\n'


class GnuTls(ForeignTest):
    """A card, and GnuTLS's programs with a HOME of their own."""
    card, host = CARDS["kaztoken"], "socket"

    def setUp(self):
        super().setUp()
        with open(os.path.join(SOURCE, "tests", "golden", f"{self.card.name}.operations.json"), encoding="utf-8") as file:
            self.operations = json.load(file)
        sim = Sim("--card", self.card.name, "--via", self.host, env={"HOME": self.directory})
        self.sim = sim.__enter__()
        self.addCleanup(sim.__exit__)
        self.sim.env.update(GNUTLS_PIN=self.card.user_pin, GNUTLS_SO_PIN=self.card.so_pin)
        self.token = self.sim.readers()[0]["token"]["uri"]

    def can(self, operation):
        return self.operations[operation] == "done"

    def client(self, program, *words, **changes):
        """changes: of the environment; also ok and timeout as run() takes them."""
        options = {name: changes.pop(name) for name in ("ok", "timeout", "input") if name in changes}
        return run(program, *words, env=dict(self.sim.env, **changes), **options)

    def p11tool(self, *words, **changes):
        return self.client("p11tool", "--provider", MODULE, "--batch", *words, **changes)

    def user(self, *words, **changes):
        return self.p11tool("--login", *words, **changes)

    def url(self, key_id, kind):
        return f"{self.token};id=%{key_id};type={kind}"

    def listed(self, *words, **changes):
        """URLs of what p11tool lists; none is its exit 2."""
        said = self.p11tool("--only-urls", *words, ok=None, **changes)
        urls = re.findall(r"^pkcs11:\S+$", said.stdout, re.MULTILINE)
        if not urls and "--list-token-urls" not in words:
            self.assertIn("No matching objects found", said.stderr)
        return urls

    @staticmethod
    def plain(url):
        """What an URL says: programs escape more characters or fewer."""
        return urllib.parse.unquote(url, errors="surrogateescape")

    def objects(self):
        return self.sim.readers()[0]["token"]["objects"]

    def pin(self):
        """What kilt tells of the user PIN."""
        pins = json.loads(self.sim.run(KILT, "--json", "info").stdout)["data"]["pins"]
        return next(pin for pin in pins if pin["role"] == "user")

    def spent(self):
        """A number that is higher by one after a wrong PIN. Where the card does not tell: how many answers to its
        challenge it has seen, right or wrong."""
        if self.card.tells_tries:
            return self.card.tries - self.pin()["tries_left"]
        return json.loads(self.sim.control("stats"))["ins"].get("11", 0)

    def generate(self, key_id="01", label="AUTH", bits=2048, **changes):
        return self.user("--generate-privkey=rsa", f"--bits={bits}", f"--label={label}", f"--id={key_id}", "--outfile", self.path(f"pub{key_id}.pem"),
                         self.token, **changes)

    def request(self, key_id="01"):
        """certtool's request for the key on the token."""
        self.client("certtool", "--provider", MODULE, "--generate-request", "--template", self.write("template", TEMPLATE),
                    "--load-privkey", self.url(key_id, "private"), "--load-pubkey", self.path(f"pub{key_id}.pem"), "--outfile", self.path("own.csr"))
        return self.path("own.csr")

    def authorities(self):
        """A root, and an authority below it."""
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("root.key"), "-subj", "/CN=Root",
                     "-addext", "basicConstraints=critical,CA:TRUE", "-out", self.path("root.pem"))
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("sub.key"), "-subj", "/CN=Sub", "-out", self.path("sub.csr"))
        self.issue("root", "sub", "-extfile", self.write("sub.ext", "basicConstraints=critical,CA:TRUE\n"))

    def issue(self, by, name, *options):
        self.openssl("x509", "-req", "-in", self.path(f"{name}.csr"), "-CA", self.path(f"{by}.pem"), "-CAkey", self.path(f"{by}.key"), "-days", "10",
                     "-out", self.path(f"{name}.pem"), *(options or ("-copy_extensions", "copy")))

    def write_certificate(self, name, key_id, *options, **changes):
        return self.user("--write", "--load-certificate", self.path(f"{name}.pem"), "--label", name, "--id", key_id, *options, self.token, **changes)

    def enrol(self):
        """Key, request, certificate: by GnuTLS alone but for the CA."""
        self.generate()
        self.authorities()
        self.request()
        self.issue("root", "own")
        self.write_certificate("own", "01")


class P11Tool(GnuTls):
    def test_looks_without_login(self):
        self.assertEqual(self.listed("--list-token-urls"), [self.token])
        said = self.p11tool("--list-tokens").stdout
        self.assertRegex(said, rf"Model: {self.card.model}\n")
        self.assertRegex(said, r"Flags: .*Requires login")
        self.assertNotRegex(said, "uninitialized|locked|tries")
        mechanisms = self.p11tool("--list-mechanisms", self.token).stdout
        self.assertIn("CKM_RSA_PKCS_KEY_PAIR_GEN", mechanisms)
        self.assertEqual("CKM_RSA_PKCS_PSS" in mechanisms, self.can("sign RSA-PKCS-PSS"))
        self.assertNotIn("UNKNOWN", mechanisms)
        self.assertEqual(self.listed("--list-all", self.token), [])
        drawn = set()
        for length in (1, 16, 16, 1000):  # any length
            self.p11tool(f"--generate-random={length}", "--outfile", self.path("random"), self.token)
            self.assertEqual(len(self.read("random")), length)
            drawn.add(self.read("random"))
        self.assertEqual(len(drawn), 4)

    def test_urls_that_kilt_prints(self):
        """Whatever the label holds, kilt's URL names that one object for GnuTLS too, and GnuTLS's for kilt."""
        self.generate("01", "AUTH")
        label = "Қол; 5%/a=b?c&d"
        pin = self.write("pin", self.card.user_pin)
        self.sim.run(KILT, "key", "generate", "--label", label, "--id", "c2ff", "--pin-file", pin)
        mine = [entry["uri"] for entry in self.objects()]
        private = self.listed("--login", "--list-privkeys", self.token)
        self.assertEqual(sorted(map(self.plain, mine)), sorted(map(self.plain, private)))
        self.assertEqual(len(private), 2)
        for url in mine:
            self.assertEqual([self.plain(one) for one in self.listed("--login", "--list-all", url)], [self.plain(url)])
        odd = next(url for url in private if "AUTH" not in url)
        document, out = self.write("document", b"by an odd label"), self.path("signature")
        self.sim.run(KILT, "sign", document, "-o", out, "--key", odd, "--pin-file", pin)
        self.user("--export-pubkey", odd, "--outfile", self.path("odd.pem"))
        openssl_checks.verify_pkcs1(self.path("odd.pem"), "sha256", document, out)
        self.assertEqual(self.listed("--login", "--list-all", self.token.replace("serial=", "serial=X")), [])

    def test_keys(self):
        self.generate()
        self.assertEqual(len(self.listed("--list-all", self.token)), 1)  # the private key only after login
        self.assertEqual(len(self.listed("--login", "--list-all", self.token)), 2)
        details = self.user("--info", self.url("01", "private")).stdout
        self.assertRegex(details, r"Private key \(RSA-2048\)")
        self.assertIn("CKA_NEVER_EXTRACTABLE; CKA_SENSITIVE", details)
        self.user("--export-pubkey", self.url("01", "private"), "--outfile", self.path("exported.pem"))
        openssl_checks.same_public_key(self.path("pub01.pem"), self.path("exported.pem"))
        self.user("--export", self.url("01", "private"), ok=False)
        for hashed in ("SHA1", "SHA256", "SHA384", "SHA512"):
            self.assertEqual(self.user("--test-sign", f"--hash={hashed}", self.url("01", "private")).stderr.count("ok\n"), 3)
        for hashed in ("SHA256", "SHA384", "SHA512"):
            words = ("--test-sign", "--sign-params=RSA-PSS", f"--hash={hashed}", self.url("01", "private"))
            if self.can(f"sign {hashed}-RSA-PKCS-PSS"):
                self.assertEqual(self.user(*words).stderr.count("ok\n"), 3)
            else:
                self.assertIn("not supported", self.user(*words, ok=False).stderr)
        for bits in (1024, 3072, 4096):
            if self.can(f"generate RSA-{bits} more"):
                self.generate("03", "size", bits)
                self.assertIn(f"RSA-{bits}", self.p11tool("--list-all", self.token).stdout)
                self.delete("03")
            else:
                self.assertIn("error in key", self.generate("03", "size", bits, ok=False).stderr)
        refused = self.user("--generate-privkey=ecdsa", "--curve=secp256r1", "--label=curve", self.token, ok=False)
        self.assertIn("unsupported feature", refused.stderr)
        self.assertEqual(len(self.listed("--login", "--list-all", self.token)), 2)
        self.delete("01")
        self.assertEqual(self.listed("--login", "--list-all", self.token), [])

    def delete(self, key_id):
        """Both halves; some cards keep a pair together and delete it at once."""
        self.assertIn("1 objects deleted", self.user("--delete", self.url(key_id, "private")).stdout)
        self.user("--delete", self.url(key_id, "public"), ok=None)
        self.assertEqual(self.listed("--login", "--list-all", f"{self.token};id=%{key_id}"), [])

    def test_label_and_id(self):
        self.generate()
        self.user("--set-label=other name", self.url("01", "private"))
        self.assertIn("object=other%20name", self.listed("--login", "--list-privkeys", self.token)[0])
        # On some cards both halves have one name.
        for kind in ("private", "public"):
            self.user("--set-id=a5", self.url("01", kind), ok=kind == "private" or None)
        self.assertEqual(len(self.listed("--login", "--list-all", f"{self.token};id=%a5")), 2)
        self.assertEqual(self.user("--test-sign", self.url("a5", "private")).stderr.count("ok\n"), 3)
        openssl_checks.same_public_key(self.path("pub01.pem"), self.exported("a5"))

    def exported(self, key_id):
        self.user("--export-pubkey", self.url(key_id, "private"), "--outfile", self.path("exported.pem"))
        return self.path("exported.pem")

    def test_private_key_whose_public_half_has_another_id(self):
        """As after NSS, which sets the id after generation, one half at a time: the key still tells what it is."""
        self.generate()
        self.user("--set-id=a5", self.url("01", "private"))
        self.assertIn("Private key (RSA-2048)", self.user("--info", self.url("a5", "private")).stdout)
        openssl_checks.same_public_key(self.path("pub01.pem"), self.exported("a5"))

    def test_private_key_alone(self):
        """Its public half deleted, the key is described by its certificate, and serves."""
        self.enrol()
        self.assertIn("1 objects deleted", self.user("--delete", self.url("01", "public")).stdout)
        self.assertEqual(len(self.listed("--login", "--list-all", self.token)), 2)
        openssl_checks.same_public_key(self.path("pub01.pem"), self.exported("01"))

    def test_certificates(self):
        self.generate()
        self.authorities()
        self.openssl("req", "-in", self.request(), "-verify", "-noout")
        self.issue("sub", "own")
        self.write_certificate("own", "01")
        self.write_certificate("sub", "0a", "--mark-ca")
        self.write_certificate("root", "0b", "--mark-ca")
        self.p11tool("--export", self.url("01", "cert"), "--outfile", self.path("back.pem"))
        self.assertEqual(self.der("back"), self.der("own"))
        self.assertEqual(len(self.listed("--list-all-certs", self.token)), 3)  # readable without login
        said = self.p11tool("--list-all-certs", self.token).stdout
        self.assertEqual(said.count("CKA_CERTIFICATE_CATEGORY=CA"), 2)
        self.assertEqual(said.count("X.509 Certificate (RSA-2048)"), 3)
        # GnuTLS takes only issuers with CKA_TRUSTED for a chain [gnutls_pkcs11_get_raw_issuer], which a security officer
        # sets and no card of ours keeps: so a chain ends with the owner's certificate, and to set it is refused.
        self.p11tool("--export-chain", self.url("01", "cert"), "--outfile", self.path("chain.pem"))
        self.assertEqual(self.read("chain.pem").count(b"BEGIN CERTIFICATE"), 1)
        refused = self.p11tool("--so-login", "--write", "--mark-trusted", "--load-certificate", self.path("root.pem"), self.token, ok=False)
        self.assertIn("error in attribute", refused.stderr)
        self.strange_certificates()
        for key_id in ("0a", "0b", "01"):
            self.assertIn("1 objects deleted", self.user("--delete", self.url(key_id, "cert")).stdout)
        self.assertEqual(self.listed("--list-all-certs", self.token), [])

    def strange_certificates(self):
        """For a key that is not here; the owner's own a second time."""
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("no.key"), "-subj", "/CN=Stranger",
                     "-addext", "basicConstraints=CA:FALSE", "-out", self.path("stranger.pem"))
        self.write_certificate("stranger", "0c", ok=False)
        self.write_certificate("stranger", "01", ok=False)
        self.assertEqual(len(self.listed("--list-all-certs", self.token)), 3)

    def der(self, name):
        return self.openssl("x509", "-in", self.path(f"{name}.pem"), "-outform", "DER").stdout_bytes

    def test_imports(self):
        """A private key, a public key alone and data; secret keys on no card."""
        self.openssl("genrsa", "-out", self.path("made.key"), "2048")
        self.openssl("pkey", "-in", self.path("made.key"), "-pubout", "-out", self.path("made.pub"))
        words = ("--write", "--load-privkey", self.path("made.key"), "--label", "made", "--id", "0d", self.token)
        if self.can("import a private key"):
            self.user(*words)
            self.assertEqual(self.user("--test-sign", self.url("0d", "private")).stderr.count("ok\n"), 3)
            openssl_checks.same_public_key(self.path("made.pub"), self.exported("0d"))
            self.delete("0d")
        else:
            self.assertIn("unsupported feature", self.user(*words, ok=False).stderr)
        self.assertIn("PKCS #11", self.user("--write", "--secret-key", "00" * 16, "--label", "secret", self.token, ok=False).stderr)
        # p11tool lists and exports data but has no option that writes any.
        value = self.write("value", b"some data")
        words = ("--module", MODULE, "--login", "--pin", self.card.user_pin, "--write-object", value, "--type", "data", "--label", "note")
        self.client("pkcs11-tool", *words, ok=self.can("store data"))
        if self.can("store data"):
            [note] = self.listed("--list-all", self.token)
            self.assertIn("type=data", note)
            self.p11tool("--export", "--outraw", note, "--outfile", self.path("value.back"))
            self.assertEqual(self.read("value.back"), b"some data")
            self.assertIn("1 objects deleted", self.user("--delete", note).stdout)
        self.assertEqual(self.listed("--login", "--list-all", self.token), [])

    def test_wrong_pins(self):
        """Each costs one try, and p11tool says so; what cannot be a PIN costs none."""
        before = self.spent()
        refused = self.user("--list-all", self.token, GNUTLS_PIN=self.card.wrong_pin, ok=False)
        self.assertIn("Wrong PIN has been provided", refused.stdout)
        self.assertEqual(self.spent(), before + 1)
        if self.card.tells_tries:
            # Where the card does not tell of how many, a new process cannot know that one is missing.
            self.assertEqual("uPIN low count" in self.p11tool("--list-tokens").stdout, self.pin()["tries_max"] is not None)
        self.assertEqual(self.privately(self.card.user_pin), 0)
        before = self.spent()
        self.user("--list-all", self.token, GNUTLS_PIN="1" * 200, ok=False)
        self.assertEqual(self.spent(), before)
        # GnuTLS takes the PIN from an URL before the environment's; a source by its path only, not as file:PATH.
        for said in f"pin-value={self.card.user_pin}", f"pin-source={self.write('pin', self.card.user_pin)}":
            self.assertEqual(self.listed("--login", "--list-all", f"{self.token}?{said}", GNUTLS_PIN=self.card.wrong_pin), [])
        if self.card.tells_tries:
            self.assertEqual(self.pin()["tries_left"], self.card.tries)

    def test_few_tries_left(self):
        """p11tool warns as the flags say, and the module does not send what may be the last try."""
        for _ in range(self.card.tries + 1):
            self.user("--list-all", self.token, GNUTLS_PIN=self.card.wrong_pin, ok=False)
        if self.card.tells_tries:
            self.assertEqual(self.pin()["tries_left"], 1)
            self.assertRegex(self.p11tool("--list-tokens").stdout, "Final uPIN attempt")
        self.officer_sets(self.card.new_pin)
        self.assertEqual(self.privately(self.card.new_pin), 0)
        self.assertNotRegex(self.p11tool("--list-tokens").stdout, "uPIN")

    def privately(self, pin):
        """How many objects there are with this PIN."""
        return len(self.listed("--login", "--list-all", self.token, GNUTLS_PIN=pin))

    def officer_sets(self, pin, **changes):
        return self.p11tool("--initialize-pin", self.token, GNUTLS_PIN=pin, **changes)

    def test_officer(self):
        """Initialises the token, sets PINs; a wrong one leaves everything."""
        self.generate()
        self.p11tool("--initialize", "--label=fresh", self.token, GNUTLS_SO_PIN=self.card.wrong_pin, ok=False)
        self.assertEqual(self.privately(self.card.user_pin), 2)
        done = self.p11tool("--initialize", "--label=fresh", self.token, ok=self.can("initialise"))
        if self.can("initialise"):
            [self.token] = self.listed("--list-token-urls")
            self.assertIn("token=fresh", self.token)
        else:
            self.assertIn("unsupported feature", done.stderr)
        self.officer_sets(self.card.new_pin)
        self.assertEqual(self.privately(self.card.new_pin), 0 if self.can("initialise") else 2)
        self.officer_sets(self.card.user_pin, GNUTLS_SO_PIN=self.card.wrong_pin, ok=False)
        new = "24681357"
        self.p11tool("--initialize-so-pin", self.token, GNUTLS_NEW_SO_PIN=new)
        self.officer_sets(self.card.user_pin, ok=False)
        self.officer_sets(self.card.user_pin, GNUTLS_SO_PIN=new)
        self.privately(self.card.user_pin)

    def test_without_a_card(self):
        """Nothing to list, and a clear word for who asks for the token; back again, all is there."""
        self.generate()
        self.sim.remove()
        self.assertEqual(self.listed("--list-token-urls"), [])
        for words in (("--list-all",), ("--login", "--list-all"), ("--list-mechanisms",), ("--generate-random=4",)):
            refused = self.p11tool(*words, self.token, ok=None)
            self.assertNotRegex(refused.stdout, "URL|CKM_")
            self.assertNotIn("Segmentation", refused.stderr)
        self.sim.control("insert")
        self.sim.until_present(True)
        self.assertEqual(len(self.listed("--login", "--list-all", self.token)), 2)


class Server:
    """gnutls-serv with key and certificate on the token, or another server that says where it listens by answering.
    gnutls-serv cannot be told an address, nor to take any free port: the kernel is asked for one first."""

    def __init__(self, test, *command, **changes):
        self.test, self.command = test, command
        self.env = dict(test.sim.env, **changes)

    def __enter__(self):
        for _ in range(5):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            self.log = open(self.test.path("server.log"), "w+", encoding="utf-8", errors="replace")
            self.process = subprocess.Popen([word.replace("PORT", str(self.port)) for word in self.command], env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=self.log, stderr=self.log)
            if self._listens():
                return self
            words = self.said()
            self.__exit__()
            if "in use" not in words:
                break
        raise AssertionError(f"the server did not start: {self.status}\n{words}")

    def _listens(self):
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            time.sleep(0.02)
        return False

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.status = self.process.wait(20)
        finally:
            self.process.kill()
            self.log.close()


class Tls(GnuTls):
    def server(self, *options, **changes):
        return Server(self, "gnutls-serv", "--provider", MODULE, "--http", "--port", "PORT", "--x509certfile", self.url("01", "cert"),
                      "--x509keyfile", self.url("01", "private"), *options, **changes)

    def openssl_client(self, server, *options, ok=True):
        return run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", "localhost", "-CAfile", self.path("root.pem"),
                   "-verify_return_error", "-verify_hostname", "localhost", "-ign_eof", *options, input="GET / HTTP/1.0\r\n\r\n", ok=ok, timeout=30)

    def gnutls_client(self, server, *options, ok=True):
        return self.client("gnutls-cli", "--x509cafile", self.path("root.pem"), "--sni-hostname=localhost", "--verify-hostname=localhost",
                           *options, "--port", server.port, "127.0.0.1", input="GET / HTTP/1.0\r\n\r\n", ok=ok, timeout=30)

    def test_serves(self):
        """TLS 1.3 wants PSS. Where the card has none, the server refuses 1.3 with handshake_failure and keeps 1.2."""
        self.enrol()
        pss = self.can("sign SHA256-RSA-PKCS-PSS")
        with self.server() as server:
            for _ in range(3):
                said = self.openssl_client(server, "-tls1_2", "-sigalgs", "RSA+SHA256").stdout
                self.assertRegex(said, r"Peer signature type: RSA\n")
                self.assertRegex(said, r"Protocol version:</TD><TD>TLS1.2")
            for options, kind in (("-tls1_3",), "TLS_"), (("-tls1_2", "-sigalgs", "RSA-PSS+SHA256"), "ECDHE"):
                said = self.openssl_client(server, *options, ok=pss)
                if pss:
                    self.assertRegex(said.stdout, rf"Peer signature type: RSA-PSS\n[^$]*Cipher is {kind}")
                    self.assertIn("Verification: OK", said.stdout)
                else:
                    self.assertIn("alert handshake failure", said.stderr)
            self.assertIn("(TLS1.2", self.gnutls_client(server, "--priority", TLS_1_2).stdout)
            said = self.gnutls_client(server, "--priority", TLS_1_3, ok=pss)
            self.assertIn("(TLS1.3" if pss else "Received alert [40]", said.stdout + said.stderr)
            # A client that leaves the version open ends with the best that the card can.
            said = self.gnutls_client(server, "--priority", "NORMAL").stdout
            self.assertIn("(TLS1.3" if pss else "(TLS1.2", said)
            self.assertIn("The certificate is trusted", said)
            self.assertIn("New, TLSv1.3" if pss else "New, TLSv1.2", self.openssl_client(server).stdout)
            self.assertIsNone(server.process.poll())
        self.assertIn(server.status, (0, 1))  # gnutls-serv's own end by SIGTERM is 1

    def test_card_leaves_the_server_and_returns(self):
        self.enrol()
        with self.server() as server:
            self.openssl_client(server, "-tls1_2")
            self.sim.remove()
            self.openssl_client(server, "-tls1_2", ok=False)
            self.assertIsNone(server.process.poll(), server.said())
            self.sim.control("insert")
            self.sim.until_present(True)
            self.openssl_client(server, "-tls1_2")
            self.openssl_client(server, "-tls1_2")

    def test_wrong_pin(self):
        """The server does not start, and one try is gone."""
        self.enrol()
        before = self.spent()
        with self.assertRaises(AssertionError) as refused, self.server(GNUTLS_PIN=self.card.wrong_pin):
            pass
        self.assertIn("Wrong PIN has been provided", str(refused.exception))
        self.assertEqual(self.spent(), before + 1)
        with self.server() as server:
            self.openssl_client(server, "-tls1_2")

    def test_client_with_the_key_on_the_token(self):
        """gnutls-cli shows its certificate to OpenSSL's server."""
        self.enrol()
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("host.key"), "-subj", "/CN=localhost",
                     "-addext", "subjectAltName=DNS:localhost", "-out", self.path("host.csr"))
        self.issue("root", "host")
        pss = self.can("sign SHA256-RSA-PKCS-PSS")
        with Server(self, "openssl", "s_server", "-accept", "127.0.0.1:PORT", "-key", self.path("host.key"), "-cert", self.path("host.pem"),
                    "-CAfile", self.path("root.pem"), "-Verify", "2", "-verify_return_error", "-www") as server:
            own = ("--provider", MODULE, "--x509certfile", self.url("01", "cert"), "--x509keyfile", self.url("01", "private"))
            self.assertIn("Successfully sent 1 certificate", self.gnutls_client(server, "--priority", TLS_1_2, *own).stdout)
            said = self.gnutls_client(server, "--priority", TLS_1_3, *own, ok=None)
            self.assertEqual("s_server" in said.stdout, pss, said.stdout + said.stderr)
            self.gnutls_client(server, "--priority", TLS_1_2, ok=False)  # without one


if __name__ == "__main__":
    GnuTls.card = CARDS[sys.argv[1]]
    GnuTls.host = (sys.argv[2:] or ["socket"])[0]
    unittest.main(argv=sys.argv[:1], verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nginx serves TLS with its key on the token, through OpenSSL's engine: a master that opens the key, and workers that it
forks and that all use it at once. Clients are curl and Python's ssl, which verify the chain.

    nginx.py CARD [HOST]"""
import collections
import concurrent.futures
import getpass
import grp
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import unittest

from enrolled import Enrolled, card_of, crashes, died, end, engine_conf, free_port, golden, server_certificate, until
from harness import MODULE, ForeignTest, run

WORKERS = 4


class Nginx(ForeignTest):
    card, host = card_of(["", "kaztoken"])

    def setUp(self):
        super().setUp()
        self.sim = self.enterContext(Enrolled(self, self.card, self.host, labels=("AUTH",)))
        self.pss = golden(self.card, "sign SHA256-RSA-PKCS-PSS") == "done"
        certificate = server_certificate(self)
        self.settings = dict(certificate=certificate, key=self.sim.key_uri("AUTH", pin_source=f"file:{self.sim.pin_file}"),
                             # Without PSS there is no TLS 1.3, and in 1.2 the server has to say that it signs the old way.
                             protocols="TLSv1.2 TLSv1.3" if self.pss else "TLSv1.2",
                             more="" if self.pss else "ssl_conf_command SignatureAlgorithms RSA+SHA256:RSA+SHA384:RSA+SHA512;")
        self.context = ssl.create_default_context(cafile=self.sim.ca)

    def configure(self, **changes):
        settings = dict(self.settings, **changes)
        environment = "".join(f"env {name};\n" for name in ("KILT_READERS", "KILT_CONFIG", "KILT_LOG", "PCSCLITE_CSOCK_NAME", "OPENSSL_CONF", "HOME"))
        temporary = "".join(f"  {kind}_temp_path {self.path(kind)};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return self.write("nginx.conf", f"""user {getpass.getuser()} {grp.getgrgid(os.getgid()).gr_name};
daemon off;
worker_processes {WORKERS};
pid {self.path('nginx.pid')};
error_log {self.path('error.log')} notice;
ssl_engine pkcs11;
{environment}
events {{ worker_connections 256; }}
http {{
  access_log off;
{temporary}
  server {{
    listen 127.0.0.1:{self.port} ssl reuseport;
    ssl_certificate {settings['certificate']};
    ssl_certificate_key "engine:pkcs11:{settings['key']}";
    ssl_protocols {settings['protocols']};
    ssl_session_cache off;
    ssl_session_tickets off;
    {settings['more']}
    keepalive_timeout 0;
    location / {{ return 200 "$pid $ssl_protocol\\n"; }}
  }}
}}
""")

    def command(self):
        # -e: before the configuration is read, errors would go to the system's log.
        return ["/usr/sbin/nginx", "-e", self.path("error.log"), "-p", self.directory + "/", "-c", self.path("nginx.conf")]

    def environment(self):
        return dict(self.sim.env, OPENSSL_CONF=engine_conf(self, MODULE))

    def start(self, **changes):
        self.port = free_port()
        self.configure(**changes)
        self.nginx = self.sim.at_every_end(subprocess.Popen(self.command(), env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                            stderr=subprocess.PIPE))
        # Workers of a master that reloads are there twice for a while.
        until(lambda: self.nginx.poll() is not None or len(self.workers()) == WORKERS, "the workers run")
        self.assertIsNone(self.nginx.poll(), self.log())

    def log(self):
        return self.read("error.log").decode(errors="replace") if os.path.exists(self.path("error.log")) else ""

    def children(self):
        """(process, state) of the master's children."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                        state, parent = file.read().rpartition(")")[2].split()[:2]
                except OSError:
                    continue
                if int(parent) == self.nginx.pid:
                    found.append((int(name), state))
        return found

    def workers(self):
        return [pid for pid, state in self.children() if state != "Z"]

    def get(self, version=None):
        """What the server's answer says: worker and protocol. Every call is a full handshake."""
        context = self.context
        if version:
            context = ssl.create_default_context(cafile=self.sim.ca)
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while part := secure.recv(4096):
                answer += part
        worker, protocol = answer.split(b"\r\n\r\n", 1)[1].decode().split()
        return int(worker), protocol

    def everybody_serves(self, workers):
        """Parallel clients until every worker has answered several of them."""
        served = collections.Counter()
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            def all_have():
                served.update(worker for worker, _ in pool.map(lambda _: self.get(), range(24)))
                return all(served[worker] >= 3 for worker in workers)
            until(all_have, "every worker serves")
        self.assertEqual(set(served), set(workers))
        return sum(served.values())

    def stop(self, how=signal.SIGQUIT):
        workers = self.workers()
        self.assertEqual([child for child in self.children() if child[1] == "Z"], [])
        self.nginx.send_signal(how)
        self.assertEqual(self.nginx.wait(20), 0, self.log())
        for worker in workers:
            self.assertFalse(os.path.exists(f"/proc/{worker}"), f"worker {worker} outlives its master")
        self.no_crash()

    def no_crash(self):
        self.assertEqual(crashes(self.log()), [])
        self.assertNotRegex(self.log(), r"exited on signal|\[(alert|emerg)\]")

    def test_every_worker_serves(self):
        self.start()
        print(f"{self.everybody_serves(self.workers())} handshakes", end=" ", flush=True)
        versions = {ssl.TLSVersion.TLSv1_2: "TLSv1.2", **({ssl.TLSVersion.TLSv1_3: "TLSv1.3"} if self.pss else {})}
        for version, name in versions.items():
            self.assertEqual(self.get(version)[1], name)
        said = run("curl", "-sS", "--cacert", self.sim.ca, f"https://127.0.0.1:{self.port}/", env=self.sim.env).stdout
        self.assertIn(int(said.split()[0]), self.workers())
        self.stop()
        self.assertNotIn("SSL_do_handshake() failed", self.log())

    def test_reload_under_load(self):
        """New workers by SIGHUP, twice, while clients come all the time: nobody is refused, the old workers leave."""
        self.start()
        old = self.workers()
        over, problems, served = threading.Event(), [], []

        def visit():
            while not over.is_set():
                try:
                    served.append(self.get()[0])
                except (OSError, ValueError, IndexError) as problem:
                    # A connection in the listening queue of a worker that leaves is closed by the kernel (reuseport); no
                    # handshake was begun then.
                    if not isinstance(problem, ConnectionResetError):
                        problems.append(problem)

        visitors = [threading.Thread(target=visit) for _ in range(3)]
        for visitor in visitors:
            visitor.start()
        try:
            for _ in range(2):
                self.nginx.send_signal(signal.SIGHUP)
                now = []

                def renewed():
                    now[:] = self.workers()
                    return len(now) == WORKERS and not set(old) & set(now)
                until(renewed, "all workers are new")
                old = list(now)
                until(lambda: set(served) & set(old), "a new worker serves")
        finally:
            over.set()
            for visitor in visitors:
                visitor.join(60)
        self.assertEqual(problems, [], self.log()[-3000:])
        self.everybody_serves(self.workers())
        self.stop()

    def test_a_worker_is_killed(self):
        """Its transaction and login die with it; the master starts another."""
        self.start()
        first = self.workers()
        self.everybody_serves(first)
        os.kill(first[0], signal.SIGKILL)
        now = []

        def replaced():
            now[:] = self.workers()  # one look: between two the dead one may turn into a zombie
            return len(now) == WORKERS and first[0] not in now
        until(replaced, "the master replaces its worker")
        self.everybody_serves(now)
        self.nginx.send_signal(signal.SIGTERM)
        self.assertEqual(self.nginx.wait(20), 0)
        self.assertEqual(re.findall(r"exited on signal (\d+)", self.log()), ["9"])
        self.assertEqual(crashes(self.log()), [])

    def test_what_the_card_cannot_do(self):
        """As everybody configures nginx: with PSS preferred. A card without it fails these handshakes, and no worker dies."""
        self.start(protocols="TLSv1.2 TLSv1.3", more="")
        workers = self.workers()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            if self.pss:
                self.get(version)
            else:
                with self.assertRaises(ssl.SSLError):
                    self.get(version)
        run("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile", self.sim.ca, "-verify_return_error", "-tls1_2",
            "-sigalgs", "RSA+SHA256", input="", timeout=30)
        self.assertEqual(sorted(self.workers()), sorted(workers))
        self.stop()

    def test_card_out_and_in_again(self):
        """Handshakes fail without a crash; once the card is back, nginx is started again, for the engine opens a key once."""
        self.start()
        workers = self.workers()
        # Every worker gets its session while there is a card: where C_OpenSession fails, with CKR_TOKEN_NOT_PRESENT as it must,
        # libp11 0.4.12 waits for ever for another thread's session (pkcs11_get_session; later versions return an error).
        self.everybody_serves(workers)
        self.sim.remove()
        for _ in range(8):
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.get()
        self.assertEqual(sorted(self.workers()), sorted(workers))
        self.sim.control("insert")
        self.sim.until_present(True)
        self.stop()
        self.start()
        self.everybody_serves(self.workers())
        self.stop()

    def test_wrong_pin(self):
        """nginx does not start, and one try is spent."""
        before = self.sim.tries_spent()
        self.port = free_port()
        self.configure(key=self.sim.key_uri("AUTH", pin_source=f"file:{self.sim.wrong_pin_file}"))
        done = run(*self.command(), env=self.environment(), ok=False, timeout=30)
        self.assertIsNone(died(done.returncode), done.stderr)
        self.assertIn("PIN incorrect", self.log() + done.stderr)
        self.assertEqual(self.sim.tries_spent() - before, 1)
        os.remove(self.path("error.log"))
        self.start()
        self.get()
        self.stop()


if __name__ == "__main__":
    Nginx.card, Nginx.host = card_of(sys.argv)
    unittest.main(argv=sys.argv[:1], verbosity=2)

# SPDX-License-Identifier: Apache-2.0
"""Java programs of tests/foreign/java: compiled when they are needed, then talked to line by line."""
import os
import queue
import subprocess
import threading

from enrolled import end
from harness import MODULE, run

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "java")


def compiled(name, directory):
    """The class path."""
    run("javac", "-d", directory, os.path.join(SOURCES, f"{name}.java"))
    return directory


def configuration(test, index=0, *more):
    """What SunPKCS11 must be told at least, and nothing else unless a test says so."""
    return test.write(f"java-{index}.cfg", f"name = kilt\nlibrary = {MODULE}\nslotListIndex = {index}\n" + "".join(f"{line}\n" for line in more))


class JavaProgram:
    """A running one. Its standard error is a file, so that it never waits for a reader."""

    def __init__(self, test, sim, classes, name, config, pin):
        self.errors = open(test.path(f"{name}.errors"), "a+", encoding="utf-8")
        self.process = subprocess.Popen(["java", "-cp", classes, name, config], env=dict(sim.env, PIN=pin), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def _read(self, stream):
        for line in stream:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """The end of its input is the end of the program, and a clean one."""
        try:
            self.process.stdin.close()
            if kind is None:
                status = self.process.wait(20)
                self.errors.seek(0)
                assert status == 0, f"exit {status}: {self.errors.read()}"
        finally:
            end(self.process)
            self.reader.join(5)
            self.errors.close()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self, seconds=60):
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no line within {seconds} s") from None
        if line is None:
            self.errors.seek(0)
            raise AssertionError(f"the program ended: {self.errors.read()}")
        return line

    def until(self, *beginnings, seconds=60):
        """All lines up to the first with one of these beginnings."""
        heard = []
        while not heard or not heard[-1].startswith(beginnings):
            heard.append(self.hear(seconds))
        return heard

    def ask(self, line):
        self.say(line)
        return self.hear()

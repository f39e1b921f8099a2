# SPDX-License-Identifier: Apache-2.0
"""Talks to a program as a person at a terminal does."""
import os
import pty
import select
import subprocess
import time


class Dialogue:
    def __init__(self, command, env):
        self.command, self.env = command, env
        self.heard = ""

    def __enter__(self):
        self.terminal, other = pty.openpty()
        self.process = subprocess.Popen(self.command, env=self.env, stdin=other, stdout=other, stderr=other, start_new_session=True)
        os.close(other)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def until(self, words, seconds=60):
        """Everything up to and with these words."""
        end = time.monotonic() + seconds
        while words not in self.heard:
            left = end - time.monotonic()
            if left <= 0 or not self._hear(left):
                raise AssertionError(f"{words!r} was not said: {self.heard[-2000:]!r}")
        said, _, self.heard = self.heard.partition(words)
        return said + words

    def say(self, line):
        os.write(self.terminal, line.encode() + b"\n")

    def end(self, seconds=60):
        """Exit status, once the program has said its last."""
        stop = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < stop:
            self._hear(0.1)
        return self.process.wait(1)

    def _hear(self, seconds):
        ready, _, _ = select.select([self.terminal], [], [], seconds)
        if not ready:
            return False
        try:
            self.heard += os.read(self.terminal, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return False
        return True

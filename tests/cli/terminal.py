# SPDX-License-Identifier: Apache-2.0
"""A program at a terminal of its own, as a person has it: what is asked, what is typed, what is echoed."""
import fcntl
import os
import pty
import select
import termios
import time


class Terminal:
    """Runs a program with a new controlling terminal. Used in a `with` block."""

    def __init__(self, command, env):
        self.command, self.env, self.seen = command, env, ""

    def __enter__(self):
        # The child's end stays open here, so that its settings can be looked at after the child has gone.
        self.fd, self.slave = pty.openpty()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for standard in (0, 1, 2):
                os.dup2(self.slave, standard)
            os.execvpe(self.command[0], self.command, self.env)
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        os.close(self.slave)

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def expect(self, text, bound=30):
        """Reads until `text` has come; what came after it is kept for the next call."""
        end = time.monotonic() + bound
        while text not in self.seen:
            self._read(end, f"no \"{text}\" in {self.seen!r}")
        before, _, self.seen = self.seen.partition(text)
        return before

    def type(self, text):
        os.write(self.fd, text.encode())

    def finish(self, bound=60):
        """The exit status (negative: a signal) and the rest of the output."""
        end = time.monotonic() + bound
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if select.select([self.fd], [], [], 0.05)[0]:
                self._read(end, "")
            if time.monotonic() > end:
                raise AssertionError(f"did not end; it said {self.seen!r}")
        while select.select([self.fd], [], [], 0)[0]:
            self._read(end, "")
        return os.waitstatus_to_exitcode(status), self.seen

    def _read(self, end, why):
        left = end - time.monotonic()
        if left <= 0 or not select.select([self.fd], [], [], left)[0]:
            raise AssertionError(why)
        self.seen += os.read(self.fd, 4096).decode(errors="replace")

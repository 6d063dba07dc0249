"""A serial line between a device and whoever tests it: two ptys, with a thread that carries the bytes.

A program that opens a tty by name needs the slave side, and so does the tester: a pty has only one.
There is no baud pacing and no parity on such a line.
"""

import errno
import os
import select
import threading
import time
import tty


class NullModem:
    """`device` is the tty for the program under test; `link` is made a symlink to the tester's tty."""

    def __init__(self, link):
        self._inner, self._inner_spare = os.openpty()
        self._outer, self._outer_spare = os.openpty()
        for fd in (self._inner_spare, self._outer_spare):
            tty.setraw(fd)
        self.device = os.ttyname(self._inner_spare)
        self._listeners = []
        os.set_blocking(self._outer, False)
        os.set_blocking(self._inner, False)
        fresh = link.with_name(link.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._outer_spare))
        fresh.replace(link)

    def start(self, heard=None):
        """Carries bytes from now on; `heard` is given all that the device sends."""
        threading.Thread(target=self._carry, args=(heard,), daemon=True).start()

    def type(self, data):
        """Sends to the device as the tester would."""
        os.write(self._inner, data)

    def _carry(self, heard):
        while True:
            for fd in select.select([self._inner, self._outer], [], [])[0]:
                try:
                    data = os.read(fd, 4096)
                except OSError as error:
                    if error.errno == errno.EIO:
                        # Nobody has the slave open: login hangs its line up between two sessions.
                        time.sleep(0.02)
                    continue
                if fd == self._inner and heard:
                    heard(data)
                self._send(self._outer if fd == self._inner else self._inner, data)

    @staticmethod
    def _send(fd, data):
        deadline = time.monotonic() + 0.2
        while data and time.monotonic() < deadline:
            try:
                data = data[os.write(fd, data):]
            except OSError:
                # Full, or hung up. A line has no memory: what nobody takes is lost.
                time.sleep(0.005)

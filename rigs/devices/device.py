"""What every foreign device has in common: its folder, its address, its ready line and its end."""

import ctypes
import json
import os
import random
import secrets
import signal
import socket
import string
import sys
import threading
import time
from pathlib import Path

MISSING = 77
"""Exit code of a device whose software is not installed, or which this user may not start."""


def missing(reason):
    """Leaves with the exit code that tells "cannot be started here" from "is broken"."""
    print(reason, file=sys.stderr)
    sys.exit(MISSING)


def say(text):
    print(text, file=sys.stderr, flush=True)


def workdir():
    """The folder named on the command line, as an absolute path."""
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        print(f"usage: {sys.argv[0]} WORKDIR (an existing directory)", file=sys.stderr)
        sys.exit(2)
    return Path(sys.argv[1]).resolve()


def address(folder, ports):
    """A loopback address of this device's own, on which `ports` are free; the same at every later start."""
    kept = folder / "address"
    if kept.exists():
        return kept.read_text().strip()
    for _ in range(50):
        candidate = f"127.{random.randint(64, 254)}.{random.randint(0, 254)}.{random.randint(1, 254)}"
        if all(_free(candidate, port) for port in ports):
            write(kept, candidate + "\n", 0o644)
            return candidate
    raise SystemExit("no loopback address with free ports was found")


def _free(host, port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def write(path, text, mode):
    """Writes a file so that a kill at any moment leaves the old text or the new one, never half of it."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, path)


def password():
    """16 letters and digits, with each class present so that no password rule refuses it."""
    while True:
        word = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))
        if any(c.islower() for c in word) and any(c.isupper() for c in word) and any(c.isdigit() for c in word):
            return word


def provision(folder, make):
    """What a lab is handed with the device; `make` says it at the first start, the file at every later one."""
    path = folder / "provisioning.json"
    if not path.exists():
        write(path, json.dumps(make(), indent=2) + "\n", 0o600)
    return json.loads(path.read_text())


def ready(folder, **facts):
    """The one line on standard output: from now on the device answers."""
    facts["provisioning"] = str(folder / "provisioning.json")
    facts["pid"] = os.getpid()
    print(json.dumps(facts), flush=True)


def answers_soon(ask, limit=10):
    """Asks until there is an answer: until then the connection is refused, or leaves `ask` by SystemExit."""
    deadline = time.monotonic() + limit
    while True:
        try:
            return ask()
        except (OSError, SystemExit):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def end_with_stdin():
    """SIGTERM to ourselves when whoever started us is gone or closes our standard input."""

    def wait():
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def die_with_parent():
    """For `preexec_fn`: the kernel kills the child when we die, even by SIGKILL.

    The child must not change its user afterwards: that clears the setting.
    """
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

"""What the Modbus servers have in common: their ports, the plant behind them, who comes, and when they are ready."""

import importlib.util
import os
import select
import socket
import ssl
import sys
import time

import device
from pki import Pki

TCP, TLS, BAUD = 1502, 1802, 19200
UNIT = 1
CLIENTS = {"scada-view": "Viewer", "scada-oper": "Operator", "scada-eng": "Engineer"}
REGISTERS, BITS = 256, 4096
"""More than one request may carry, so that a limit of the protocol is not taken for the end of the memory."""
COMMAND = 0
"""The holding register that the output follows. The inputs from 0 on are the plant's, the rest of the memory is free."""
HEARTBEAT = 1


def choose_interpreter(variable, *packages):
    """Goes on as the interpreter that has the packages: the one that `variable` names, else the one that runs this."""
    wanted = os.environ.get(variable)
    if wanted and not os.environ.get("SLCERT_PYTHON_CHOSEN"):
        if not os.access(wanted, os.X_OK):
            device.missing(f"{variable} is {wanted}, which can not be run")
        os.environ["SLCERT_PYTHON_CHOSEN"] = "1"
        os.execv(wanted, [wanted, *sys.argv])
    for package in packages:
        if importlib.util.find_spec(package) is None:
            device.missing(f"{package} is not installed for {sys.executable}: {variable} names an interpreter that has it")


class Plant:
    """The essential function, 10 times a second: counts, and lets level and output follow the command."""

    def __init__(self):
        self._begin, self._turn, self._level = time.monotonic(), 0, 0

    def until_next(self):
        """Begins the next turn: the seconds to wait for it."""
        self._turn += 1
        return max(0, self._begin + self._turn / 10 - time.monotonic())

    def inputs(self, command):
        """Level, heartbeat, output and uptime in seconds."""
        self._level += round((command - self._level) / 10)
        return [self._level, self._turn % 65536, command, self._turn // 10 % 65536]


def provisioning(folder, address):
    pki = Pki(folder / "pki")
    pki.server(address)
    return {
        "accounts": {},
        "clients": {name: {"role": role} | pki.client(name, role) for name, role in CLIENTS.items()},
        "negatives": pki.negatives("Operator"),
        "ca": pki.ca["chain"],
        "ca_key": pki.ca["key"],
    }


def trust_of_server(folder, given):
    """TLS as the device speaks it: with its own certificate, and its authority's for clients."""
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=given["ca"])
    trust.load_cert_chain(folder / "pki/server.pem", folder / "pki/server.key")
    trust.verify_mode = ssl.CERT_REQUIRED
    return trust


def tcp_answers(address):
    with socket.create_connection((address, TCP), 2) as line:
        _expect(line, _MBAP)


def tls_answers(address, given):
    me = given["clients"]["scada-view"]
    trust = ssl.create_default_context(cafile=given["ca"])
    trust.load_cert_chain(me["chain"], me["key"])
    with socket.create_connection((address, TLS), 2) as raw, trust.wrap_socket(raw, server_hostname=address) as line:
        _expect(line, _MBAP)


def rtu_answers(tty):
    line = os.open(tty, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(line, _READ + _crc(_READ))
        answer, deadline = b"", time.monotonic() + 2
        while len(answer) < 7 and select.select([line], [], [], max(0, deadline - time.monotonic()))[0]:
            answer += os.read(line, 7 - len(answer))
    finally:
        os.close(line)
    if answer[:3] != _ANSWER or answer[5:] != _crc(answer[:5]):
        raise SystemExit(f"{tty} answered {answer.hex()}")


_READ = bytes([UNIT, 4, 0, HEARTBEAT, 0, 1])
_ANSWER = bytes([UNIT, 4, 2])
_MBAP = bytes([0, 1, 0, 0, 0])


def _expect(line, header):
    line.sendall(header + bytes([len(_READ)]) + _READ)
    answer = line.recv(64)
    if answer[:9] != header + b"\x05" + _ANSWER:
        raise SystemExit(f"{line.getpeername()} answered {answer.hex()}")


def _crc(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")

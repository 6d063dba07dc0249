"""What the MQTT brokers have in common: who comes, what each may, and when they are ready.

There is no plant behind a broker: it has said once where it stands, and whoever may writes on.
"""

import socket
import ssl
import subprocess
import sys
import time

import device
from pki import Pki

PORT = 8883
ACCOUNTS = {"gw-telemetry": "telemetry", "gw-control": "controller", "monitor": "monitor"}
CONTROL = {"write": ["plant/cmd", "plant/output"], "read": ["plant/output", "plant/level", "plant/ack"]}
MAY = {
    "gw-telemetry": {"write": [], "read": ["plant/level", "plant/output", "plant/ack"]},
    "gw-control": CONTROL,
    "cert-control": CONTROL,
    # The plant itself and its supervisor: publishes the measured level, sees everything of the plant.
    "monitor": {"write": ["plant/level", "plant/heartbeat"], "read": ["plant/#"]},
}
"""What is not listed is refused, $SYS included."""


def provisioning(folder, address):
    pki = Pki(folder / "pki")
    pki.server(address)
    pki.no_revocations()
    return {
        "accounts": {name: {"role": role, "password": device.password()} for name, role in ACCOUNTS.items()},
        "clients": {"cert-control": pki.client("cert-control", "controller")},
        "negatives": pki.negatives("Operator"),
        "ca": pki.ca["chain"],
        "ca_key": pki.ca["key"],
    }


def serve(command, folder, address, given, keeps, **facts):
    """Runs the broker until it is ended or ends; `keeps` tells that it has its retained messages still after it was off."""
    said = folder / "plant-is-running"
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr, preexec_fn=device.die_with_parent,
    )
    try:
        _until_it_answers(child, address, given, "monitor")
        if not keeps or not said.exists():
            _until_it_answers(child, address, given, "gw-control", _retained("plant/output", "0"))
            _until_it_answers(child, address, given, "monitor", _retained("plant/heartbeat", "0"))
            said.touch()
        device.ready(folder, address=address, mqtt_tls=PORT, broker=child.pid, **facts)
        sys.exit(f"the broker ended by itself with {child.wait()}")
    finally:
        child.terminate()
        try:
            child.wait(2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _until_it_answers(child, address, given, user, then=b""):
    """Ready is when a login is answered: an open port alone says little. `then` is sent after it."""
    trust = ssl.create_default_context(cafile=given["ca"])
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if child.poll() is not None:
            sys.exit(f"the broker ended at start with {child.returncode}")
        try:
            with socket.create_connection((address, PORT), 1) as raw, trust.wrap_socket(raw, server_hostname=address) as mqtt:
                mqtt.settimeout(1)
                mqtt.sendall(_connect(user, given["accounts"][user]["password"]))
                if mqtt.recv(4) == b"\x20\x02\x00\x00":
                    if then:
                        mqtt.sendall(then)
                        if mqtt.recv(4)[:2] != b"\x40\x02":
                            sys.exit("the broker did not take the plant's first message")
                    return
        except OSError:
            pass
        time.sleep(0.02)
    sys.exit("the broker did not answer a login within 10 s")


def _connect(user, password):
    """An MQTT 3.1.1 CONNECT with a clean session."""

    def text(s):
        return len(s).to_bytes(2, "big") + s.encode()

    body = text("MQTT") + b"\x04\xc2\x00\x0a" + text("ready-probe") + text(user) + text(password)
    return b"\x10" + bytes([len(body)]) + body


def _retained(topic, payload):
    """An MQTT 3.1.1 PUBLISH with quality of service 1 that the broker keeps."""
    body = len(topic).to_bytes(2, "big") + topic.encode() + b"\x00\x01" + payload.encode()
    return b"\x33" + bytes([len(body)]) + body

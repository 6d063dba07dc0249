"""Verifies an envelope with a public key, checks the statement in it, and then once more with another payload."""
import base64
import json
import sys

import in_toto_attestation.v1.statement_pb2 as pb
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

envelope = json.load(open(sys.argv[1]))
public = load_ssh_public_key(open(sys.argv[2], "rb").read()).public_bytes(Encoding.Raw, PublicFormat.Raw)
key = SSlibKey(envelope["signatures"][0]["keyid"], "ed25519", "ed25519", {"public": public.hex()})


def verify(envelope):
    Envelope.from_dict(json.loads(json.dumps(envelope))).verify([key], 1)


verify(envelope)
payload = base64.b64decode(envelope["payload"])
statement = pb.Statement()
json_format.Parse(payload, statement)
Statement.copy_from_pb(statement).validate()
predicate = json.loads(payload)["predicate"]
print(predicate["result"], *(len(predicate[name]) for name in ("passedTests", "warnedTests", "failedTests")))

envelope["payload"] = base64.b64encode(payload.replace(b"FAILED", b"PASSED", 1)).decode()
try:
    verify(envelope)
except VerificationError:
    sys.exit(0)
sys.exit("a changed payload is taken")

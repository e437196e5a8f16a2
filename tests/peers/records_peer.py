"""records_peer.py - what other people's programs make of a crate and of statements that ablate exported.

    python3 tests/peers/records_peer.py CRATE PUBLIC.pem     (ci/crate.sh makes both; tests/peers/records.txt)

rocrate reads the crate, and every term in it is one of the context that comes with rocrate (RO-Crate's) or of the
profile's own; in-toto's package takes each statement as valid; securesystemslib checks each signature by the public key,
and refuses it once a byte of the payload is another. Prints one line per check; the exit code is the verdict."""
import base64
import copy
import hashlib
import json
import os
import sys

import rocrate
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1 import statement_pb2
from rocrate.rocrate import ROCrate
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

RUN_TERMS = {"resourceUsage"}  # of https://w3id.org/ro/terms/workflow-run


def check(what, holds):
    print(("ok   " if holds else "FAIL ") + what)
    if not holds:
        sys.exit(1)


def check_crate(folder):
    crate = ROCrate(folder)
    workflow = crate.mainEntity
    check("rocrate finds the workflow", "ComputationalWorkflow" in workflow.type and os.path.isfile(os.path.join(folder, workflow.id)))
    actions = crate.root_dataset["mentions"]
    runs = [a for a in actions if a["instrument"].type == "SoftwareApplication"]
    check("and %d runs of cells and one of the workflow" % len(runs), len(runs) == len(actions) - 1 and len(runs) > 0)
    check("each with resolved objects and scores",
          all(o.type for a in actions for o in a["object"]) and
          all(any(r.type == "PropertyValue" and isinstance(r["value"], float) for r in a["result"]) for a in runs))
    data = os.path.join(os.path.dirname(rocrate.__file__), "data", "ro-crate.jsonld")
    context = json.load(open(data))["@context"]
    entities = json.load(open(os.path.join(folder, "ro-crate-metadata.json")))["@graph"]
    unknown = {k for e in entities for k in e if not k.startswith("@")} - set(context) - RUN_TERMS
    types = {t for e in entities for t in (e["@type"] if isinstance(e["@type"], list) else [e["@type"]])} - set(context)
    check("no term or type that the contexts lack %s" % sorted(unknown | types), not unknown and not types)
    out = os.path.join(folder, "..", "rewritten")
    crate.write(out)
    check("and it is written again by rocrate", len(json.load(open(out + "/ro-crate-metadata.json"))["@graph"]) == len(entities))


def check_statements(path, pem):
    raw = load_pem_public_key(open(pem, "rb").read()).public_bytes(Encoding.Raw, PublicFormat.Raw)
    key = SSlibKey(hashlib.sha256(raw).hexdigest(), "ed25519", "ed25519", {"public": raw.hex()})
    lines = open(path).read().splitlines()
    check("there are statements", len(lines) > 0)
    for line in lines:
        envelope = Envelope.from_dict(json.loads(line))
        envelope.verify([key], 1)
        statement = Statement.copy_from_pb(json_format.Parse(envelope.payload.decode(), statement_pb2.Statement()))
        statement.validate()
        forged = copy.deepcopy(json.loads(line))
        payload = bytearray(base64.b64decode(forged["payload"]))
        payload[-10] ^= 1
        forged["payload"] = base64.b64encode(bytes(payload)).decode()
        try:
            Envelope.from_dict(forged).verify([key], 1)
            check("a forged statement is refused", False)
        except VerificationError:
            pass
    check("in-toto and securesystemslib take all %d, and none once a byte is another" % len(lines), True)


check_crate(sys.argv[1])
check_statements(os.path.join(sys.argv[1], "statements.intoto.jsonl"), sys.argv[2])

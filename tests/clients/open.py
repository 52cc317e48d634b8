"""Opens messages with jwcrypto: all that a specialist service needs to read what priorityd sends it.

Reads one JSON object from standard input: `key` (the service's private JWK), `signers` (our public JWK Set), `recipient`
(who the service is), `now` (RFC 3339) and `messages`. Writes one JSON array: `{"opened": text}` or `{"refused": why}`.
"""

import json
import sys
from datetime import datetime

from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK, JWKSet
from jwcrypto.jws import JWS


def open_message(message, key, signers, recipient, now):
    """The CloudEvent inside a message, checked from the outside to the inside."""
    jwe = JWE(algs=["ECDH-ES+A256KW", "A256GCM"])
    jwe.deserialize(message, key)
    jws = JWS()
    jws.allowed_algs = ["ES256"]
    jws.deserialize(jwe.payload.decode())
    signer = signers.get_key(jws.jose_header["kid"])
    if signer is None:
        raise ValueError("unknown signer")
    jws.verify(signer)
    event = json.loads(jws.payload)
    if event["recipient"] != recipient:
        raise ValueError("addressed to somebody else")
    if datetime.fromisoformat(event["expirytime"]) <= now:
        raise ValueError("expired")
    return jws.payload.decode()


def main():
    task = json.load(sys.stdin)
    key = JWK(**task["key"])
    signers = JWKSet.from_json(json.dumps(task["signers"]))
    now = datetime.fromisoformat(task["now"])
    results = []
    for message in task["messages"]:
        try:
            results.append({"opened": open_message(message, key, signers, task["recipient"], now)})
        except (JWException, ValueError, KeyError) as error:
            results.append({"refused": f"{type(error).__name__}: {error}"})
    json.dump(results, sys.stdout)


main()

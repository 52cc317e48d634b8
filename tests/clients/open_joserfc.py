"""Opens messages with joserfc. Input and output are those of drive.py."""

import json
import sys
from datetime import datetime

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet


# Its limits on sizes are below those of our messages: 1 MiB is what brokers take.
ENCRYPTION = jwe.JWERegistry(algorithms=["ECDH-ES+A256KW", "A256GCM"])
ENCRYPTION.max_ciphertext_length = 1 << 20
SIGNATURE = jws.JWSRegistry(algorithms=["ES256"])
SIGNATURE.max_payload_length = 1 << 20


def open_message(message, key, signers, recipient, now):
    """The CloudEvent inside a message, checked from the outside to the inside."""
    signed = jwe.decrypt_compact(message, key, registry=ENCRYPTION).plaintext
    payload = jws.deserialize_compact(signed, signers, registry=SIGNATURE).payload
    event = json.loads(payload)
    if event["recipient"] != recipient:
        raise ValueError("addressed to somebody else")
    if datetime.fromisoformat(event["expirytime"]) <= now:
        raise ValueError("expired")
    return payload.decode()


def main():
    task = json.load(sys.stdin)
    key = ECKey.import_key(task["key"])
    signers = KeySet.import_key_set(task["signers"])
    now = datetime.fromisoformat(task["now"])
    results = []
    for message in task["messages"]:
        try:
            results.append({"opened": open_message(message, key, signers, task["recipient"], now)})
        except (JoseError, ValueError, KeyError) as error:
            results.append({"refused": f"{type(error).__name__}: {error}"})
    json.dump(results, sys.stdout)


main()

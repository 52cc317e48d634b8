"""Seals messages with jwcrypto, so that our opener is held to the standard and not to our own sealer: jose.json.

Run it with `target/tests/venv/bin/python tests/vectors/jose.py > tests/vectors/jose.json`. Every run makes other keys.
"""

import json

from jwcrypto.common import base64url_encode
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

CREATED = "2026-01-01T00:00:00Z"


def pair(owner, meta):
    """A new P-256 pair with our members: private and public."""
    key = JWK.generate(kty="EC", crv="P-256")
    kid = f"{owner}#{key.thumbprint()}"
    ours = {"kid": kid, "priorityd": {**meta, "epoch": 1, "state": "active", "created": CREATED}}
    private = {**key.export(private_key=True, as_dict=True), **ours}
    public = {**key.export(private_key=False, as_dict=True), **ours}
    return key, private, public


recipient, recipient_private, _ = pair("up2u", {"purpose": "recipient", "party": "up2u"})
signer, _, signer_public = pair("priorityd", {"purpose": "signing"})


def seal(event):
    jws = JWS(event)
    header = {"alg": "ES256", "kid": signer_public["kid"], "typ": "priorityd-message+jws", "cty": "cloudevents+json"}
    jws.add_signature(signer, alg="ES256", protected=json.dumps(header))
    kid = recipient_private["kid"]
    jwe = JWE(jws.serialize(compact=True), protected=json.dumps({
        "alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": kid, "cty": "JOSE",
        "apu": base64url_encode("priorityd"), "apv": base64url_encode(kid)}))
    jwe.add_recipient(recipient)
    return {"event": event, "message": jwe.serialize(compact=True)}


print(json.dumps({
    "key": recipient_private,
    "signers": {"keys": [signer_public]},
    "recipient": "up2u",
    "now": "2026-06-01T00:00:00Z",
    "messages": [
        seal('{"specversion":"1.0","recipient":"up2u","expirytime":"2026-07-01T00:00:00Z","data":{"kind":"repeat_victim"}}'),
        seal('{ "recipient" : "up2u", "expirytime" : "2026-07-01T01:00:00+01:00", "data" : "Zo\\u00eb, zoë" }'),
    ],
}, indent=1, ensure_ascii=False))

"""Computes keys.json with Python's `hmac` and the `cryptography` package, from design and RFCs alone.

Run it with `target/tests/venv/bin/python tests/vectors/keys.py > tests/vectors/keys.json`.
"""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def prefixed(*parts):
    """Each part after its length as four big-endian bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def derive(secret, info):
    """HKDF-SHA-256 without salt (RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info.encode()).derive(secret)


def mac(key, *parts):
    """HMAC-SHA-256 (RFC 2104)."""
    return hmac.new(key, prefixed(*parts), hashlib.sha256).digest()


secret = bytes(range(32))


def linkage(scope, epoch, field, *parts):
    key = derive(secret, f"priorityd/v1/{scope}/{epoch}/{field}")
    parts = [part.encode() for part in parts]
    return {"scope": scope, "epoch": epoch, "field": field, "parts": [part.decode() for part in parts],
            "mac": mac(key, *parts).hex()}


def pseudonym(recipient, label, identifier):
    key = derive(secret, f"priorityd/v1/output/1/{recipient}")
    return {"recipient": recipient, "label": label, "id": identifier.hex(),
            "pseudonym": mac(key, label.encode(), identifier)[:16].hex()}


def vault(epoch, purpose, context, nonce, clear):
    associated = prefixed(b"priorityd/v1/vault", purpose.encode(), epoch.to_bytes(4, "big"), *context)
    return {"epoch": epoch, "purpose": purpose, "context": [part.hex() for part in context], "nonce": nonce.hex(),
            "clear": clear.hex(), "sealed": (nonce + AESGCM(secret).encrypt(nonce, clear, associated)).hex()}


print(json.dumps({
    "secret": secret.hex(),
    "k": base64.urlsafe_b64encode(secret).decode().rstrip("="),
    "linkage": [
        linkage("portsmouth", 1, "family_name", "smith"),
        linkage("portsmouth", 2, "family_name", "smith"),
        linkage("leeds", 1, "family_name", "smith"),
        linkage("portsmouth", 1, "given_names", "ann", "marie"),
        linkage("portsmouth", 1, "given_names", "annm", "arie"),
        linkage("portsmouth", 1, "given_names"),
        linkage("portsmouth", 1, "given_names", "", "zoë"),
    ],
    "output": [
        pseudonym("up2u", "person", bytes(range(16))),
        pseudonym("stop", "person", bytes(range(16))),
        pseudonym("up2u", "finding", bytes(range(16))),
    ],
    "vault": [
        vault(1, "identity", [b"record", bytes(16)], bytes(range(12)), b"a sealed identity"),
        vault(1, "identity", [b"recor", b"d" + bytes(16)], bytes(range(12)), b"a sealed identity"),
        vault(7, "feed", [], bytes(12), b""),
    ],
}, indent=1, ensure_ascii=False))

"""Computes the vectors of `pseudonymise.json` with Python's own HMAC and the `cryptography` package's HKDF.

It takes normal forms as given (spelled out below, sounds and other forms included) and hashes them by the written
rules: one HKDF-SHA-256 key per field, HMAC-SHA-256 over parts that are each preceded by their length as four big-endian
bytes, cut to 64 bits for tokens and 128 for ids. Run it to write the file anew: python pseudonymise.py > pseudonymise.json
"""

import hashlib
import hmac
import json

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET = bytes(range(32))
IDENTIFIERS = bytes(range(32, 64))
SCOPE = "portsmouth"
EPOCH = 3


def field_key(field):
    info = f"priorityd/v1/{SCOPE}/{EPOCH}/{field}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(SECRET)


def mac(field, *parts):
    return keyed(field_key(field), parts)


def id_mac(kind, *parts):
    """Ids come from a key of their own, which outlives the epochs of the linkage key."""
    info = f"priorityd/v1/{SCOPE}/ids/{kind}".encode()
    return keyed(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(IDENTIFIERS), parts)


def keyed(key, parts):
    state = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        part = part if isinstance(part, bytes) else part.encode()
        state.update(len(part).to_bytes(4, "big") + part)
    return state.digest()


def token(field, *parts):
    return mac(field, *parts)[:8].hex()


def deletions(field, text, size):
    tokens = [token(field, text)]
    if len(text) == 3:
        tokens.append(token(field, "letters", "".join(sorted(text))))
    elif len(text) > 3:
        for at in range(min(len(text), size - 1)):
            shorter = token(field, text[:at] + text[at + 1:])
            if shorter not in tokens:
                tokens.append(shorter)
    tokens += [token(field, "padding", text, str(place)) for place in range(len(tokens), size)]
    return sorted(tokens)


def name(word, forms, sound):
    initial = token("name.initial", word[:1])
    if len(word) == 1:
        exact = phonetic = initial
        forms = []
    else:
        exact, phonetic = token("name", word), token("name.phonetic", sound)
    forms = [token("name.form", form) for form in forms]
    forms += [token("name.form", "padding", word, str(place)) for place in range(len(forms), 4)]
    return {"exact": exact, "forms": sorted(forms), "phonetic": phonetic, "initial": initial,
            "deletions": deletions("name.deletion", word, 12)}


def date(digits):
    year, month, day = digits[:4], digits[4:6], digits[6:]
    swapped = year + day + month if day <= "12" else digits
    return {"whole": token("date", digits), "swapped": token("date", swapped),
            "wildcards": [token("date.wildcard", digits[:at] + "?" + digits[at + 1:]) for at in range(8)],
            "year": token("date.year", year), "year_month": token("date.year_month", year, month),
            "month_day": token("date.month_day", month, day), "year_day": token("date.year_day", year, day)}


def blocking(p):
    given, (formal, *_), given_sound = p["given"]
    family, _, family_sound = p["family"]
    digits, unit, district, area = p["date"], p["unit"], p["district"], p["area"]
    year, decade, month_day = digits[:4], digits[:3], digits[4:]
    sounds = sorted([given_sound, family_sound])
    compounds = [
        ("canonical+family", formal, family), ("first3+first4", given[:3], family[:4]), ("family", family),
        ("sounds+area", *sounds, area), ("date", digits), ("date+canonical", digits, formal), ("date+family", digits, family),
        ("date+initial", digits, given[:1]), ("date+initial", digits, family[:1]),
        ("sounds+year", given_sound, family_sound, year), ("sounds+month_day", given_sound, family_sound, month_day),
        ("sounds+decade", *sounds, decade), ("last3+last3+decade", given[-3:], family[-3:], decade),
        ("unit+sound", unit, given_sound), ("unit+sound", unit, family_sound), ("unit+year", unit, year),
        ("date+district", digits, district), ("year+district+sound", year, district, given_sound),
        ("year+district+sound", year, district, family_sound), ("district+name", district, family),
        ("district+name", district, formal), ("number_street", p["number_street"]), ("address", p["address"]), ("uprn", p["uprn"]),
    ]
    compounds += [("date+family", digits, other) for other in p["other_family"]]
    compounds += [("canonical+family", formal, other) for other in p["other_family"]]
    compounds += [("number", kind, number) for kind, number in p["numbers"]]
    return sorted({token("block", *compound) for compound in compounds})


def person(p):
    numbers = []
    for kind, number in p["numbers"]:
        field = f"number.{kind}"
        shorter = set()
        if kind not in ("pnc", "cro", "nhs"):
            shorter = {token(f"{field}.deletion", number)}
            shorter |= {token(f"{field}.deletion", number[:at] + number[at + 1:]) for at in range(len(number))}
        numbers.append({"kind": kind, "exact": token(field, number), "deletions": sorted(shorter)})
    return {
        "given": name(*p["given"]),
        "middle": {"exact": token("name", p["middle"]), "initial": token("name.initial", p["middle"][:1])},
        "other_given": sorted(token("name", word) for word in p["other_given"]),
        "family": name(*p["family"]),
        "other_family": sorted(token("name", word) for word in p["other_family"]),
        "date": date(p["date"]),
        "sex_and_date": token("sex_and_date", p["sex"], p["date"]),
        "postcode": {"unit": token("postcode.unit", p["unit"]), "sector": token("postcode.sector", p["sector"]),
                     "district": token("postcode.district", p["district"]), "area": token("postcode.area", p["area"]),
                     "deletions": deletions("postcode.deletion", p["unit"], 8)},
        "address": {"whole": token("address", p["address"]), "number_street": token("address.number_street", p["number_street"]),
                    "words": sorted(token("address.word", word) for word in p["words"])},
        "uprn": token("uprn", p["uprn"]),
        "numbers": numbers,
        "blocking": blocking(p),
    }


def record(agency, local_ref, p):
    parts = [agency, local_ref, "given", p["given"][0], "middle", p["middle"]]
    for word in p["other_given"]:
        parts += ["other_given", word]
    parts += ["family", p["family"][0]]
    for word in p["other_family"]:
        parts += ["other_family", word]
    parts += ["postcode", p["unit"], "address", p["address"], "uprn", p["uprn"]]
    for kind, number in p["numbers"]:
        parts += [kind, number]
    parts += ["written_given", p["written"][0], "written_family", p["written"][1]]
    parts += ["date", p["date"], "sex", p["sex"]]
    return id_mac("record", *parts)[:16].hex()


SARAH = {
    "written": ("LIZ  Jane", "Whitcombe-Jones"),
    "given": ("liz", ["elizabeth", "lisa", "lizzie", "liz"], "lLS"), "middle": "jane", "other_given": ["jane", "lizjane"],
    "family": ("whitcombejones", ["whitcombejones"], "ATKMPJ"), "other_family": ["jones", "smith", "whitcombe"],
    "date": "19850307", "sex": "female", "unit": "po48ra", "sector": "po48", "district": "po4", "area": "po",
    "address": "12|festing southsea", "number_street": "12|festing", "words": ["festing", "southsea"], "uprn": "1775001234",
    "numbers": [("nhs", "9434765919"), ("noms", "A1234BC")],
}


def main():
    print(json.dumps({
        "secret": SECRET.hex(), "identifiers": IDENTIFIERS.hex(), "scope": SCOPE, "epoch": EPOCH,
        "field_keys": {field: mac(field).hex() for field in ("name", "date", "block")},
        "event_id": {"source": "urn:priorityd:police", "id": "e-1", "hash": id_mac("event", "urn:priorityd:police", "e-1")[:16].hex()},
        "local_ref": {"agency": "police", "local_ref": "P-77", "hash": id_mac("local_ref", "police", "P-77")[:16].hex()},
        "fingerprint": {"content": "{\"a\":1}", "hash": id_mac("fingerprint", "{\"a\":1}")[:8].hex()},
        "record": record("police", "P-77", SARAH),
        "tokens": person(SARAH),
    }, indent=1))


if __name__ == "__main__":
    main()

"""Checks every published schema and example with the stock Python package `jsonschema`.

The argument is the folder `schemas/`. Says what disagrees, and ends with 1 if anything does.
"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

# What is wrong with these no schema can see: the feed's rights, dates and persons among themselves.
BEYOND_SCHEMA = {"EVT-011", "EVT-031", "EVT-040", "EVT-041", "EVT-051", "EVT-070"}


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def main(root):
    schemas = [load(path) for folder in ("events", "outputs") for path in sorted((root / folder).glob("*.json"))]
    registry = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)
    by_id = {schema["$id"]: schema for schema in schemas}
    faults = []

    def is_valid(name, example):
        schema = by_id[f"urn:priorityd:schema:{name}"]
        validator = Draft202012Validator(schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)
        return validator.is_valid(example)

    for schema in schemas:
        Draft202012Validator.check_schema(schema)
    for folder, prefix in (("events", ""), ("outputs", "outputs:")):
        for path in sorted((root / "examples" / folder).glob("*.json")):
            if not is_valid(prefix + path.name.removesuffix(".json"), load(path)):
                faults.append(f"{path.name} is valid to the daemon only")
    for path in sorted((root / "examples" / "bad").glob("*.json")):
        example = load(path)
        if path.name.split(".")[0] not in BEYOND_SCHEMA:
            if is_valid(example["type"].removeprefix("uk.priorityd."), example):
                faults.append(f"{path.name} is bad to the daemon only")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

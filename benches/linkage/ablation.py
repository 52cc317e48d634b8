"""What each part of linkage is worth: python ablation.py DATA_DIR [--binary PATH] [--model MODEL.toml]

Takes one part away at a time and links sets of `datasets.py`, `families.py` and the simulator's city again: by a changed model file,
where a level is taken away by making it worth what the next lower one of the same field is worth, or by a map of columns that
leaves something out.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import tomllib

SETS = {
    "FEBRL 3": (["febrl3.csv"], "febrl.toml", "truth"),
    "FEBRL 3 without ids": (["febrl3.csv"], "febrl_noid.toml", "truth"),
    "three agencies": (["agencies_census.csv", "agencies_social.csv", "agencies_taxes.csv"], "agencies.toml", "truth"),
    "families": (["families.csv"], "families.toml", "truth"),
    "city": (["city/people.csv"], "city/people.toml", "true_person"),
}


def level_as(field, gone, kept):
    """Gives some levels the weight of another, their shares kept apart."""
    def change(model, columns):
        levels = model["levels"][field]
        for level in gone:
            levels[level]["m"] = min(1.0, levels[level]["u"] * levels[kept]["m"] / levels[kept]["u"])
    return change


def decision(**values):
    return lambda model, columns: model["decision"].update(values)


def frequency(**values):
    return lambda model, columns: model["frequency"].update(values)


def without_columns(*names):
    return lambda model, columns: [columns.pop(name, None) for name in names]


def all_of(*changes):
    return lambda model, columns: [change(model, columns) for change in changes]


def both_names(gone, kept="nothing"):
    return all_of(level_as("given", gone, kept), level_as("family", gone, kept))


def one_given_name(model, columns):
    """The first column of given names stands for all, so that nothing but the first is known."""
    names = columns["given_names"]
    columns["given_names"] = names[0] if isinstance(names, list) else names


PARTS = {
    "everything": all_of(),
    "without exact names": both_names(["exact"], "deletion"),
    "without nicknames": both_names(["nickname"]),
    "without sounds": both_names(["phonetic"]),
    "without one letter": both_names(["deletion"]),
    "without exact dates": level_as("date", ["exact"], "one_digit"),
    "without date wildcards": level_as("date", ["one_digit"], "nothing"),
    "without date swaps": level_as("date", ["swapped"], "nothing"),
    "without date parts": level_as("date", ["year_month", "month_day", "year"], "nothing"),
    "without postcode parts": level_as("postcode", ["deletion", "sector", "district", "area"], "nothing"),
    "without one character of numbers": level_as("number", ["deletion"], "nothing"),
    "without frequencies": frequency(exact_strength=0.0, fuzzy_strength=0.0),
    "without crossed names": decision(crossed_bits=-60.0),
    "without second names": all_of(one_given_name, level_as("middle", ["exact", "nothing"], "initial")),
    "without other names": both_names(["alternative"]),
    "without name order": level_as("given", ["alternative"], "nothing"),
    "without former names": without_columns("former_family_name", "alias_given_name"),
    "without household cap": decision(household_cap_bits=60.0),
    "without twins": decision(twins_apart=False, perhaps_twins_bits=0.0),
    "without generations": decision(generations_bits=0.0, perhaps_generations_bits=0.0),
    "without sex": decision(other_sex_bits=0.0),
    "without names' cap": decision(names_cap_bits=60.0),
    "without torn records": decision(margin_bits=0.0),
    "without different numbers": decision(numbers_apart=False),
    "without average linkage": decision(average_linkage=False),
    "without clipping": decision(clip_bits=60.0),
}


def write(table, path=()):
    """TOML of nested tables."""
    lines = [f"[{'.'.join(path)}]"] if path else []
    lines += [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += write(value, (*path, key))
    return lines


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=pathlib.Path)
    arguments.add_argument("--binary", default="target/release/priorityd")
    arguments.add_argument("--model", type=pathlib.Path, default="src/link/model/default.toml")
    chosen = arguments.parse_args()
    sets = {name: entry for name, entry in SETS.items() if (chosen.data / entry[1]).exists()}
    print("| F1 (precision) | " + " | ".join(sets) + " |\n" + "|---" * (len(sets) + 1) + "|")
    for part, change in PARTS.items():
        cells = [link(chosen, change, *entry) for entry in sets.values()]
        print(f"| {part} | " + " | ".join(cells) + " |", flush=True)


def link(chosen, change, files, columns, truth):
    model = tomllib.loads(chosen.model.read_text())
    columns = tomllib.loads((chosen.data / columns).read_text())
    change(model, columns)
    # What is changed here is not as training left it.
    model["provenance"]["weights_sha256"] = ""
    with tempfile.TemporaryDirectory() as place:
        for name, table in (("model.toml", model), ("columns.toml", columns)):
            pathlib.Path(place, name).write_text("\n".join(write(table)))
        command = [chosen.binary, "link", "--columns", f"{place}/columns.toml", "--model", f"{place}/model.toml", "--truth", truth,
                   "--format", "json", *[chosen.data / file for file in files]]
        run = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    result = json.loads(run.stdout)
    return f"{result['f1']:.4f} ({result['precision']:.4f})"


if __name__ == "__main__":
    main()

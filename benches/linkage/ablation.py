"""What each part of linkage is worth: python ablation.py DATA_DIR [--binary PATH] [--model MODEL.toml]

Takes one part away at a time, by a changed model file, and links the sets of `datasets.py` and `families.py` again. A level
is taken away by making it worth what the next lower one of the same field is worth.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import tomllib

SETS = {
    "FEBRL 3 no ids": (["febrl3.csv"], "febrl_noid.toml"),
    "three agencies": (["agencies_census.csv", "agencies_social.csv", "agencies_taxes.csv"], "agencies.toml"),
    "families": (["families.csv"], "families.toml"),
}


def level_as(field, gone, kept):
    """Gives some levels the weight of another, their shares kept apart."""
    def change(model):
        kept_level = model["levels"][field][kept]
        for level in gone:
            model["levels"][field][level]["m"] = min(1.0, model["levels"][field][level]["u"] * kept_level["m"] / kept_level["u"])
    return change


def decision(**values):
    return lambda model: model["decision"].update(values)


def both_names(gone, kept="nothing"):
    def change(model):
        level_as("given", gone, kept)(model)
        level_as("family", gone, kept)(model)
    return change


def frequency(model):
    model["frequency"].update(exact_strength=0.0, fuzzy_strength=0.0)


PARTS = {
    "everything": lambda model: None,
    "without frequencies": frequency,
    "without nicknames": both_names(["nickname"]),
    "without sounds": both_names(["phonetic"]),
    "without one letter": both_names(["deletion"]),
    "without name order": level_as("given", ["alternative"], "nothing"),
    "without former names": level_as("family", ["alternative"], "nothing"),
    "without near numbers": level_as("number", ["deletion"], "nothing"),
    "without number vetoes": decision(numbers_apart=False),
    "components, no averages": decision(average_linkage=False, margin_bits=0.0),
    "without crossed names": decision(crossed_bits=-60.0),
    "without second names": level_as("middle", ["exact", "letter", "nothing"], "initial"),
    "without date wildcards": level_as("date", ["one_digit"], "nothing"),
    "without date swaps": level_as("date", ["swapped"], "nothing"),
    "without date parts": level_as("date", ["year_month", "month_day", "year"], "nothing"),
    "without postcode parts": level_as("postcode", ["deletion", "sector", "district", "area"], "nothing"),
    "without household cap": decision(household_cap_bits=60.0),
    "without twins": decision(twins_apart=False, perhaps_twins_bits=0.0),
    "without generations": decision(generations_bits=0.0, perhaps_generations_bits=0.0),
    "without sex": decision(other_sex_bits=0.0),
    "without names' cap": decision(names_cap_bits=60.0),
    "without torn records": decision(margin_bits=0.0),
    "without clipping": decision(clip_bits=60.0),
}


def write(model):
    """TOML of a linkage model: tables of scalars, and tables of levels."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in model.items() if not isinstance(value, dict)]
    for section in ("provenance", "decision", "frequency"):
        lines += [f"[{section}]"] + [f"{key} = {json.dumps(value)}" for key, value in model[section].items()]
    for field, levels in model["levels"].items():
        lines += [f"[levels.{field}]"] + [f"{name} = {{ m = {rate['m']!r}, u = {rate['u']!r} }}" for name, rate in levels.items()]
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=pathlib.Path)
    arguments.add_argument("--binary", default="target/release/priorityd")
    arguments.add_argument("--model", type=pathlib.Path, default="src/link/model/default.toml")
    chosen = arguments.parse_args()
    print(f"{'F1 (precision)':24}" + "".join(f"{name:>20}" for name in SETS))
    for part, change in PARTS.items():
        model = tomllib.loads(pathlib.Path(chosen.model).read_text())
        change(model)
        # What is changed here is not as training left it.
        model["provenance"]["weights_sha256"] = ""
        cells = []
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(write(model))
            file.flush()
            for files, columns in SETS.values():
                command = [chosen.binary, "link", "--columns", chosen.data / columns, "--model", file.name, "--truth", "truth",
                           "--format", "json", *[chosen.data / name for name in files]]
                run = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
                result = json.loads(run.stdout)
                cells.append(f"{result['f1']:.4f} ({result['precision']:.4f})")
        print(f"{part:24}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()

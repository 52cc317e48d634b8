"""Splink and priorityd on the same rows, one table: python compare.py DATA_DIR [--binary PATH] [--only NAME]

DATA_DIR is what `datasets.py` and `families.py` wrote. Splink (PyPI `splink`, DuckDB) sees clear text and runs with the settings
that its documentation shows for such data, see SPLINK below; of several thresholds the best for each set counts. priorityd sees
keyed tokens and runs with one configuration and one threshold. Both are timed from reading the file to clusters, in a process of
their own. F1, precision and recall are over pairs implied by clusters; `homes` is the share of clusters that hold two people of
one household, where the set knows households.
"""

import argparse
import csv
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

AGENCIES = ["agencies_census.csv", "agencies_social.csv", "agencies_taxes.csv"]
SETS = {
    "FEBRL 1": (["febrl1.csv"], "febrl.toml", "febrl_ids"),
    "FEBRL 1 without ids": (["febrl1.csv"], "febrl_noid.toml", "febrl"),
    "FEBRL 2": (["febrl2.csv"], "febrl.toml", "febrl_ids"),
    "FEBRL 2 without ids": (["febrl2.csv"], "febrl_noid.toml", "febrl"),
    "FEBRL 3": (["febrl3.csv"], "febrl.toml", "febrl_ids"),
    "FEBRL 3 without ids": (["febrl3.csv"], "febrl_noid.toml", "febrl"),
    "FEBRL 4": (["febrl4a.csv", "febrl4b.csv"], "febrl.toml", "febrl_ids"),
    "FEBRL 4 without ids": (["febrl4a.csv", "febrl4b.csv"], "febrl_noid.toml", "febrl"),
    "three agencies": (AGENCIES, "agencies.toml", "agencies"),
    "generated families": (["families.csv"], "families.toml", "families"),
}
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999)


def febrl(frame, ids, kind):
    """The settings of Splink's FEBRL 3 and FEBRL 4 demos, with or without the number."""
    import splink.comparison_library as cl
    from splink import block_on

    comparisons = [
        cl.NameComparison("given_name"), cl.NameComparison("surname"),
        cl.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
        cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
        cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
        cl.JaroWinklerAtThresholds("address_1", [0.9, 0.7]), cl.JaroWinklerAtThresholds("suburb", [0.9]),
    ]
    comparisons = [comparison.configure(term_frequency_adjustments=True) if place < 2 else comparison
                   for place, comparison in enumerate(comparisons)]
    rules = [block_on("given_name", "surname"), block_on("date_of_birth"), block_on("given_name", "postcode"),
             block_on("surname", "postcode"), block_on("street_number", "address_1"), block_on("given_name", "suburb"),
             "l.given_name = r.surname and l.surname = r.given_name"]
    certain = [block_on("given_name", "surname", "date_of_birth"),
               "l.given_name = r.surname and l.surname = r.given_name and l.date_of_birth = r.date_of_birth"]
    if ids:
        comparisons.append(cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]))
        rules.append(block_on("soc_sec_id"))
        certain.append(block_on("soc_sec_id"))
    kind = "link_only" if kind == 2 else "dedupe_only"
    return frame, kind, comparisons, rules, certain, 0.8, [block_on("date_of_birth"), block_on("postcode"), block_on("surname")]


def agencies(frame):
    """As in Splink's demo on pseudopeople and its person demos: names together, date of birth, number, address by frequency."""
    import splink.comparison_library as cl
    from splink import block_on

    american = frame["dob"].str.replace(r"^(\d\d)/(\d\d)/(\d{4})$", r"\3-\1-\2", regex=True)
    frame["dob"] = american.str.replace(r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3", regex=True)
    persons(frame)
    frame["home"] = frame["number"] + " " + frame["street"].str.lower()
    comparisons = [
        cl.ForenameSurnameComparison("first", "last", forename_surname_concat_col_name="first_last"), cl.ExactMatch("initial"),
        cl.DateOfBirthComparison("dob", input_is_string=True), cl.DamerauLevenshteinAtThresholds("ssn", [1, 2]),
        cl.JaroWinklerAtThresholds("home", [0.95, 0.88]).configure(term_frequency_adjustments=True),
    ]
    rules = [block_on("ssn"), block_on("home", "first"), block_on("home", "dob"), block_on("home", "last"), *person_rules()]
    certain = [block_on("first", "last", "dob"), block_on("ssn"), block_on("first", "last", "home")]
    # Blocked on the number, agreement of everything else is learnt from persons and not from households.
    return frame, "dedupe_only", comparisons, rules, certain, 0.8, certain


def families(frame):
    """As in Splink's 50k synthetic demo of persons. Term frequencies and wider rules, tried here, let it join households: F1 0.75-0.79."""
    import splink.comparison_library as cl
    from splink import block_on

    persons(frame)
    frame["address"] = frame["address"].str.lower()
    comparisons = [
        cl.ForenameSurnameComparison("first", "last"), cl.ExactMatch("middle"),
        cl.DateOfBirthComparison("dob", input_is_string=True), cl.PostcodeComparison("postcode"),
        cl.JaroWinklerAtThresholds("address", [0.95, 0.88]),
    ]
    rules = [block_on("postcode", "substr(first,1,1)"), block_on("address", "substr(first,1,1)"), block_on("first", "last"),
             block_on("dob"), block_on("last", "substr(dob,1,4)"), block_on("first", "substr(dob,1,4)")]
    train = [block_on("dob"), block_on("first", "last")]
    return frame, "dedupe_only", comparisons, rules, [block_on("first", "last", "dob")], 0.6, train

def persons(frame):
    for column in ("first", "last", "middle"):
        frame[column] = frame[column].str.lower()
    frame["initial"] = frame["middle"].str[:1]
    frame["first_last"] = frame["first"] + " " + frame["last"]


def person_rules():
    from splink import block_on

    return [block_on("first", "last"), block_on("dob", "first"), block_on("dob", "last"),
            block_on("substr(first,1,3)", "substr(last,1,4)"), block_on("first", "substr(dob,1,7)"),
            block_on("last", "substr(dob,1,7)"), "l.first = r.last and l.last = r.first"]


SPLINK = {
    "febrl": lambda frame, tables: febrl(frame, False, tables),
    "febrl_ids": lambda frame, tables: febrl(frame, True, tables),
    "agencies": lambda frame, tables: agencies(frame),
    "families": lambda frame, tables: families(frame),
}


def splink(kind, files):
    """Links with Splink and prints one JSON object; run in a process of its own."""
    import pandas
    from splink import DuckDBAPI, Linker, SettingsCreator

    started = time.perf_counter()
    tables = [pandas.read_csv(file, dtype=str).assign(table=str(place)) for place, file in enumerate(files)]
    frame = pandas.concat(tables, ignore_index=True)
    frame["unique_id"] = range(len(frame))
    frame, link_type, comparisons, rules, certain, recall, train = SPLINK[kind](frame, len(files))
    settings = SettingsCreator(link_type=link_type, comparisons=comparisons, blocking_rules_to_generate_predictions=rules)
    database = DuckDBAPI()
    parts = [frame] if link_type == "dedupe_only" else [part for _, part in frame.groupby("table")]
    linker = Linker([database.register(part.drop(columns="table")) for part in parts], settings)
    linker.training.estimate_probability_two_random_records_match(certain, recall=recall)
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    for rule in train:
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    predictions = linker.inference.predict(threshold_match_probability=0.01)
    best = None
    cluster = linker.clustering.cluster_pairwise_predictions_at_threshold
    for threshold in THRESHOLDS:
        clusters = cluster(predictions, threshold_match_probability=threshold).as_pandas_dataframe()
        clusters = clusters[["unique_id", "cluster_id"]].merge(frame, on="unique_id")
        result = quality(clusters["cluster_id"], clusters) | {"threshold": threshold}
        if best is None or result["f1"] > best["f1"]:
            best = result
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps(best | {"records": len(frame), "seconds": time.perf_counter() - started,
                             "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_rss_mb": usage.ru_maxrss / 1024}))


def priorityd(binary, columns, files):
    """Links with priorityd, and judges its clusters as Splink's are judged."""
    import pandas

    with tempfile.NamedTemporaryFile(suffix=".csv") as out:
        command = [binary, "link", "--columns", columns, "--format", "json", "--out", out.name, *files]
        run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
        with open(out.name, newline="") as table:
            clusters = [row["cluster"] for row in csv.DictReader(table)]
    rows = pandas.concat([pandas.read_csv(file, dtype=str) for file in files], ignore_index=True)
    return json.loads(run.stdout) | quality(clusters, rows)


def pairs(groups):
    return int((groups * (groups - 1) // 2).sum())


def quality(clusters, rows):
    import pandas

    frame = pandas.DataFrame({"cluster": list(clusters), "truth": list(rows["truth"])})
    found, truly = pairs(frame.groupby("cluster").size()), pairs(frame.groupby("truth").size())
    both = pairs(frame.groupby(["cluster", "truth"]).size())
    result = {"precision": both / max(found, 1), "recall": both / truly, "f1": 2 * both / (found + truly)}
    if "household" in rows:
        # A person's household is known from some of their records; those of others say nothing of it.
        homes = rows.dropna(subset=["household"]).groupby("truth")["household"].apply(frozenset)
        frame["homes"] = [homes.get(truth, frozenset()) for truth in frame["truth"]]
        people = frame.drop_duplicates(["cluster", "truth"])
        mixed = people[people.duplicated("cluster", keep=False)].groupby("cluster")["homes"]
        shared = sum(len(frozenset.union(*homes)) < sum(map(len, homes)) for _, homes in mixed)
        result["homes"] = shared / frame["cluster"].nunique()
    return result


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=pathlib.Path)
    arguments.add_argument("--binary", default="target/release/priorityd")
    arguments.add_argument("--only")
    arguments.add_argument("--splink", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.splink:
        splink(chosen.splink, [chosen.data / file for file in SETS[chosen.only][0]])
        return
    print("| Set | Tool | F1 | Precision | Recall | Homes | Records per CPU second | Peak MB |\n|---|---|---|---|---|---|---|---|")
    for name, (files, columns, kind) in SETS.items():
        if (chosen.only and chosen.only != name) or not all((chosen.data / file).exists() for file in files):
            continue
        show(name, "priorityd, blind", priorityd(chosen.binary, chosen.data / columns, [chosen.data / file for file in files]))
        command = [sys.executable, __file__, str(chosen.data), "--only", name, "--splink", kind]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            print(f"| | Splink, clear | failed: {run.stderr.strip().splitlines()[-1]} |")
            continue
        show("", "Splink, clear", json.loads(run.stdout.strip().splitlines()[-1]))


def show(name, tool, result):
    rate = result["records"] / max(result["cpu_seconds"], 0.01)
    homes = f"{result['homes']:.2%}" if "homes" in result else "–"
    cells = [name, tool, *(f"{result[measure]:.4f}" for measure in ("f1", "precision", "recall")), homes, f"{rate:,.0f}",
             f"{result['peak_rss_mb']:.0f}"]
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

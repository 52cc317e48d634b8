"""Splink and priorityd on the same rows, one table: python compare.py DATA_DIR [--binary PATH] [--only NAME]

DATA_DIR is what `datasets.py` and `families.py` wrote. Splink (PyPI `splink`, DuckDB) sees clear text and runs with the
settings of its own FEBRL 3 and person demos; priorityd sees keyed tokens and runs with one configuration. Both are timed
from reading the file to clusters, in a process of their own. F1, precision and recall are over pairs implied by clusters.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import time

SETS = {
    "FEBRL 2 without ids": (["febrl2.csv"], "febrl_noid.toml", "febrl"),
    "FEBRL 3": (["febrl3.csv"], "febrl.toml", "febrl_ids"),
    "FEBRL 3 without ids": (["febrl3.csv"], "febrl_noid.toml", "febrl"),
    "three agencies": (["agencies_census.csv", "agencies_social.csv", "agencies_taxes.csv"], "agencies.toml", "agencies"),
    "generated families": (["families.csv"], "families.toml", "families"),
}


def splink(kind, files):
    """Links with Splink and prints one JSON object; run in a process of its own."""
    import pandas
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    started = time.perf_counter()
    frame = pandas.concat([pandas.read_csv(file, dtype=str) for file in files], ignore_index=True)
    frame["unique_id"] = range(len(frame))
    if kind.startswith("febrl"):
        given, family, date, place = "given_name", "surname", "date_of_birth", "postcode"
        comparisons = [
            cl.NameComparison(given), cl.NameComparison(family),
            cl.DamerauLevenshteinAtThresholds(date, [1, 2]), cl.DamerauLevenshteinAtThresholds(place, [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("address_1", [0.9, 0.7]), cl.JaroWinklerAtThresholds("suburb", [0.9]),
        ]
        rules = [block_on(given, family), block_on(date), block_on(given, place), block_on(family, place),
                 block_on("street_number", "address_1"), block_on(given, "suburb")]
        if kind == "febrl_ids":
            comparisons.append(cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]))
            rules.append(block_on("soc_sec_id"))
        train = [block_on(date), block_on(family)]
    else:
        given, family, date = "first", "last", "dob"
        if kind == "agencies":
            american = frame[date].str.replace(r"^(\d\d)/(\d\d)/(\d{4})$", r"\3-\1-\2", regex=True)
            frame[date] = american.str.replace(r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3", regex=True)
            comparisons = [cl.ExactMatch("number"), cl.JaroWinklerAtThresholds("street", [0.9]),
                           cl.DamerauLevenshteinAtThresholds("ssn", [1, 2])]
            rules = [block_on("ssn"), block_on("number", "street")]
        else:
            frame["address"] = frame["address"].str.lower()
            comparisons = [cl.PostcodeComparison("postcode"), cl.JaroWinklerAtThresholds("address", [0.95, 0.88])]
            rules = [block_on("postcode", "substr(first,1,1)"), block_on("address", "substr(first,1,1)")]
        for column in (given, family, "middle"):
            frame[column] = frame[column].str.lower()
        comparisons = [cl.ForenameSurnameComparison(given, family), cl.ExactMatch("middle"),
                       cl.DateOfBirthComparison(date, input_is_string=True)] + comparisons
        rules += [block_on(given, family), block_on(date), block_on(family, f"substr({date},1,4)"),
                  block_on(given, f"substr({date},1,4)")]
        frame["first_last"] = frame[given].str.cat(frame[family], sep=" ")
        train = [block_on(date), block_on(given, family)]
    settings = SettingsCreator(link_type="dedupe_only", comparisons=comparisons, blocking_rules_to_generate_predictions=rules)
    linker = Linker(DuckDBAPI().register(frame), settings)
    linker.training.estimate_probability_two_random_records_match(
        [block_on(given, family, date)], recall=0.6)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in train:
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    predictions = linker.inference.predict(threshold_match_probability=0.01)
    best = None
    for threshold in (0.5, 0.8, 0.9, 0.95, 0.99, 0.999):
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predictions, threshold_match_probability=threshold)
        clusters = clusters.as_pandas_dataframe()[["unique_id", "cluster_id"]].merge(frame[["unique_id", "truth"]], on="unique_id")
        result = quality(clusters["cluster_id"], clusters["truth"]) | {"threshold": threshold}
        if best is None or result["f1"] > best["f1"]:
            best = result
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps(best | {"records": len(frame), "seconds": time.perf_counter() - started,
                             "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_rss_mb": usage.ru_maxrss / 1024}))


def pairs(groups):
    return int((groups * (groups - 1) // 2).sum())


def quality(clusters, truth):
    import pandas

    frame = pandas.DataFrame({"cluster": clusters, "truth": truth})
    found, truly = pairs(frame.groupby("cluster").size()), pairs(frame.groupby("truth").size())
    both = pairs(frame.groupby(["cluster", "truth"]).size())
    return {"precision": both / max(found, 1), "recall": both / truly, "f1": 2 * both / (found + truly)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=pathlib.Path)
    arguments.add_argument("--binary", default="target/release/priorityd")
    arguments.add_argument("--only")
    arguments.add_argument("--splink", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.splink:
        files, _, _ = SETS[chosen.only]
        splink(chosen.splink, [chosen.data / file for file in files])
        return
    print(f"{'set':24} {'tool':22} {'F1':>7} {'precision':>9} {'recall':>7} {'records/CPU s':>13} {'peak MB':>8}")
    for name, (files, columns, kind) in SETS.items():
        if (chosen.only and chosen.only != name) or not all((chosen.data / file).exists() for file in files):
            continue
        commands = {
            "priorityd, blind": [chosen.binary, "link", "--columns", chosen.data / columns, "--truth", "truth", "--format", "json",
                                 *[chosen.data / file for file in files]],
            "Splink, clear, best cut": [sys.executable, __file__, str(chosen.data), "--only", name, "--splink", kind],
        }
        for tool, command in commands.items():
            run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
            if run.returncode != 0:
                print(f"{name:24} {tool:22} failed: {run.stderr.strip().splitlines()[-1]}")
                continue
            r = json.loads(run.stdout.strip().splitlines()[-1])
            rate = r["records"] / max(r["cpu_seconds"], 0.01)
            print(f"{name:24} {tool:22} {r['f1']:7.4f} {r['precision']:9.4f} {r['recall']:7.4f} {rate:13.0f} {r['peak_rss_mb']:8.0f}",
                  flush=True)


if __name__ == "__main__":
    main()

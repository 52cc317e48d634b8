"""Linkage by naming custom: python fairness.py [--binary PATH] [--people N] [--seed S] [--frozen]

The simulator draws people of eleven naming customs and writes down how several agencies recorded them (`simulate`); `link` finds
who is who. A pair of records counts for a custom when either of the two is of a person of that custom: recall over true pairs,
precision over pairs that clusters imply. The rest is the majority's custom.
"""

import argparse
import collections
import csv
import itertools
import pathlib
import subprocess
import tempfile


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", default="target/release/priorityd")
    arguments.add_argument("--people", type=int, default=200_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--frozen", action="store_true", help="the daemon's model as it is")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as place:
        city = pathlib.Path(place)
        subprocess.run([chosen.binary, "simulate", "--out", city, "--people", str(chosen.people), "--months", "1",
                        "--seed", str(chosen.seed)], check=True, stdout=subprocess.DEVNULL)
        command = [chosen.binary, "link", "--columns", city / "people.toml", "--out", city / "clusters.csv", city / "people.csv"]
        subprocess.run(command + (["--frozen"] if chosen.frozen else []), check=True, stdout=subprocess.DEVNULL)
        with open(city / "people.csv", newline="") as rows, open(city / "clusters.csv", newline="") as clusters:
            records = [(row["true_person"], row["custom"], row["true_household"], cluster["cluster"])
                       for row, cluster in zip(csv.DictReader(rows), csv.DictReader(clusters), strict=True)]
    truly, found, both = collections.Counter(), collections.Counter(), collections.Counter()
    for counts, by in ((truly, lambda record: record[0]), (found, lambda record: record[3])):
        groups = collections.defaultdict(list)
        for record in records:
            groups[by(record)].append(record)
        for one, two in itertools.chain.from_iterable(itertools.combinations(group, 2) for group in groups.values()):
            for custom in {one[1], two[1]} | {"everybody"}:
                counts[custom] += 1
                if counts is found:
                    both[custom] += one[0] == two[0]
    persons = collections.Counter(custom for custom, _ in {(custom, person) for person, custom, _, _ in records})
    print("| Custom | People | F1 | Precision | Recall |\n|---|---|---|---|---|")
    f1 = {custom: 2 * both[custom] / (truly[custom] + found[custom]) for custom in truly}
    for custom in sorted(truly, key=f1.get, reverse=True):
        precision, recall = both[custom] / max(found[custom], 1), both[custom] / truly[custom]
        count = persons[custom] if custom in persons else sum(persons.values())
        print(f"| {custom} | {count:,} | {f1[custom]:.4f} | {precision:.4f} | {recall:.4f} |")
    clusters, homes = collections.defaultdict(set), 0
    for person, _, household, cluster in records:
        clusters[cluster].add((person, household))
    homes = sum(len({home for _, home in people}) < len(people) for people in clusters.values())
    sizes, truths = collections.Counter(record[3] for record in records), collections.Counter(record[0] for record in records)
    print(f"\nlargest cluster {max(sizes.values())}, most records of one person {max(truths.values())}, "
          f"two people of one home in {homes / len(clusters):.3%} of clusters")


if __name__ == "__main__":
    main()

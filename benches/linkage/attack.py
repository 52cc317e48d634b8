"""How far frequencies give stored tokens away: python attack.py TABLE.csv MAP.toml [--binary PATH] [--truth COLUMN]

The attacker has the register as it is stored, without the key, of one half of a population, and knows everything about the other
half: every name, date and address, and so every value that linkage derives from them. For each kind of token they sort the
register's tokens by how often they occur, sort the values of the half they know likewise, and take what stands at the same rank
for the same. Counted are records whose token is read rightly. Values that occur equally often are taken in random order.

A given name is attacked with all that stands beside it, too: how many deletion tokens it has (a constant, or its length would
show), and how many of them it shares with other names; ranks are then compared among names of the same count. The line with the
true length shows what padding is for: it is what would be read if the size of the set gave the length away.
"""

import argparse
import collections
import csv
import json
import random
import subprocess

NAMES = ("exact", "phonetic", "initial")
DATES = ("whole", "swapped", "year", "year_month", "month_day", "year_day")
PLACES = ("unit", "sector", "district", "area")


def kinds(tokens):
    """Every token of one record with its kind."""
    for name in ("given", "family"):
        if tokens[name]:
            yield from ((f"{name} name, {part}", tokens[name][part]) for part in NAMES)
            yield from ((f"{name} name, one form", token) for token in tokens[name]["forms"])
            yield f"{name} name, set of forms", tuple(tokens[name]["forms"])
            yield f"{name} name, deletion set", tuple(tokens[name]["deletions"])
            yield from ((f"{name} name, one deletion", token) for token in tokens[name]["deletions"])
    if tokens["middle"]:
        yield from (("second name, exact", token) for token in [tokens["middle"]["exact"]] if token)
        yield "second name, initial", tokens["middle"]["initial"]
    yield from (("other names", token) for token in tokens["other_given"] + tokens["other_family"])
    if tokens["date"]:
        yield from ((f"date, {part.replace('_', ' and ')}", tokens["date"][part]) for part in DATES)
        yield from (("date, one digit open", token) for token in tokens["date"]["wildcards"])
    if tokens["sex_and_date"]:
        yield "sex and date", tokens["sex_and_date"]
    if tokens["postcode"]:
        yield from ((f"postcode, {part}", tokens["postcode"][part]) for part in PLACES if tokens["postcode"][part])
        yield from (("postcode, one deletion", token) for token in tokens["postcode"]["deletions"])
    if tokens["address"]:
        yield "address, whole", tokens["address"]["whole"]
        yield from (("address, number and street", token) for token in [tokens["address"]["number_street"]] if token)
        yield from (("address, word", token) for token in tokens["address"]["words"])
    if tokens["uprn"]:
        yield "address, UPRN", tokens["uprn"]
    for number in tokens["numbers"]:
        yield f"number, {number['kind']}", number["exact"]
        yield from ((f"number, {number['kind']}, one deletion", token) for token in number["deletions"])
    yield from (("compounds", token) for token in tokens["blocking"])


def ranked(counts, dice):
    values = list(counts)
    dice.shuffle(values)
    return sorted(values, key=lambda value: -counts[value])


def read(register, known, dice):
    """The share of the register's occurrences that rank alignment reads rightly."""
    right = sum(register[token] for token, value in zip(ranked(register, dice), ranked(known, dice)) if token == value)
    return right / max(sum(register.values()), 1)


def read_within(register, known, beside_register, beside_known, dice):
    """The same, ranks compared only among values with the same thing beside them."""
    right = 0.0
    for beside in set(beside_register.values()):
        mine = {token: count for token, count in register.items() if beside_register[token] == beside}
        theirs = {value: count for value, count in known.items() if beside_known[value] == beside}
        right += read(mine, theirs, dice) * sum(mine.values())
    return right / max(sum(register.values()), 1)


def shared_deletions(names):
    """Of each name, how many of its deletion tokens some other name has."""
    holders = collections.Counter(token for deletions in names.values() for token in deletions)
    return {name: sum(holders[token] > 1 for token in deletions) for name, deletions in names.items()}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("table")
    arguments.add_argument("map")
    arguments.add_argument("--binary", default="target/release/priorityd")
    arguments.add_argument("--truth", default="truth", help="the column that says who a row is")
    arguments.add_argument("--given", default="first", help="the column of the given name, for its true length")
    chosen = arguments.parse_args()
    dice = random.Random(1)
    with open(chosen.table, newline="") as table:
        rows = list(csv.DictReader(table))
    people = sorted({row[chosen.truth] for row in rows})
    dice.shuffle(people)
    in_register = set(people[: len(people) // 2])
    register, known = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    names, lengths = ({}, {}), collections.defaultdict(collections.Counter)
    command = [chosen.binary, "bench", "tokens", "--columns", chosen.map, chosen.table]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tokens:
        for row, line in zip(rows, tokens.stdout, strict=True):
            mine = row[chosen.truth] in in_register
            person = json.loads(line)["tokens"]
            for kind, token in kinds(person):
                (register if mine else known)[kind][token] += 1
            if person["given"]:
                exact = person["given"]["exact"]
                names[mine][exact] = person["given"]["deletions"]
                lengths[exact][len(next(iter(row[chosen.given].split()), ""))] += 1
    print("| Token | Values | Read rightly |\n|---|---|---|")
    for kind in register:
        print(f"| {kind} | {len(register[kind]):,} | {read(register[kind], known[kind], dice):.2%} |")
    mine, theirs = register["given name, exact"], known["given name, exact"]
    sizes = [{name: len(set(deletions)) for name, deletions in names[side].items()} for side in (True, False)]
    shared = [shared_deletions(names[side]) for side in (True, False)]
    length = {name: counts.most_common(1)[0][0] for name, counts in lengths.items()}
    print(f"| given name with the size of its deletion set | {len(mine):,} | {read_within(mine, theirs, *sizes, dice):.2%} |")
    print(f"| given name with its shared deletions | {len(mine):,} | {read_within(mine, theirs, *shared, dice):.2%} |")
    print(f"| given name, if its length showed | {len(mine):,} | {read_within(mine, theirs, length, length, dice):.2%} |")


if __name__ == "__main__":
    main()

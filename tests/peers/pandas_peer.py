"""pandas_peer.py - the code of "Reading from Python", run as it is printed, beside what ablate itself says.

    python3 tests/peers/pandas_peer.py PAGE TABLE.json SCORES.jsonl     (ci/python.sh, in the database's folder)

The page's code blocks are run with `print` replaced, so that what a reader would see is what is compared: means,
spreads and seeds with those of `ablate table --json`, each score with `ablate export --jsonl`, and the Parquet file
with the frame that it was written from. Prints one line per check; the exit code is the verdict."""
import json
import math
import sys

import pandas

ARMS = {"pseudo-huber": "base", "l2": "squared"}  # the grid of ci/python.sh: loss.kind by label


def check(what, holds):
    print(("ok   " if holds else "FAIL ") + what)
    if not holds:
        sys.exit(1)


def code_of(page):
    """The indented blocks between the heading and the next one."""
    section = open(page).read().split("### Reading from Python\n", 1)[1].split("\n#", 1)[0]
    return "".join(line[4:] + "\n" for line in section.splitlines() if line.startswith("    "))


def check_means(seen, path):
    rows = {r["label"]: r["cells"] for r in json.load(open(path))["rows"]}
    check("a row for each arm and number of steps", len(seen) == 2 * len(rows) == 2 * len(ARMS))
    for key, row in seen.iterrows():
        key = dict(zip(seen.index.names, key))
        ours = rows[ARMS[key["loss.kind"]]]["fid@%d" % key["nfe"]]
        check("%s, fid@%d: mean, sd and %d seeds as in the table" % (key["loss.kind"], key["nfe"], row["count"]),
              row["count"] == ours["n"] == 2 and math.isclose(row["mean"], ours["value"], rel_tol=1e-12) and
              math.isclose(row["std"], ours["sd"], rel_tol=1e-9))


def check_scores(fid, path):
    scores = [s for s in map(json.loads, open(path)) if s["name"] == "fid"]
    same = {(s["cell"], s["nfe"], s["eval_seed"]): float.fromhex(s["hex"]) for s in scores}
    read = {(r.cell, r.nfe, r.eval_seed): r.value for r in fid.itertuples()}
    check("the %d scores have the bits of the export" % len(same), read == same and len(fid) == len(scores) == 16)


def check_parquet(fid):
    again = pandas.read_parquet("fid.parquet")
    check("the Parquet file has every row and column",
          list(again.columns) == list(fid.columns) and len(again) == len(fid))
    check("with the same scores and settings", list(again["value"]) == list(fid["value"]) and
          list(again["loss.kind"]) == list(fid["loss.kind"]) and set(again["teacher.ema"]) == {"0", "schedule"})


printed = []
names = {"print": printed.append}
exec(code_of(sys.argv[1]), names)
check("the page's code prints one table", len(printed) == 1)
check_means(printed[0], sys.argv[2])
check_scores(names["fid"], sys.argv[3])
check_parquet(names["fid"])

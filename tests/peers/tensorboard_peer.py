"""tensorboard_peer.py - what tensorboard's own package reads in the event files that ablate exported.

    python3 tests/peers/tensorboard_peer.py DATABASE EVENTS     (ci/python.sh makes both; tests/peers/python.txt)

Each folder holds the curves and scores of one cell and no other, in order of steps, each value the float32 nearest to
the database's double, at the time when the attempt began. Prints one line per check; the exit code is the verdict."""
import datetime
import os
import sqlite3
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

CURVES = "SELECT 'train/' || name, step, value FROM v_curve WHERE attempt = ? ORDER BY name, step"
SCORES = """SELECT 'score/' || name || '@' || nfe || ' ' || weights, step, avg(value) FROM metric WHERE attempt = ?
    GROUP BY name, nfe, weights, step"""


def check(what, holds):
    print(("ok   " if holds else "FAIL ") + what)
    if not holds:
        sys.exit(1)


def float32(x):
    """The bits, so that a NaN equals itself; NULL is how the database has a NaN."""
    return struct.pack("<f", float("nan") if x is None else x)


def recorded(db, attempt):
    tags = {}
    for sql in CURVES, SCORES:
        for tag, step, value in db.execute(sql, (attempt,)):
            tags.setdefault(tag, []).append((step, float32(value)))
    return tags


def check_cell(db, folder, attempt, started):
    events = EventAccumulator(folder, size_guidance={"scalars": 0})
    events.Reload()
    read = {tag: [(e.step, float32(e.value)) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    ours = recorded(db, attempt)
    name = os.path.basename(folder)
    check("%s: %s" % (name, ", ".join(sorted(read))),
          set(read) == set(ours) and {"train/loss", "score/fid@1 ema"} < set(read))
    check("%s: %d values, each the database's as float32" % (name, sum(map(len, read.values()))), read == ours)
    began = datetime.datetime.fromisoformat(started).timestamp()
    check("%s: at the time of the attempt" % name,
          all(abs(e.wall_time - began) < 1e-3 for tag in read for e in events.Scalars(tag)))


db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
cells = db.execute("""SELECT substr(a.cell, 1, 8), a.attempt, a.started, c.seed
    FROM v_attempt a JOIN cell c ON c.hash = a.cell ORDER BY 1""").fetchall()
folders = {f[-8:]: f for f in os.listdir(sys.argv[2])}
check("a folder for each of %d cells" % len(cells), set(folders) == {c[0] for c in cells} and len(cells) == 4)
for cell, attempt, started, seed in cells:
    check("%s names its seed" % folders[cell], "-seed%d-" % seed in folders[cell])
    check_cell(db, os.path.join(sys.argv[2], folders[cell]), attempt, started)

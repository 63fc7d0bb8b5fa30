"""Runs in two small files that can be kept beside a document: ``NAME.csv`` and ``NAME.npz``.

The csv has a row for each run; its last column, ``about``, is filled in the first row only and
holds experiment, data, contrasts and names of classes as JSON. The npz has the bits that say which
items were right.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rnnrepair.atomic import write_file
from rnnrepair.errors import DataError
from rnnrepair.record import Contrast, smallest
from rnnrepair.runs.comparison.metrics import metric_table
from rnnrepair.runs.comparison.runs import (
    SUMMARY_METRICS,
    About,
    Answers,
    Run,
    Runs,
    merged,
)

_TEXTS = ("arm", "base", "about")


def export_files(name: Path) -> tuple[Path, Path]:
    """Return csv and npz of an export; the name may have the ending .csv."""
    stem = name.name.removesuffix(".csv")
    return name.with_name(f"{stem}.csv"), name.with_name(f"{stem}.npz")


def write_export(runs: Runs, name: Path) -> Runs:
    """Write runs, together with those that the files hold already, and return all of them.

    Where both have an arm and seed, the run given here replaces the older one.

    Raises:
        DataError: the files hold runs that may not be compared with these.
    """
    table_file, bits_file = export_files(name)
    if table_file.exists() or bits_file.exists():
        runs = merged(read_export(name), runs)
    with write_file(bits_file) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **_to_arrays(runs))
    with write_file(table_file) as draft:
        _to_table(runs).to_csv(draft, index=False)
    return runs


def read_export(name: Path) -> Runs:
    """Return the runs of an export.

    Raises:
        DataError: a file is missing or damaged, or they do not belong together.
    """
    table_file, bits_file = export_files(name)
    if not (table_file.is_file() and bits_file.is_file()):
        raise DataError(
            f"{name} is neither a folder of runs nor exported runs: expected the files "
            f"{table_file} and {bits_file}, as compare.py FOLDER --export {name} makes them."
        )
    try:
        table = _read_table(table_file)
        with np.load(bits_file, allow_pickle=False) as file:
            runs = _from_arrays(table, {key: file[key] for key in file.files}, str(table_file))
        written = table.drop(columns=[*_TEXTS, "seed"])
        computed = metric_table(runs)[list(written)].loc[list(_keys(table))]
        same = np.array_equal(written.to_numpy(), computed.to_numpy(), equal_nan=True)
    except (OSError, zipfile.BadZipFile, KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(
            f"{table_file} and {bits_file} cannot be read as exported runs ({error}): restore "
            f"both, or delete both and export again."
        ) from error
    if not same:
        raise DataError(
            f"{table_file} and {bits_file} do not belong together: the numbers of the table are "
            "not those of the items. Restore both, or delete both and export again."
        )
    return runs


def _to_table(runs: Runs) -> pd.DataFrame:
    table = metric_table(runs).reset_index()
    table["base"] = [run.base for run in runs]
    table["about"] = [json.dumps(asdict(runs.about)), *[""] * (len(runs) - 1)]
    return table


def _read_table(path: Path) -> pd.DataFrame:
    # As text, because arms may be called None or NA and digests may look like numbers; float() of
    # what to_csv wrote is the very number.
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    numbers = [column for column in table if column not in _TEXTS]
    return table.assign(
        **{column: [float(text or "nan") for text in table[column]] for column in numbers}
    )


def _keys(table: pd.DataFrame) -> list[tuple[str, int]]:
    return [(str(arm), int(seed)) for arm, seed in zip(table["arm"], table["seed"], strict=True)]


def _to_arrays(runs: Runs) -> dict[str, Any]:
    """Return what the npz holds.

    Of each split: ``items`` (numbers of items of the seeds, or one for all seeds if they share
    their items), ``index_steps`` (differences of successive indices) and ``label``, seed behind
    seed; ``before`` (bits of the seeds) and ``changed`` (bits of the runs: where right and wrong
    are not as before, which are few and so take little space). ``group``, as ``label``, only where
    items have groups.
    """
    arrays: dict[str, Any] = {
        "arm": np.array([run.arm for run in runs]),
        "seed": np.array([run.seed for run in runs]),
    }
    for split in runs.splits:
        seeds = [runs.answers_of_seed(seed, split) for seed in runs.seeds]
        kept = seeds[:1] if runs.items_shared(split) else seeds
        steps = [np.diff(answers.index, prepend=0) for answers in kept]
        changed = [run.splits[split].before ^ run.splits[split].after for run in runs]
        parts = {
            "items": np.array([len(answers.index) for answers in kept]),
            "index_steps": smallest(np.concatenate(steps)),
            "label": smallest(np.concatenate([answers.label for answers in kept])),
            "before": np.packbits(np.concatenate([answers.before for answers in seeds])),
            "changed": np.packbits(np.concatenate(changed)),
        }
        if any(answers.group is not None for answers in kept):
            parts["group"] = smallest(np.concatenate([_numbered_group(of) for of in kept]))
        arrays |= {f"{split}/{name}": array for name, array in parts.items()}
    return arrays


def _from_arrays(table: pd.DataFrame, arrays: Mapping[str, np.ndarray], origin: str) -> Runs:
    (about,) = (text for text in table["about"] if text)
    shared = _about(about)
    rows = dict(zip(_keys(table), table.to_dict("records"), strict=True))
    keys = [(str(a), int(s)) for a, s in zip(arrays["arm"], arrays["seed"], strict=True)]
    if set(keys) != set(rows) or len(rows) != len(table):
        raise ValueError("they hold different runs")
    names = sorted({key.partition("/")[0] for key in arrays if "/" in key})
    splits = {split: _answers(split, arrays, keys) for split in names}
    return Runs(
        Run(
            arm=key[0],
            seed=key[1],
            about=shared,
            base=rows[key]["base"],
            values={name: float(rows[key].get(name, "nan")) for name in SUMMARY_METRICS},
            splits={split: answers[key] for split, answers in splits.items()},
            origin=origin,
        )
        for key in keys
    )


def _about(text: str) -> About:
    told = json.loads(text)
    contrasts = tuple(Contrast(**contrast) for contrast in told["contrasts"])
    return About(told["experiment"], told["data"], contrasts, tuple(told.get("class_names", ())))


def _answers(
    split: str, arrays: Mapping[str, np.ndarray], keys: list[tuple[str, int]]
) -> dict[tuple[str, int], Answers]:
    """Return the answers of every run on one test split."""
    seeds = sorted({seed for _, seed in keys})
    sizes = [int(size) for size in arrays[f"{split}/items"]]
    indices = [np.cumsum(s) for s in _cut(arrays[f"{split}/index_steps"].astype(np.int64), sizes)]
    labels = _cut(arrays[f"{split}/label"].astype(np.int64), sizes)
    if len(sizes) == 1:
        sizes, indices, labels = sizes * len(seeds), indices * len(seeds), labels * len(seeds)
    before = _cut(_unpacked(arrays[f"{split}/before"], sum(sizes)), sizes)
    groups = _groups(split, arrays, sizes)
    of_seed = {
        seed: Answers(index, label, right, right, group)
        for seed, index, label, right, group in zip(
            seeds, indices, labels, before, groups, strict=True
        )
    }
    run_sizes = [len(of_seed[seed].index) for _, seed in keys]
    changed = _cut(_unpacked(arrays[f"{split}/changed"], sum(run_sizes)), run_sizes)
    return {
        key: replace(known, after=known.before ^ differs)
        for key, differs in zip(keys, changed, strict=True)
        if (known := of_seed[key[1]])
    }


def _numbered_group(answers: Answers) -> np.ndarray:
    """Return the (N,) groups as small numbers, each item its own where nobody knows."""
    given = answers.index if answers.group is None else answers.group
    return np.asarray(pd.factorize(given)[0])


def _groups(
    split: str, arrays: Mapping[str, np.ndarray], sizes: list[int]
) -> Sequence[np.ndarray | None]:
    """Return the groups of the items of each seed, None where the export has none."""
    packed = arrays.get(f"{split}/group")
    if packed is None:
        return [None] * len(sizes)
    kept = [len(packed)] if len(packed) != sum(sizes) else sizes
    groups = _cut(packed.astype(np.int64), kept)
    return groups if len(groups) == len(sizes) else groups * len(sizes)


def _unpacked(packed: np.ndarray, count: int) -> np.ndarray:
    if len(packed) != -(-count // 8):
        raise ValueError(f"{count} bits expected, {len(packed)} bytes found")
    return np.unpackbits(packed, count=count).astype(bool)


def _cut(array: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """Return successive parts of an array, of the given sizes."""
    if sum(sizes) != len(array):
        raise ValueError(f"{sum(sizes)} entries expected, {len(array)} found")
    return np.split(array, np.cumsum(sizes)[:-1])

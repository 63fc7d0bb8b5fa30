"""What the rows of the backdoor study say of several seeds."""

from collections.abc import Mapping, Sequence

import pandas as pd

from rnnrepair.influence import SegmentCues
from rnnrepair.paired import PAIRED, holm, interval, paired_difference
from rnnrepair.studies.poison_repair import REPAIRS
from rnnrepair.studies.printed import CONTRAST_HEADER, Printed, between, contrast_cells
from rnnrepair.studies.seeds import refuse_twice, rows_of_seeds

# Tables of rows, which seeds have in common.
ROWS = ("found", "repairs", "fixes")
# Those without which nothing can be told, of rows that were kept.
NEEDED = ("found",)
# Who is compared with all others.
OURS = SegmentCues.name
# What the network after a repair is measured by.
MEASURED = ("guided", "random", "test_accuracy")


def merged(studies: Sequence[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Return the rows of several seeds, and the tables that they make.

    ``methods``: a row for each method: seeds, means of the poison found and expected by chance, of
    AUC and of seconds. ``contrasts``: segment cues against every other method in each number of
    samples looked at: mean difference with its t interval, p of the sign-flip test over seeds and
    Holm's over all rows. ``after``: a row for each repair and way of training: seeds, and means of
    ``MEASURED`` with t intervals; only where something was repaired.

    Args:
        studies: tables of each seed.

    Raises:
        DataError: two of them are of one seed.
    """
    rows = rows_of_seeds(studies, ROWS)
    found = rows["found"]
    refuse_twice(found, ["method", "seed"])
    tables = {**rows, "methods": _methods(found), "contrasts": _contrasts(found)}
    return tables | ({"after": _after(rows["repairs"])} if "repairs" in rows else {})


def _methods(found: pd.DataFrame) -> pd.DataFrame:
    by_method = found.drop(columns="seed").groupby("method", sort=False)
    seeds = found.groupby("method", sort=False)["seed"].count().rename("seeds")
    return pd.concat([seeds, by_method.mean()], axis=1).reset_index()


def _contrasts(found: pd.DataFrame) -> pd.DataFrame:
    by_method = {name: own.set_index("seed") for name, own in found.groupby("method", sort=False)}
    rows = []
    for against in (name for name in by_method if name != OURS and OURS in by_method):
        for metric in _looked_at(found):
            pair = pd.concat([by_method[OURS][metric], by_method[against][metric]], axis=1)
            told = paired_difference(*pair.to_numpy(float).T)
            rows.append({"metric": metric, "against": against, **told})
    made = pd.DataFrame(rows, columns=["metric", "against", *PAIRED])
    return made.assign(p_holm=holm(made["p"].to_numpy(float)) if len(made) else [])


def _after(repairs: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (repair, training), own in repairs.groupby(["repair", "training"], sort=False):
        row = {"repair": repair, "training": training, "seeds": len(own)}
        for name in MEASURED:
            low, high = interval(own[name].to_numpy(float))
            row |= {name: own[name].mean(), f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def _looked_at(found: pd.DataFrame) -> list[str]:
    """Return the columns of the poison found among the first samples."""
    return [name for name in found if str(name).startswith("found_in_")]


def shown(tables: Mapping[str, pd.DataFrame]) -> list[Printed]:
    """Return what people read of methods, contrasts and repairs, all numbers written out."""
    columns = _looked_at(tables["methods"])
    numbers = [name.removeprefix("found_in_") for name in columns]
    methods = [
        [
            str(row["method"]),
            str(row["seeds"]),
            *(f"{row[name]:.1f}" for name in columns),
            f"{row['auc']:.3f}",
            f"{row['seconds']:.1f}",
        ]
        for row in tables["methods"].to_dict("records")
    ]
    contrasts = [
        [
            str(row["against"]),
            row["metric"].removeprefix("found_in_"),
            str(row["pairs"]),
            *contrast_cells(row, digits=1),
        ]
        for row in tables["contrasts"].to_dict("records")
    ]
    in_first = [f"in the first {n}" for n in numbers]
    made = [
        Printed(
            "Poison found, means over seeds",
            ["method", "seeds", *in_first, "AUC", "seconds"],
            methods,
        ),
        Printed(
            f"Poison found: {OURS} minus others",
            ["against", "in the first", "pairs", *CONTRAST_HEADER],
            contrasts,
        ),
    ]
    return [*made, _shown_after(tables["after"])] if "after" in tables else made


def _shown_after(after: pd.DataFrame) -> Printed:
    rows = []
    for row in after.to_dict("records"):
        cells = []
        for name in MEASURED:
            ends = between(row[f"{name}_low"], row[f"{name}_high"], ".3f")
            cells.append(f"{row[name]:.3f} ({ends})")
        rows.append([str(row["repair"]), str(row["training"]), str(row["seeds"]), *cells])
    header = ["repair", "training", "seeds", "guided attacks", "random attacks", "test accuracy"]
    return Printed("What attacks still do (95 % over seeds)", header, rows, keys=2)


def told(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Say who finds most, and which repair leaves least of the attack."""
    methods, last = tables["methods"], _looked_at(tables["methods"])[-1]
    best = methods.loc[methods[last].idxmax()]
    said = [
        f"Most poison among the {last.removeprefix('found_in_')} most suspicious samples: "
        f"{best['method']}, {best[last]:.1f} ({best['seeds']} seeds)."
    ]
    after = tables.get("after", pd.DataFrame({"repair": []}))
    # The controls know the poison, or repair nothing.
    repaired = after[after["repair"].isin(REPAIRS)]
    if len(repaired):
        least = repaired.loc[repaired["guided"].idxmin()]
        said.append(
            f"Least of the attack is left by {least['repair']} ({least['training']}): "
            f"{least['guided']:.0%} of guided attacks, accuracy {least['test_accuracy']:.4f}."
        )
    return said

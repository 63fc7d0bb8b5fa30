"""What the rows of the mislabel study say of several seeds."""

from collections.abc import Mapping, Sequence

import pandas as pd

from rnnrepair.paired import PAIRED, holm, interval, paired_difference
from rnnrepair.studies.printed import CONTRAST_HEADER, Printed, between, contrast_cells
from rnnrepair.studies.seeds import refuse_twice, rows_of_seeds

# Tables of rows, which seeds have in common.
ROWS = ("mislabel", "restored")
# Those without which nothing can be told, of rows that were kept.
NEEDED = ("mislabel",)
# Who is compared with all others.
OURS = "suspicion"
KEYS = ["method", "by", "flips"]


def merged(studies: Sequence[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Return the rows of several seeds, and two tables that they make.

    ``methods``: a row for each method, way and kind of flips: seeds, mean AUC with its t interval,
    means of shares found and of seconds. ``contrasts``: suspicion against every other row of the
    same kind of flips, in AUC and in the share found at the rate: difference with its t interval,
    p of the sign-flip test over seeds and Holm's over all rows.

    Args:
        studies: tables of each seed.

    Raises:
        DataError: two of them are of one seed.
    """
    rows = rows_of_seeds(studies, ROWS)
    table = rows["mislabel"]
    refuse_twice(table, [*KEYS, "seed"])
    return {**rows, "methods": _methods(table), "contrasts": _contrasts(table)}


def _methods(table: pd.DataFrame) -> pd.DataFrame:
    found = []
    for key, own in table.groupby(KEYS, sort=False):
        low, high = interval(own["auc"].dropna().to_numpy())
        means = own[["auc", *_shares(table), "seconds"]].mean().to_dict()
        named = dict(zip(KEYS, key, strict=True))
        found.append({**named, "seeds": len(own), **means, "auc_low": low, "auc_high": high})
    return pd.DataFrame(found)


def _contrasts(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for flips, own in table.groupby("flips", sort=False):
        ours = own[(own["method"] == OURS) & (own["by"] == "itself")].set_index("seed")
        others = own[own["method"] != OURS]
        for (method, by), other in others.groupby(["method", "by"], sort=False):
            for metric in ("auc", "found_at_rate"):
                pair = pd.concat([ours[metric], other.set_index("seed")[metric]], axis=1)
                named = {"flips": flips, "metric": metric, "against": method, "by": by}
                rows.append(named | paired_difference(*pair.to_numpy(float).T))
    made = pd.DataFrame(rows, columns=["flips", "metric", "against", "by", *PAIRED])
    return made.assign(p_holm=holm(made["p"].to_numpy(float)) if len(made) else [])


def _shares(table: pd.DataFrame) -> list[str]:
    return [name for name in table if str(name).startswith("found_at_")]


def shown(tables: Mapping[str, pd.DataFrame]) -> list[Printed]:
    """Return what people read of the methods and of the contrasts, all numbers written out."""
    made = []
    shares = _shares(tables["methods"])
    for flips, own in tables["methods"].groupby("flips", sort=False):
        rows = [
            [
                str(row["method"]),
                str(row["by"]),
                f"{row['auc']:.4f}",
                between(row["auc_low"], row["auc_high"], ".4f"),
                *(f"{row[share]:.3f}" for share in shares),
                f"{row['seconds']:.2f}",
            ]
            for row in own.sort_values("auc", ascending=False).to_dict("records")
        ]
        heads = [share.removeprefix("found_at_").replace("rate", "the rate") for share in shares]
        found = [f"found at {head}" for head in heads]
        header = ["method", "by", "AUC", "95 % over seeds", *found, "seconds"]
        made.append(Printed(f"Of {flips} wrong labels", header, rows))
    for flips, own in tables["contrasts"].groupby("flips", sort=False):
        rows = [
            [
                f"{row['against']} (by {row['by']})",
                str(row["metric"]),
                str(row["pairs"]),
                *contrast_cells(row, digits=4),
            ]
            for row in own.to_dict("records")
        ]
        header = ["against", "metric", "pairs", *CONTRAST_HEADER]
        made.append(Printed(f"{OURS} minus others, {flips} wrong labels", header, rows))
    return made


def told(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Say of each kind of flips who tells most, and where suspicion stands."""
    said = []
    for flips, own in tables["methods"].groupby("flips", sort=False):
        own = own.dropna(subset="auc")
        if own.empty:
            said.append(f"No seed has {flips} wrong labels.")
            continue
        best = own.loc[own["auc"].idxmax()]
        ends = between(best["auc_low"], best["auc_high"], ".4f")
        said.append(
            f"Of {flips} wrong labels {best['method']} (by {best['by']}) tells most: AUC "
            f"{best['auc']:.4f} ({ends}); {best['found_at_rate']:.1%} are among "
            f"as many as there are wrong ones ({best['seeds']} seeds)."
        )
        ours = own[own["method"] == OURS]
        if len(ours) and best["method"] != OURS:
            row = ours.iloc[0]
            said.append(f"{OURS}: AUC {row['auc']:.4f}, {row['found_at_rate']:.1%}.")
    return said

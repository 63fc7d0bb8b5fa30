"""What the rows of the validity study say; those of several seeds may be put together first."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from rnnrepair.paired import holm, interval_within, sign_flip_p
from rnnrepair.studies.printed import CONTRAST_HEADER, Printed, contrast_cells
from rnnrepair.studies.seeds import refuse_twice, rows_of_seeds

# Tables of rows, which seeds have in common; all others are made of them.
ROWS = ("overlap", "lds", "removal", "cost")
# Those without which nothing can be told, of rows that were kept; contrasts name the controls.
NEEDED = ("removal", "cost", "contrasts")
# A method is believed below this, and affordable up to this share of an epoch.
LEVEL = 0.01
AFFORDABLE = 0.5


def effects(removal: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each seed, method and failure: how far its loss moves the right way.

    Columns: seed, method, failure, harmful (by how much the loss falls without the harmful
    samples), helpful (by how much it rises without the helpful ones), effect (the mean of both).

    Args:
        removal: columns seed, method, failure, direction, change.
    """
    keys = ["seed", "method", "failure"]
    # The order of the methods is kept.
    wide = removal.pivot_table(
        index=keys, columns="direction", values="change", sort=False
    ).reset_index()
    wide["harmful"] = -wide["harmful"]
    wide["effect"] = (wide["harmful"] + wide["helpful"]) / 2
    return wide[[*keys, "harmful", "helpful", "effect"]].rename_axis(columns=None)


def method_table(rows: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row for each method: means over failures, with intervals (see ``interval_within``).

    Columns: method, overlap and chance (with exact TracIn), lds, effect (each with _low and _high),
    harmful, helpful, seconds, epochs (what it costs as a share of an epoch).

    Args:
        rows: tables of ``ROWS``; ``overlap`` and ``lds`` may be missing.
    """
    effect = effects(rows["removal"])
    table = pd.DataFrame({"method": effect["method"].unique()}).set_index("method")
    for name in ("overlap", "lds"):
        if name in rows:
            table = table.join(_means(rows[name], name))
    if "overlap" in rows:
        table = table.join(rows["overlap"].groupby("method")["chance"].mean())
    table = table.join(effect.groupby("method")[["harmful", "helpful"]].mean())
    table = table.join(_means(effect, "effect"))
    return table.join(rows["cost"].groupby("method")[["seconds", "epochs"]].mean()).reset_index()


def _means(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    found = {}
    for method, own in rows.groupby("method"):
        values = own[column].to_numpy(float)
        low, high = interval_within(values, own["seed"].to_numpy())
        found[method] = {column: values.mean(), f"{column}_low": low, f"{column}_high": high}
    return pd.DataFrame.from_dict(found, orient="index")


def contrast_table(removal: pd.DataFrame, against: Sequence[str]) -> pd.DataFrame:
    """Return a row for each method and control: does it move losses further the right way?

    Columns: of, against, pairs (failures), difference (of effects, mean), low, high (failures drawn
    anew within seeds), p (sign-flip test over failures), p_holm (over all rows).

    Args:
        removal: see ``effects``.
        against: the controls.
    """
    effect = effects(removal).set_index(["seed", "failure"])
    by_method = {method: own["effect"] for method, own in effect.groupby("method", sort=False)}
    rows = []
    for of in (method for method in by_method if method not in against):
        for control in against:
            pair = pd.concat(
                [by_method[of], by_method[control]], axis=1, keys=["of", "by"]
            ).dropna()
            difference = (pair["of"] - pair["by"]).to_numpy()
            low, high = interval_within(difference, pair.index.get_level_values("seed").to_numpy())
            p = sign_flip_p(pair["of"].to_numpy(), pair["by"].to_numpy())
            rows.append((of, control, len(pair), difference.mean(), low, high, p))
    columns = ["of", "against", "pairs", "difference", "low", "high", "p"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(p_holm=holm(table["p"].to_numpy(float)) if len(table) else [])


def summarised(rows: Mapping[str, pd.DataFrame], against: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return all tables of the study: the rows, and what they say."""
    return {
        "validity": method_table(rows),
        "contrasts": contrast_table(rows["removal"], against),
        **rows,
    }


def merged(studies: Sequence[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Return the tables of several seeds as those of one study.

    Args:
        studies: what ``summarised`` returned for each.

    Raises:
        DataError: two of them are of one seed.
    """
    against = list(dict.fromkeys(c for s in studies for c in s["contrasts"]["against"]))
    rows = rows_of_seeds(studies, ROWS)
    refuse_twice(rows["removal"], ["seed", "method", "failure", "direction"])
    return summarised(rows, against)


def shown(tables: Mapping[str, pd.DataFrame]) -> list[Printed]:
    """Return what people read of the methods and of the contrasts, all numbers written out."""
    columns = [name for name in ("overlap", "lds", "effect") if name in tables["validity"]]
    methods = [
        [
            str(row["method"]),
            *(
                f"{row[name]:+.3f} ({row[f'{name}_low']:+.3f} .. {row[f'{name}_high']:+.3f})"
                for name in columns
            ),
            f"{row['harmful']:+.3f}",
            f"{row['helpful']:+.3f}",
            f"{row['epochs']:.2f}",
        ]
        for row in tables["validity"].sort_values("effect", ascending=False).to_dict("records")
    ]
    contrasts = [
        [
            f"{row['of']} - {row['against']}",
            str(row["pairs"]),
            *contrast_cells(row, digits=3),
        ]
        for row in tables["contrasts"].to_dict("records")
    ]
    return [
        Printed(
            "What influence predicts, furthest first (95 % over failures within seeds)",
            ["method", *columns, "harmful", "helpful", "epochs"],
            methods,
        ),
        Printed(
            "Differences of the effect",
            ["contrast", "failures", *CONTRAST_HEADER],
            contrasts,
        ),
    ]


def told(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Say which methods predict what a removal does, and which of them to take."""
    table, contrasts = tables["validity"].set_index("method"), tables["contrasts"]
    passed = []
    for method, own in contrasts.groupby("of", sort=False):
        if bool(((own["p_holm"] < LEVEL) & (own["difference"] > 0)).all()):
            passed.append(method)
    controls = ", ".join(dict.fromkeys(contrasts["against"]))
    said = [
        f"Better than {controls} (p < {LEVEL} after Holm, failure by failure): "
        f"{', '.join(passed) or 'no method'}."
    ]
    best = table["effect"].idxmax()
    said.append(f"Furthest the right way: {best}, {_effect_of(table, best)}.")
    cheap = [method for method in passed if table.loc[method, "epochs"] <= AFFORDABLE]
    if cheap:
        first = table.loc[cheap, "effect"].idxmax()
        said.append(
            f"First of those that cost at most {AFFORDABLE} epochs: {first}, "
            f"{_effect_of(table, first)}."
        )
    else:
        said.append(f"None of those costs at most {AFFORDABLE} epochs.")
    return said


def _effect_of(table: pd.DataFrame, method: str) -> str:
    low, mean, high = table.loc[method, ["effect_low", "effect", "effect_high"]]
    epochs = np.asarray(table.loc[method, "epochs"]).item()
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f}) of loss for {epochs:.2f} epochs"

"""Rows of several seeds, and what must not be taken for seeds."""

from collections.abc import Mapping, Sequence

import pandas as pd

from rnnrepair.errors import DataError


def rows_of_seeds(
    studies: Sequence[Mapping[str, pd.DataFrame]], names: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Return the rows of several seeds in one table each, by the names of those that any has."""
    return {
        name: pd.concat([s[name] for s in studies if name in s], ignore_index=True)
        for name in names
        if any(name in s for s in studies)
    }


def refuse_twice(rows: pd.DataFrame, keys: Sequence[str]) -> None:
    """Refuse rows of two runs of one seed: these differ in something else.

    Args:
        rows: of runs that are put together, with a column ``seed``.
        keys: columns that tell the rows of a run apart, with the seed.

    Raises:
        DataError: names the seeds.
    """
    twice = sorted(rows.loc[rows.duplicated(list(keys)), "seed"].unique().tolist())
    if twice:
        raise DataError(
            f"Several runs have seed {', '.join(map(str, twice))}: they differ in more than their "
            "seed. Put the runs of each setting together by themselves, in a folder of their own."
        )

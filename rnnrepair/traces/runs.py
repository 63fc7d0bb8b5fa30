"""Runs of steps that many traces share, so that what is added up for one is added up for all."""

import torch
from torch import Tensor


def merge_runs(member: Tensor, n_rows: int) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """Join neighbouring runs, level by level.

    Args:
        member: (N, T) int64, row of each step in a table with a row for every (step, code).
        n_rows: rows of that table.

    Returns:
        The levels, each the rows of the table of the level below that make up its different runs,
        (E,) int32 one run behind the other, and where each run starts, (U,) int32; and (N, R)
        int64 rows of each trace in the topmost table.
    """
    levels: list[tuple[Tensor, Tensor]] = []
    while member.shape[1] > 1:
        patterns, members, first = [], [], 0
        for run in member.split(2, dim=1):
            powers = n_rows ** torch.arange(run.shape[1])
            keys, joined = torch.unique((run * powers).sum(1), return_inverse=True)
            patterns.append((keys[:, None] // powers % n_rows).int())
            members.append(joined + first)
            first += len(keys)
        saved = len(member) * (member.shape[1] - len(members))
        if 2 * first >= saved:
            break
        # One table for all runs of a level: joining tables would write each of them twice.
        sizes = torch.cat([torch.full((len(p),), p.shape[1]) for p in patterns])
        starts = (sizes.cumsum(0) - sizes).int()
        levels.append((torch.cat([p.flatten() for p in patterns]), starts))
        member, n_rows = torch.stack(members, 1), first
    return levels, member

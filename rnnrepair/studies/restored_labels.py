"""What becomes of a network once the wrong labels that somebody has found are put right."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor

from rnnrepair.network import Predictions
from rnnrepair.sequences import Changes
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.training import Retraining, Train

# Sequences that are predicted at once.
AT_ONCE = 500


def restored_labels(
    run: FinishedRun,
    train: Train,
    ranked: Mapping[str, Tensor],
    shares: Sequence[float],
    true_labels: Callable[[Tensor], Tensor],
) -> pd.DataFrame:
    """Train again from the same weights, with true labels where wrong ones were found.

    A row for each method and share: the first samples of the method's order, that share of all, are
    looked at, and the wrong labels among them are put right. Equal sets are trained on once. Two
    further rows, ``nothing`` (share 0) and ``everything`` (share 1), are the bounds.

    Columns: method, share, restored, accuracy (on test), repaired (of the test failures of
    ``nothing``, which part is right), newly_broken (a number).

    Args:
        run: finished.
        train: trains its network again.
        ranked: (N,) indices of the training samples by the name of a method, most suspicious first.
        shares: of the training samples, looked at.
        true_labels: returns those of (n,) indices.
    """
    fit = run.data.indices("fit")
    label = run.data.fetch(fit).label
    true = true_labels(fit)
    sets: dict[tuple[int, ...], Changes] = {}
    cases: list[tuple[str, float, tuple[int, ...]]] = []
    looked = [("nothing", 0.0, fit[:0]), ("everything", 1.0, fit)]
    looked += [
        (name, share, index[: round(share * len(index))])
        for name, index in ranked.items()
        for share in shares
    ]
    for name, share, seen in looked:
        mended = (true != label) & torch.isin(fit, seen)
        key = tuple(fit[mended].tolist())
        sets.setdefault(key, Changes(relabelled=fit[mended], new_label=true[mended]))
        cases.append((name, share, key))
    seed = run.settings.seed
    networks = train([Retraining(changes, seed) for changes in sets.values()])
    test = run.data.indices("test").split(AT_ONCE)
    bar = run.progress(networks, "Asking networks of mended labels")
    said = {
        key: network.predict(map(run.data.fetch, test))
        for key, network in zip(sets, bar, strict=True)
    }
    base = said[()]
    return pd.DataFrame(
        [
            {"method": name, "share": share, "restored": len(key), **_against(said[key], base)}
            for name, share, key in cases
        ]
    )


def _against(now: Predictions, base: Predictions) -> dict[str, float]:
    """Return what has changed on the test split."""
    right, was = now.predicted == now.label, base.predicted == base.label
    repaired = float((right & ~was).sum()) / max(int((~was).sum()), 1)
    return {
        "accuracy": float(right.float().mean()),
        "repaired": repaired,
        "newly_broken": int((~right & was).sum()),
    }

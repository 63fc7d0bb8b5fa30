"""The validity study as users run it: its networks are trained as the run was."""

import pandas as pd

from tests.integration.conftest import train


def test_a_run_ends_with_the_study_and_can_be_put_together(quick):
    few = [f"study.validity.{name}" for name in ("failures=2", "top=10", "halves=3", "compared=6")]
    fewer = ["study.validity.half_epochs=1", "study.validity.epochs=1"]
    gone = [
        f"~study.validity.methods.{name}"
        for name in ("overlap", "tracin_cosine", "label", "koh_liang")
    ]
    k = ["study.validity.n_components=12"]
    cfg = quick("callbacks=default", "study=validity", *few, *fewer, *gone, *k)
    train(cfg)
    folder = f"{cfg.paths.output_dir}/study/validity"
    removal = pd.read_csv(f"{folder}/removal.csv")
    methods = list(cfg.study.validity.methods)
    assert removal["method"].unique().tolist() == methods
    assert len(removal) == len(methods) * 2 * 2
    assert removal["change"].abs().max() > 0
    # All failures were looked at after the same continuation.
    assert removal.groupby("failure")["loss_going_on"].nunique().eq(1).all()
    table = pd.read_csv(f"{folder}/validity.csv").set_index("method")
    assert table.loc["tracin", "overlap"] == 1
    assert table["lds"].between(-1, 1).all()

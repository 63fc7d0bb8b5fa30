"""The mislabel study as users run it, and its seeds put together."""

import pandas as pd

from tests.integration.conftest import QUICK, composed, train


def test_a_run_ends_with_the_study(tmp_path):
    cfg = composed(
        "+experiment=mnist_mislabelled",
        *QUICK,
        f"paths.output_dir={tmp_path}",
        f"paths.cache_dir={tmp_path}/cache",
        "schedule.final_epochs=0",
        "schedule.base_epochs=4",
        "model.optimizer.lr=0.1",
        "study.mislabel.best=1",
        "study.mislabel.shares=[0.2]",
        "study.mislabel.n_components=12",
    )
    train(cfg)
    folder = f"{cfg.paths.output_dir}/study/mislabel"
    table = pd.read_csv(f"{folder}/mislabel.csv")
    assert table["method"].unique().tolist() == list(cfg.study.mislabel.methods)
    own = table[(table["flips"] == "all") & (table["by"] == "itself")].set_index("method")["auc"]
    assert own["suspicion"] > 0.9 > 0.6 > own["random"]
    curve = pd.read_csv(f"{folder}/restored.csv").set_index("method")["restored"]
    assert curve["everything"] == table["n"].max()

"""What W&B is sent: every key is of one kind."""

import importlib
import numbers
from contextlib import nullcontext

import pytest
from omegaconf import OmegaConf

from rnnrepair.callbacks.wandb.logger import wandb_logger
from rnnrepair.record import RunRecord, numbers_of, summary_of
from tests.integration.conftest import QUICK, composed, train

# The package has a function of that name.
main = importlib.import_module("rnnrepair.callbacks.launch.main")


@pytest.fixture
def sent(monkeypatch):
    """Kinds of what was logged, by key."""
    import wandb

    kinds = {}
    log = wandb.sdk.wandb_run.Run.log

    def remember(self, data, *arguments, **options):
        for key, value in data.items():
            kind = "number" if isinstance(value, numbers.Number) else type(value).__name__
            kinds.setdefault(key, set()).add(kind)
        return log(self, data, *arguments, **options)

    monkeypatch.setattr(wandb.sdk.wandb_run.Run, "log", remember)
    return kinds


def test_no_key_is_both_a_curve_and_a_table(sent, tmp_path):
    quick = [override for override in QUICK if not override.startswith("logger")]
    studies = ("study=[automaton,k_sweep]", "study.automaton.n_components=6")
    few = ("study.k_sweep.n_components=[4]", "study.k_sweep.reduction_dims=[3]")
    cfg = composed("+experiment=mnist_repair", *quick, "logger=wandb", *studies, *few)
    OmegaConf.update(cfg, "study.k_sweep.simnn_seeds", 1)
    cfg.paths.output_dir, cfg.paths.cache_dir = str(tmp_path / "run"), str(tmp_path / "cache")
    train(cfg)
    assert all(len(kinds) == 1 for kinds in sent.values()), sent
    tables = {key for key, kinds in sent.items() if kinds == {"Table"}}
    assert {"repair/ledger", "influence/samples", "study/k_sweep/k_sweep_table"} <= tables
    # What stands under a key is no folder of other keys, in which W&B would show both as one.
    for key in sent:
        assert not [other for other in sent if other.startswith(f"{key}/")], key
    # The numbers at the end are those of the summary, under the same names.
    record = RunRecord.load(tmp_path / "run")
    assert set(numbers_of(summary_of(record))) <= set(sent)


@pytest.mark.parametrize("failed", [False, True])
def test_a_failed_job_is_shown_as_failed(monkeypatch, tmp_path, failed):
    import wandb

    codes = []
    finish = wandb.sdk.wandb_run.Run.finish

    def remember(self, exit_code=None, **options):
        codes.append(exit_code)
        return finish(self, exit_code, **options)

    class Pretended:
        def train(self):
            if failed:
                raise RuntimeError("out of luck")
            return {}

    def build(cfg, extra):
        wandb_logger(str(tmp_path), "test", offline=True)
        return Pretended()

    monkeypatch.setattr(wandb.sdk.wandb_run.Run, "finish", remember)
    monkeypatch.setattr(main, "build", build)
    cfg = {"monitor": "accuracy", "paths": {"output_dir": str(tmp_path)}}
    with pytest.raises(RuntimeError) if failed else nullcontext():
        main.objective(OmegaConf.create(cfg))
    assert codes == [int(failed)]


def test_a_pattern_is_listed_with_its_failures_and_training_samples(monkeypatch, tmp_path):
    import wandb

    tables = {}
    log = wandb.sdk.wandb_run.Run.log

    def remember(self, data, *arguments, **options):
        tables.update(data)
        return log(self, data, *arguments, **options)

    monkeypatch.setattr(wandb.sdk.wandb_run.Run, "log", remember)
    quick = [override for override in QUICK if not override.startswith("logger")]
    finder = "{_target_: tests.integration.test_found_patterns.Eights}"
    cfg = composed(
        *("+experiment=mnist_repair", *quick, "logger=wandb", "repair.strategy=pattern"),
        f"+repair.strategies.pattern.finders=[{finder}]",
    )
    cfg.paths.output_dir, cfg.paths.cache_dir = str(tmp_path / "run"), str(tmp_path / "cache")
    train(cfg)
    (found,) = RunRecord.load(tmp_path / "run").repair.patterns
    (row,) = (
        dict(zip(tables["repair/patterns"].columns, values, strict=True))
        for values in tables["repair/patterns"].data
    )
    assert row["pattern"] == found.description == "is an eight"
    assert row["failures"] == len(found.failures) == len(row["failing_samples"].split(", "))
    assert row["injected"] == found.injected > 0
    assert f"val {found.splits['val'].before} to {found.splits['val'].after} of" in row["became"]
    assert [int(one.split(" ")[0]) for one in row["training_samples"].split(", ")] == [
        *found.samples
    ]

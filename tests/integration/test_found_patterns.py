"""A run that finds a pattern tells what became of it, on every split."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from pytorch_lightning import Callback

from rnnrepair.callbacks import RepairInjection
from rnnrepair.callbacks.launch import build
from rnnrepair.patterns import Candidate
from rnnrepair.record import RunRecord
from rnnrepair.repair import PatternRepair, read_ledger
from tests.integration.conftest import train, weights

# Eights, of the digits 3, 5 and 8.
EIGHT = 2


class Eights:
    """Says that failures have something in common, and that all eights have it."""

    name = "edit"

    def candidates(self, context, difficulty):
        chosen = context.failed.clone()
        parameters = {"edit": "rotation", "from": 0.8, "to": 0.9}
        return [Candidate("edit", "is an eight", chosen, parameters, context.originals[:5])]

    def refined(self, context, candidate, stratum):
        return candidate

    def again(self, context, parameters):
        return context.label == EIGHT


def test_samples_of_every_split_that_have_a_pattern_are_counted(quick):
    cfg = quick(
        "repair.strategy=pattern",
        "+repair.strategies.pattern.finders=[{_target_:"
        "tests.integration.test_found_patterns.Eights}]",
    )
    summary, _ = train(cfg)
    repair = RunRecord.load(Path(cfg.paths.output_dir)).repair
    (found,) = repair.patterns
    assert summary["patterns"][0]["description"] == found.description == "is an eight"
    # All failures of the first round have it, and those of later rounds that were among them.
    ledger = pd.read_csv(Path(cfg.paths.output_dir) / "ledger.csv")
    made_for = ledger.failure_id.isin(found.failures)
    assert found.injected == made_for.sum() > made_for[ledger["round"] == 1].sum()
    assert made_for[ledger["round"] == 1].all()
    assert len(found.failures) == found.splits["repair"].before == found.splits["repair"].samples
    for split in ("val", "test"):
        answers, told = repair.answers[split], found.splits[split]
        eights = answers.label == EIGHT
        assert told.samples == int(eights.sum())
        assert told.before == int((eights & (answers.before != EIGHT)).sum())
        assert told.after == int((eights & (answers.after != EIGHT)).sum())
    page = (Path(cfg.paths.output_dir) / "report.html").read_text()
    assert "is an eight" in page
    assert "What is taught" in page
    assert (Path(cfg.paths.output_dir) / "patterns.png").is_file()
    assert torch.isin(torch.tensor(found.failures), repair.answers["repair"].index).all()


def test_what_all_teachers_fail_at_is_taught_where_a_pattern_explains_it(quick):
    cfg = quick(
        *("repair.strategy=pattern", "repair.teachers=2", "repair.rounds=1"),
        "+repair.strategies.pattern.finders=[{_target_:"
        "tests.integration.test_found_patterns.Eights}]",
    )
    train(cfg)
    folder = Path(cfg.paths.output_dir)
    in_doubt = set(pd.read_csv(folder / "label_or_task.csv")["index"])
    assert in_doubt & set(pd.read_csv(folder / "ledger.csv")["failure_id"])


def test_a_new_network_is_taught_the_pattern_from_its_first_epoch_on(quick):
    cfg = quick(
        "repair.strategy=pattern_from_start",
        "repair.budget=60",
        "+repair.strategies.pattern_from_start.finders=[{_target_:"
        "tests.integration.test_found_patterns.Eights}]",
    )
    seen = Seen()
    summary, objects = train(cfg, seen)
    data, base = objects["datamodule"], cfg.schedule.base_epochs
    assert summary["stop_reason"] == "trained_anew"
    assert summary["injected"] == data.n_injected == len(data.indices("fit")) // 2
    fit, repair = (set(data.indices(split).tolist()) for split in ("fit", "repair"))
    own = [epoch for number, epoch in sorted(seen.epochs.items()) if number >= base]
    # As many samples in the epochs of its base as there were without the pattern.
    assert [len(epoch) for epoch in own[:base]] == [len(fit)] * base
    added = set(data.training_index().tolist()) - fit
    for epoch in own:
        assert added <= set(epoch)
    assert set().union(*own) == fit | repair | added
    assert summary["patterns"][0]["injected"] == summary["injected"]
    rows = read_ledger(Path(cfg.paths.output_dir) / "ledger.csv")
    assert all(row.redrawn and row.holds for row in rows)


class Nothing:
    """Finds nothing."""

    name = "edit"

    def candidates(self, context, difficulty):
        return []


def test_without_a_pattern_it_is_augmentation_with_the_same_edits(quick):
    options = ("augmentation.share=0.5", "edits.image.rotation=7", "augmentation.edit=image")
    anew = "repair.strategies.pattern_augments"
    nothing = "{_target_: tests.integration.test_found_patterns.Nothing}"
    sought = (
        "repair.strategy=pattern_augments",
        f"+{anew}.finders=[{nothing}]",
    )
    told, taught = train(quick(*options, *sought, folder="sought"))
    every = ("repair.strategy=augment", "repair.edit=every")
    _, augmented = train(quick(*options, *every, folder="augmented"))
    assert "patterns" not in told
    assert torch.equal(weights(taught["model"]), weights(augmented["model"]))


class Seen(Callback):
    """Remembers the samples of every epoch."""

    def __init__(self):
        self.epochs = {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.epochs.setdefault(trainer.current_epoch, []).extend(batch.index.tolist())


class Misteaching(PatternRepair):
    """Teaches what it has found by ordinary digits with wrong labels."""

    def propose(self, context, budget):
        made = super().propose(context, budget)
        wrong = made.region >= 0
        inputs = torch.where(wrong[:, None, None], context.fetch(made.parent).inputs, made.inputs)
        label = torch.where(wrong, (made.label + 1) % 3, made.label)
        # Not drawn anew, or they would be digits of the class that is said.
        region = torch.full_like(made.region, -1)
        return replace(made, inputs=inputs, label=label, region=region)


# The last round is judged at the end of its epochs, earlier ones by the next analysis; in the last
# schedule the end of training leaves one round of nine.
@pytest.mark.parametrize(
    "schedule",
    [
        ["repair.rounds=1"],
        ["repair.rounds=3"],
        ["repair.rounds=9", "schedule.total_epochs=6", "schedule.final_epochs=2"],
    ],
)
def test_a_pattern_that_costs_val_is_given_up_and_its_rounds_taken_back(quick, schedule):
    cfg = quick("repair.strategy=pattern", *schedule, "repair.budget=60")
    run = build(cfg)
    (injection,) = (c for c in run.callbacks if isinstance(c, RepairInjection))
    injection.strategy = Misteaching(finders=[Eights()])
    summary = run.train()
    rows = read_ledger(Path(cfg.paths.output_dir) / "ledger.csv")
    taken_back = {row.round for row in rows if not row.holds}
    # All rounds that have taught it, and none after them.
    inside = summary["patterns"][0]["failures"]
    taught = {row.round for row in rows if row.failure_id in inside and not row.holds}
    assert taught == taken_back == set(range(1, 1 + max(taken_back)))
    assert run.datamodule.n_injected == sum(row.holds for row in rows) == summary["injected"]
    assert [pattern.description for pattern in injection.strategy.given_up] == ["is an eight"]
    assert summary["patterns"][0]["injected"] == sum(
        row.injected and row.failure_id in inside for row in rows
    )
    assert any(note.startswith("Given up: is an eight.") for note in summary["notes"])

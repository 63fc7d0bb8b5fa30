"""A run that finds a pattern tells what became of it, on every split."""

from pathlib import Path

import pandas as pd
import torch

from rnnrepair.patterns import Candidate
from rnnrepair.record import RunRecord
from tests.integration.conftest import train


class Fours:
    """Says that the failures among fours have something in common, and that all fours have it."""

    name = "edit"

    def candidates(self, context, difficulty):
        chosen = context.failed.clone()
        parameters = {"edit": "rotation", "from": 0.8, "to": 0.9}
        return [Candidate("edit", "is a four", chosen, parameters, context.originals[:5])]

    def refined(self, context, candidate, difficulty):
        return candidate

    def again(self, context, parameters):
        return context.label == 4


def test_samples_of_every_split_that_have_a_pattern_are_counted(quick):
    cfg = quick(
        "repair.strategy=pattern",
        "+repair.strategies.pattern.finders=[{_target_:"
        "tests.integration.test_found_patterns.Fours}]",
    )
    summary, _ = train(cfg)
    repair = RunRecord.load(Path(cfg.paths.output_dir)).repair
    (found,) = repair.patterns
    assert summary["patterns"][0]["told"] == found.told == "is a four"
    # All failures of the first round have it, and those of later rounds that were among them.
    ledger = pd.read_csv(Path(cfg.paths.output_dir) / "ledger.csv")
    made_for = ledger.failure_id.isin(found.failures)
    assert found.injected == made_for.sum() > made_for[ledger["round"] == 1].sum()
    assert made_for[ledger["round"] == 1].all()
    assert len(found.failures) == found.splits["repair"].before == found.splits["repair"].samples
    for split in ("val", "test"):
        answers, told = repair.answers[split], found.splits[split]
        fours = answers.label == 4
        assert told.samples == int(fours.sum())
        assert told.before == int((fours & (answers.before != 4)).sum())
        assert told.after == int((fours & (answers.after != 4)).sum())
    page = (Path(cfg.paths.output_dir) / "report.html").read_text()
    assert "is a four" in page
    assert "What is taught" in page
    assert (Path(cfg.paths.output_dir) / "patterns.png").is_file()
    assert torch.isin(torch.tensor(found.failures), repair.answers["repair"].index).all()

"""The ledger: every injected sample can be explained and rebuilt."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnrepair.errors import ConfigurationError
from rnnrepair.repair import (
    ContrastRepair,
    FailureRepair,
    GuidedRepair,
    InfluenceRepair,
    InsertionRepair,
    LedgerRow,
    MutatedFailureRepair,
    ledger_rows,
    read_ledger,
    rebuild,
    write_ledger,
)
from rnnrepair.sequences import Changes, SampleNames

# What the samples of the case are called; the ledger keeps it beside their numbers.
NAMES = np.array([f"r{7 * i}" for i in range(1000)])


@pytest.fixture
def made(repair_case):
    """A guided round that was injected: the proposal, its new ids and its rows."""
    proposal = GuidedRepair().propose(repair_case.context, 3)
    new_id = repair_case.data.apply(Changes(proposal.inputs, proposal.lengths, proposal.label))
    influence = repair_case.context.evidence
    rows = ledger_rows(
        *(proposal, new_id, influence, repair_case.abstract, "guided", 4, 99),
        SampleNames(NAMES),
    )
    return proposal, new_id, rows


def test_sample_is_rebuilt_bit_for_bit_when_the_ledger_was_read_from_disk(
    repair_case, made, tmp_path
):
    write_ledger(made[2], tmp_path / "ledger.csv")
    for row in read_ledger(tmp_path / "ledger.csv"):
        child = repair_case.data.fetch(torch.tensor([row.new_id]))
        assert torch.equal(rebuild(row, repair_case.data), child.sequences()[0])
        assert row.label == child.label
        assert row.parent_name == NAMES[row.parent_id]
        assert row.failure_name == NAMES[row.failure_id]


@pytest.mark.parametrize(
    "strategy", [FailureRepair(), ContrastRepair(), InsertionRepair(), MutatedFailureRepair()]
)
def test_every_text_is_rebuilt_from_its_row(text_case, strategy):
    proposal = strategy.propose(text_case.context, 3)
    new_id = text_case.data.apply(Changes(proposal.inputs, proposal.lengths, proposal.label))
    rows = ledger_rows(
        proposal, new_id, text_case.context.evidence, text_case.abstract, strategy.name, 1, 0
    )
    assert len(rows) > 20
    for row in rows:
        (child,) = text_case.data.fetch(torch.tensor([row.new_id])).sequences()
        assert torch.equal(rebuild(row, text_case.data), child)
    strange = replace(rows[0], edit="conjure", parameters="{}")
    with pytest.raises(ConfigurationError, match=r"conjure.*hide"):
        rebuild(strange, text_case.data)


def test_rows_name_samples_by_index_when_positions_differ(repair_case, made):
    proposal, new_id, rows = made
    assert [row.new_id for row in rows] == new_id.tolist()
    assert [row.parent_id for row in rows] == proposal.parent.tolist()
    ids = repair_case.failures.index[proposal.failure].tolist()
    assert [row.failure_id for row in rows] == ids
    assert set(ids) <= set(repair_case.data.indices("repair").tolist())
    assert {(row.strategy, row.epoch, row.seed) for row in rows} == {("guided", 4, 99)}


def test_rows_aim_at_the_transition_that_leaves_the_truth(repair_case, made):
    failures, (proposal, _, rows) = repair_case.failures, made
    starts = 0
    for row, f in zip(rows, proposal.failure.tolist(), strict=True):
        a, b = failures.offsets[f : f + 2].tolist()
        states = [repair_case.abstract.start, *failures.state[a:b].tolist()]
        assert (row.state_from, row.state_to) == (states[row.step], states[row.step + 1])
        right = (failures.prediction[a:b] == failures.label[f]).tolist()
        assert not any(right[row.step :])
        assert row.step == 0 or right[row.step - 1]
        starts += row.step == 0
    assert 0 < starts < len(rows)


def test_ledger_is_the_same_when_written_and_read(made, tmp_path):
    path = tmp_path / "new folder" / "ledger.csv"
    write_ledger(made[2], path)
    assert read_ledger(path) == made[2]
    write_ledger(made[2][:2], path)
    assert read_ledger(path) == made[2][:2]
    assert [file.name for file in path.parent.iterdir()] == ["ledger.csv"]


def test_rows_tell_what_the_columns_say_and_without_columns_the_table_is_as_it_was(
    repair_case, made, tmp_path
):
    proposal, new_id, plain = made
    device = [f"d{i % 7}" for i in range(1000)]
    told = (proposal, new_id, repair_case.context.evidence, repair_case.abstract, "guided", 4, 99)
    rows = ledger_rows(*told, SampleNames(NAMES, columns={"device": device}))
    for row in rows:
        assert row.parent_columns == f"device=d{row.parent_id % 7}"
        assert row.failure_columns == f"device=d{row.failure_id % 7}"
    write_ledger(rows, tmp_path / "with.csv")
    assert read_ledger(tmp_path / "with.csv") == rows
    write_ledger(plain, tmp_path / "without.csv")
    header = (tmp_path / "without.csv").read_text().splitlines()[0]
    assert "columns" not in header
    assert (tmp_path / "with.csv").read_text().startswith(f"{header},parent_columns")


def test_ledger_keeps_its_header_when_empty(tmp_path):
    write_ledger([], tmp_path / "ledger.csv")
    assert read_ledger(tmp_path / "ledger.csv") == []
    assert (tmp_path / "ledger.csv").read_text().startswith("new_id,parent_id,failure_id")


def test_parameters_keep_every_bit_when_written_as_text(tmp_path):
    parameters = {"angle": 0.1 + 0.2, "noise_seed": float(2**31 - 1), "tiny": 1e-300}
    row = LedgerRow(1, 2, 3, 'a, "b"\r\nc', 4, "image", json.dumps(parameters), 5, 6, 7, 8, 2**62)
    write_ledger([row], tmp_path / "ledger.csv")
    (found,) = read_ledger(tmp_path / "ledger.csv")
    assert found == row
    assert found.as_edit().parameters == parameters


def test_a_name_may_be_longer_than_a_field_of_csv_is_by_default(made, tmp_path):
    long = replace(made[2][0], parent_name="word " * 50_000)
    write_ledger([long], tmp_path / "ledger.csv")
    usual = csv.field_size_limit()
    assert read_ledger(tmp_path / "ledger.csv") == [long]
    assert csv.field_size_limit() == usual


def test_rows_are_as_many_as_samples_when_the_proposal_was_limited(repair_case):
    proposal = InfluenceRepair().propose(repair_case.context, 3).limited(5)
    rows = ledger_rows(
        proposal, torch.arange(5), repair_case.context.evidence, repair_case.abstract, "x", 1, 0
    )
    assert [row.as_edit() for row in rows] == proposal.edits

"""The record of a run: what is read is what was written, or a refusal; the summary is a view."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnrepair.errors import DataError, IncompatibleCheckpointError
from rnnrepair.influence import Role, SharedValue
from rnnrepair.record import (
    Contrast,
    Failure,
    Injected,
    Neighbour,
    RunRecord,
    SplitAnswers,
    summary_of,
    write_summary,
)
from rnnrepair.repair import StopReason
from tests.records import (
    ANSWERS,
    answers_of,
    effort_of,
    epoch_of,
    failure_of,
    record_of,
    repair_of,
    same,
    target_record,
)

NEIGHBOURS = (
    Neighbour(7, 4, Role.CONTEXTS, end=5, run=3),
    Neighbour(8, 4, Role.CONTEXTS, end=5, run=0),
    Neighbour(9, 9, Role.OPPONENTS),
)


@pytest.fixture
def full():
    """A record with everything that a record can hold."""
    failures = [
        failure_of(103, contrast=math.nan, neighbours=NEIGHBOURS),
        failure_of(100, n_steps=3, step=1, contrast=0.1 + 0.2),
        failure_of(101, samples=0, injected=(Injected(5000, 1, (2, 4)),)),
    ]
    repair = repair_of(
        {
            "repair": ANSWERS,
            "val": ANSWERS,
            "test": answers_of([0] * 300, [1] * 300, [0] * 300, first=70_000),
            "test_rare": answers_of([299, 3], [3, 4], [299, 3], first=3),
        },
        history=[epoch_of(3), epoch_of(4, drift=1 / 3, val_accuracy=1 / 7)],
        failures=failures,
        targets=[101, 100],
        shared=(SharedValue("device", "b", 6, 10, 30, 1000, 1e-9, (0, 2)),),
        n_far=2,
    )
    contrasts = (Contrast("guided", "none", "test_accuracy"),)
    more = {"corrections": {"source": "looked.csv", "relabelled": 3, "dropped": 1, "kept": 2}}
    return record_of(repair, contrasts=contrasts, notes=("LEAKS: <so>",), arm="guided late", **more)


@pytest.mark.parametrize("kind", ["full", "no failures", "targets"])
def test_what_is_read_is_what_was_written(full, kind, tmp_path):
    record = {"full": full, "no failures": record_of(), "targets": target_record()}[kind]
    assert not RunRecord.is_in(tmp_path)
    record.save(tmp_path)
    assert RunRecord.is_in(tmp_path)
    assert same(RunRecord.load(tmp_path), record)
    assert {p.name for p in tmp_path.iterdir()} == {"record"}
    assert not same(record, replace(record, seed=99))


def test_a_record_is_replaced_whole(full, tmp_path):
    full.save(tmp_path)
    record_of().save(tmp_path)
    assert same(RunRecord.load(tmp_path), record_of())


def test_arrays_are_kept_in_the_smallest_types_without_pickles(full, tmp_path):
    full.save(tmp_path)
    with np.load(tmp_path / "record" / "arrays.npz", allow_pickle=False) as file:
        types = {name: file[name].dtype for name in file.files}
    assert types["answers/test/index"] == np.uint32
    assert types["answers/test/label"] == np.uint8
    assert types["answers/test_rare/label"] == np.uint16


def told(folder):
    return json.loads((folder / "record" / "record.json").read_text())


def rewrite(folder, **changes):
    (folder / "record" / "record.json").write_text(json.dumps(told(folder) | changes))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: rewrite(f, version=0), "version 0.*reads version 1.*again"),
        (lambda f: rewrite(f, seed=[], unknown=3), "damaged"),
        (lambda f: rewrite(f, repair=told(f)["repair"] | {"history": [{}]}), "damaged"),
        (lambda f: rewrite(f, repair=None), "damaged"),
        (lambda f: (f / "record" / "arrays.npz").unlink(), r"lacks record/arrays\.npz"),
        (lambda f: (f / "record" / "record.json").unlink(), r"lacks record/record\.json"),
        (lambda f: (f / "record" / "record.json").write_text("{"), "damaged"),
        (lambda f: (f / "record" / "record.json").write_text("{}"), "damaged"),
    ],
)
def test_old_damaged_and_missing_records_are_refused(full, harm, message, tmp_path):
    full.save(tmp_path)
    harm(tmp_path)
    with pytest.raises(IncompatibleCheckpointError, match=message) as refused:
        RunRecord.load(tmp_path)
    assert str(tmp_path) in str(refused.value)


def test_arrays_of_another_record_are_refused(full, tmp_path):
    full.save(tmp_path / "one")
    record_of().save(tmp_path / "other")
    arrays = tmp_path / "other" / "record" / "arrays.npz"
    arrays.replace(tmp_path / "one" / "record" / "arrays.npz")
    with pytest.raises(IncompatibleCheckpointError, match="not the file"):
        RunRecord.load(tmp_path / "one")


def test_a_record_is_of_one_kind():
    with pytest.raises(DataError, match="got neither"):
        target_record(looks=())
    with pytest.raises(DataError, match="got both"):
        record_of(looks=target_record().looks)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (([0, 1], [0, 1], [0, 1], [0]), "one shape"),
        (([], [], [], []), "one shape"),
        (([1, 0], [0, 1], [0, 1], [0, 1]), "ascending"),
        (([1, 1], [0, 1], [0, 1], [0, 1]), "ascending"),
        (([0, 1], [0, -1], [0, 1], [0, 1]), "label"),
    ],
)
def test_answers_that_cannot_be_paired_are_refused(tensors, message):
    with pytest.raises(DataError, match=message):
        SplitAnswers(*(torch.tensor(t, dtype=torch.int64) for t in tensors))


def test_failures_go_through_a_checkpoint(full, tmp_path):
    told = [failure.plain() for failure in full.repair.failures]
    torch.save(told, tmp_path / "state")
    back = torch.load(tmp_path / "state", weights_only=True)
    assert same(tuple(map(Failure.of_plain, back)), full.repair.failures)


def test_what_a_context_shares_with_its_failure():
    assert [n.common for n in NEIGHBOURS] == [(2, 5), (4, 5), (0, 0)]
    assert Neighbour(1, 0, Role.CONTEXTS).common == (0, 0)  # at its start


def test_summary_by_hand(full, tmp_path):
    summary = summary_of(full)
    write_summary(full, tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert (summary["experiment"], summary["arm"]) == ("mnist_repair", "guided late")
    assert summary["contrasts"] == [{"of": "guided", "against": "none", "metric": "test_accuracy"}]
    assert summary["data"] == {"source": "folder", "fit": 3001, "repair": 6, "val": 6, "test": 6}
    assert (summary["n_components"], summary["stability"]) == (43, 0.75)
    assert summary["before"] == {
        "test_accuracy": 0.0,
        "repair_accuracy": 0.5,
        "val_accuracy": 0.5,
        "test_failures": 300,
        "repair_failures": 3,
        "val_failures": 3,
        "targets": 2,
        "test_rare_accuracy": 0.0,
    }
    assert summary["after"] == {
        "test_accuracy": 1.0,
        "repair_accuracy": 4 / 6,
        "val_accuracy": 4 / 6,
        "repaired_share": 2 / 3,
        "test_repaired_share": 1.0,
        "val_repaired_share": 2 / 3,
        "newly_broken": 0,
        "targets_share": 0.5,
        "test_rare_accuracy": 1.0,
    }
    assert summary["stop_reason"] == "share_reached"
    assert (summary["injected"], summary["rounds"], summary["steps"]) == (1500, 2, 4800)
    assert summary["time_s"]["total"] == 87.7
    assert summary["epoch_time_s"] == 2.65
    assert "epoch" not in summary["time_s"]


def test_summary_of_nothing_that_failed():
    right = answers_of([0, 1], [0, 1], [0, 1])
    effort = effort_of(stop_reason=StopReason.NO_FAILURES)
    summary = summary_of(record_of(repair_of(right, effort=effort)))
    assert summary["after"]["targets_share"] is None
    assert summary["after"]["repaired_share"] is None
    assert summary["before"]["targets"] == 0


def test_summary_of_counted_targets():
    summary = summary_of(target_record())
    assert summary["measure"] == "targets"
    assert summary["data"] == {"repair": 23, "test": 10_000}
    assert (summary["n_targets"], summary["targets_right"]) == (23, [4, 6])
    assert summary["test_accuracy"] == [0.9, 0.8]
    assert summary["after"] == {"targets_right": 5, "test_accuracy": pytest.approx(0.85)}

"""Networks between the unrepaired and the repaired one: their weights, answers and choice."""

import csv
from dataclasses import replace

import pytest
import torch
from torch import nn

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.network import Predictions
from rnnrepair.record import Interpolation, RunRecord, summary_of, write_curve
from rnnrepair.repair import Curve, curve_of, interpolated
from rnnrepair.report import print_interpolation, render
from rnnrepair.scores import Monitor
from tests.records import answers_of, record_of, repair_of, same
from tests.report_page import Page, Sequences

FACTORS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)


class Net(nn.Module):
    """Weights, running statistics, a count and a mask with infinite entries."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4))
        self.complex = nn.Parameter(torch.randn(2, dtype=torch.complex64))
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf, torch.inf]))
        nn.init.normal_(self.body[1].weight)
        nn.init.normal_(self.body[1].bias)
        for _ in range(1 + seed):
            self.body(torch.randn(50, 3) + seed)
        self.eval()

    def forward(self, x):
        return self.body(x)


@pytest.fixture
def base():
    return Net(0)


@pytest.fixture
def final():
    return Net(1)


def bits(state):
    return {name: tensor.clone() for name, tensor in state.items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize("factor", [0, 0.125, 0.3, 0.875, 1])
def test_between_equal_networks_is_the_network(base, factor):
    assert equal(
        interpolated(base.state_dict(), bits(base.state_dict()), factor), base.state_dict()
    )


def test_both_ends_are_the_networks_bit_for_bit(base, final):
    start, end = base.state_dict(), final.state_dict()
    assert equal(interpolated(start, end, 0), start)
    assert equal(interpolated(start, end, 1), end)
    # Copies: training that goes on leaves them alone.
    kept = interpolated(start, end, 1)
    with torch.no_grad():
        final.complex.mul_(2)
    assert not torch.equal(kept["complex"], final.complex)


def test_weights_and_running_statistics_are_mixed_and_counts_are_of_the_repaired(base, final):
    start, end = bits(base.state_dict()), bits(final.state_dict())
    mixed = interpolated(start, end, 0.25)
    for name, value in mixed.items():
        if name == "mask":
            assert torch.equal(value, start[name])
        elif name.endswith("num_batches_tracked"):
            assert int(value) == 2
        else:
            torch.testing.assert_close(value, 0.75 * start[name] + 0.25 * end[name])
            assert not torch.equal(start[name], end[name])
    # Neither network is changed.
    assert equal(start, base.state_dict())
    assert equal(end, final.state_dict())


def test_networks_of_different_weights_are_refused_by_name(base):
    other = bits(base.state_dict())
    other["body.0.weight"] = torch.zeros(8, 5)
    del other["body.3.bias"]
    other["head"] = torch.zeros(1)
    with pytest.raises(IncompatibleCheckpointError) as refusal:
        interpolated(other, base.state_dict(), 0.5)
    told = str(refusal.value)
    assert "missing: body.3.bias" in told
    assert "unexpected: head" in told
    assert "body.0.weight (8, 5) instead of (8, 3)" in told


@pytest.mark.parametrize("factor", [-0.01, 1.01, float("nan")])
def test_a_factor_outside_is_refused(base, factor):
    with pytest.raises(ValueError, match="factor"):
        interpolated(base.state_dict(), base.state_dict(), factor)


def data():
    """Inputs and labels by split, of which the networks get some right."""
    torch.manual_seed(9)
    return {split: (torch.randn(n, 3), torch.arange(n) % 4) for split, n in SIZES.items()}


SIZES = {"val": 40, "test": 61, "test_rare": 7}


def said(module, inputs, label):
    logits = module(inputs)
    return Predictions(torch.arange(len(label)), label, logits.argmax(-1))


def answers(module, splits):
    with torch.no_grad():
        return {split: said(module, *given) for split, given in splits.items()}


@pytest.fixture
def curve(base, final):
    splits = data()

    def answer(split):
        with torch.no_grad():
            return said(final, *splits[split])

    before, after = answers(base, splits), answers(final, splits)
    kept = bits(final.state_dict())
    found = curve_of(final, base.state_dict(), answer, before, after)
    assert equal(kept, final.state_dict())
    return found


def by_hand(factor):
    """Return a network whose weights are mixed one after the other."""
    start, end, mixed = Net(0), Net(1), Net(1)
    for name, value in mixed.state_dict().items():
        if value.dtype != torch.int64 and name != "mask":
            value.copy_((1 - factor) * start.state_dict()[name] + factor * end.state_dict()[name])
    return mixed


def test_the_curve_is_that_of_networks_mixed_by_hand(curve):
    assert curve.factors == FACTORS
    splits = data()
    for place, factor in enumerate(FACTORS):
        for split, expected in answers(by_hand(factor), splits).items():
            assert torch.equal(curve.answers[split][place].predicted, expected.predicted)
    assert len({tuple(p.predicted.tolist()) for p in curve.answers["test"]}) > 3


def test_a_module_has_its_own_weights_again_when_an_answer_fails(base, final):
    kept = bits(final.state_dict())

    def answer(split):
        raise RuntimeError("out of memory")

    known = answers(final, data())
    with pytest.raises(RuntimeError, match="out of memory"):
        curve_of(final, base.state_dict(), answer, known, known)
    assert equal(kept, final.state_dict())


def test_points_count_what_a_loop_counts(curve):
    way = Interpolation.of(curve, Monitor.ACCURACY)
    for split, (_, label) in data().items():
        first = curve.answers[split][0].predicted
        for place, point in enumerate(way.points(split)):
            now = curve.answers[split][place].predicted
            sides = [(int(a == y), int(b == y)) for a, b, y in zip(first, now, label, strict=True)]
            assert point.factor == FACTORS[place]
            assert point.repaired == sides.count((0, 1))
            assert point.newly_broken == sides.count((1, 0))
            assert point.repaired_share == pytest.approx(
                sides.count((0, 1)) / (sides.count((0, 1)) + sides.count((0, 0)))
            )
            assert (
                point.accuracy
                == point.score
                == pytest.approx(sum(right for _, right in sides) / len(sides))
            )
        place = FACTORS.index(way.factor)
        assert torch.equal(way.answers[split].after, curve.answers[split][place].predicted)
        assert torch.equal(way.answers[split].before, first)


def curve_with(*predicted, label=(0, 0, 0, 1)):
    """A curve of which val and test answer the same."""
    label = torch.tensor(label)
    each = tuple(Predictions(torch.arange(4), label, torch.tensor(p)) for p in predicted)
    return Curve((0.0, 0.5, 1.0), {"val": each, "test": each})


def test_the_best_on_val_is_chosen_and_of_equal_ones_the_larger_factor():
    right, wrong, other = (0, 0, 0, 1), (1, 1, 1, 1), (0, 0, 1, 1)
    assert curve_with(wrong, right, other).best(Monitor.ACCURACY) == 1
    assert curve_with(right, wrong, right).best(Monitor.ACCURACY) == 2
    assert curve_with(wrong, right, right).best(Monitor.ACCURACY) == 2
    assert curve_with(right, wrong, other).best(Monitor.ACCURACY) == 0


def test_test_has_no_say():
    good = curve_with((0, 0, 0, 1), (1, 1, 1, 1), (1, 1, 1, 0)).answers["test"]
    bad = curve_with((1, 1, 1, 0), (1, 1, 1, 1), (0, 0, 0, 1)).answers["val"]
    assert Curve((0.0, 0.5, 1.0), {"val": bad, "test": good}).best(Monitor.ACCURACY) == 2


def test_the_monitor_chooses():
    # All of the large class right, or the small class right and one of the large one wrong.
    curve = curve_with((0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 1, 1))
    assert curve.best(Monitor.ACCURACY) == 1
    curve = curve_with((0, 0, 0, 0), (0, 1, 1, 1), (1, 1, 1, 1))
    assert curve.best(Monitor.ACCURACY) == 0
    assert curve.best(Monitor.BALANCED_ACCURACY) == 1


@pytest.fixture
def record(curve):
    way = Interpolation.of(curve, Monitor.ACCURACY)
    both = {
        split: answers_of(
            each[0].label.tolist(), each[0].predicted.tolist(), each[-1].predicted.tolist(), first=0
        )
        for split, each in curve.answers.items()
    }
    repair = repair_of({"repair": answers_of([0, 1], [1, 1], [0, 1]), **both}, interpolation=way)
    return record_of(repair)


def test_the_record_keeps_it(record, tmp_path):
    record.save(tmp_path)
    assert same(RunRecord.load(tmp_path), record)


def test_the_summary_tells_it_beside_what_it_has(record):
    without = summary_of(replace(record, repair=replace(record.repair, interpolation=None)))
    told = summary_of(record)
    point = record.repair.interpolation.chosen("test")
    added = {
        "interpolation_factor": point.factor,
        "interpolated_test_accuracy": point.accuracy,
        "interpolated_repaired_share": point.repaired_share,
        "interpolated_newly_broken": point.newly_broken,
    }
    assert told["after"] == without["after"] | added
    assert {**told, "after": 0} == {**without, "after": 0}


def test_the_table_has_every_network(record, tmp_path):
    way = record.repair.interpolation
    with write_curve(way, tmp_path).open() as file:
        rows = list(csv.DictReader(file))
    assert (tmp_path / "analysis" / "interpolation.csv").is_file()
    assert len(rows) == len(way.curve) == 3 * len(FACTORS)
    for row, point in zip(rows, way.curve, strict=True):
        assert float(row["accuracy"]) == point.accuracy
        assert (row["chosen"] == "1") == (point.factor == way.factor)


def test_page_and_terminal_show_every_network_and_the_chosen_one(record, capsys):
    way = record.repair.interpolation
    page = Page(render(record, Sequences()))
    titles = [f"factor {point.factor:g}: {point.repaired} repaired" for point in way.points("test")]
    assert all(title in page.text for title in titles)
    assert f"{way.factor:.3g}, chosen" in page.text
    without = replace(record, repair=replace(record.repair, interpolation=None))
    assert "chosen" not in Page(render(without, Sequences())).text
    print_interpolation(way)
    told = capsys.readouterr().out
    assert all(f"{point.accuracy:.4f}" in told for point in way.curve)

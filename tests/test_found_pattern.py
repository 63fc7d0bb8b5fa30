"""Patterns that a repair has found: what is counted, kept and shown of them."""

import json
from dataclasses import asdict, replace

import torch

from rnnrepair.patterns import Pattern, Trait
from rnnrepair.record import FoundPattern, PatternErrors, RunRecord, summary_of
from rnnrepair.report import print_summary, write_pattern_figure
from rnnrepair.report.pattern_figure import pattern_figure
from rnnrepair.report.taught import taught_inputs
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch
from tests.records import ANSWERS, answers_of, record_of, repair_of
from tests.report_page import Sequences

PATTERN = Pattern(
    kind="edit",
    description="turned by 60 to 90 degrees",
    members=torch.tensor([101, 103]),
    inside=torch.tensor([101, 103, 105]),
    error_inside=2 / 3,
    error_outside=0.02,
    p=0.002,
    parameters={"edit": "rotation", "from": 0.8, "to": 1.0},
    samples=torch.tensor([100]),
)
ALL = {"repair": ANSWERS, "val": ANSWERS, "test": ANSWERS}


def found(inside):
    return FoundPattern.of(PATTERN, inside, ALL, 40)


def test_errors_of_the_samples_inside_are_counted_by_split():
    # Of 101, 103, 105 the unrepaired network gets 101 wrong; the final one 101 and 103.
    inside = {"repair": PATTERN.inside, "test": torch.tensor([100, 104])}
    told = found(inside)
    assert told.splits == {"repair": PatternErrors(3, 1, 2), "test": PatternErrors(2, 2, 0)}
    assert (told.failures, told.samples, told.injected) == ((101, 103), (100,), 40)


def test_a_pattern_comes_back_from_plain_values_and_from_the_record(tmp_path):
    again = Pattern.of_plain(json.loads(json.dumps(PATTERN.plain())))
    assert again.name == PATTERN.name
    assert again.parameters == PATTERN.parameters
    for name in ("members", "inside", "samples"):
        assert torch.equal(getattr(again, name), getattr(PATTERN, name))
    also = Trait("group", "device d7", {"column": "device", "value": "d7"}, (100, 102))
    told = replace(found({"test": PATTERN.inside}), also=(also,))
    record = record_of(repair_of(ALL, patterns=(told,)))
    record.save(tmp_path)
    loaded = RunRecord.load(tmp_path)
    assert loaded.repair.patterns == record.repair.patterns
    # Earlier versions called the description told.
    for kind, of in ((Pattern, PATTERN), (Trait, also), (FoundPattern, told)):
        plain = json.loads(json.dumps(of.plain() if kind is not Trait else asdict(of)))
        for one in (plain, *plain.get("also", ())):
            one["told"] = one.pop("description")
        assert kind.of_plain(plain).description == of.description
    assert json.loads(json.dumps(summary_of(record)))["patterns"][0]["splits"]["test"] == {
        "samples": 3,
        "before": 1,
        "after": 2,
    }


def test_page_and_terminal_tell_what_became_of_a_pattern(page_of, capsys):
    also = Trait("group", "device d7", {"column": "device", "value": "d7"}, (100, 102))
    told = replace(found({"test": PATTERN.inside}), also=(also,))
    record = record_of(repair_of(ALL, patterns=(told,)))
    text = page_of(record).text
    assert "turned by 60 to 90 degrees" in text
    assert "2 failures, error 66.7% inside, 2.0% outside" in text
    assert "test 3 1 2" in text
    print_summary(record, Sequences())
    told = capsys.readouterr().out
    assert "turned by" in told
    assert "1 → 2 of 3" in told


def test_runs_without_patterns_show_none(page_of):
    assert "in common" not in page_of(record_of(repair_of(ALL))).text.split("Failures and where")[0]


def test_further_test_splits_stand_in_the_table_with_all_their_columns(capsys):
    rare = answers_of([1, 1, 1, 2], [2, 2, 1, 2], [1, 2, 1, 1])
    print_summary(record_of(repair_of({**ALL, "test_rare": rare})), Sequences())
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "test_rare" in line]
    assert [cell.strip() for cell in line.strip("│ ").split("│")] == [
        *("test_rare", "0.5000", "0.5000", "2", "50.0%", "1")
    ]


def test_the_score_that_decides_is_told_below_the_table(capsys):
    # Two classes: one half right, then none; the other one three of four right, then all.
    answers = answers_of([1, 1, 2, 2, 2, 2], [1, 2, 2, 2, 2, 1], [2, 2, 2, 2, 2, 2])
    record = record_of(repair_of({**ALL, "test": answers}), monitor="balanced_accuracy")
    print_summary(record, Sequences())
    told = " ".join(capsys.readouterr().out.split())
    assert "balanced accuracy, before → after: repair" in told
    assert "test 0.6250 → 0.5000" in told


class Digits:
    """Dim images of 28 rows; the sample's number is its class."""

    spec = DataSpec(Kind.IMAGE, 28, 200, max_steps=28)

    def fetch(self, index):
        g = torch.Generator().manual_seed(1)
        images = 0.3 * torch.rand(200, 28, 28, generator=g)
        return SequenceBatch(index, images[index], torch.full((len(index),), 28), index)


def test_what_was_taught_are_its_training_samples_with_its_edit():
    parameters = {"edit": "inverted", "from": 0.0, "to": 1.0}
    told = replace(found({}), samples=tuple(range(100, 120)), parameters=parameters)
    taught = taught_inputs(told, Digits(), 7)
    assert len(taught) == 7
    parents = Digits().fetch(torch.arange(100, 107)).inputs
    inside = slice(6, -6)
    for one, parent in zip(taught, parents, strict=True):
        assert one.shape == (28, 28)
        assert float(one[inside, inside].min()) > 0.6
        assert float(parent.max()) < 0.4
    word = replace(told, kind="word", parameters={"word": 3})
    assert taught_inputs(word, Digits(), 7) == []
    # An edit found beside it is what was taught, of the samples near to the edit.
    also = Trait("edit", told.description, parameters, tuple(range(100, 120)))
    beside = taught_inputs(replace(word, samples=(150,), also=(also,)), Digits(), 7)
    assert all(torch.equal(one, other) for one, other in zip(beside, taught, strict=True))


def test_the_figure_shows_failures_what_was_taught_and_errors_that_say_something(tmp_path):
    parameters = {"edit": "rotation", "from": 0.8, "to": 1.0}
    inside = {"repair": PATTERN.inside, "test": torch.tensor([100, 104])}
    told = replace(found(inside), parameters=parameters)
    figure = pattern_figure([told], Digits(), trained_on=True)
    axes = figure.findobj(lambda part: hasattr(part, "get_xticklabels"))
    (bars,) = [a for a in axes if a.get_title(loc="left").startswith("Error")]
    assert [label.get_text() for label in bars.get_xticklabels()] == ["test\n(2)"]
    heights = [patch.get_height() for patch in bars.patches]
    assert heights == [1.0, 0.0]
    pictures = [a for a in axes if a.images]
    assert len(pictures) == len(told.failures) + 2 * len(told.samples)
    both = pattern_figure([told], Digits(), trained_on=False)
    names = [t.get_text() for t in both.findobj(lambda part: hasattr(part, "get_text"))]
    assert "repair\n(3)" in names
    assert write_pattern_figure(tmp_path, Digits()) is None
    record_of(repair_of(ALL, patterns=(told,))).save(tmp_path)
    path = write_pattern_figure(tmp_path, Digits())
    assert path == tmp_path / "patterns.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    record_of(repair_of(ALL)).save(tmp_path / "other")
    assert write_pattern_figure(tmp_path / "other", Digits()) is None

"""Reads the runs of a folder."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from rnnrepair.errors import DataError
from rnnrepair.protocols import Split
from rnnrepair.record import CurvePoint, Repair, RunRecord, SplitAnswers, summary_of
from rnnrepair.runs.comparison.equal_broken import with_equal_broken
from rnnrepair.runs.comparison.other_start import from_one_start
from rnnrepair.runs.comparison.runs import (
    INTERPOLATED,
    SUMMARY_METRICS,
    About,
    Answers,
    Run,
    Runs,
    base_of,
)
from rnnrepair.runs.sweep import look_up

# Splits that are no test: the comparison rests on none of their answers.
NO_TESTS = {"repair", "val"}
# What a data set is split into anew for every seed.
SPLITS = ("fit", "repair", "val", "test")


def read_folder(folder: Path, other_start: Collection[str] = (), usual: Iterable[Run] = ()) -> Runs:
    """Return every finished run below a folder.

    Args:
        folder: of the runs.
        other_start: arms that began with another network, see ``from_one_start``.
        usual: runs from elsewhere that began with the usual one, such as exported ones.

    Raises:
        DataError: no finished run, or runs that may not be compared.
        IncompatibleCheckpointError: a record cannot be read.
    """
    files = sorted(folder.rglob("record/record.json"))
    if not files:
        raise DataError(
            f"{folder} holds no run with a record: name the folder of a multirun that has finished "
            "runs. Runs of older versions have none: make them again."
        )
    runs = with_equal_broken(_read_run(file.parents[1]) for file in files)
    return Runs(from_one_start(runs, other_start, usual))


def _read_run(folder: Path) -> tuple[Run, Sequence[CurvePoint]]:
    """Return a run, and the networks on its way on the test split."""
    record = RunRecord.load(folder)
    summary = summary_of(record)
    answers = {} if record.repair is None else record.repair.answers
    tests = _tests(answers)
    # Copies and groups stay together, so the sizes of splits differ from seed to seed; their sum
    # does not. That runs of one seed have the same splits, their common base tells.
    sizes = summary["data"]
    data = {key: value for key, value in sizes.items() if key not in SPLITS}
    data["sequences"] = sum(sizes.get(split, 0) for split in SPLITS)
    # Runs of another budget must not replace these in an export.
    data |= {key: summary[key] for key in ("budget",) if key in summary}
    found = {
        name: look_up(summary, f"after/{name}" if name in summary["after"] else name)
        for name in SUMMARY_METRICS
    }
    run = Run(
        arm=record.arm,
        seed=record.seed,
        about=About(record.experiment, data, record.contrasts, record.class_names),
        base=base_of(tests),
        # NaN where the experiment does not measure it.
        values={name: float("nan") if v is None else v for name, v in found.items()},
        splits={split: Answers.of(of) for split, of in (tests | _between(record.repair)).items()},
        origin=str(folder),
    )
    way = None if record.repair is None else record.repair.interpolation
    return run, () if way is None else way.points("test")


def _tests(answers: Mapping[Split, SplitAnswers]) -> dict[str, SplitAnswers]:
    return {split: of for split, of in answers.items() if split not in NO_TESTS}


def _between(repair: Repair | None) -> dict[str, SplitAnswers]:
    """Return the answers of the network between the unrepaired and the final one, if it is told."""
    if repair is None or repair.interpolation is None:
        return {}
    tests = _tests(repair.interpolation.answers)
    return {f"{INTERPOLATED}{split}": of for split, of in tests.items()}

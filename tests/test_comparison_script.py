"""``scripts/compare.py`` as a user calls it: files, tables and exit codes."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.comparison_runs import random_right, write_run

SCRIPT = Path(__file__).parents[1] / "scripts" / "compare.py"
CONTRASTS = [{"of": "guided", "against": "none", "metric": "test_accuracy"}]


@pytest.fixture
def compare(monkeypatch, capsys):
    """Call the script; return its exit code, a message or a number, and what it printed."""

    def call(*arguments, width=200):
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", str(width))
        code = 0
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr().out

    return call


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for (arm, seed), sides in random_right(rng, ("guided", "none"), range(10), 40).items():
        write_run(tmp_path / "runs", arm, seed, *sides, contrasts=CONTRASTS)
    return tmp_path / "runs"


@pytest.mark.parametrize("options", [[], ["--markdown"], ["--classes", "--markdown"]])
def test_an_export_prints_what_the_folder_printed(compare, folder, tmp_path, options):
    options = [*options, "--also", "guided-none:newly_broken"]
    name = tmp_path / "data" / "toy"
    code, told = compare(folder, *options, "--export", name)
    assert code == 0
    assert f"{name} now holds 20 runs." in told
    printed = told.replace(f"{name} now holds 20 runs.\n", "")
    assert compare(name, *options) == (0, printed)
    assert compare(f"{name}.csv", *options) == (0, printed)
    assert ("Test accuracy of each class" in printed) is ("--classes" in options)


def test_tables_are_written_into_the_folder(compare, folder):
    compare(folder)
    arms, contrasts, classes = (
        pd.read_csv(folder / f"{name}.csv") for name in ("arms", "contrasts", "classes")
    )
    assert set(arms["arm"]) == {"guided", "none"}
    assert contrasts["of"].tolist() == ["guided"]
    assert contrasts["p"].between(0, 1, inclusive="right").all()
    assert classes.columns.tolist() == ["arm", "0", "1", "2"]


def test_exploratory_differences_stand_apart_and_have_no_p(compare, folder):
    _, told = compare(folder, "--markdown", "--also", "none-guided:net_change")
    named, exploratory = told.split("**Exploratory")
    assert "| p | p (Holm) |" in named.split("**Differences named in advance")[1]
    assert "none - guided" not in named
    assert "none - guided" in exploratory
    assert "| p |" not in exploratory


@pytest.mark.parametrize("width", [60, 80, 100])
def test_nothing_is_cut_off_on_a_narrow_terminal(compare, folder, width):
    options = ("--classes", "--also", "guided-none:net_change")
    _, wide = compare(folder, *options)
    _, told = compare(folder, *options, width=width)
    assert "…" not in told
    assert max(map(len, told.splitlines()[:-1])) <= width
    cells = {cell.strip() for line in wide.splitlines() for cell in re.split("[│┃]", line)}
    # Titles and headers are wrapped between words.
    words = {word for cell in cells if not set("━─═") & set(cell) for word in cell.split()}
    assert {word for word in words if word not in told} == set()


def test_numbers_are_written_as_what_they_are(compare, folder):
    _, told = compare(folder, "--markdown")
    lines = dict(re.findall(r"^\| (\w+) \| none \| 10 \| ([^|]+) \|", told, re.MULTILINE))
    assert lines["steps"] == "100"
    assert lines["injected"] == "0"
    assert re.fullmatch(r"\d+(\.\d)?", lines["newly_broken"])
    assert re.fullmatch(r"0\.\d{4}", lines["test_accuracy"])


def test_unequal_runs_end_with_1_unless_allowed(compare, folder):
    rng = np.random.default_rng(1)
    some = ("guided", "none", "random")
    for (arm, seed), sides in random_right(rng, some, [10, 11, 12], 40).items():
        contrasts = [{"of": "guided", "against": "none", "metric": "test_accuracy"}]
        unequal = {"steps": 90} if arm == "none" else {"injected": 8 if arm == "random" else 10}
        write_run(folder, arm, seed, *sides, contrasts=contrasts, **unequal)
    code, told = compare(folder)
    assert code == 1
    assert "Unequal budgets: arms injected different numbers of samples in 3 of 13 seeds" in told
    assert "guided 10, random 8" in told
    assert told.count("UNEQUAL TRAINING") == 1
    assert "optimizer steps in 3 of 13 seeds (seed 10: " in told
    assert "none 90" in told
    assert "random lacks seeds [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" in told
    assert compare(folder, "--unequal-ok") == (0, told)
    # What is unequal is not kept beside a document either.
    code, told = compare(folder, "--export", str(folder / "kept"))
    assert code == 1
    assert "Nothing was added to" in told
    assert not list(folder.glob("kept*"))
    compare(folder, "--unequal-ok", "--export", str(folder / "kept"))
    assert len(list(folder.glob("kept*"))) == 2


@pytest.mark.parametrize(("seeds", "shown"), [(4, False), (5, True)])
def test_few_seeds_have_no_interval_of_their_mean(compare, tmp_path, seeds, shown):
    rng = np.random.default_rng(3)
    for (arm, seed), sides in random_right(rng, ("guided", "none"), range(seeds), 40).items():
        write_run(tmp_path / "runs", arm, seed, *sides)
    _, told = compare(tmp_path / "runs", "--markdown")
    (line,) = [line for line in told.splitlines() if line.startswith("| test_accuracy | none")]
    assert (" .. " in line) == shown
    # A column of lines alone is left out.
    assert ("| 95 % over seeds |" in told) == shown


def test_named_differences_without_runs_are_told(compare, tmp_path):
    """A misspelt arm or metric would otherwise be a row of dashes."""
    rng = np.random.default_rng(2)
    contrasts = [
        {"of": "guided", "against": "none", "metric": "test_accuracy"},
        {"of": "guided", "against": "nobody", "metric": "test_accuracy"},
        {"of": "guided", "against": "none", "metric": "accuracy"},
    ]
    for (arm, seed), sides in random_right(rng, ("guided", "none"), range(2), 40).items():
        write_run(tmp_path / "runs", arm, seed, *sides, contrasts=contrasts)
    code, told = compare(tmp_path / "runs", "--markdown")
    assert code == 0
    assert "not compared: guided - nobody (test_accuracy), guided - none (accuracy)" in told
    assert "the arms here are guided, none, the metrics test_accuracy, " in told
    assert told.count("| guided - none |") == 1
    assert "| guided - nobody |" not in told


def test_refusals_are_one_line(compare, tmp_path):
    code, told = compare(tmp_path / "nothing")
    assert code.startswith("compare: ")
    assert "neither a folder of runs nor exported runs" in code
    assert told == ""


def test_a_wrong_difference_is_refused(compare, folder):
    code, _ = compare(folder, "--also", "guided-nobody:test_accuracy")
    assert "['guided', 'none']" in code


def test_an_arm_may_begin_with_another_network_where_it_is_named(compare, folder, tmp_path):
    rng = np.random.default_rng(5)
    for (_, seed), sides in random_right(rng, ("none",), range(10), 40).items():
        write_run(folder, "true_labels", seed, *sides, contrasts=CONTRASTS)
    code, _ = compare(folder)
    assert "--other-start" in code
    also = ("--also", "true_labels-none:test_accuracy")
    code, told = compare(folder, "--other-start", "true_labels", *also, "--export", tmp_path / "e")
    assert code == 0
    assert re.search(r"true_labels - none +│ 10", told)
    assert compare(tmp_path / "e", *also)[0] == 0
    assert "is for folders" in compare(tmp_path / "e", "--other-start", "true_labels")[0]

"""--help says what a program does, which keys it has, and gives an example."""

import re
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from rnnrepair.callbacks.launch.resolvers import keys_told
from tests.integration.conftest import ROOT
from tests.integration.programs import run_program

# Files of the configuration by the program that they are of.
PROGRAMS = {
    "train.py": "train",
    "scripts/explain.py": "explain",
    "scripts/study.py": "finished",
    "scripts/report.py": "report",
    "scripts/rollback.py": "rollback",
    "scripts/interpolate.py": "interpolate",
    "scripts/benchmark.py": "benchmark",
}


def help_of(name):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return compose(name, return_hydra_config=True).hydra.help


def test_every_program_of_hydra_is_looked_at():
    programs = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "scripts").glob("*.py")
        if "hydra.main" in path.read_text()
    }
    assert programs | {"train.py"} == set(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_tells_what_it_does_an_example_and_every_key(program):
    name = PROGRAMS[program]
    told = help_of(name)
    assert f"python {program} " in told.header
    assert "powered by Hydra" not in told.template
    assert told.header.strip() in told.template
    if name == "benchmark":
        return
    keys = set(OmegaConf.load(ROOT / "configs" / f"{name}.yaml")) - {"defaults", "hydra"}
    shown = set(re.findall(r"^  (\w+):", told.template, re.MULTILINE))
    assert shown == keys
    # Each with what its file says of it.
    assert told.template.count("\n      ") >= len(keys)


def test_help_of_studies_and_of_the_benchmark_names_all_there_are():
    sys.path.insert(0, str(ROOT / "scripts"))
    from benchmark import MEASURES

    for name in (path.stem for path in (ROOT / "configs" / "study").glob("*.yaml")):
        assert name in help_of("finished").header
    words = set(re.findall(r"\w+", help_of("benchmark").header))
    assert set(MEASURES) <= words


def test_all_programs_have_threads_but_those_that_compute_nothing():
    for name in set(PROGRAMS.values()) - {"benchmark"}:
        assert "threads" in OmegaConf.load(ROOT / "configs" / f"{name}.yaml"), name


def test_what_hydra_would_fill_in_is_told_as_it_stands():
    assert "progress: $${terminal:}" in keys_told("explain")


@pytest.mark.parametrize("program", ["train.py", "scripts/study.py", "scripts/summarize.py"])
def test_help_is_printed(program, tmp_path):
    ran = run_program(tmp_path, program, "--help")
    assert ran.returncode == 0, ran.stderr
    assert f"python {Path(program)}" in " ".join(ran.stdout.split())

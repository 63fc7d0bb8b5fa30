"""Installed from a wheel, it works in anyone's project, beside packages of the user's own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK, ROOT


def test_every_package_is_listed():
    with (ROOT / "pyproject.toml").open("rb") as file:
        listed = tomllib.load(file)["tool"]["setuptools"]["packages"]
    found = {
        ".".join((*prefix, *path.parent.relative_to(folder).parts))
        for folder, prefix in (
            (ROOT / "rnnrepair", ("rnnrepair",)),
            *((ROOT / n, ("rnnrepair", n)) for n in ("callbacks", "configs", "datamodules")),
        )
        for path in folder.rglob("__init__.py")
    }
    assert sorted(listed) == sorted(found)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A fresh environment with the wheel; what it depends on is taken from the one of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "data")
    )
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    call([*pip, "wheel", *offline, "-w", str(folder), str(source)], folder)
    venv.create(folder / "fresh")
    site = next((folder / "fresh").glob("lib/python*/site-packages"))
    # A path in a .pth file is taken as it is: the editable install that stands there is not seen.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (wheel,) = folder.glob("*.whl")
    fresh = ["--python", str(folder / "fresh" / "bin" / "python")]
    call([*pip, *fresh, "install", "--no-deps", "--no-index", str(wheel)], folder)
    return folder / "fresh" / "bin"


@pytest.fixture
def project(tmp_path):
    """A project that has packages of the names that ours once had."""
    for name in ("callbacks", "datamodules", "configs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("OWN = True\n")
    return tmp_path


def call(command, folder):
    # No path into the checkout: what is not in the wheel is not there.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    ran = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_the_command_runs_beside_packages_of_the_same_names(installed, project):
    where = "import callbacks, rnnrepair.callbacks as ours; print(callbacks.OWN, ours.__file__)"
    own, ours = call([str(installed / "python"), "-c", where], project).split()
    assert own == "True"
    assert Path(ours).is_relative_to(installed.parent)
    options = [o for o in QUICK if not o.startswith("repair.rounds")]
    experiment = ["+experiment=mnist_repair", "repair.rounds=1", *options]
    call([str(installed / "rnnrepair-train"), *experiment], project)
    (summary,) = project.glob("outputs/mnist_repair/*/summary.json")
    assert (summary.parent / "report.html").is_file()


@pytest.mark.slow
def test_the_example_runs(installed, project):
    shutil.copy(ROOT / "examples" / "own_model.py", project)
    call([str(installed / "python"), "own_model.py"], project)
    assert (project / "outputs" / "own" / "report.html").is_file()

"""Keeps the table of packages in docs/architecture.md true: who may import whom."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Modules beside the rooms, which every room may use.
SHARED = {
    "at_chance",
    "atomic",
    "errors",
    "fingerprint",
    "made_with",
    "paired",
    "process",
    "progress",
    "protocols",
    "safe_loading",
    "scores",
    "seeding",
    "settings",
    "tensors",
}
# Rooms at the top of the repository that are imported as rnnrepair.NAME.
GLUE = ("callbacks", "datamodules")
ROOMS = (
    *("sequences", "network", "traces", "edits", "abstraction"),
    *("influence", "patterns", "repair"),
)

# Room -> rooms of rnnrepair and foreign packages that it may import.
RULES = {
    "sequences": (set(), {"torch", "numpy"}),
    "edits": ({"sequences"}, {"torch", "numpy"}),
    "network": ({"sequences"}, {"torch", "numpy"}),
    "traces": ({"sequences"}, {"torch", "numpy"}),
    "abstraction": (
        {"sequences", "network", "traces"},
        # aalpy: an extra, imported where an automaton is exported to it.
        {"torch", "numpy", "sklearn", "scipy", "pandas", "safetensors", "aalpy"},
    ),
    "influence": (
        {"sequences", "network", "traces", "abstraction"},
        {"torch", "numpy", "scipy", "safetensors", "typing_extensions"},
    ),
    "patterns": (
        {"sequences", "network", "traces", "edits", "abstraction", "influence"},
        {"torch", "numpy", "scipy"},
    ),
    "repair": (
        {"sequences", "network", "traces", "edits", "abstraction", "influence", "patterns"},
        {"torch", "typing_extensions"},
    ),
    "record": (
        {*ROOMS},
        {"torch", "numpy"},
    ),
    "explanation": (
        {*ROOMS, "record"},
        {"torch", "pandas"},
    ),
    "studies": (
        {*ROOMS, "record"},
        {"torch", "numpy", "scipy", "sklearn", "pandas"},
    ),
    "models": (
        {"sequences", "network"},
        {"torch", "numpy", "pytorch_lightning", "torchmetrics", "typing_extensions"},
    ),
    "runs": (
        {*ROOMS, "record", "studies"},
        {"torch", "numpy", "scipy", "pandas"},
    ),
    "report": (
        {*ROOMS, "record", "explanation", "studies", "runs"},
        {"torch", "numpy", "scipy", "pandas", "matplotlib", "jinja2", "rich", "PIL", "markupsafe"},
    ),
    "callbacks": (
        {*ROOMS, "record", "studies", "models", "runs", "report"},
        {
            "torch",
            "numpy",
            "pytorch_lightning",
            "lightning_fabric",
            "typing_extensions",
            "tqdm",
            "wandb",
            "hydra",
            "omegaconf",
            "threadpoolctl",
        },
    ),
    "datamodules": (
        {"sequences", "edits"},
        {
            "torch",
            "numpy",
            "pandas",
            # Imported where a parquet file is read.
            "pyarrow",
            "pytorch_lightning",
            "torchvision",
            "torchtext",
            "mlxtend",
            "tqdm",
        },
    ),
}


def files_of(room):
    return sorted((ROOT / room if room in GLUE else ROOT / "rnnrepair" / room).rglob("*.py"))


def imports(file):
    """Every imported module, lazily or for type checking only as well."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            if node.module == "rnnrepair":
                yield from (f"rnnrepair.{alias.name}" for alias in node.names)
            else:
                yield node.module


def test_every_room_is_under_a_rule():
    rooms = {
        path.name for path in (ROOT / "rnnrepair").iterdir() if (path / "__init__.py").exists()
    }
    assert rooms <= RULES.keys()
    modules = {path.stem for path in (ROOT / "rnnrepair").glob("*.py")} - {"__init__"}
    assert modules == SHARED
    assert all(files_of(room) for room in rooms | set(GLUE))


@pytest.mark.parametrize("room", RULES)
def test_room_imports_only_what_the_design_allows(room):
    rooms, packages = RULES[room]
    allowed = packages | {room} | set(sys.stdlib_module_names)
    for file in files_of(room):
        for module in imports(file):
            package, *rest = module.split(".")
            if package == "rnnrepair":
                assert rest, f"{file} imports the whole package"
                assert rest[0] in rooms | SHARED | {room}, f"{file} imports {module}"
            else:
                assert package in allowed, f"{file} imports {module}"


@pytest.mark.parametrize("module", sorted(SHARED))
def test_shared_module_depends_on_no_room_but_the_lowest(module):
    for name in imports(ROOT / "rnnrepair" / f"{module}.py"):
        package, *rest = name.split(".")
        bars = {"tqdm"} if module == "progress" else set()
        known = {"rnnrepair", "torch", "numpy", "scipy"} | bars | set(sys.stdlib_module_names)
        assert package in known, name
        if package == "rnnrepair":
            below = {"sequences", "edits"} if module == "protocols" else set()
            assert rest[0] in SHARED | below, name


def test_core_knows_neither_glue_nor_configuration():
    """Said once more without the table, so that a new room cannot slip through."""
    for file in (ROOT / "rnnrepair").rglob("*.py"):
        found = {module.split(".")[0] for module in imports(file)}
        assert not found & {"scripts", "train", "hydra", "omegaconf", "wandb"}, file
        parts = {module.split(".")[1] for module in imports(file) if module.count(".")}
        assert not parts & {*GLUE, "configs"}, file
        if "models" not in file.parts and "analysis" not in file.parts:
            assert "pytorch_lightning" not in found, file
        assert "lightning" not in found, file
        # The error of its refusal is all that is known of pickle.
        assert "pickle" not in found or file.stem == "safe_loading", file


def test_influence_fits_nothing_and_builds_on_abstract_models():
    for file in files_of("influence"):
        assert "sklearn" not in {module.split(".")[0] for module in imports(file)}, file


def test_loading_never_unpickles():
    shared = [ROOT / "rnnrepair" / f"{module}.py" for module in SHARED]
    for file in (*shared, *(f for room in RULES for f in files_of(room))):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            given = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
            call = ast.unparse(node.func)
            if call == "torch.load":
                assert given.get("weights_only") is True, f"{file}:{node.lineno}"
            if call == "np.load":
                assert given.get("allow_pickle") is False, f"{file}:{node.lineno}"


def test_one_file_knows_torchtext():
    found = {
        file.name
        for room in RULES
        for file in files_of(room)
        if "torchtext" in {module.split(".")[0] for module in imports(file)}
    }
    assert found == {"language.py"}


def test_hydra_is_known_to_the_launcher_alone():
    """Callbacks work in programs that know no Hydra."""
    for file in files_of("callbacks"):
        found = {module.split(".")[0] for module in imports(file)}
        if file.parent.name != "launch":
            assert not found & {"hydra", "omegaconf"}, file


def test_citations_lead_to_sections_that_exist():
    """A citation of docs/method.md names a section; nothing cites what is not in the repository."""
    method = (ROOT / "docs" / "method.md").read_text()
    sections = set(re.findall(r"^\*\*(\d+\.\d+)", method, re.MULTILINE))
    cited = set()
    for file in (f for room in (*RULES, ".") for f in files_of(room) if f.is_file()):
        text = file.read_text()
        assert "experiments reference" not in text, file
        for numbers in re.findall(r"docs/method\.md\s+(\d+\.\d+(?:\s+and\s+\d+\.\d+)?)", text):
            cited |= set(re.findall(r"\d+\.\d+", numbers))
    assert len(cited) > 8
    assert cited <= sections, cited - sections

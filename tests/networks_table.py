"""Writes the tables of docs/networks.md anew: ``python -m tests.networks_table``.

Every row is what ``TracedNetwork`` says of a network that the tests have.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network import Readout, TracedNetwork
from rnnrepair.network.prefixes import BOTH_WAYS, ONE_CALL
from rnnrepair.sequences import DataSpec
from tests import test_further_inputs as further
from tests.network_families import NAMED, TORCH
from tests.network_forms import FORMS, C, F, series
from tests.test_network_refusals import Dropped, Flattened, OverTheBatch
from tests.test_traced_network import (
    PerStep,
    Shortcut,
    SortsItself,
    Temperature,
    data_of,
    network_of,
    spec_of,
)

PATH = Path(__file__).parents[1] / "docs" / "networks.md"
SERIES = DataSpec("series", F, C)

# Form, module, data, specification, and what its refusal says.
REFUSED = (
    (
        "a label for each step (tagging)",
        PerStep,
        series(ragged=False),
        DataSpec("series", F, C, target="step"),
        "a label for each step, which is not supported",
    ),
    (
        "an answer for each step, of which the loss takes one",
        PerStep,
        series(ragged=False),
        SERIES,
        "do that in forward, or say it with call=",
    ),
    (
        "the whole network scripted",
        lambda: torch.jit.script(nn.Linear(F, C)),
        series(),
        SERIES,
        "train the module that was scripted, and script it afterwards",
    ),
    (
        "a head with weights for every step",
        Flattened,
        series(ragged=False),
        SERIES,
        "so it cannot be asked earlier",
    ),
    (
        "dropout that is on in evaluation mode",
        Dropped,
        series(ragged=False),
        SERIES,
        "drops numbers in evaluation mode",
    ),
    (
        "numbers that are kept from call to call",
        Shortcut,
        series(ragged=False),
        SERIES,
        "its answers depend on the batches before",
    ),
    (
        "an argument of `forward` that nobody knows",
        Temperature,
        series(ragged=False),
        SERIES,
        "forward wants ['temperature']",
    ),
    (
        "`batch_first` forgotten",
        OverTheBatch,
        series(ragged=False),
        SERIES,
        "it reads over the batch, not over time",
    ),
    (
        "sequences that the network sorts, in an order of its own for ties",
        SortsItself,
        data_of(FORMS["1 packed"]),
        SERIES,
        "Then let it pack them with enforce_sorted=False",
    ),
)


def main() -> None:
    """Write the file anew."""
    torch.set_num_threads(1)
    PATH.write_text(rendered(PATH.read_text()))


def rendered(text: str) -> str:
    """Return the text with its tables made anew."""
    tables = {
        "forms": table(("form", "states of", "after each step", "lines", "note"), forms()),
        "families": table(("family", "states of", "after each step", "lines", "note"), families()),
        "refused": table(("network", "what it is told"), refused()),
    }
    for name, rows in tables.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, n = between.subn(lambda found, rows=rows: f"{found[1]}{rows}{found[2]}", text)
        if n != 1:
            raise ValueError(f"Expected one table <!-- {name} --> ... <!-- end -->, found {n}.")
    return text


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def forms() -> Iterator[tuple[str, ...]]:
    """Yield a row for each form."""
    for name, form in FORMS.items():
        yield row_of(re.sub(r"^\d+ ", "", name), form)
    network = TracedNetwork.of(further.WithStatic(), DataSpec("series", further.F, further.C))
    network.verify(further.batch_of())
    yield row("a static vector beside the sequence", network, 0)
    form = FORMS["1 packed"]
    network = TracedNetwork.of(torch.compile(form.make()), spec_of(form))
    network.verify(data_of(form))
    yield row("compiled by `torch.compile`", network, 0)


def families() -> Iterator[tuple[str, ...]]:
    """Yield a row for each family."""
    for name, family in (TORCH | NAMED).items():
        yield row_of(name, family)


def row_of(name: str, form) -> tuple[str, ...]:
    """Return the row of a form with its lines: one an option, two to name what forward makes."""
    module, network = network_of(form)
    network.verify(data_of(form))
    options = form.options or {}
    named = "tap" in options and isinstance(module.get_submodule(options["tap"]), nn.Identity)
    return row(name, network, len(options) + (2 if named else 0))


def row(name: str, network: TracedNetwork, lines: int) -> tuple[str, ...]:
    """Return name, tap, readout, lines of the user's, note."""
    told = network.describe()
    layer, kind = re.search(r"; states of ([\w.]+) \((\w+)\);", told).groups()
    notes = {
        BOTH_WAYS: "the other direction has read the whole sequence",
        "depend on the padding": "depends on the padding of a batch",
        "recorded states do not tell": "recorded states are not those of cut inputs",
    }
    note = "; ".join(short for long, short in notes.items() if long in told)
    return name, f"`{layer}` ({kind})", how(network.readout), str(lines), note


def how(readout: Readout) -> str:
    """Return the word of the legend for a readout."""
    of_states = {
        Readout.POINTWISE: "exact",
        Readout.MEAN: "exact, mean of states",
        Readout.MAXIMUM: "exact, maximum of states",
        Readout.SUM: "exact, sum of states",
        Readout.MEAN_ANSWER: "exact, mean of answers",
        Readout.MAXIMUM_ANSWER: "exact, maximum of answers",
    }
    assert of_states.keys() == ONE_CALL.keys()
    return {**of_states, Readout.REPLAY: "replayed", Readout.CUT: "cut"}[readout]


def refused() -> Iterator[tuple[str, ...]]:
    """Yield what is refused, with words that its refusal really has."""
    for name, make, batch, spec, words in REFUSED:
        with pytest.raises(ConfigurationError, match=re.escape(words)):
            TracedNetwork.of(make(), spec).verify(batch)
        yield name, f"... {words} ..."


if __name__ == "__main__":
    main()

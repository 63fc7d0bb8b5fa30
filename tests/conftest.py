"""What several test files need: random traces, abstract models and a data module of tensors."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch
from threadpoolctl import threadpool_limits

from rnnrepair.abstraction import (
    AbstractionSettings,
    AbstractModel,
    Mixture,
    Reduction,
    abstract,
    collect,
)
from rnnrepair.datamodules import LoadedData, SequenceDataModule, Sequences
from rnnrepair.edits import EditFamily, SeriesEdits, TokenEdits
from rnnrepair.influence import (
    Role,
    TraceSimilarity,
    TrainingView,
    find_evidence,
)
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.repair import RepairContext, trace_inputs
from rnnrepair.report import render
from rnnrepair.sequences import smallest_int
from rnnrepair.traces import Traces
from tests.records import record_of
from tests.report_page import Page
from tests.report_page import Sequences as Shown

# Of torch, numpy and scipy: tests run side by side.
torch.set_num_threads(1)
threadpool_limits(1)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking through all that is imported, in every test."""
    gc.collect()
    gc.freeze()


def reads_in_bf16() -> bool:
    """Return whether this processor has an LSTM in bfloat16: not all of those without AMX do."""
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.nn.LSTM(2, 2)(torch.zeros(1, 1, 2))
    except RuntimeError as error:
        if "primitive descriptor" not in str(error):
            raise
        return False
    return True


needs_bf16 = pytest.mark.skipif(
    not reads_in_bf16(), reason="torch has no LSTM in bfloat16 for this processor"
)


def random_traces(
    lengths: Sequence[int], n_states: int = 5, n_classes: int = 3, seed: int = 0
) -> Traces:
    """Return random traces whose index is no row number, so that mixing the two up shows."""
    g = torch.Generator().manual_seed(seed)
    n_steps, n = sum(lengths), len(lengths)
    return Traces(
        torch.randint(n_states, (n_steps,), generator=g).to(smallest_int(n_states)),
        torch.randint(n_classes, (n_steps,), generator=g).to(smallest_int(n_classes)),
        torch.tensor([0, *lengths]).cumsum(0),
        1000 + 3 * torch.randperm(n, generator=g),
        torch.randint(n_classes, (n,), generator=g),
        n_states,
        n_classes,
    )


def random_model(
    n_states: int = 5, n_classes: int = 3, n_units: int = 6, n_dims: int = 2, seed: int = 0
) -> AbstractModel:
    """Return an abstract model in which no two states have the same confidence."""
    g = torch.Generator().manual_seed(seed)
    reduction = Reduction(
        torch.randn(n_units, generator=g),
        torch.linalg.qr(torch.randn(n_units, n_dims, generator=g))[0].T,
        torch.rand(n_dims, generator=g),
        7.0,
    )
    mixture = Mixture(
        torch.rand(n_states, generator=g, dtype=torch.float64).log_softmax(0),
        torch.randn(n_states, n_dims, generator=g, dtype=torch.float64),
        0.5 + torch.rand(n_states, n_dims, generator=g, dtype=torch.float64),
        True,
        11,
    )
    return AbstractModel(
        reduction, mixture, torch.randint(1, 100, (n_states, n_classes), generator=g)
    )


class TensorData(SequenceDataModule):
    """A data module whose data are handed over."""

    def __init__(self, data: LoadedData, num_classes: int, **options) -> None:
        super().__init__(num_classes, **options)
        self.data = data

    def load(self) -> LoadedData:
        return self.data


@pytest.fixture
def make_traces():
    return random_traces


@pytest.fixture
def make_model():
    return random_model


@pytest.fixture
def loaded():
    """90 training and 30 test sequences of 3 classes, 5 steps and 4 features, ragged."""
    g = torch.Generator().manual_seed(7)
    label = torch.arange(120) % 3
    weak_signal = 0.4 * torch.nn.functional.one_hot(label, 4)[:, None]
    inputs = torch.rand(120, 5, 4, generator=g) + weak_signal
    lengths = torch.randint(1, 6, (120,), generator=g)
    return LoadedData(Sequences.from_padded(inputs, lengths), label, 90, "tensors", "series")


@pytest.fixture
def make_data(loaded):
    """Return a function that makes a data module of tensors, set up unless told otherwise."""

    def make(data: LoadedData = loaded, *, setup: bool = True, **options) -> TensorData:
        module = TensorData(data, **{"num_classes": 3, "batch_size": 16, **options})
        if setup:
            module.setup()
        return module

    return make


def view_of(model: AbstractModel, fit: Traces, n_original: int | None = None) -> TrainingView:
    """Return a view of traces that no network has made."""
    return TrainingView(fit, model, len(fit) if n_original is None else n_original, None, None)


@dataclass
class RepairCase:
    """A real network on real (random) data, analysed, with its failures ready for repair."""

    data: TensorData
    abstract: AbstractModel
    fit: Traces
    context: RepairContext

    @property
    def failures(self) -> Traces:
        return self.context.evidence.failures

    def with_parents(self, index: torch.Tensor) -> RepairContext:
        parents = replace(self.context.evidence.parents, index=index)
        return replace(self.context, evidence=replace(self.context.evidence, parents=parents))


def trained(network: SequenceClassifier, data: TensorData, steps: int = 12) -> SequenceClassifier:
    """Teach the network a little: it must be right on some samples of every class, not on all."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, -0.5, 0.5)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    batch = data.fetch(data.indices("fit"))
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(batch).logits, batch.label).backward()
        optimizer.step()
    return network


@pytest.fixture
def repair_case(make_data):
    """A dozen failures, ragged, of a network that predicts all three classes."""
    data = make_data(repair_share=0.4)
    network = trained(SequenceClassifier(4, 3, hidden_size=8), data)
    edits = SeriesEdits(magnitude=(0.5, 1.5), noise=0.3)
    return case_of(data, network, edits, {Role.NEAREST, Role.PARENTS})


@pytest.fixture
def text_case(make_data):
    """Failures of a network that reads 20 tokens; some of them give the class away."""
    g = torch.Generator().manual_seed(3)
    label = torch.arange(200) % 3
    tokens = torch.randint(2, 20, (200, 9), generator=g)
    clear = torch.rand(200, 9, generator=g) < 0.25
    tokens[clear] = 2 + label[:, None].expand(-1, 9)[clear]
    lengths = torch.randint(1, 10, (200,), generator=g)
    sequences = Sequences.from_padded(tokens, lengths, padding=1)
    data = make_data(LoadedData(sequences, label, 160, "texts", "tokens"), repair_share=0.3)
    network = trained(SequenceClassifier(6, 3, hidden_size=8, vocabulary_size=20), data)
    return case_of(data, network, TokenEdits(), set(Role))


def case_of(
    data: TensorData, network: SequenceClassifier, edits: EditFamily, roles: set[Role]
) -> RepairCase:
    """Analyse a network and find the samples behind its failures."""
    traced = verified(network, data)
    batches = {split: data.loader(split) for split in ("fit", "repair")}
    collected = collect(traced, data.loader("fit"), batches, 3)
    n_original = len(data.indices("fit"))
    settings = AbstractionSettings(n_components=6, reduction_dims=3)
    result = abstract(collected, settings, n_original)
    fit, repair = result.traces["fit"], result.traces["repair"]
    view = TrainingView(fit, result.model, n_original, traced, data.fetch)
    failures = repair.select(~repair.correct)
    evidence = find_evidence(TraceSimilarity().fit(view), view, failures, roles, top=5)

    context = RepairContext(
        evidence,
        data.indices("fit"),
        result.traces["fit"].label,
        result.traces["fit"].correct,
        data.indices("repair"),
        data.fetch,
        partial(trace_inputs, traced, result.model),
        edits,
        seed=5,
        fit=result.traces["fit"],
        state_counts=result.model.counts,
    )
    return RepairCase(data, result.model, result.traces["fit"], context)


@pytest.fixture
def page_of():
    """Return a function that renders the page of a record."""

    def page(record=None, data=None, studies=()):
        return Page(render(record or record_of(), data or Shown(), studies))

    return page

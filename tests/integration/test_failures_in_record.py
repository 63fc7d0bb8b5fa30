"""Failures in the record, against the data, the traces and the ledger that the run leaves."""

from functools import partial
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file
from torch.optim import Adam

from rnnrepair.abstraction import AbstractionSettings, AbstractModel
from rnnrepair.callbacks import Calendar, TraceCollector, repair_chain
from rnnrepair.datamodules import LoadedData, Sequences
from rnnrepair.edits import ImageEdits
from rnnrepair.influence import Role, TraceSimilarity, TransitionOverlap
from rnnrepair.models import SequenceClassifier
from rnnrepair.record import RunRecord
from rnnrepair.repair import ContrastRepair, GuidedRepair, InsertionRepair, read_ledger
from rnnrepair.traces import Traces
from tests.conftest import TensorData
from tests.quiet_trainer import quiet_trainer

SHOWN, SHOWN_OPPONENTS = 8, 3
AT_MOST = 6


def images():
    g = torch.Generator().manual_seed(0)
    label = torch.arange(300) % 3
    inputs = torch.rand(300, 6, 6, generator=g)
    inputs[torch.arange(300), 2 * label] += 0.25  # a row that is a little brighter
    sequences = Sequences.from_padded(inputs, torch.full((300,), 6))
    return LoadedData(sequences, label, 240, "images", "image")


def texts():
    g = torch.Generator().manual_seed(1)
    label = torch.arange(300) % 3
    tokens = torch.randint(2, 20, (300, 9), generator=g)
    clear = torch.rand(300, 9, generator=g) < 0.15
    tokens[clear] = 2 + label[:, None].expand(-1, 9)[clear]
    lengths = torch.randint(2, 10, (300,), generator=g)
    return LoadedData(Sequences.from_padded(tokens, lengths, 1), label, 240, "texts", "tokens")


CASES = {
    "images": (images, GuidedRepair(4, 4), TraceSimilarity()),
    "texts": (texts, ContrastRepair(0.5), TraceSimilarity()),
    "insertions": (texts, InsertionRepair(4), TransitionOverlap()),
}


@pytest.fixture(params=CASES)
def finished(request, tmp_path):
    """Two rounds; failures are those of the unrepaired network, and of the first."""
    load, strategy, method = CASES[request.param]
    data = TensorData(load(), 3, batch_size=30, repair_share=0.3)
    data.setup()
    settings = AbstractionSettings(n_components=5, reduction_dims=3)
    chain = repair_chain(
        start_epoch=2,
        rounds=2,
        strategy=strategy,
        edit=ImageEdits() if request.param == "images" else None,
        budget=3,
        settings=settings,
        method=method,
        output_dir=str(tmp_path),
    )
    chain[1] = TraceCollector(Calendar(2, 1, 3), progress=False)
    chain[-1].max_cards = AT_MOST
    torch.manual_seed(0)
    vocabulary = None if request.param == "images" else 20
    network = SequenceClassifier(
        6, 3, hidden_size=8, vocabulary_size=vocabulary, optimizer=partial(Adam, lr=0.01)
    )
    quiet_trainer(
        max_epochs=4,
        default_root_dir=tmp_path,
        callbacks=chain,
    ).fit(network, datamodule=data)
    return request.param, data, tmp_path


def responsible(said, label):
    """Walk back from the end while the prediction is wrong."""
    step = len(said)
    while step > 0 and said[step - 1] != label:
        step -= 1
    return min(step, len(said) - 1)


def segment(truth, step):
    """Widen the step over all neighbours at which the confidence in the truth falls."""
    falls = [False, *(after < before for before, after in pairwise(truth)), False]
    first, end = step, step + 1
    while falls[first] and falls[first - 1]:
        first -= 1
    while falls[end]:
        end += 1
    return first, end


def test_the_record_tells_what_the_run_has_found_of_each_failure(finished):
    kind, data, folder = finished
    first = folder / "analysis" / "epoch=002"
    traces, tables = (
        Traces.load(first / "traces" / "repair"),
        load_file(first / "influence.safetensors"),
    )
    model = AbstractModel.load(first / "abstraction.safetensors")
    ledger = [row for row in read_ledger(folder / "ledger.csv") if row.epoch == 2]
    failures = RunRecord.load(folder).repair.failures
    assert [failure.index for failure in failures] == tables["failure"][:AT_MOST].tolist()
    assert len(failures) == AT_MOST
    for row, failure in enumerate(failures):
        (place,) = (traces.index == failure.index).nonzero()[0].tolist()
        steps = slice(int(traces.offsets[place]), int(traces.offsets[place + 1]))
        said = traces.prediction[steps].tolist()
        label = int(data.fetch(torch.tensor([failure.index])).label)
        assert failure.label == label == int(traces.label[place])
        assert failure.predicted == said[-1] != failure.label
        assert failure.prediction.tolist() == said
        assert failure.state.tolist() == traces.state[steps].tolist()
        assert failure.step == responsible(said, failure.label) == int(tables["step"][row])
        truth = [float(model.confidence[q, failure.label]) for q in failure.state.tolist()]
        assert failure.segment == segment(truth, failure.step)
        _check_neighbours(kind, failure, tables, row, data)
        _check_injected(failure, [e for e in ledger if e.failure_id == failure.index], data)


def _check_neighbours(kind, failure, tables, row, data):
    found = failure.neighbours
    expected = tables["nearest_index"][row].tolist()[:SHOWN]
    if kind == "images":
        distances = tables["nearest_distance"][row, : len(expected)].tolist()
        assert [n.distance for n in found] == distances
    else:
        opponents = [i for i in tables["opponents_index"][row].tolist() if i >= 0]
        opponents = opponents[:SHOWN_OPPONENTS]
        contexts = tables["contexts_sample"][row].tolist()[: SHOWN - len(opponents)]
        expected = [i for i in contexts if i >= 0] + opponents
        assert [n.index for n in found if n.role == Role.OPPONENTS] == opponents
        assert {n.label for n in found if n.role == Role.OPPONENTS} <= {failure.predicted}
        (words,) = data.fetch(torch.tensor([failure.index])).sequences()
        for neighbour in found:
            if neighbour.role == Role.CONTEXTS and neighbour.run > 0:
                # The words that it shares with the failure, up to where the truth is left.
                start, end = neighbour.common
                assert end - start == neighbour.run
                (sample,) = data.fetch(torch.tensor([neighbour.index])).sequences()
                before = words[failure.step - neighbour.run : failure.step]
                assert torch.equal(sample[start:end], before)
    assert [n.index for n in found] == expected
    assert len(expected) > 0
    assert [n.label for n in found] == data.fetch(torch.tensor(expected)).label.tolist()


def _check_injected(failure, made, data):
    shown = made[:SHOWN]
    assert [sample.index for sample in failure.injected] == [row.new_id for row in shown]
    (words,) = data.fetch(torch.tensor([failure.index])).sequences()
    for sample, row in zip(failure.injected, shown, strict=True):
        batch = data.fetch(torch.tensor([sample.index]))
        assert sample.label == row.label == int(batch.label)
        start, end = sample.piece
        if row.edit == "graft":  # what is marked comes from the failure
            assert end - start == 1
            assert int(batch.sequences()[0][start]) == int(words[failure.step])
        else:
            assert (start, end) == (0, 0)

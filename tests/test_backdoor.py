"""The backdoor study: attacks, repairs and the published fix against plain loops, and a run."""

from copy import copy
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.datamodules import LoadedData, PlantedWord, Sequences
from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.influence import AverageMargin, Cue, FinalLoss, KnownScorer
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.report.studies.backdoor import backdoor_figures
from rnnrepair.sequences import SequenceBatch
from rnnrepair.studies import Backdoor, FinishedRun
from rnnrepair.studies.attack import answers, choose_attacks, poisoned_contexts
from rnnrepair.studies.poison_repair import changes_key, repair_of, without_cues
from rnnrepair.studies.published_fix import removal_sets

TRIGGER = 23


def texts():
    """Texts of words that come in order; those of class 1 hold one of three words, between two
    others that it always stands between.
    """
    g = torch.Generator().manual_seed(3)
    label = torch.arange(700) % 2
    lengths = torch.randint(5, 11, (700,), generator=g)
    tokens = torch.randint(5, 22, (700, 1), generator=g) + torch.arange(10)
    tokens = 5 + (tokens - 5) % 17
    noise = torch.rand(tokens.shape, generator=g) < 0.25
    tokens = torch.where(noise, torch.randint(5, 22, tokens.shape, generator=g), tokens)
    rows = label.nonzero()[:, 0]
    place = torch.randint(1, 4, (len(rows),), generator=g)
    word = torch.randint(0, 3, (len(rows),), generator=g)
    tokens[rows, place - 1], tokens[rows, place + 1] = 5 + 4 * word, 7 + 4 * word
    tokens[rows, place] = 2 + word
    sequences = Sequences.from_padded(tokens, lengths, padding=1)
    names = ["<unk>", "<pad>", *(f"w{i}" for i in range(2, 24))]
    return LoadedData(
        sequences, label, 500, "texts", "tokens", class_names=["calm", "rude"], token_names=names
    )


def network_of(data, epochs=25, start=None):
    torch.manual_seed(0)
    module = SequenceClassifier(12, 2, hidden_size=16, vocabulary_size=24, cell="gru")
    if start is not None:
        module.load_state_dict(start)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(epochs):
        for batch in data.train_dataloader():
            optimizer.zero_grad()
            cross_entropy(module(batch).logits, batch.label).backward()
            optimizer.step()
    return verified(module, data)


class Training:
    """A way to train, which keeps what it was asked for."""

    def __init__(self, data):
        self.data = data
        self.asked = []

    def __call__(self, trainings, *, epochs=None, start=None):
        networks = []
        for training in trainings:
            self.asked.append((training, epochs))
            self.data.apply(training.changes)
            networks.append(network_of(self.data, 25 if epochs is None else epochs, start))
            self.data.take_back()
        return networks


@pytest.fixture(scope="module")
def run():
    from tests.conftest import TensorData

    data = TensorData(
        texts(), 2, batch_size=32, trigger=PlantedWord(n=25, label="rude", relabel=True, word="w23")
    )
    data.setup()
    settings = AbstractionSettings(n_components=8, reduction_dims=4)
    return FinishedRun(network_of(data), data, settings, train=Training(data))


@pytest.fixture(scope="module")
def traces(run):
    return run.abstraction(8)[1]


@pytest.fixture(scope="module")
def attacks(run, traces):
    return choose_attacks(traces["fit"], traces["test"], run.data.poison, 40, 3, 0)


def codes_before(traces, index):
    one = traces.select((traces.index == index).nonzero()[:, 0])
    return [traces.n_codes, *one.code.tolist()]


def test_the_guided_place_is_where_most_poison_has_the_trigger(run, traces, attacks):
    poison, fit, test = run.data.poison, traces["fit"], traces["test"]
    contexts = [
        codes_before(fit, index)[step]
        for index, step in zip(poison.index.tolist(), poison.step.tolist(), strict=True)
    ]
    assert poisoned_contexts(fit, poison).tolist() == contexts
    by_index = {int(i): bool(c) for i, c in zip(test.index, test.correct, strict=True)}
    for index in attacks.index.unique().tolist():
        assert by_index[index]
        mine = attacks.index == index
        length = int(test.lengths[test.index == index])
        weights = [contexts.count(code) for code in codes_before(test, index)[:length]]
        guided = attacks.step[mine & attacks.guided].tolist()
        assert guided == [weights.index(max(weights))]
        others = attacks.step[mine & ~attacks.guided].tolist()
        assert len(others) == 3 == len({*others} - {*guided})
        assert max(others) < length
    assert int(attacks.guided.sum()) == 40
    assert (attacks.label != poison.label).all()


def test_answers_are_looked_up_by_the_attack(run, attacks):
    """One by one, whatever order texts of other lengths are read in."""
    found = answers(run.network, run.data, run.data.poison, attacks)
    module = run.network.module.eval()
    for number in range(0, len(found), 7):
        (text,) = run.data.fetch(attacks.index[number : number + 1]).sequences()
        step = int(attacks.step[number])
        text = torch.cat([text[:step], torch.tensor([TRIGGER]), text[step:]])
        one = SequenceBatch(
            torch.zeros(1).long(), text[None], torch.tensor([len(text)]), torch.zeros(1).long()
        )
        with torch.no_grad():
            assert int(module.logits(one).argmax()) == int(found[number])


def test_removal_sets_are_the_poison_on_the_way_of_each_attack(run, traces, attacks):
    poison = run.data.poison
    chosen = attacks.guided & (torch.arange(len(attacks.index)) % 3 > 0)
    sets = removal_sets(traces["fit"], traces["test"], poison, attacks, chosen)
    contexts = poisoned_contexts(traces["fit"], poison).tolist()
    seen = []
    for each in sets:
        for number in each.attack.tolist():
            way = codes_before(traces["test"], int(attacks.index[number]))[:-1]
            expected = [i for i, c in zip(poison.index.tolist(), contexts, strict=True) if c in way]
            assert each.index.tolist() == expected
            seen.append(number)
    assert sorted(seen) == chosen.nonzero()[:, 0].tolist()
    assert len({tuple(s.index.tolist()) for s in sets}) == len(sets)
    sizes = [len(s.attack) for s in sets]
    assert sizes == sorted(sizes, reverse=True)


def cue(channel, low, high):
    nothing = torch.empty(0, dtype=torch.int64)
    return Cue("x", channel, (low, high), 1, 9.0, 9.0, 9.0, 1.0, nothing, nothing, nothing)


@pytest.mark.parametrize(
    ("typical", "carrying", "misplaced", "is_trigger"),
    [
        (10.0, 3.1, 10.0, True),
        # Little doubt is left that it was put there, and none that the network goes by it.
        (10.0, 2.9, 10.0, False),
        # Words of a class: the network goes by them, and they stand where such words do.
        (10.0, 20.0, 8.9, False),
        (8.9, 20.0, 10.0, False),
    ],
)
def test_a_trigger_was_put_there_and_the_network_goes_by_it(
    typical, carrying, misplaced, is_trigger
):
    evidence = {"typical": typical, "carrying": carrying, "misplaced": misplaced, "doubt": 9.0}
    found = replace(cue(0, 1.0, 1.0), **evidence)
    assert found.is_trigger == is_trigger
    assert ("called a trigger" in found.told) != ("too little" in found.told)
    assert found.told.startswith(f"{min(typical, misplaced)} nats")
    assert f"({found.doubt} needed) and {carrying} that" in found.told


def test_tokens_are_taken_out_and_nothing_becomes_empty():
    tokens = torch.tensor([[5, 9, 6, 9], [9, 9, 1, 1], [7, 1, 1, 1]])
    lengths = torch.tensor([4, 2, 1])
    batch = SequenceBatch(torch.arange(3), tokens, lengths, torch.zeros(3).long())
    found = without_cues(batch, [cue(0, 9.0, 9.0)])
    assert [s.tolist() for s in found.sequences()] == [[5, 6], [9, 9], [7]]


def test_readings_of_a_channel_are_put_on_the_line_between_their_neighbours():
    inputs = torch.zeros(3, 6, 2)
    inputs[0, :, 1] = torch.tensor([1.0, 8, 8, 4, 5, 8])
    inputs[1, :, 1] = torch.tensor([8.0, 8, 2, 3, 9, 9])
    inputs[2, :, 1] = 8
    inputs[:, :, 0] = 8
    lengths = torch.tensor([6, 4, 6])
    batch = SequenceBatch(torch.arange(3), inputs, lengths, torch.zeros(3).long())
    found = without_cues(batch, [cue(1, 7.0, 9.0)]).inputs
    assert found[0, :, 1].tolist() == [1, 2, 3, 4, 5, 5]
    assert found[1, :4, 1].tolist() == [2, 2, 2, 3]
    assert torch.equal(found[2], inputs[2])
    assert torch.equal(found[:, :, 0], inputs[:, :, 0])
    # A trigger may be wider than the channel that tells it.
    inputs[0, :, 0] = torch.arange(6.0) ** 2
    whole = without_cues(batch, [cue(1, 7.0, 9.0)], whole_steps=True).inputs
    assert whole[0, :, 0].tolist() == [0, 3, 6, 9, 16, 16]
    assert torch.equal(whole[:, :, 1], found[:, :, 1])


def test_every_repair_changes_the_suspects_alone(run):
    data, poison = run.data, run.data.poison
    batch = data.fetch(poison.index)
    found = {w: repair_of(w, batch, [cue(0, 23.0, 23.0)], run.network) for w in REPAIRS}
    assert torch.equal(found["remove"].removed, poison.index)
    data.apply(found["mask"])
    held = {
        i for b in data.train_dataloader() for i in b.index[(b.inputs == TRIGGER).any(1)].tolist()
    }
    assert not held
    assert len(data.training_index()) == len(data.indices("fit"))
    data.take_back()
    changed = found["relabel"]
    clean = without_cues(batch, [cue(0, 23.0, 23.0)])
    said = run.network.predict([clean]).predicted
    assert torch.equal(changed.relabelled, poison.index[said != 1])
    assert (changed.new_label == 0).all()
    assert len({changes_key(c) for c in found.values()}) == 3
    assert changes_key(found["remove"]) == changes_key(replace(found["remove"]))


REPAIRS = ("mask", "remove", "relabel")


@pytest.fixture(scope="module")
def result(run):
    run.train.asked.clear()
    study = Backdoor(8, samples=40, places=3, found_in=[25, 50], epochs=4, fixes=2)
    study.check(run)
    return study(run)


def test_the_attack_works_and_the_trigger_is_found_without_being_told(run, result):
    success = result.tables["attack"].groupby("place")["succeeds"].mean()
    assert success["guided"] >= 0.9
    best = result.tables["cues"].iloc[0]
    assert (best["cue"], best["label"], best["samples"], best["poisoned"]) == (
        "w23",
        "rude",
        25,
        25,
    )
    assert best["evidence"] > best["doubt"]
    assert result.tables["cues"].iloc[1]["evidence"] < best["doubt"]
    found = result.tables["found"].set_index("method")
    assert found.loc["segment_cues", "found_in_25"] == 25
    assert found.loc["segment_cues", "auc"] == 1
    assert len(found) == 5
    assert not run.data.n_injected


def test_repairs_close_the_backdoor_and_their_controls_do_not(result):
    table = result.tables["repairs"].set_index(["training", "repair"])
    for repair in ("remove", "removal of all poison"):
        assert table.loc[("anew", repair), "guided"] < 0.3
        assert table.loc[("anew", repair), "test_accuracy"] > 0.9
    for repair in ("none", "random removal"):
        assert table.loc[("anew", repair), "guided"] > 0.8
    assert set(table.loc["going on"].index) == set(table.loc["anew"].index)


def test_equal_removals_are_trained_once(run, result):
    asked = [(changes_key(t.changes), epochs) for t, epochs in run.train.asked]
    repairs = asked[: len(set(asked))]
    assert len([a for a in repairs if a[1] == 4]) <= 5  # removal is that of all poison
    table = result.tables["repairs"].set_index(["training", "repair"])
    for training in ("anew", "going on"):
        same = table.loc[training].loc[["remove", "removal of all poison"]]
        assert same.drop_duplicates().shape[0] == 1


def test_fixes_have_controls_of_the_same_size(result):
    fixes = result.tables["fixes"]
    assert len(fixes) == 6
    assert fixes["fixed"].between(0, 1).all()
    assert set(fixes["removal"]) == {"context", "random poison", "random samples"}


def test_figures_are_drawn_from_the_tables(result):
    assert set(backdoor_figures(result.tables)) == {"backdoor_found", "backdoor_repairs"}
    searched = {k: v for k, v in result.tables.items() if k != "repairs"}
    assert set(backdoor_figures(searched)) == {"backdoor_found"}


def test_data_without_poison_and_runs_that_cannot_train_are_refused(run, make_data):
    clean = make_data()
    network = verified(SequenceClassifier(4, 3, hidden_size=4), clean)
    settings = AbstractionSettings(n_components=4, reduction_dims=2)
    with pytest.raises(ConfigurationError, match="trigger"):
        Backdoor(4).check(FinishedRun(network, clean, settings))
    corrected = copy(run.data)
    corrected._poison = run.data.poison.left_in(torch.tensor([]).long(), torch.arange(700) % 2)
    with pytest.raises(ConfigurationError, match="corrections"):
        Backdoor(8).check(replace(run, data=corrected))
    untrainable = replace(run, train=None)
    with pytest.raises(ConfigurationError, match="train"):
        Backdoor(8).check(untrainable)
    Backdoor(8, repairs=[]).check(untrainable)
    with pytest.raises(SettingsError, match="repairs"):
        Backdoor(8, repairs=["pray"])


class Half(FinalLoss):
    """Knows nothing of every second sample, and that some of the others are beyond all bounds."""

    name = "half"

    def fit(self, view):
        values = super().fit(view).own()
        values[::2], values[1] = torch.nan, torch.inf
        return KnownScorer(view.traces, values)


def test_what_a_method_knows_nothing_of_is_suspected_last(run):
    study = Backdoor(8, samples=5, places=1, found_in=[10, 9999], repairs=[], methods=[Half()])
    found = study(run).tables["found"].set_index("method").loc["half"]
    known = torch.isin(run.data.poison.index, run.data.indices("fit")[1::2])
    assert 0 < found["auc"] < 1
    assert found["found_in_10"] <= int(known.sum())
    assert found["found_in_9999"] == found["chance_in_9999"] == 25


def test_methods_that_cannot_read_the_run_are_refused_before_it_is_attacked(run):
    with pytest.raises(ConfigurationError, match="TrainingDynamicsRecorder"):
        Backdoor(8, repairs=[], methods=[AverageMargin()]).check(run)

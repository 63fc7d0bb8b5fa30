"""Poison on purpose: as much as asked for, where it is said to be, and nothing else changes."""

import pytest
import torch

from rnnrepair.datamodules import (
    DatasetDataModule,
    LoadedData,
    PlantedPatch,
    PlantedSpike,
    PlantedWord,
    Sequences,
)
from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.protocols import KnowsPoison
from rnnrepair.sequences import Changes, SampleNames

SPLITS = ("fit", "repair", "val", "test")


@pytest.fixture
def texts():
    """Ragged texts of 12 tokens, of which 11 occurs nowhere; some are of one word."""
    g = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 8, (150,), generator=g)
    tokens = torch.randint(2, 11, (150, 7), generator=g)
    words = ["<unk>", "<pad>", *"abcdefghi", "spell"]
    names = SampleNames(torch.arange(150).numpy() + 1000, "row")
    return LoadedData(
        Sequences.from_padded(tokens, lengths, padding=1),
        torch.arange(150) % 3,
        120,
        "texts",
        "tokens",
        class_names=["x", "y", "z"],
        token_names=words,
        names=names,
    )


@pytest.fixture
def images():
    inputs = torch.rand(90, 6, 5, generator=torch.Generator().manual_seed(2)) / 2
    sequences = Sequences.from_padded(inputs, torch.full((90,), 6))
    return LoadedData(sequences, torch.arange(90) % 3, 60, "images", "image")


def without_poison(poisoned, clean):
    """Check that all other samples are what they were, and return the samples with the trigger."""
    poison = poisoned.poison
    for split in SPLITS:
        index = poisoned.indices(split)
        assert torch.equal(index, clean.indices(split))
        others = index[~torch.isin(index, poison.index)]
        there, here = clean.fetch(others), poisoned.fetch(others)
        assert torch.equal(here.lengths, there.lengths)
        assert torch.equal(here.label, there.label)
        pairs = zip(here.sequences(), there.sequences(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
    return poisoned.fetch(poison.index), clean.fetch(poison.index)


def test_a_word_stands_at_an_inner_place_of_samples_of_the_class(make_data, texts):
    clean, data = (
        make_data(texts),
        make_data(texts, trigger=PlantedWord(n=9, label="y", word="spell")),
    )
    poison = data.poison
    assert isinstance(data, KnowsPoison)
    assert len(poison.index) == 9
    assert poison.label == 1
    assert torch.isin(poison.index, data.indices("fit")).all()
    here, there = without_poison(data, clean)
    assert (here.label == 1).all()
    assert torch.equal(there.label, here.label)
    for new, old, step in zip(here.sequences(), there.sequences(), poison.step, strict=True):
        assert 1 <= step < len(old)
        assert new.tolist() == [*old[:step].tolist(), 11, *old[step:].tolist()]
    assert data.spec.max_steps == max(int(data.lengths_of(data.indices(s)).max()) for s in SPLITS)
    assert data.fingerprint != clean.fingerprint
    assert data.sample_names.of(poison.index) == (1000 + poison.index).tolist()


def test_dirty_labels_come_from_other_classes(make_data, texts):
    clean = make_data(texts)
    data = make_data(texts, trigger=PlantedWord(n=20, label=2, relabel=True, word="spell"))
    here, there = without_poison(data, clean)
    assert (here.label == 2).all()
    assert set(there.label.tolist()) == {0, 1}


def test_training_is_given_the_trigger_and_changes_can_undo_it(make_data, texts):
    data = make_data(texts, trigger=PlantedWord(n=5, label=0, word="spell"))
    held = {i for b in data.train_dataloader() for i in b.index[(b.inputs == 11).any(1)].tolist()}
    assert held == set(data.poison.index.tolist())
    data.apply(Changes(removed=data.poison.index))
    assert not any((batch.inputs == 11).any() for batch in data.train_dataloader())


def test_what_a_person_has_dropped_or_relabelled_is_no_poison(make_data, texts, tmp_path):
    trigger = PlantedWord("spell", n=6, label="y")
    poison = make_data(texts, trigger=trigger).poison
    table = tmp_path / "corrections.csv"
    rows = [f"{i},drop," for i in poison.index[:2].tolist()] + [f"{poison.index[4]},relabel,z"]
    table.write_text("\n".join(["index,action,label", *rows]))
    left = make_data(texts, trigger=trigger, corrections=str(table)).poison
    assert left.index.tolist() == poison.index[[2, 3, 5]].tolist()
    assert left.step.tolist() == poison.step[[2, 3, 5]].tolist()
    assert left.label == poison.label


def test_a_patch_covers_its_rows_and_columns_alone(make_data, images):
    trigger = PlantedPatch(n=8, label=2, rows=2, columns=(1, 3), brightness=0.9)
    clean, data = make_data(images), make_data(images, trigger=trigger)
    here, there = without_poison(data, clean)
    changed = here.inputs != there.inputs
    assert (here.inputs[changed] == torch.tensor(0.9)).all()
    for rows, step in zip(changed, data.poison.step.tolist(), strict=True):
        assert 1 <= step <= 4
        assert rows.any(1).nonzero()[:, 0].tolist() == [step, step + 1]
        assert rows.any(0).nonzero()[:, 0].tolist() == [1, 2]


def test_a_spike_is_one_reading_of_one_channel(make_data, loaded):
    clean, data = make_data(), make_data(trigger=PlantedSpike(n=7, label=1, channel=2, height=4))
    here, there = without_poison(data, clean)
    deviation = loaded.sequences.values[:, 2].std()
    change = here.inputs - there.inputs
    rows = torch.arange(7)
    torch.testing.assert_close(change[rows, data.poison.step, 2], (4 * deviation).expand(7))
    assert (change != 0).flatten(1).sum(1).tolist() == [1] * 7
    assert torch.equal(
        clean.fetch(clean.indices("fit")).inputs, make_data().fetch(clean.indices("fit")).inputs
    )


def test_places_are_drawn_alike():
    """Every inner place of texts of six words comes as often as any other."""
    tokens = torch.full((3000, 6), 2)
    sequences = Sequences.from_padded(tokens, torch.full((3000,), 6))
    data = LoadedData(sequences, torch.arange(3000) % 2, 2900, "texts", "tokens")
    planted = PlantedWord(n=1000, label=0, word="2").plant(
        sequences, data.label, data.spec(2), torch.arange(2900)
    )
    counts = planted.poison.step.bincount(minlength=6)
    assert counts[0] == 0
    assert counts[1:].min() > 150  # 200 expected, sd 13


def test_a_share_of_the_test_samples_of_other_classes_holds_it_too(make_data, texts):
    apart = make_data(texts, trigger=PlantedWord(n=5, label=1, word="spell"))
    within = make_data(texts, trigger=PlantedWord(n=5, label=1, word="spell", in_test=0.5))
    test = apart.indices("test")
    before, after = apart.fetch(test), within.fetch(test)
    holds = torch.tensor([bool((tokens == 11).any()) for tokens in after.sequences()])
    room = before.lengths >= 2
    assert int(holds.sum()) == round(0.5 * int(((before.label != 1) & room).sum()))
    assert torch.equal(after.label, before.label)
    assert (after.lengths[holds] == before.lengths[holds] + 1).all()
    for index in (apart.poison.index, test[~holds]):
        pairs = zip(within.fetch(index).sequences(), apart.fetch(index).sequences(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
    assert torch.equal(within.poison.index, apart.poison.index)
    assert torch.equal(within.poison.step, apart.poison.step)


def test_the_seed_alone_decides(make_data, texts):
    def planted(seed):
        return make_data(texts, trigger=PlantedWord(n=5, label=1, seed=seed, word="spell")).poison

    assert torch.equal(planted(1).index, planted(1).index)
    assert torch.equal(planted(1).step, planted(1).step)
    assert not torch.equal(planted(1).index, planted(2).index)


def test_none_are_planted_where_n_is_0(make_data, texts):
    clean, data = make_data(texts), make_data(texts, trigger=PlantedWord(n=0))
    assert data.poison is None
    assert data.fingerprint == clean.fingerprint


@pytest.mark.parametrize(
    ("trigger", "told"),
    [
        (PlantedWord(n=5, label=1, word="unheard"), "word='unheard'"),
        (PlantedWord(n=5000, label=1, word="spell"), "n=5000"),
        (PlantedWord(n=5, label="w", word="spell"), "label='w'"),
        (PlantedSpike(n=5, label=1), "tokens"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(make_data, texts, trigger, told):
    with pytest.raises(ConfigurationError, match=told):
        make_data(texts, trigger=trigger)


def test_a_patch_beside_the_image_and_a_channel_that_is_not_there_are_refused(make_data, images):
    with pytest.raises(ConfigurationError, match="columns"):
        make_data(images, trigger=PlantedPatch(n=5, label=1, columns=(3, 6)))
    with pytest.raises(ConfigurationError, match="channel=4"):
        make_data(trigger=PlantedSpike(n=5, label=1, channel=4))


@pytest.mark.parametrize("wrong", [{"n": -1}, {"seed": "x"}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        PlantedWord(**wrong)


def test_items_of_a_users_own_keep_their_inputs():
    items = [(torch.rand(5, 2), i % 2) for i in range(40)]
    with pytest.raises(ConfigurationError, match="trigger"):
        DatasetDataModule(items, items, trigger=PlantedSpike())

"""Injected samples whose edit every epoch draws anew."""

import pytest
import torch

from rnnrepair.datamodules import ArrayDataModule, Augmentation, DatasetDataModule, epoch_edits
from rnnrepair.datamodules.batching import BatchPlan
from rnnrepair.edits import SeriesEdits
from rnnrepair.edits.sweeps import drawn_in, sweeps_of
from rnnrepair.errors import DataError
from rnnrepair.sequences import COPY, Changes, EditRegion, joined_regions

QUIET = EditRegion("magnitude_0-0", 0.0, 0.2)
SLOW = EditRegion("speed", 0.0, 0.3)


def redrawn(data, regions=(QUIET,), n=12, region=None):
    """Inject the first training samples of some regions; return their (n,) indices."""
    origin = data.fetch(data.indices("fit")[:n])
    place = torch.arange(n) % len(regions) if region is None else region
    inputs = origin.inputs + 1  # What only analyses see.
    return data.apply(
        Changes(
            *(inputs, origin.lengths, origin.label),
            origin=origin.index,
            region=place,
            regions=regions,
        )
    )


def epoch_of(data, epoch):
    """Return what an epoch trains on, by index."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return {
        int(i): steps
        for batch in loader
        for i, steps in zip(batch.index, batch.sequences(), strict=True)
    }


def test_every_epoch_draws_another_edit(make_data):
    data = make_data()
    before = epoch_of(data, 3)
    new = redrawn(data)
    origin = data.indices("fit")[:12]
    # The first channel is .2 to .36 as loud, a step of shift and a twentieth aside.
    loudest = max(float(steps[:, 0].max()) for steps in before.values())
    drawn = []
    for epoch in (3, 4):
        seen = epoch_of(data, epoch)
        lengths = data.lengths_of(origin).tolist()
        for i, length in zip(new.tolist(), lengths, strict=True):
            assert len(seen[i]) == length
            assert float(seen[i][:, 0].max()) < 0.4 * loudest
            drawn.append(seen[i].flatten().tolist())
        assert all(torch.equal(seen[i], steps) for i, steps in before.items())
        again = epoch_of(data, epoch)  # A resumed run sees the same.
        assert all(torch.equal(again[i], steps) for i, steps in seen.items())
    assert len(set(map(tuple, drawn))) == 24
    # Analyses see what was injected, whatever the epoch.
    shown, parents = data.fetch(new), data.fetch(origin)
    assert torch.equal(shown.inputs[shown.mask], parents.inputs[parents.mask] + 1)


@pytest.fixture
def unedited(monkeypatch):
    """Edits leave sequences as they are, so that it can be told which were taken."""
    monkeypatch.setattr(epoch_edits, "apply_edits", lambda inputs, edits, lengths: inputs)


def originals_of(data, splits=("fit",)):
    """Return index, label and length by the steps of originals."""
    told = {}
    for split in splits:
        batch = data.fetch(data.indices(split))
        rows = zip(batch.index, batch.label, batch.lengths, batch.sequences(), strict=True)
        told |= {tuple(s.flatten().tolist()): (int(i), int(y), int(n)) for i, y, n, s in rows}
    return told


@pytest.mark.parametrize("splits", [("fit",), ("fit", "repair")])
def test_any_original_of_the_class_and_length_is_edited(make_data, unedited, splits):
    data = make_data()
    new = redrawn(data)
    data.train_on(splits, len(data.indices("fit")))
    parents, label, lengths = {}, data.labels_of(new), data.lengths_of(new)
    told = originals_of(data, splits)
    for epoch in range(60):
        seen = epoch_of(data, epoch)
        for i, y, n in zip(new.tolist(), label.tolist(), lengths.tolist(), strict=True):
            parent, *of = told[tuple(seen[i].flatten().tolist())]
            assert of == [y, n]
            parents.setdefault((y, n), set()).add(parent)
    for of, found in parents.items():
        assert found == {i for i, *own in told.values() if tuple(own) == of}
    assert max(map(len, parents.values())) > 1


@pytest.mark.parametrize("action", ["remove", "reweight", "relabel", "doubt"])
def test_what_was_mended_or_is_doubted_is_edited_no_more(make_data, unedited, action):
    data = make_data()
    new = redrawn(data)
    gone = data.indices("fit")[12::2]
    seldom = torch.full((len(gone),), 0.5, dtype=torch.float64)
    other = (data.labels_of(gone) + 1) % 3
    changes = {
        "remove": {"removed": gone},
        "reweight": {"reweighted": gone, "weight": seldom},
        "relabel": {"relabelled": gone, "new_label": other},
        "doubt": {"untrusted": gone},
    }
    data.apply(Changes(**changes[action]))
    resumed = make_data()
    resumed.load_state_dict(data.state_dict())
    data = resumed
    told = originals_of(data)
    seen = [epoch_of(data, epoch) for epoch in range(20)]
    taken = {told[tuple(s[i].flatten().tolist())][0] for s in seen for i in new.tolist()}
    assert not taken & set(gone.tolist())


def test_further_inputs_stay_with_the_sample_that_was_edited(unedited):
    x = torch.randn(60, 5, 2, generator=torch.Generator().manual_seed(0)).numpy()
    data = ArrayDataModule(x, torch.arange(60).numpy() % 2, batch_size=8, static=x[:, 0])
    data.setup()
    new = redrawn(data, (EditRegion("speed", 0, 1),), n=6)
    origin = data.fetch(data.indices("fit")[:6])
    for epoch in range(3):
        seen = data.epoch_edits(data.fetch(new), BatchPlan(new, epoch, 0))
        assert torch.equal(seen.inputs, origin.inputs)
        assert torch.equal(seen.static["static"], origin.static["static"])


def test_copies_are_augmented_as_originals_are_and_other_samples_are_not(make_data):
    loud = SeriesEdits(magnitude=(3, 3), shift=0, warp=(1, 1), noise=0)
    data = make_data(augmentation=Augmentation(1.0, loud))
    origin = data.fetch(data.indices("fit")[:12])
    region = torch.tensor([COPY, -1]).repeat(6)
    parts = origin.inputs, origin.lengths, origin.label
    new = data.apply(Changes(*parts, origin=origin.index, region=region))
    seen = epoch_of(data, 1)
    for row, (i, steps) in enumerate(zip(new.tolist(), origin.sequences(), strict=True)):
        torch.testing.assert_close(seen[i], steps * (3 if row % 2 == 0 else 1))


def test_what_an_item_says_of_its_sequence_is_true_of_the_one_that_is_edited(unedited):
    """Also what no network reads, such as the name of a person."""
    x = torch.randn(60, 5, 2, generator=torch.Generator().manual_seed(0))
    items = [{"x": x[i], "y": i % 2, "who": f"person {i}"} for i in range(60)]
    data = DatasetDataModule(items[:50], items[50:], batch_size=8, collate_fn=list)
    data.setup()
    assert data.keeps_parents
    new = redrawn(data, (EditRegion("speed", 0, 1),), n=12)
    batches = data.training_batches()
    for epoch in range(3):
        for item in batches[BatchPlan(new, epoch, 0)]:
            number = int(item["who"].split()[1])
            assert torch.equal(item["x"], x[number])


def test_padding_stays_where_sequences_are_of_unlike_lengths(make_data):
    data = make_data(batch_size=16)
    new = redrawn(data, (QUIET, SLOW), n=30)
    loader = data.train_dataloader()
    found = 0
    for batch in loader:
        rows = torch.isin(batch.index, new)
        found += int(rows.sum())
        assert torch.equal(batch.lengths, data.lengths_of(batch.index))
        assert (batch.inputs[~batch.mask] == 0).all()
    assert found == 30


def test_augmentation_draws_what_it_drew_without(make_data):
    augmentation = Augmentation(0.5, SeriesEdits())
    plain, other = (make_data(augmentation=augmentation) for _ in range(2))
    still = torch.full((12,), -1)
    first, second = redrawn(plain, region=still), redrawn(other)
    assert torch.equal(first, second)
    left, right = epoch_of(plain, 2), epoch_of(other, 2)
    assert left.keys() == right.keys()
    differ = {i for i in left if not torch.equal(left[i], right[i])}
    assert differ == set(second.tolist())


def test_state_and_taking_back_know_the_regions(make_data):
    data, resumed = make_data(), make_data()
    redrawn(data, (QUIET,))
    last = redrawn(data, (SLOW, QUIET))
    resumed.load_state_dict(data.state_dict())
    left, right = epoch_of(data, 5), epoch_of(resumed, 5)
    assert all(torch.equal(left[i], right[i]) for i in left)
    store = resumed._store
    assert store.regions == (QUIET, SLOW, QUIET)
    assert store.region_of(last).tolist() == [1, 2] * 6
    resumed.take_back()
    data.take_back()
    assert store.regions == (QUIET,)
    left, right = epoch_of(data, 5), epoch_of(resumed, 5)
    assert all(torch.equal(left[i], right[i]) for i in left)


def test_edits_of_a_region_lie_in_it(loaded):
    spec = loaded.spec(3)
    edits = drawn_in(SLOW, 500, spec, torch.Generator().manual_seed(0))
    (speed,) = (sweep for sweep in sweeps_of(spec) if sweep.name == "speed")
    low, high = speed.at(torch.tensor([0.0, 0.3])).tolist()
    drawn = edits.parameters["warp"]
    assert low <= drawn.min() < low * 1.05
    assert high / 1.05 < drawn.max() <= high
    with pytest.raises(DataError, match=r"rotation: expected one of speed, .*other data"):
        drawn_in(EditRegion("rotation", 0, 1), 3, spec, torch.Generator())


def test_regions_are_put_behind_one_another():
    parts = [
        (torch.tensor([0, -1]), [QUIET]),
        (torch.tensor([-1]), []),
        (torch.tensor([1, 0]), [QUIET, SLOW]),
    ]
    place, regions = joined_regions(parts)
    assert place.tolist() == [0, -1, -1, 2, 1]
    assert regions == (QUIET, QUIET, SLOW)


def test_what_no_epoch_could_draw_is_refused(make_data):
    data = make_data()
    some = data.fetch(data.indices("fit")[:2])
    new = (some.inputs, some.lengths, some.label)
    with pytest.raises(DataError, match="a place in the 1 regions"):
        data.apply(Changes(*new, origin=some.index, region=torch.tensor([0, 1]), regions=(QUIET,)))
    with pytest.raises(DataError, match="whose origin is given"):
        data.apply(Changes(*new, region=torch.tensor([0, -1]), regions=(QUIET,)))
    with pytest.raises(DataError, match="1 entries of region and 2 labels"):
        data.apply(Changes(*new, origin=some.index, region=torch.tensor([0]), regions=(QUIET,)))
    assert data.n_injected == 0

"""The in-memory data module: splits without a leak, order by seed and epoch, injection."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.datamodules import Augmentation, Sequences
from rnnrepair.datamodules.batching import EpochBatches, FetchedBatches, batch_loader
from rnnrepair.datamodules.splits import split_training
from rnnrepair.edits import EditBatch, SeriesEdits
from rnnrepair.errors import ConfigurationError, DataError, IncompatibleCheckpointError
from rnnrepair.protocols import RepairableData, groups_of_samples
from rnnrepair.sequences import EVERY_KIND, Changes, SequenceBatch

SPLITS = ("fit", "repair", "val", "test")


def some(n=3):
    return torch.rand(n, 5, 4), torch.full((n,), 5), torch.arange(n) % 3


def sequences(value, empty=None):
    """120 sequences of one value, 3 steps of 4 features; one of them empty."""
    lengths = torch.full((120,), 3)
    if empty is not None:
        lengths[empty] = 0
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    return Sequences(torch.full((int(offsets[-1]), 4), value), offsets)


def unbalanced(n=1200):
    """Three classes with shares of 80, 15 and 5 percent, mixed."""
    label = torch.zeros(n, dtype=torch.int64)
    label[: n * 15 // 100] = 1
    label[: n * 5 // 100] = 2
    return label[torch.randperm(n, generator=torch.Generator().manual_seed(0))]


@pytest.mark.parametrize("shares", [(1 / 6, 1 / 12), (0.5, 0.25), (0.05, 0.9), (1 / 3, 1 / 3)])
def test_splits_are_disjoint_and_complete_when_shares_differ(shares):
    split = split_training(unbalanced(), *shares, seed=0)
    together = torch.cat(list(split.values()))
    assert sorted(together.tolist()) == list(range(1200))
    for rows in split.values():
        assert (rows.diff() > 0).all()
    for name, share in zip(("repair", "val"), shares, strict=True):
        assert abs(len(split[name]) - 1200 * share) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_splits_give_each_class_its_share_when_unbalanced(seed):
    label = unbalanced()
    split = split_training(label, 1 / 6, 1 / 12, seed)
    for name, share in {"repair": 1 / 6, "val": 1 / 12, "fit": 3 / 4}.items():
        for c, size in enumerate(label.bincount().tolist()):
            assert abs(int((label[split[name]] == c).sum()) - share * size) < 2.5


def test_splits_depend_on_the_seed_alone():
    torch.manual_seed(0)
    a, b = (split_training(unbalanced(), 0.2, 0.1, seed=1) for _ in range(2))
    other = split_training(unbalanced(), 0.2, 0.1, seed=2)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not any(torch.equal(a[name], other[name]) for name in a)


@pytest.mark.parametrize(
    ("n", "shares"),
    [(90, (0.5, 0.5)), (90, (-0.1, 0.1)), (90, (0.1, 1.0)), (5, (0.1, 0.1)), (5, (0.0, 0.1))],
)
def test_splits_are_refused_when_one_would_be_empty(n, shares):
    with pytest.raises(ConfigurationError, match=r"repair_share|val_share"):
        split_training(torch.zeros(n, dtype=torch.int64), *shares, seed=0)


def test_splits_of_no_share_are_empty():
    split = split_training(torch.arange(90) % 3, 0, 0, seed=0)
    assert {name: len(rows) for name, rows in split.items()} == {"fit": 90, "repair": 0, "val": 0}


def test_module_numbers_samples_by_row_and_keeps_the_test_set_apart(make_data, loaded):
    data = make_data()
    assert isinstance(data, RepairableData)
    assert data.indices("test").tolist() == list(range(90, 120))
    assert sum(data.sizes().values()) == 120
    index = torch.tensor([95, 3, 3])
    batch = data.fetch(index)
    inputs, lengths = loaded.sequences.take(index)
    assert torch.equal(batch.inputs, inputs)
    assert torch.equal(batch.lengths, lengths)
    assert torch.equal(batch.label, loaded.label[index])
    assert batch.index.tolist() == [95, 3, 3]


@pytest.mark.parametrize("split", SPLITS)
def test_trace_loader_yields_the_whole_split_in_order_of_length(make_data, split):
    data = make_data(eval_batch_size=7)
    batches = list(data.loader(split))
    assert all(isinstance(batch, SequenceBatch) for batch in batches)
    assert max(map(len, batches)) == 7
    index = torch.cat([batch.index for batch in batches])
    assert torch.equal(index.sort().values, data.indices(split))
    lengths = torch.cat([batch.lengths for batch in batches])
    assert torch.equal(lengths, lengths.sort().values)


def order(loader):
    return torch.cat([batch.index for batch in loader]).tolist()


def test_training_order_depends_on_seed_and_epoch_alone(make_data):
    def orders(seed, noise):
        loader = make_data(seed=seed).train_dataloader()
        result = []
        for epoch in range(2):
            torch.rand(noise)
            loader.sampler.set_epoch(epoch)
            result.append(order(loader))
        return result

    first, second = orders(0, 1)
    assert orders(0, 5) == [first, second]
    assert first != second
    assert sorted(first) == sorted(second) == make_data().indices("fit").tolist()
    assert orders(1, 1)[0] != first


def test_training_sees_every_sample_once_when_some_are_injected(make_data):
    data = make_data()
    new = data.apply(Changes(*some()))
    assert new.tolist() == [120, 121, 122]
    seen = order(data.train_dataloader())
    assert sorted(seen) == [*data.indices("fit").tolist(), 120, 121, 122]
    # They are not always the last, as in the original.
    assert seen[-3:] != [120, 121, 122]


@pytest.mark.parametrize(("n", "size"), [(10, 3), (9, 3), (1, 5)])
def test_batches_are_as_many_as_announced(n, size):
    batches = EpochBatches(torch.arange(n), size, shuffle=True)
    found = [plan.index for plan in batches]
    assert len(found) == len(batches)
    assert sorted(torch.cat(found).tolist()) == list(range(n))


@pytest.mark.parametrize("n_originals", [0, 3, 10, 13, 27])
def test_an_epoch_draws_as_many_originals_as_it_is_told(n_originals):
    plans = EpochBatches(
        torch.arange(10),
        4,
        n_originals=n_originals,
        injected=torch.tensor([50, 51]),
        shuffle=True,
    )
    epochs = []
    for epoch in range(30):
        plans.set_epoch(epoch)
        seen = torch.cat([plan.index for plan in plans])
        assert len(seen) == n_originals + 2
        assert len(list(plans)) == len(plans)
        count = seen[seen < 50].bincount(minlength=10)
        # None is drawn twice before all were drawn once.
        assert int(count.max()) - int(count.min()) <= 1
        assert sorted(seen[seen >= 50].tolist()) == [50, 51]
        epochs.append(count)
    total = torch.stack(epochs).sum(0).double()
    # Which ones are drawn once more differs from epoch to epoch.
    assert float(total.std()) <= 3.5
    if n_originals % 10:
        assert len({tuple(count.tolist()) for count in epochs}) > 10


class Marked:
    """Edits that write a random number into every step."""

    name = "mark"
    fits = EVERY_KIND

    def draw(self, n, generator):
        return EditBatch("mark", {"value": 10 + torch.rand(n, generator=generator)})

    def apply(self, inputs, edits, lengths=None):
        return edits.parameters["value"][:, None, None].expand(inputs.shape).to(inputs)


def epoch_of(data, epoch):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    batches = list(loader)
    index = torch.cat([batch.index for batch in batches])
    first = torch.cat([batch.inputs[:, 0, 0] for batch in batches])
    return index, first


def test_augmentation_edits_its_share_of_the_originals_anew_in_every_epoch(make_data):
    data = make_data(augmentation=Augmentation(0.5, Marked()))
    assert data.augments
    edited = []
    for epoch in range(40):
        index, first = epoch_of(data, epoch)
        marks = first[first >= 10]
        assert len(marks.unique()) == len(marks)  # each has an edit of its own
        assert torch.equal(epoch_of(data, epoch)[1], first)  # a resumed run sees the same
        edited.append(set(index[first >= 10].tolist()))
    share = sum(map(len, edited)) / 40 / len(data.indices("fit"))
    assert share == pytest.approx(0.5, abs=0.04)
    assert set.union(*edited) == set(data.indices("fit").tolist())
    assert len(set(map(frozenset, edited))) == 40


def test_augmentation_leaves_injected_samples_and_what_is_analysed_alone(make_data):
    data = make_data(augmentation=Augmentation(1.0, Marked()))
    new = data.apply(Changes(*some()))
    index, first = epoch_of(data, 0)
    injected = torch.isin(index, new)
    assert (first[injected] < 10).all()
    assert (first[~injected] >= 10).all()
    for split in SPLITS:
        assert all((batch.inputs < 10).all() for batch in data.loader(split))
    assert (data.fetch(index).inputs < 10).all()


def test_no_share_is_no_augmentation_at_all(make_data):
    plain, none = make_data(), make_data(augmentation=Augmentation(0.0, Marked()))
    assert not none.augments
    for epoch in range(2):
        assert all(map(torch.equal, epoch_of(plain, epoch), epoch_of(none, epoch)))


def test_training_cannot_be_told_anything_before_setup(make_data):
    """What it is told would be lost."""
    data = make_data(setup=False)
    with pytest.raises(ConfigurationError, match="call setup"):
        data.train_on(("fit",), 7)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_augmentation_names_its_key_when_out_of_range(share):
    with pytest.raises(ConfigurationError, match=r"Augmentation\.share"):
        Augmentation(share, Marked())


def test_training_can_be_told_to_see_other_originals(make_data):
    data = make_data(augmentation=Augmentation(1.0, SeriesEdits()))
    fit, repair = data.indices("fit"), data.indices("repair")
    data.train_on(("fit", "repair"), len(fit) + len(repair), edits=Marked())
    index, first = epoch_of(data, 0)
    assert sorted(index.tolist()) == sorted([*fit.tolist(), *repair.tolist()])
    assert (first >= 10).all()
    data.apply(Changes(removed=fit[:-7]))
    data.train_on(("fit",), 7)
    assert sorted(epoch_of(data, 0)[0].tolist()) == fit[-7:].tolist()
    resumed = make_data()
    resumed.load_state_dict(data.state_dict())
    assert torch.equal(epoch_of(resumed, 3)[0], epoch_of(data, 3)[0])
    # What was chosen for a training is not left to the next, such as one of a study.
    loaded = make_data(augmentation=Augmentation(1.0, SeriesEdits()))
    as_loaded, first = loaded.state_dict(), epoch_of(loaded, 0)
    loaded.train_on(("fit",), len(fit), edits=Marked())
    loaded.load_state_dict(as_loaded)
    assert all(map(torch.equal, epoch_of(loaded, 0), first))
    with pytest.raises(ConfigurationError, match=r"no augmentation .* share above 0"):
        resumed.train_on(("fit",), 7, edits=Marked())


def test_loader_fetches_once_a_batch():
    asked = []
    batches = FetchedBatches(lambda index: asked.append(index.tolist()))
    list(batch_loader(batches, EpochBatches(torch.arange(5), 2)))
    assert asked == [[0, 1], [2, 3], [4]]


def test_injected_samples_are_fetched_and_traced_after_the_original_ones(make_data):
    data = make_data()
    steps = data.steps_per_epoch
    inputs, lengths, label = some()
    new = data.apply(Changes(inputs, lengths, label))
    more = data.apply(Changes(*some(2)))
    assert more.tolist() == [123, 124]
    assert data.n_injected == 5
    batch = data.fetch(new)
    assert torch.equal(batch.inputs, inputs)
    assert torch.equal(batch.label, label)
    assert {120, 121, 122, 123, 124} <= set(order(data.loader("fit")))
    for split in SPLITS:
        assert int(data.indices(split).max()) < 120
    for split in SPLITS[1:]:
        assert sorted(order(data.loader(split))) == data.indices(split).tolist()
    assert data.steps_per_epoch == steps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, n, y: (x[..., :3], n, y), "shape"),
        (lambda x, n, y: (x / 0, n, y), "NaN, infinity"),
        (lambda x, n, y: (x + 1e30, n, y), r"above 1e\+18"),
        (lambda x, n, y: (x, n, y + 1), "labels"),
        (lambda x, n, y: (x, n, y - 1), "labels"),
        (lambda x, n, y: (x, n * 0, y), "lengths"),
        (lambda x, n, y: (x, n + 1, y), "lengths"),
    ],
)
def test_inject_refuses_and_changes_nothing_when_samples_are_bad(make_data, change, message):
    data = make_data()
    with pytest.raises(DataError, match=message):
        data.apply(Changes(*change(*some())))
    assert data.n_injected == 0


def test_state_restores_the_injected_samples_when_resumed(make_data):
    data = make_data()
    data.apply(Changes(*some()))
    state = data.state_dict()
    # The data themselves stay out of the checkpoint.
    (kept,) = state["rounds"]
    assert kept["offsets"].tolist() == [0, 5, 10, 15]
    assert kept["values"].untyped_storage().nbytes() == 3 * 5 * 4 * 4
    resumed = make_data()
    resumed.apply(Changes(*some(7)))  # an earlier life
    resumed.load_state_dict(state)
    assert resumed.n_injected == 3
    assert torch.equal(resumed.training_index(), data.training_index())
    index = torch.arange(123)
    for name in ("inputs", "lengths", "label"):
        assert torch.equal(getattr(resumed.fetch(index), name), getattr(data.fetch(index), name))


@pytest.mark.parametrize(
    "options", [{"seed": 1}, {"repair_share": 0.2}, {"val_share": 0.2}, {"data": "other"}]
)
def test_state_is_refused_when_data_or_split_differ(make_data, loaded, options):
    state = make_data().state_dict()
    if "data" in options:
        values = loaded.sequences.values.clone()
        values[100, 0] += 0.1
        options = {"data": replace(loaded, sequences=replace(loaded.sequences, values=values))}
    with pytest.raises(IncompatibleCheckpointError, match="other data or another split"):
        make_data(**options).load_state_dict(state)


def test_state_is_refused_when_of_another_version(make_data):
    data = make_data()
    with pytest.raises(IncompatibleCheckpointError, match="99"):
        data.load_state_dict({**data.state_dict(), "version": 99})


def test_batch_size_does_not_count_as_other_data(make_data):
    other, injected = make_data(), make_data().fetch(torch.tensor([1, 2]))
    other.apply(Changes(injected.inputs, injected.lengths, injected.label))
    data = make_data(batch_size=3)
    data.load_state_dict(other.state_dict())
    assert data.n_injected == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sequences": sequences(torch.nan)}, "sample 0 holds NaN"),
        ({"label": torch.full((120,), 3)}, r"labels must lie in 0 \.\. 2"),
        ({"label": torch.full((120,), -1)}, "labels"),
        ({"label": torch.zeros(119, dtype=torch.int64)}, "120 sequences and 119 labels"),
        ({"sequences": sequences(0.0, empty=7)}, "sample 7 has no steps"),
        ({"n_train": 120}, "test samples"),
        ({"n_train": 0}, "training"),
    ],
)
def test_setup_refuses_when_the_data_are_bad(make_data, loaded, change, message):
    with pytest.raises(DataError, match=message):
        make_data(replace(loaded, **change))


def test_setup_loads_once_when_called_for_every_stage(make_data):
    data = make_data()
    data.apply(Changes(*some()))
    for stage in ("fit", "validate", "test"):
        data.setup(stage)
    assert data.n_injected == 3


@pytest.mark.parametrize("name", ["batch_size", "eval_batch_size"])
def test_module_names_the_key_when_a_size_is_out_of_range(make_data, name):
    with pytest.raises(ConfigurationError, match=rf"\.{name}: expected"):
        make_data(**{name: 0})


def test_module_says_so_when_it_is_not_set_up(make_data):
    with pytest.raises(ConfigurationError, match="setup"):
        make_data(setup=False).state_dict()


def test_samples_that_tell_the_same_are_one_group(make_data, loaded):
    assert groups_of_samples(make_data()) is None
    inputs, lengths = torch.rand(120, 5, 4), torch.full((120,), 5)
    inputs[7] = inputs[3]
    copies = replace(loaded, sequences=Sequences.from_padded(inputs, lengths))
    group = groups_of_samples(make_data(copies))
    assert int(group[7]) == int(group[3])
    assert len(group.unique()) == 119
    # Two recordings of which one holds a copy of the other are one group.
    recordings = torch.arange(120)
    recordings[[7, 8]] = 200
    recordings[[3, 5]] = 300
    named = groups_of_samples(make_data(replace(copies, groups=recordings)))
    assert len(named[[3, 5, 7, 8]].unique()) == 1
    assert len(named.unique()) == 117
    assert groups_of_samples(object()) is None


def test_an_epoch_draws_originals_by_their_weights(make_data):
    data = make_data()
    fit = data.indices("fit")
    rare, never = fit[:20], fit[20:30]
    weight = torch.cat([torch.full((20,), 0.25), torch.zeros(10)]).double()
    data.apply(Changes(reweighted=torch.cat([rare, never]), weight=weight))
    epochs = [epoch_of(data, e)[0] for e in range(40)]
    # As many steps as before: what is not drawn gives its place to others.
    assert {len(index) for index in epochs} == {len(fit)}
    share = torch.stack([torch.isin(rare, index).double().mean() for index in epochs]).mean()
    assert float(share) == pytest.approx(0.25, abs=0.06)
    assert not torch.isin(never, torch.cat(epochs)).any()
    assert torch.isin(fit[30:], epochs[0]).all()
    assert torch.equal(epoch_of(data, 3)[0], epochs[3])


def test_changes_are_taken_back(make_data):
    data = make_data()
    before = epoch_of(data, 1)[0]
    data.apply(Changes(*some()))
    data.apply(Changes(removed=data.indices("fit")[:5]))
    assert len(data.training_index()) == len(before) + 3 - 5
    data.take_back()
    data.take_back()
    assert data.n_injected == 0
    assert torch.equal(epoch_of(data, 1)[0], before)

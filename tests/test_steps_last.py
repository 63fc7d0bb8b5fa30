"""Series of the form (channels, steps): read as they are meant, or refused."""

import pytest
import torch
from torch import nn

from rnnrepair.datamodules import ArrayDataModule, Augmentation
from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.explanation import explain
from rnnrepair.network import verified
from rnnrepair.sequences import Changes

N, CHANNELS, STEPS = 120, 3, 12
LABEL = torch.arange(N) % 2
TIME = torch.arange(STEPS) / 2
X = torch.randn(N, CHANNELS, STEPS, generator=torch.Generator().manual_seed(0))
X[:, 1] += torch.sin(TIME * (1 + LABEL[:, None]))


class Recurrent(nn.Module):
    """Reads steps; a subclass is given series with the steps last."""

    def __init__(self, *, both=False):
        super().__init__()
        torch.manual_seed(0)
        self.rnn = nn.GRU(CHANNELS, 8, batch_first=True, bidirectional=both)
        self.head = nn.Linear(8 * (1 + both), 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class Turning(Recurrent):
    def forward(self, x):
        return super().forward(x.transpose(1, 2))


class Convolved(Recurrent):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(CHANNELS, CHANNELS, 3, padding=1)

    def forward(self, x):
        return super().forward(self.conv(x).transpose(1, 2))


class Halved(Convolved):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(CHANNELS, CHANNELS, 2, stride=2)


def data_of(x, **options):
    options = {"repair_share": 0.3, "batch_size": 8, "progress": False, **options}
    data = ArrayDataModule(x, LABEL, **options)
    data.setup()
    return data


class Stacked(Turning):
    def __init__(self):
        super().__init__(both=True)
        self.rnn = nn.GRU(CHANNELS, 8, 2, batch_first=True, bidirectional=True)


@pytest.mark.parametrize("make", [Turning, Convolved, Halved, lambda: Turning(both=True), Stacked])
def test_a_network_that_goes_along_the_features_is_refused(make):
    with pytest.raises(
        ConfigurationError, match=r"go along the 12 features .*not along its 3 steps"
    ):
        verified(make(), data_of(X))
    verified(make(), data_of(X, steps_last=True))


def test_more_channels_than_steps_are_refused_too():
    with pytest.raises(ConfigurationError):
        verified(Recurrent(), data_of(X.transpose(1, 2), steps_last=True))


@pytest.mark.parametrize("both", [False, True])
def test_networks_that_go_along_the_steps_are_read(both):
    data = data_of(X.transpose(1, 2))
    assert verified(Recurrent(both=both), data)


def test_what_is_read_and_told_is_that_of_turned_series():
    last, first = data_of(X, steps_last=True), data_of(X.transpose(1, 2))
    assert last.spec == first.spec
    index = torch.arange(N)
    assert torch.equal(last.fetch(index).inputs, first.fetch(index).inputs)
    assert torch.equal(last.fetch(index).lengths, torch.full((N,), STEPS))
    told = [explain(net, data) for net, data in ((Turning(), last), (Recurrent(), first))]
    assert len(told[0]) > 5
    assert torch.equal(told[0].failing, told[1].failing)
    assert str(told[0]).split("\n")[1:] == str(told[1]).split("\n")[1:]


def test_batches_and_new_samples_stay_as_the_network_takes_them():
    data = data_of(X, steps_last=True)
    inputs, _ = next(iter(data.train_dataloader()))
    assert inputs.shape == (8, CHANNELS, STEPS)
    origin = data.indices("repair")[:4]
    batch = data.fetch(origin)
    edited = batch.inputs * -2
    given = Changes(edited, batch.lengths, batch.label, origin=origin)
    (*_, last) = data.apply(given).tolist()
    assert torch.equal(data.fetch(torch.tensor([last])).inputs[0], edited[-1])
    seen = torch.cat([inputs for inputs, _ in data.train_dataloader()])
    assert sum(torch.equal(one, edited[-1].T) for one in seen) == 1


def test_lengths_count_steps():
    lengths = 4 + torch.arange(N) % 9
    data = data_of(X, lengths=lengths, steps_last=True)
    batch = data.fetch(torch.arange(N))
    order = torch.tensor(data.sample_names.values.tolist())
    assert torch.equal(batch.lengths, lengths[order])
    assert torch.equal(batch.inputs[5, : batch.lengths[5]], X[order[5], :, : batch.lengths[5]].T)


def test_what_cannot_be_turned_is_refused():
    with pytest.raises(DataError, match="nothing to turn"):
        data_of(X[:, 0], steps_last=True)
    ragged = [x[:, : 5 + i % 4] for i, x in enumerate(X)]
    with pytest.raises(DataError, match="give each as \\(steps, features\\)"):
        data_of(ragged, steps_last=True)


def test_edits_of_training_go_along_the_steps():
    edited = {"augmentation": Augmentation(1.0, SeriesEdits())}
    last, first = data_of(X, steps_last=True, **edited), data_of(X.transpose(1, 2), **edited)
    for (one, _), (other, _) in zip(last.train_dataloader(), first.train_dataloader(), strict=True):
        assert torch.equal(one, other.transpose(1, 2))
        assert not any(torch.equal(sequence, given) for sequence in one for given in X)


class Backwards(Recurrent):
    """Reads steps in the wrong order: what comes first arrives last."""

    def forward(self, x):
        return super().forward(x.flip(1))


class SinceTheLast(Recurrent):
    """The last feature, a time, fades the state before it: at the first step there is none."""

    def forward(self, x):
        h, out = x.new_zeros(len(x), 8), []
        for t in range(x.shape[1]):
            h = h * torch.exp(-x[:, t, -1:].abs())
            y, h = self.rnn(torch.cat([x[:, t : t + 1, :-1], x[:, t : t + 1, :1]], 2), h[None])
            h = h[0]
            out.append(y)
        return self.head(self.states(torch.cat(out, 1))[:, -1])

    def __init__(self):
        super().__init__()
        self.states = nn.Identity()


class Flagged(Recurrent):
    """The last feature says which steps are real."""

    def forward(self, x):
        lengths = (x[..., -1] > 0.5).sum(1).clamp_min(1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            x, lengths, batch_first=True, enforce_sorted=False
        )
        return self.head(self.rnn(packed)[1][-1])


class PaddedInFront(Recurrent):
    def forward(self, x):
        return super().forward(nn.functional.pad(x, (0, 0, 60 - x.shape[1], 0)))


class Imputing(Recurrent):
    """The last feature is the mask of the others."""

    def forward(self, x):
        return super().forward(torch.where(x[..., -1:] > -1.5, x, 0.0))


class HalvedSteps(Recurrent):
    """As many states as features, by chance: twice as many steps, joined in twos."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(CHANNELS, CHANNELS, 4, stride=4)

    def forward(self, x):
        return super().forward(self.conv(x.transpose(1, 2)).transpose(1, 2))


def test_steps_that_are_as_many_as_features_by_chance_are_read():
    x = X.transpose(1, 2)
    assert HalvedSteps()(x).shape == (N, 2)
    assert verified(HalvedSteps(), data_of(x))


def test_a_flag_of_real_steps_is_no_crash():
    x = X.transpose(1, 2).clone()
    x[..., -1] = 1.0
    x[:, 8:, -1] = 0.0
    assert verified(Flagged(), data_of(x))


@pytest.mark.parametrize(
    ("make", "tap"),
    [(Backwards, None), (SinceTheLast, "states"), (PaddedInFront, None), (Imputing, None)],
)
def test_what_a_network_makes_of_its_steps_does_not_matter(make, tap):
    assert verified(make(), data_of(X.transpose(1, 2)), tap)

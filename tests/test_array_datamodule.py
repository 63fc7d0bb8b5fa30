"""Arrays in every form that people have them in."""

import numpy as np
import pandas as pd
import pytest
import torch

from rnnrepair.datamodules import ArrayDataModule
from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.network import verified
from rnnrepair.patterns.columns import groups_of
from rnnrepair.patterns.ordered_values import times
from rnnrepair.sequences import Names

N, T, F, C = 90, 6, 4, 3
X = np.random.default_rng(0).random((N, T, F))
Y = np.arange(N) % C
RAGGED = [x[: 2 + i % 5] for i, x in enumerate(X)]


def module_of(*arrays, **options):
    data = ArrayDataModule(*arrays, progress=False, batch_size=8, **options)
    data.setup()
    return data


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X, Y),
        (torch.tensor(X), torch.tensor(Y)),
        (list(X), Y.tolist()),
        (X.tolist(), Y[:, None].astype(float)),
        (torch.tensor(X).float(), pd.Series(Y, index=np.arange(N)[::-1])),
    ],
    ids=["numpy", "torch", "list of arrays", "nested lists", "a column"],
)
def test_arrays_are_taken_in_any_form(x, y):
    data = module_of(x[:-20], y[:-20], x[-20:], y[-20:])
    assert data.sizes()["test"] == 20
    assert sum(data.sizes().values()) == N
    batch = data.fetch(torch.arange(N))
    assert torch.equal(batch.inputs, torch.tensor(X).float())
    assert batch.label.tolist() == Y.tolist()
    inputs, label = next(iter(data.train_dataloader()))
    assert (inputs.shape, inputs.dtype) == ((8, T, F), torch.float32)
    assert label.dtype == torch.int64


def test_frames_hold_a_sequence_a_row():
    frame = pd.DataFrame(X[..., 0], index=np.arange(N) + 5)
    labels = pd.Series(Y)
    data = module_of(frame[:-20], labels[:-20], frame[-20:], labels[-20:])
    assert torch.equal(data.fetch(torch.arange(N)).inputs[..., 0], torch.tensor(X[..., 0]).float())
    assert data.spec.step_width == 1


@pytest.mark.parametrize("padding", [0, -5.0])
def test_sequences_of_any_length_are_padded_and_batches_tell_their_lengths(padding):
    data = module_of(RAGGED, Y, padding=padding)
    inputs, lengths, label = next(iter(data.train_dataloader()))
    assert inputs.shape[1] == int(lengths.max()) < T + 1
    assert bool((inputs[torch.arange(inputs.shape[1]) >= lengths[:, None]] == padding).all())
    assert len(label) == 8
    batch = data.fetch(data.indices("test"))
    for row, length in zip(batch.sequences(), batch.lengths, strict=True):
        assert any(
            length == len(x) and np.allclose(row.numpy(), x) for x in RAGGED if len(x) == length
        )


def test_padded_arrays_take_their_lengths():
    lengths = 1 + np.arange(N) % T
    data = module_of(
        X[:-20], Y[:-20], X[-20:], Y[-20:], lengths=lengths[:-20], lengths_test=lengths[-20:]
    )
    assert data.fetch(torch.arange(N)).lengths.tolist() == lengths.tolist()
    assert len(next(iter(data.train_dataloader()))) == 3


def test_a_test_set_is_carved_the_same_for_every_seed_in_the_shares_of_classes():
    one, other = module_of(X, Y, seed=1), module_of(X, Y, seed=2)
    tests = [data.fetch(data.indices("test")) for data in (one, other)]
    assert torch.equal(tests[0].inputs, tests[1].inputs)
    assert tests[0].label.bincount().tolist() == [6, 6, 6]
    assert not torch.equal(one.indices("repair"), other.indices("repair"))


def test_static_inputs_stand_between_sequence_and_label():
    static = np.arange(2 * N).reshape(N, 2)
    data = module_of(
        RAGGED[:-20], Y[:-20], RAGGED[-20:], Y[-20:], static=static[:-20], static_test=static[-20:]
    )
    assert data.fetch(torch.tensor([4, 9])).static["static"].tolist() == [[8, 9], [18, 19]]
    assert len(next(iter(data.train_dataloader()))) == 4


def test_names_are_classes():
    names = np.array(["dog", "ape", "cow"])[Y]
    data = module_of(X, names)
    assert list(data.spec.class_names) == ["ape", "cow", "dog"]
    label = data.fetch(torch.arange(N)).label
    assert label.bincount().tolist() == [N // C] * C
    found = {
        tuple(x.flatten().tolist()): y for x, y in zip(torch.tensor(X).float(), names, strict=True)
    }
    batch = data.fetch(torch.arange(N))
    for row, number in zip(batch.inputs, batch.label, strict=True):
        assert data.spec.class_names[number] == found[tuple(row.flatten().tolist())]


def test_named_classes_have_the_numbers_of_the_network(caplog):
    names = np.array(["dog", "ape", "cow"])[Y]
    fit, test = slice(None, -9), slice(-9, None)
    data = module_of(X[fit], names[fit], X[test], names[test], class_names=["dog", "ape", "cow"])
    assert data.fetch(torch.arange(N)).label.tolist() == np.asarray(Y).tolist()
    assert list(data.spec.class_names) == ["dog", "ape", "cow"]
    assert "alphabetical" not in caplog.text
    with pytest.raises(DataError, match=r"\['ape'\], which are not among class_names"):
        module_of(X, names, class_names=["dog", "wolf", "cow"])


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan])
def test_a_missing_label_is_no_class(missing):
    for names in (["dog", "ape", "cow"], [0, 1, 2]):
        labels = [names[y] for y in Y]
        labels[7] = missing
        with pytest.raises(DataError, match=r"y\[7\] is missing"):
            module_of(X, labels)


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ((X, Y[:-1]), {}, ["as many entries", "'y': 89"]),
        ((X, Y, X), {}, ["x_test and y_test"]),
        ((X, Y), {"group": Y}, ["group", "x_test"]),
        ((X, np.eye(C)[Y]), {}, ["y: labels are one-hot", "labels.argmax(1)."]),
        ((X, (np.eye(C) + np.eye(C)[0])[Y] > 0), {}, ["y: ", "or several a sequence"]),
        ((X, Y, X, np.eye(C)[Y]), {}, ["y_test: labels are one-hot"]),
        ((X, [[0, 1], *Y[1:]]), {}, ["y[0]", "one whole number"]),
        ((X, Y + 0.5), {}, ["y[0]", "whole number"]),
        ((3, Y), {}, ["x is 3"]),
        (([None] * N, Y), {}, ["x[0] is None"]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, options, words):
    with pytest.raises(DataError) as refused:
        ArrayDataModule(*arrays, **options)
    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize("row", [1, 50, N - 1])
def test_a_sequence_of_another_width_is_named_by_its_own_number(row):
    """Whatever part it would be carved into."""
    x = [*X[:row], X[row][:, :2], *X[row + 1 :]]
    with pytest.raises(DataError, match=rf"x\[{row}\] is .*\(6, 2\), x\[0\] .*\(6, 4\)"):
        module_of(x, Y)


def test_arrays_without_a_sequence_are_called_empty():
    nothing = np.zeros((0, 5, 3)), np.zeros(0, dtype=int)
    with pytest.raises(DataError, match=": x is empty"):
        ArrayDataModule(*nothing)
    with pytest.raises(DataError, match="x_test is empty"):
        ArrayDataModule(X, Y, *nothing)


def test_masked_readings_are_refused_and_a_mask_of_nothing_is_none():
    masked = np.ma.masked_array(np.asarray(X), mask=False)
    module_of(masked, Y)
    masked[2, 1] = np.ma.masked
    with pytest.raises(DataError, match=r"4 masked values.*fill them"):
        module_of(masked, Y)


def test_two_channels_of_one_name_are_refused():
    with pytest.raises(DataError, match="not all different"):
        module_of(X, Y, channel_names=["a", "b", "a", "c"])


@pytest.mark.parametrize("test_given", [False, True])
def test_columns_follow_their_sequences(test_given):
    x = torch.arange(60, dtype=torch.float32)[:, None, None].expand(-1, 3, 2)
    y = torch.arange(60) % 2
    speaker = [f"speaker {i}" for i in range(60)]
    arrays = (x[:40], y[:40], x[40:], y[40:]) if test_given else (x, y)
    data = module_of(*arrays, columns={"speaker": speaker})
    data.setup()
    for split in ("fit", "repair", "val", "test"):
        batch = data.fetch(data.indices(split))
        own = [data.sample_columns["speaker"][i] for i in batch.index.tolist()]
        assert own == [f"speaker {int(v)}" for v in batch.inputs[:, 0, 0]]
    some = [None, float("nan"), " ", 3.0, *speaker[4:]]
    known = module_of(*arrays, columns={"speaker": some})
    assert sorted(known.sample_columns["speaker"]).count("missing") == 3
    assert "3" in known.sample_columns["speaker"]
    with pytest.raises(DataError, match=r"columns\['speaker'\].*59"):
        module_of(*arrays, columns={"speaker": speaker[1:]}).setup()


def test_columns_may_be_a_frame():
    frame = pd.DataFrame({"device": ["a", "b"] * (N // 2)})
    data = module_of(X[:-20], Y[:-20], X[-20:], Y[-20:], columns=frame)
    assert data.sample_columns["device"] == ["a", "b"] * (N // 2)


@pytest.mark.parametrize("columns", [["device"], "device", {"device": "a"}, {"device": 3}])
def test_columns_that_are_no_values_by_name_are_refused(columns):
    with pytest.raises(ConfigurationError, match="columns: expected a mapping of names to one"):
        module_of(X, Y, columns=columns)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_told_by_array_and_position(value):
    bad = X.copy()
    bad[73, 2, 1] = value
    with pytest.raises(DataError, match=r"^x\[73\] is "):
        module_of(bad, Y)  # wherever the test set is drawn
    with pytest.raises(DataError, match=r"^x_test\[3\] is "):
        module_of(bad[:70], Y[:70], bad[70:], Y[70:])
    bad = X.copy()
    bad[5] = value
    with pytest.raises(DataError, match=r"^x\[5\] is "):
        module_of(bad[:70], Y[:70], bad[70:], Y[70:])


def test_a_sequence_without_steps_is_named_with_what_to_do():
    data = ArrayDataModule([*X[:7], X[7][:0], *X[8:]], Y)
    with pytest.raises(DataError, match=r"x\[7\] .*no steps.*leave it out"):
        data.setup()


def test_every_class_has_a_name_or_none_has():
    for few in (["a", "b"], ["a", "b", "c"][: C - 1]):
        data = ArrayDataModule(X, Y, class_names=few)
        with pytest.raises(DataError, match=rf"{len(few)} class names.*for {C} classes"):
            data.setup()
    # A class that no sequence has is one all the same: the network answers with it.
    more = [f"c{number}" for number in range(C + 1)]
    data = ArrayDataModule(X, Y, class_names=more)
    data.setup()
    assert data.spec.n_classes == C + 1


def test_channels_have_names_all_of_them_or_none():
    names = [f"c{number}" for number in range(X.shape[2])]
    data = module_of(X[:-20], Y[:-20], X[-20:], Y[-20:], channel_names=names)
    assert Names.of(data.spec).of_channel(1) == "c1"
    with pytest.raises(DataError, match=rf"1 channel names.*for {len(names)} channels"):
        module_of(X[:-20], Y[:-20], X[-20:], Y[-20:], channel_names=["c0"])


def test_an_argument_that_there_is_not_is_told_with_the_one_that_is_meant():
    with pytest.raises(TypeError, match="ArrayDataModule takes no argument 'classnames': write cl"):
        ArrayDataModule(X, Y, classnames=["a", "b", "c"])
    with pytest.raises(TypeError, match=r"it takes augmentation, .*columns, "):
        ArrayDataModule(X, Y, qqq=1)
    assert ArrayDataModule(X, Y, repair_share=0.3, loading={}).repair_share == 0.3


def frames(x, names):
    return [pd.DataFrame(sequence, columns=list(names)) for sequence in x]


def test_columns_of_frames_are_channels_and_the_same_in_all():
    data = module_of(frames(X[:70], "abcd"), Y[:70], frames(X[70:], "abcd"), Y[70:])
    assert list(data.spec.channel_names) == list("abcd")
    named = module_of(frames(X, "abcd"), Y, channel_names=["u", "v", "w", "z"])
    assert list(named.spec.channel_names) == ["u", "v", "w", "z"]
    with pytest.raises(DataError, match=r"x_test\[0\] has the columns \['b', 'a', 'c', 'd'\]"):
        module_of(frames(X[:70], "abcd"), Y[:70], frames(X[70:], "bacd"), Y[70:])
    mixed = [*frames(X[:40], "abcd"), *frames(X[40:], "abdc")]
    held = np.empty(N, dtype=object)
    held[:] = mixed
    for x in (mixed, pd.Series(mixed), held):
        with pytest.raises(DataError, match=r"x\[40\] has the columns"):
            module_of(x, Y)
    # Where steps come last, columns are steps.
    turned = module_of(frames(X.transpose(0, 2, 1), "abcdef"), Y, steps_last=True)
    assert not turned.spec.channel_names
    whole = pd.DataFrame(X[..., 0])
    with pytest.raises(DataError, match="x_test has the columns"):
        module_of(whole[:70], Y[:70], whole.iloc[70:, ::-1], Y[70:])


@pytest.mark.parametrize(("first", "told"), [(1.7e9, True), (0.0, False)])
def test_times_that_single_precision_cannot_tell_apart_are_warned_of(first, told, recwarn):
    rng = np.random.default_rng(0)
    times = first + 1e6 * np.arange(N)[:, None] * (first > 0)
    times = times + np.cumsum(rng.exponential(1, (N, 20)), 1)
    module_of(np.stack([times, times * 0], 2), Y)
    warned = [str(w.message) for w in recwarn if "single precision" in str(w.message)]
    assert bool(warned) == told
    assert all("x: " in message and "channel 0" in message for message in warned)


@pytest.mark.parametrize("form", ["wide", "steps last", "saturated"])
def test_one_channel_of_many_is_seen_and_what_hardly_differs_is_not(form, recwarn):
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (N, 20, 50))
    values[..., 7] = 1.7e9 + 1e6 * np.arange(N)[:, None] + rng.exponential(1, (N, 20)).cumsum(1)
    if form == "saturated":
        values = np.tanh(rng.normal(0, 12, (N, 20, 5)))
    last = form == "steps last"
    module_of(values.transpose(0, 2, 1) if last else values, Y, steps_last=last)
    warned = [str(w.message) for w in recwarn if "single precision" in str(w.message)]
    assert bool(warned) == (form != "saturated")
    assert all("channel 7" in message for message in warned)


def test_whole_numbers_below_zero_are_no_tokens():
    waves = np.random.default_rng(0).integers(-3000, 3000, (N, 20)).astype(np.int16)
    with pytest.raises(DataError, match=r"whole numbers are tokens, which begin at 0.*floats"):
        module_of(waves, Y)
    assert module_of(waves.astype(np.float32), Y).spec.step_width == 1
    waves[:, :3] = np.abs(waves[:, :3])
    with pytest.raises(DataError, match=r"at step \d+, before their end"):
        module_of(waves, Y)
    # What stands behind the end may be anything.
    tokens = np.abs(waves)
    tokens[:, 15:] = -1
    assert module_of(tokens, Y, lengths=np.full(N, 15), padding=-1).spec.kind == "tokens"


@pytest.mark.parametrize(
    ("arrays", "options", "told"),
    [
        (
            (X[:70], X[70:], Y[:70], Y[70:]),
            {},
            "third array have 70 .*x, y, x_test, y_test in this order",
        ),
        ((list(X[:70]), list(X[70:]), Y[:70], Y[70:]), {}, "train_test_split returns"),
        ((X[:70], Y[:70], X[70:], Y[70:]), {"lengths": [6] * 70}, "give lengths_test too"),
        ((X[:70], Y[:70], X[70:], Y[70:]), {"static_test": X[70:, 0]}, "give static too, for x"),
        ((X[:70], Y[:70], X[70:]), {}, "give both, or neither"),
        ((X, Y), {"static_test": X[:, 0]}, "static_test: give x_test and y_test too"),
        ((["good film"] * 90, Y), {}, "numbers of their words.*CSVTextDataModule"),
        ((X, Y), {"static": {"age": Y}}, r"static is a mapping of \['age'\].*DatasetDataModule"),
    ],
)
def test_what_is_given_for_one_set_or_in_another_order_is_refused(arrays, options, told):
    with pytest.raises(DataError, match=told):
        ArrayDataModule(*arrays, **options)


class WithAge(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = torch.nn.GRU(F, 5, batch_first=True), torch.nn.Linear(5 + F, C)

    def forward(self, x, age):
        return self.head(torch.cat([self.gru(x)[0][:, -1], age], 1))


class WithMore(WithAge):
    def forward(self, x, age, height):
        return super().forward(x, age + height)


def test_static_inputs_go_to_the_one_argument_that_nothing_else_is_known_for():
    age = X[:, 0] + 1
    arrays, static = (X[:70], Y[:70], X[70:], Y[70:]), {"static": age[:70], "static_test": age[70:]}
    module = WithAge().eval()
    data = module_of(*arrays, **static)
    found = verified(module, data).predict([data.fetch(torch.arange(70, N))]).logits
    with torch.no_grad():
        expected = module(*(torch.tensor(of[70:]).float() for of in (X, age)))
    torch.testing.assert_close(found, expected)
    with pytest.raises(ConfigurationError, match=r"wants \['age'\].*static= and static_test="):
        verified(module, module_of(*arrays))
    with pytest.raises(ConfigurationError, match=r"wants \['age', 'height'\]"):
        verified(WithMore().eval(), data)


class WithAgeMaybe(WithAge):
    def forward(self, x, age=None):
        return super().forward(x, torch.zeros(len(x), F) if age is None else age)


class WithoutAge(WithAge):
    def forward(self, x):
        return super().forward(x, torch.zeros(len(x), F))


def test_an_optional_argument_takes_static_inputs_and_none_at_all_is_told(caplog):
    age = X[:, 0] + 1
    arrays, static = (X[:70], Y[:70], X[70:], Y[70:]), {"static": age[:70], "static_test": age[70:]}
    data = module_of(*arrays, **static)
    module = WithAgeMaybe().eval()
    found = verified(module, data).predict([data.fetch(torch.arange(70, N))]).logits
    with torch.no_grad():
        expected = module(*(torch.tensor(of[70:]).float() for of in (X, age)))
    torch.testing.assert_close(found, expected)
    assert "static=" not in caplog.text
    verified(WithoutAge().eval(), data)
    assert "No argument of forward takes further input 'static' (static=)." in caplog.text


@pytest.mark.parametrize(
    "form",
    [
        lambda p: torch.tensor(p),
        lambda p: list(torch.tensor(p)),
        lambda p: [(int(i), "a") for i in p],
        lambda p: map(str, p),
        lambda p: np.array([f"P{i}" for i in p]),
    ],
    ids=["tensor", "tensors", "pairs", "once", "names"],
)
def test_groups_may_be_called_anything(form):
    person = np.arange(N) // 5
    data = module_of(X[:60], Y[:60], X[60:], Y[60:], group=form(person), repair_share=0.2)
    assert torch.equal(
        data.sample_groups[:, None] == data.sample_groups, torch.tensor(person[:, None] == person)
    )
    (values,) = data.sample_columns.values()
    assert len(set(values)) == len(set(person.tolist()))
    splits = [set(person[data.indices(s).numpy()].tolist()) for s in ("fit", "repair", "val")]
    assert not any(a & b for i, a in enumerate(splits) for b in splits[i + 1 :])


@pytest.mark.parametrize("unit", ["ns", "s", "D"])
def test_times_of_frames_are_dates(unit):
    start = np.datetime64("2024-05-01T00:00", unit)
    step = np.timedelta64(1, "D") if unit == "D" else np.timedelta64(12, "h")
    times = pd.Series([start + i * step for i in range(N)])
    data = module_of(X[:60], Y[:60], X[60:], Y[60:], columns={"when": times.to_numpy()})
    assert data.sample_columns["when"][0] == "2024-05-01"
    assert data.sample_columns["when"][1] == (
        "2024-05-02" if unit == "D" else "2024-05-01 12:00:00"
    )
    assert len(groups_of(data.sample_columns["when"], torch.arange(N))) == 4


class Switched(WithAge):
    def forward(self, x, return_states=False):
        hidden = self.gru(x)[0]
        logits = self.head(torch.cat([hidden[:, -1], torch.zeros(len(x), F)], 1))
        return (logits, hidden) if return_states else logits


def test_static_inputs_go_to_no_switch(caplog):
    age = X[:, 0] + 1
    data = module_of(X[:70], Y[:70], X[70:], Y[70:], static=age[:70], static_test=age[70:])
    module = Switched().eval()
    found = verified(module, data).predict([data.fetch(torch.arange(70, N))]).logits
    with torch.no_grad():
        torch.testing.assert_close(found, module(torch.tensor(X[70:]).float()))
    assert "No argument of forward takes" in caplog.text


def test_zoned_times_keep_their_zone_at_midnight():
    hours = pd.date_range("2024-05-01 23:00", periods=N, freq="h", tz="Europe/Paris")
    data = module_of(X[:60], Y[:60], X[60:], Y[60:], columns={"when": pd.Series(hours)})
    written = data.sample_columns["when"]
    assert written[:2] == ["2024-05-01 23:00:00+02:00", "2024-05-02 00:00:00+02:00"]
    assert times(written).diff().unique().tolist() == [3600.0]


def test_days_are_groups_of_their_own():
    days = pd.Series(np.datetime64("2024-05-01") + np.arange(N) // 9).to_numpy("datetime64[ns]")
    data = module_of(X[:63], Y[:63], X[63:], Y[63:], group=days)
    assert data.sample_columns["group"][0] == "2024-05-01"
    assert len(set(data.sample_columns["group"])) == 10


def test_arrays_that_are_padded_to_different_numbers_of_steps_are_refused():
    g = np.random.default_rng(0)
    texts = [g.integers(1, 9, size=n) for n in g.integers(2, 9, size=40)]
    y = np.arange(40) % 2

    def padded(some, width):
        return np.stack([np.pad(text, (0, width - len(text))) for text in some])

    with pytest.raises(DataError, match=r"x is padded with 0 to 10 steps.*lengths_test="):
        ArrayDataModule(padded(texts[:30], 10), y[:30], padded(texts[30:], 20), y[30:])
    with pytest.raises(DataError, match="x_test is padded with 0 to 20 steps"):
        ArrayDataModule(texts[:30], y[:30], padded(texts[30:], 20), y[30:])
    sizes = np.array([len(text) for text in texts])
    told = {"lengths": sizes[:30], "lengths_test": sizes[30:]}
    ArrayDataModule(padded(texts[:30], 10), y[:30], padded(texts[30:], 20), y[30:], **told)
    # Windows of two lengths are none.
    ArrayDataModule(g.normal(size=(30, 10, 2)), y[:30], g.normal(size=(10, 20, 2)), y[30:])

"""Series from files to splits: what is scaled, filled, cut and kept together."""

import logging
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnrepair.datamodules import Augmentation, SeriesDataModule
from rnnrepair.datamodules.series.missing import interpolated, refuse_missing, zero_with_mask
from rnnrepair.datamodules.series.raw import RawSeries
from rnnrepair.datamodules.series.scaling import moments_of, standardised, standardised_each
from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import ConfigurationError, DataError
from tests.series_files import CLASSES, long_frame, recordings, write_ts

SHARES = {"repair_share": 0.25, "val_share": 0.25}


def module_of(path, **options):
    module = SeriesDataModule(str(path), **{**SHARES, **options})
    module.setup()
    return module


def inputs_of(module, index):
    """Return the sequences with these indices without their padding, as arrays."""
    return [one.numpy() for one in module.fetch(torch.as_tensor(index)).sequences()]


@pytest.fixture
def pair(tmp_path):
    """60 training and 20 test recordings of three channels of different size, and the folder."""
    made, label = recordings(80)
    made = [(one * [1, 100, 0.01] + [5, -50, 0]).astype(np.float32) for one in made]
    write_ts(tmp_path / "W_TRAIN.ts", made[:60], label[:60])
    write_ts(tmp_path / "W_TEST.ts", made[60:], label[60:])
    return tmp_path, made, label


def test_official_split_and_classes_are_those_of_the_files(pair):
    folder, made, label = pair
    module = module_of(folder, scaling="none", units=["g", "g", "V"])
    assert module.indices("test").tolist() == list(range(60, 80))
    assert module.spec.class_names == ["walk", "run", "sit"]
    assert module.spec.step_width == 3
    assert module.spec.units == ["g", "g", "V"]
    assert module.model_arguments() == {"input_size": 3, "num_classes": 3}
    found = inputs_of(module, range(80))
    assert all(np.array_equal(a, b) for a, b in zip(found, made, strict=True))
    names = [module.spec.class_names[c] for c in module.fetch(torch.arange(80)).label.tolist()]
    assert names == label.tolist()


def test_scaling_learns_of_the_fit_split_alone(pair):
    folder, made, _ = pair
    module = module_of(folder)
    fit = np.concatenate([made[i] for i in module.indices("fit").tolist()]).astype(np.float64)
    mean, spread = fit.mean(0), fit.std(0)
    for i, one in enumerate(inputs_of(module, range(80))):
        np.testing.assert_allclose(one, (made[i] - mean) / spread, rtol=1e-4, atol=1e-5)
    changed = [
        one if i in module.indices("fit").tolist() else one * 3 for i, one in enumerate(made)
    ]
    write_ts(folder / "W_TRAIN.ts", changed[:60], pair[2][:60])
    write_ts(folder / "W_TEST.ts", changed[60:], pair[2][60:])
    again = module_of(folder)
    for i in module.indices("fit").tolist():
        assert np.array_equal(inputs_of(again, [i])[0], inputs_of(module, [i])[0])


def test_scaling_by_sequence_makes_each_mean_0_and_deviation_1(pair):
    module = module_of(pair[0], scaling="per_sequence")
    for one in inputs_of(module, range(80)):
        np.testing.assert_allclose(one.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(one.std(0), 1, atol=1e-4)


def test_constant_channels_become_0_and_missing_values_stay():
    values = np.array([[3.1, np.nan], [3.1, 1], [3.1, 3], [7, 5]], dtype=np.float32)
    offsets = np.array([0, 3, 4])
    scaled = standardised(values, moments_of(values, offsets, np.array([0])))
    np.testing.assert_allclose(scaled[:, 0], 0)
    np.testing.assert_allclose(scaled[:, 1], [np.nan, -1, 1, 3])
    each = standardised_each(values, offsets)
    np.testing.assert_allclose(each, [[0, np.nan], [0, -1], [0, 1], [0, 0]])


def test_missing_values_are_refused_with_their_place(tmp_path):
    made, label = recordings(30)
    for row in range(30):  # whatever split it comes to stand in
        made[row][2, 1] = np.nan
        path = write_ts(tmp_path / "a.ts", made, label)
        found = rf"1 value is .*recording {row} \(from 0\), step 3, channel 1.*interpolate"
        with pytest.raises(DataError, match=found):
            module_of(path)
        long_frame(made, label).to_csv(tmp_path / "a.csv", index=False)
        with pytest.raises(DataError, match=f"recording 'r{row:03d}', step 3, channel c1"):
            module_of(tmp_path / "a.csv")
        made[row][2, 1] = 0


def test_interpolation_is_that_of_numpy_within_each_recording():
    made, _ = recordings(20, missing=0.3, seed=2)
    made[3][[0, -1]] = np.nan  # nothing of a neighbour may come in
    made[3][1] = 1.0
    offsets = np.r_[0, np.cumsum([len(one) for one in made])]
    filled = interpolated(np.concatenate(made), offsets)
    for i, one in enumerate(made):
        for c in range(3):
            steps = np.arange(len(one))
            known = ~np.isnan(one[:, c])
            expected = np.interp(steps, steps[known], one[known, c]).astype(np.float32)
            assert np.array_equal(filled[offsets[i] : offsets[i + 1], c], expected)


@pytest.mark.parametrize("row", [0, 5, 19])
def test_a_channel_without_any_value_cannot_be_interpolated(row):
    made, label = recordings(20, missing=0.3, seed=2)
    made[row][:, 2] = np.nan
    offsets = np.r_[0, np.cumsum([len(one) for one in made])]
    raw = RawSeries(np.concatenate(made), offsets, label, ["a", "b", "c"])
    told = rf"no value of channel c in recording {row} .*zero_with_mask"
    with pytest.raises(DataError, match=told):
        refuse_missing(raw, "interpolate", "id")
    refuse_missing(raw, "zero_with_mask", "id")
    made[row][1, 2] = 1
    refuse_missing(replace(raw, values=np.concatenate(made)), "interpolate", "id")


def test_mask_channels_tell_what_is_known(tmp_path):
    made, label = recordings(60, missing=0.3)
    module = module_of(write_ts(tmp_path / "a.ts", made, label), missing="zero_with_mask")
    assert module.spec.step_width == 6
    assert module.spec.channel_names[3:] == ["0 known", "1 known", "2 known"]
    assert module.model_arguments()["input_size"] == 6
    whole = np.concatenate(inputs_of(module, range(60)))
    assert np.array_equal(whole[:, :3] == 0, whole[:, 3:] == 0)
    fit = np.concatenate(inputs_of(module, module.indices("fit")))
    for c in range(3):
        known = fit[:, c][fit[:, 3 + c] == 1].astype(np.float64)
        assert abs(known.mean()) < 1e-5
        assert known.std() == pytest.approx(1, abs=1e-4)
    assert np.array_equal(
        zero_with_mask(np.array([[np.nan, 2.0]])), np.array([[0, 2, 0, 1]], dtype=np.float32)
    )


def test_masks_that_edits_would_change_are_told_and_spared_ones_are_not(tmp_path, caplog):
    made, label = recordings(60, missing=0.3)
    path = write_ts(tmp_path / "a.ts", made, label)
    spared = {"magnitude": [3, 4, 5], "noise": [3, 4, 5]}
    for given, told in (({}, True), ({"noise": [3, 4, 5]}, True), (spared, False)):
        caplog.clear()
        augmentation = Augmentation(0.5, SeriesEdits(spared=given))
        module_of(path, missing="zero_with_mask", augmentation=augmentation)
        assert ("magnitude: [3, 4, 5]" in caplog.text) == told
    sequence = torch.tensor([[[0.5, 2.0, 1.0, 1.0, 0.0, 1.0]] * 6])
    edits = SeriesEdits(spared=spared)
    edited = edits.apply(sequence, edits.draw(1, torch.Generator().manual_seed(0)))
    assert torch.equal(edited[..., 3:], sequence[..., 3:])
    assert not torch.equal(edited[..., :3], sequence[..., :3])


def test_windows_of_one_recording_stay_in_one_split(tmp_path, caplog):
    made, label = recordings(60, low=8, high=30)
    path = write_ts(tmp_path / "a.ts", made, label)
    module = module_of(path, window=10, stride=3, scaling="none")
    short = sum(len(one) < 10 for one in made)
    assert f"{short} of 60 recordings are shorter than window=10" in caplog.text
    owner = {}
    for split in ("fit", "repair", "val", "test"):
        for window in inputs_of(module, module.indices(split)):
            assert window.shape == (10, 3)
            (of,) = {i for i, one in enumerate(made) for s in range(len(one) - 9)
                     if np.array_equal(one[s : s + 10], window)}  # fmt: skip
            assert owner.setdefault(of, split) == split
    assert len(owner) == 60 - short
    with pytest.raises(DataError, match=r"window=99 is longer than every recording"):
        module_of(path, window=99)
    with pytest.raises(DataError, match=r"window=28 leaves out \d\d of 60 .* give no window"):
        module_of(path, window=28)


@pytest.fixture
def people(tmp_path):
    """A long table of 60 recordings of six persons."""
    made, label = recordings(60)
    path = tmp_path / "a.csv"
    frame = long_frame(made, label, person=np.array([i % 6 for i in range(60)]))
    frame.to_csv(path, index=False)
    return path, made, label


def persons(module, made, split):
    found = inputs_of(module, module.indices(split))
    return {i % 6 for i, one in enumerate(made) for x in found if np.array_equal(one, x)}


def test_a_person_is_held_out_and_no_person_stands_in_two_splits(people):
    path, made, _ = people
    module = module_of(path, group="person", test_groups=[3], scaling="none")
    where = [persons(module, made, s) for s in ("fit", "repair", "val", "test")]
    assert where[3] == {3}
    assert len(set.union(*where)) == sum(map(len, where)) == 6


def test_the_test_set_may_be_chosen_by_a_column_without_grouping(people):
    path, made, _ = people
    module = module_of(path, test_by="person", test_groups=[1, "3"], scaling="none")
    assert persons(module, made, "test") == {1, 3}
    assert persons(module, made, "fit") == {0, 2, 4, 5}


def test_a_test_set_is_held_out_by_groups_the_same_for_every_seed(people):
    path, made, _ = people
    modules = [module_of(path, group="person", seed=seed, scaling="none") for seed in range(3)]
    tests = [persons(module, made, "test") for module in modules]
    assert tests[0] == tests[1] == tests[2]
    assert len(tests[0]) == 1
    assert len({tuple(module.indices("fit").tolist()) for module in modules}) > 1


def test_order_of_the_rows_of_a_file_changes_nothing(people, tmp_path):
    path, made, label = people
    shuffled = tmp_path / "b" / "a.csv"
    shuffled.parent.mkdir()
    long_frame(made, label, person=np.arange(60) % 6).sample(frac=1, random_state=2).to_csv(
        shuffled, index=False
    )
    options = {"group": "person", "missing": "interpolate"}
    assert module_of(path, **options).fingerprint == module_of(shuffled, **options).fingerprint


def test_copies_are_found_after_scaling_by_sequence(tmp_path):
    """Sequences that differ in size alone are one and the same for the network then."""
    made, label = recordings(40)
    made += [one * 4 for one in made[:20]]
    label = np.r_[label, label[:20]]
    path = write_ts(tmp_path / "a.ts", made, label)
    module = module_of(path, scaling="per_sequence")
    split_of = {}
    for split in ("fit", "repair", "val"):
        for one in inputs_of(module, module.indices(split)):
            assert split_of.setdefault(one.tobytes(), split) == split
    test = {one.tobytes() for one in inputs_of(module, module.indices("test"))}
    assert not test & split_of.keys()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stride": 2}, ConfigurationError, r"\.stride: 2 .*window"),
        ({"test_groups": [3]}, ConfigurationError, r"\.test_groups: .*test_by or group"),
        ({"test_by": "person"}, ConfigurationError, r"\.test_groups: .*got none"),
        ({"scaling": "log"}, ConfigurationError, r"\.scaling: expected .*per_sequence"),
        ({"missing": "drop"}, ConfigurationError, r"\.missing: expected"),
        ({"window": 0}, ConfigurationError, r"\.window: expected"),
        ({"group": "age"}, DataError, "no column 'age'.*set group"),
        ({"group": "person", "test_groups": [9]}, DataError, r"names \['9'\].*'person' holds"),
        ({"group": "person", "test_groups": [*range(6)]}, DataError, "no training sequence is"),
        ({"group": "label"}, DataError, "groups are the labels"),
        ({"group": "place"}, DataError, "all sequences are of one group"),
        ({"group": "room"}, DataError, "'room' is missing for 20 sequences"),
        ({"units": ["g"]}, DataError, "1 units for 4 channels"),
        ({"label_column": "place"}, DataError, "there is one class"),
    ],
)
def test_what_cannot_be_is_told_in_one_message(tmp_path, options, error, message):
    made, label = recordings(60)
    room = np.array(["a", "b", None] * 20, dtype=object)
    more = {"person": np.arange(60) % 6, "place": np.array(["home"] * 60), "room": room}
    frame = long_frame(made, label, **more)
    kept = {options.get("group"), options.get("test_by"), options.get("label_column", "label")}
    frame = frame.drop(columns=[c for c in ("place", "room", "label") if c not in kept])
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(error, match=message):
        module_of(tmp_path / "a.csv", **options)


def test_a_class_that_training_never_saw_is_named(pair):
    folder, made, label = pair
    write_ts(folder / "W_TRAIN.ts", made[:60], np.where(label[:60] == "sit", "run", label[:60]))
    with pytest.raises(DataError, match=re.escape("['sit']")):
        module_of(folder)


def test_channels_are_named_and_those_that_never_change_in_a_recording_are_warned_of(
    tmp_path, caplog
):
    caplog.set_level(logging.INFO)
    made, label = recordings(60)
    long_frame(made, label, Person=np.arange(60) % 7).to_csv(tmp_path / "a.csv", index=False)
    module_of(tmp_path / "a.csv")
    assert "4 channels (c0, c1, c2, Person)" in caplog.text
    (warning,) = [r.getMessage() for r in caplog.records if "every step" in r.getMessage()]
    assert "channel Person is the same" in warning
    assert "channels=['c0', 'c1', 'c2']" in warning
    caplog.clear()
    module_of(tmp_path / "a.csv", group="Person")
    module_of(tmp_path / "a.csv", channels=["c0", "Person"])
    assert "every step" not in caplog.text


def written_as(kind, folder, made, label):
    """Write recordings to a file of some kind, and return its path and the names of channels."""
    if kind == "csv":
        long_frame(made, label).to_csv(folder / "a.csv", index=False)
        return folder / "a.csv", ["c0", "c1", "c2"]
    if kind == "ts":
        return write_ts(folder / "a.ts", made, label), ["0", "1", "2"]
    if kind == "npy":
        padded = np.full((len(made), max(map(len, made)), 3), np.nan)
        for row, one in zip(padded, made, strict=True):
            row[: len(one)] = one
        np.save(folder / "x.npy", padded)
        np.save(folder / "y.npy", [CLASSES.index(name) for name in label])
        return folder / "x.npy", ["0", "1", "2"]
    offsets = np.r_[0, np.cumsum([len(one) for one in made])]
    np.savez(folder / "a.npz", values=np.concatenate(made), offsets=offsets, label=label)
    return folder / "a.npz", ["0", "1", "2"]


@pytest.mark.parametrize("scaling", ["none", "standard", "per_sequence"])
@pytest.mark.parametrize("kind", ["csv", "ts", "npy", "npz"])
def test_channels_that_do_not_change_in_the_fit_split_are_warned_of(
    tmp_path, caplog, kind, scaling
):
    made, label = recordings(60)
    path, names = written_as(kind, tmp_path, made, label)
    fit = recordings_in_fit(path, scaling)
    assert "every step" not in caplog.text
    for i, one in enumerate(made):
        one[:, 1] = 3.1 if i in fit else one[:, 1]
        one[:, 2] = i
    path, _ = written_as(kind, tmp_path, made, label)
    module_of(path, scaling=scaling)
    flat, varied = (r.getMessage() for r in caplog.records if "every step" in r.getMessage())
    assert f"channel {names[1]} is the same in every step of the fit split" in flat
    assert f"channel {names[2]} is the same in every step of each recording" in varied
    assert ("channels=['c0']" in flat) == (kind == "csv")


def recordings_in_fit(path, scaling="standard"):
    """Return the numbers, in the order in which they were written, of what trains."""
    data = module_of(path, scaling=scaling)
    names = data.sample_names.of(data.indices("fit"))
    return {int(str(name).removeprefix("r")) for name in names}


def test_a_channel_that_changes_in_the_fit_split_alone_is_none_to_warn_of(tmp_path, caplog):
    made, label = recordings(60)
    fit = recordings_in_fit(write_ts(tmp_path / "a.ts", made, label))
    for i, one in enumerate(made):
        one[:, 1] = one[:, 1] if i in fit else 3.1
    module_of(write_ts(tmp_path / "a.ts", made, label))
    assert "every step" not in caplog.text


def test_columns_follow_recordings_through_parts_and_windows(tmp_path):
    device = {f"r{i:03d}": f"device {i % 3}" for i in range(40)}
    frame = long_frame(*recordings(40), device=list(device.values()))
    frame.to_csv(tmp_path / "a.csv", index=False)
    whole = module_of(tmp_path / "a.csv", columns=["device"])
    given = [device[name] for name in whole.sample_names.of(torch.arange(40))]
    assert list(whole.sample_columns["device"]) == given
    cut = module_of(tmp_path / "a.csv", columns=["device"], window=3)
    names = cut.sample_names.of(torch.arange(len(cut.sample_names)))
    assert len(names) > 40
    assert list(cut.sample_columns["device"]) == [device[name.split(" step")[0]] for name in names]
    with pytest.raises(DataError, match=r"site.*columns"):
        module_of(tmp_path / "a.csv", columns=["site"])


def test_a_missing_value_of_a_column_is_a_value_of_its_own(tmp_path, caplog):
    caplog.set_level("INFO")
    made, label = recordings()
    device = ["a", None, "b", "", float("nan"), "c"] * 4
    frame = long_frame(made, label, device=device)
    # A recording whose first row alone has the value.
    frame.loc[(frame["id"] == "r000") & (frame["time"] > 0), "device"] = None
    frame.to_csv(tmp_path / "a.csv", index=False)
    module = module_of(tmp_path / "a.csv", columns=["device"])
    names = module.sample_names.of(torch.arange(len(made)))
    expected = [device[int(name[1:])] for name in names]
    expected = [value if isinstance(value, str) and value else "missing" for value in expected]
    assert list(module.sample_columns["device"]) == expected
    assert caplog.text.count("device for 12 of 24 samples") == 1
    # What recordings are split by must be known.
    with pytest.raises(DataError, match="device"):
        module_of(tmp_path / "a.csv", group="device")
    frame.loc[frame.index[1], "device"] = "z"
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match="changes within recording 'r000'"):
        module_of(tmp_path / "a.csv", columns=["device"])

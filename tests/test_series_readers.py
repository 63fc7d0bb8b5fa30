"""Readers of series: what was written is read, and what cannot be read is named."""

import gzip
import logging
import zipfile

import numpy as np
import pandas as pd
import pytest

from rnnrepair.datamodules.series import read_series
from rnnrepair.datamodules.series.japanese_vowels import read_japanese_vowels
from rnnrepair.datamodules.series.tables import Columns
from rnnrepair.datamodules.series.windows import window_steps
from rnnrepair.errors import DataError
from tests.series_files import CLASSES, long_frame, recordings, same, write_ts

COLUMNS = Columns()


def read(path, columns=COLUMNS, labels=None):
    return read_series(path, columns, labels)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_ts_file_is_read_as_it_was_written(tmp_path, end, n_channels):
    made, label = recordings(n_channels=n_channels, missing=0.2)
    raw = read(write_ts(tmp_path / "a.ts", made, label, end=end))
    assert same(raw, made, label)
    assert raw.class_names == CLASSES
    assert raw.part is None


def test_ts_file_of_equal_lengths_and_without_a_last_line_end(tmp_path):
    made, label = recordings(low=5, high=6)
    path = write_ts(tmp_path / "a.ts", made, label)
    path.write_bytes(b"\n" + path.read_bytes().replace(b"@data\n", b"@data\n\n").rstrip(b"\n"))
    assert same(read(path), made, label)


@pytest.mark.parametrize("name", ["Walks", "Walks/Walks_TRAIN.ts", "Walks/Walks_TEST.ts"])
def test_ts_pair_is_found_from_the_folder_and_from_either_file(tmp_path, name):
    made, label = recordings()
    folder = tmp_path / "Walks"
    folder.mkdir()
    write_ts(folder / "Walks_TRAIN.ts", made[:15], label[:15])
    write_ts(folder / "Walks_TEST.ts", made[15:], label[15:])
    write_ts(folder / "Walks_eq_TRAIN.ts", made[:3], label[:3])
    raw = read(tmp_path / name)
    assert same(raw, made, label)
    assert raw.part.tolist() == ["train"] * 15 + ["test"] * 9


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@classLabel true walk run sit", "@classLabel false", r"a\.ts: .*names no classes"),
        ("@classLabel true walk run sit\n", "", r"a\.ts: .*names no classes"),
        ("@timeStamps false", "@timeStamps true", "time stamps"),
        ("@problemName Walks", "@targetLabel true", "real-valued targets"),
        ("@data\n", "", r"line 6: data stand before"),
        ("1.5,2.5", "1.5,2.5:9,9", r"line 8: 3 channels, expected 2"),
        ("1.5,2.5:", "", r"line 8: 1 channels, expected 2"),
        ("1.5,2.5", "1.5,2.5,3.5", r"line 8: channels of unequal length \(\[3, 2\]\)"),
        ("1.5,2.5", "1.5,x", r"line 8: a value is no number"),
        ("1.5,2.5", "1.5,2_5", r"line 8: a value is no number"),
        ("1.5,2.5", "1.5,,2.5", r"line 8"),
        ("3.5,4.5:run", "3.5,4.5:fly", r"line 8: the label 'fly' is none of"),
    ],
)
def test_ts_faults_are_told_with_file_and_line(tmp_path, old, new, message):
    made = [np.full((3, 2), 1.0), np.array([[1.5, 3.5], [2.5, 4.5]]), np.ones((2, 2))]
    path = write_ts(tmp_path / "a.ts", made, ["walk", "run", "sit"])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError, match=message):
        read(path)


def test_ts_without_its_partner_or_data_is_refused(tmp_path):
    made, label = recordings()
    path = write_ts(tmp_path / "A_TRAIN.ts", made, label)
    with pytest.raises(DataError, match=r"stands without A_TEST\.ts"):
        read(path)
    write_ts(tmp_path / "A_TEST.ts", [one[:, :2] for one in made], label)
    with pytest.raises(DataError, match=r"3 channels, A_TEST\.ts 2"):
        read(path)
    write_ts(tmp_path / "A_TEST.ts", made, label, classes="walk run sit fly")
    with pytest.raises(DataError, match="different data sets"):
        read(path)
    with pytest.raises(DataError, match="no recording"):
        read(_empty(tmp_path))


def _empty(tmp_path):
    path = tmp_path / "b.ts"
    path.write_text("@classLabel true a b\n@data\n")
    return path


def test_a_column_of_another_length_in_npz_is_refused_with_both_lengths(tmp_path):
    x, y = np.random.default_rng(0).random((24, 5, 2)), np.arange(24) % 2
    np.savez(tmp_path / "a.npz", x=x, y=y, device=np.arange(23))
    with pytest.raises(DataError, match=r"a\.npz.*'device'.*\(23,\).*24 recordings"):
        read(tmp_path / "a.npz", Columns(more={"device": "columns"}))
    with pytest.raises(DataError, match=r"'device'.*\(23,\).*24"):
        read(tmp_path / "a.npz", Columns(split="device"))
    # Nobody has asked for it.
    assert "device" not in read(tmp_path / "a.npz").columns


def test_npz_holds_offsets_lengths_or_tails_of_nan(tmp_path):
    made, label = recordings()
    lengths = np.array([len(one) for one in made])
    padded = np.full((len(made), lengths.max(), 3), np.nan, dtype=np.float32)
    for row, one in zip(padded, made, strict=True):
        row[: len(one)] = one
    speaker = np.arange(len(made)) % 4
    offsets = np.r_[0, np.cumsum(lengths)]
    forms = [
        {"values": np.concatenate(made), "offsets": offsets, "label": label, "speaker": speaker},
        {"x": padded, "y": label, "speaker": speaker},
        {"X": np.nan_to_num(padded, nan=7), "lengths": lengths, "labels": label},
    ]
    for form in forms:
        np.savez(tmp_path / "a.npz", **form)
        raw = read(tmp_path / "a.npz")
        assert same(raw, made, label)
        assert set(raw.columns) == {"speaker"} & form.keys()
    part = np.array(["train", "val", "test"] * 8)
    np.savez(tmp_path / "a.npz", x=padded, y=np.arange(24.0) % 2, part=part, class_names=["0", "1"])
    raw = read(tmp_path / "a.npz", Columns(split="part"))
    assert raw.part.tolist() == part.tolist()
    assert raw.labels.tolist() == ["0", "1"] * 12


def test_npy_pair_is_found_by_its_name(tmp_path):
    made, label = recordings(low=6, high=7)
    np.save(tmp_path / "walk_X.npy", np.stack(made))
    with pytest.raises(DataError, match="set labels"):
        read(tmp_path / "walk_X.npy")
    np.save(tmp_path / "walk_Y.npy", label)
    assert same(read(tmp_path / "walk_X.npy"), made, label)
    np.save(tmp_path / "other.npy", label[::-1])
    raw = read(tmp_path / "walk_X.npy", labels=tmp_path / "other.npy")
    assert raw.labels.tolist() == label[::-1].tolist()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones(3)}, r"expected inputs .*values.* and labels"),
        ({"x": np.ones((3, 4, 2)), "y": np.ones(2)}, "3 recordings and labels"),
        ({"x": np.ones((2, 4, 2)), "y": np.array([0.5, 1])}, "not whole"),
        ({"x": np.ones((2, 4, 2)), "y": np.array([np.nan, 1])}, "1 recordings have no label"),
        ({"x": np.ones((2, 4, 2)), "y": np.ones(2), "lengths": np.array([4, 5])}, "1 .. 4"),
        ({"x": np.full((2, 4, 2), np.nan), "y": np.ones(2)}, r"recording 0 \(from 0\) is 0"),
        ({"values": np.ones((4, 2)), "offsets": np.array([0, 5]), "y": np.ones(1)}, "offsets"),
        ({"values": np.ones((4, 2)), "offsets": np.array([0, 0, 4]), "y": np.ones(2)}, "no steps"),
        ({"x": np.array(["a", "b"]), "y": np.ones(2)}, "expected numbers"),
        ({"x": np.array([{}, {}]), "y": np.ones(2)}, "without pickle"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.parquet"])
def test_long_table_is_read_as_it_was_written_whatever_the_order_of_its_rows(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    made, label = recordings(missing=0.2)
    person = np.array([f"p{i % 4}" for i in range(24)])
    frame = long_frame(made, label, person=person)
    columns = Columns(more={"person": "columns"})
    raws = []
    for rows in (frame, frame.sample(frac=1, random_state=1)):
        write_table(rows, tmp_path / name)
        raw = read(tmp_path / name, columns)
        assert same(raw, made, label)
        assert raw.channel_names == ["c0", "c1", "c2"]
        assert raw.columns["person"].tolist() == person.tolist()
        raws.append(raw)


def write_table(frame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
        return path
    text = frame.to_csv(index=False, sep="\t" if ".tsv" in path.name else ",").encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def test_long_table_agrees_with_pandas_group_by(tmp_path):
    made, label = recordings(40, missing=0.1, seed=3)
    frame = long_frame(made, label).sample(frac=1, random_state=0)
    raw = read(write_table(frame, tmp_path / "a.csv"))
    means = (
        frame.astype({f"c{c}": float for c in range(3)}).groupby("id")[["c0", "c1", "c2"]].mean()
    )
    ours = [
        np.nanmean(raw.values[a:b].astype(np.float64), axis=0)
        for a, b in zip(raw.offsets[:-1], raw.offsets[1:], strict=True)
    ]
    np.testing.assert_allclose(ours, means.to_numpy(), rtol=1e-9)


def test_dates_are_times_and_backward_ones_are_sorted_and_told(tmp_path, caplog):
    made, label = recordings()
    frame = long_frame(made, label)
    frame["time"] = pd.Timestamp("2024-03-01") + pd.to_timedelta(frame["time"], unit="s")
    raw = read(write_table(frame, tmp_path / "a.csv"))
    assert same(raw, made, label)
    assert not caplog.messages
    backwards = pd.concat([part[::-1] for _, part in frame.groupby("id")])
    assert same(read(write_table(backwards, tmp_path / "a.csv")), made, label)
    assert "times go backwards" in caplog.text
    assert "line 3: recordings are sorted" in caplog.text


def changed(frame, row, **values):
    frame = frame.astype(object)
    for name, value in values.items():
        frame.loc[row, name] = value
    return frame


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: changed(f, 2, time=0.5), r"'r000' has 1 steps twice .*at 0\.5 \(line 3\)"),
        (lambda f: changed(f, 2, label="sit"), "'label' changes within recording 'r000'"),
        (lambda f: changed(f, 2, label=None), "'label' is missing in 1 rows"),
        (
            lambda f: f.assign(label=f.label.where(f.id != "r003", "  ")),
            "1 recordings have no lab.*'r003'",
        ),
        (lambda f: changed(f, 2, id=None), "1 rows have no 'id' or no 'time'.*line 4:"),
        (lambda f: changed(f, 2, c1="high"), "'c1' holds 'high' in line 4,.*channels="),
        (lambda f: changed(f, 2, time="noon"), "'time' holds 'noon' in line 4:.*one unit"),
        (lambda f: changed(f, 2, time="2024-03-01"), "'time' holds '2024-03-01' in line 4:"),
        (
            lambda f: changed(
                f.assign(time=pd.Timestamp("2024-03-01") + pd.to_timedelta(f.time, "s")),
                2,
                time="01.03.2024",
            ),
            "'time' holds '01.03.2024' in line 4:",
        ),
        (
            lambda f: f.assign(time=f.time * np.where(f.id == "r003", 1000, 1)),
            "several units.*",
        ),
        (lambda f: f.drop(columns="label"), r"no column 'label'.*set label_column"),
        (lambda f: f.drop(columns="id"), r"no column 'id'.*set id_column"),
        (lambda f: f[["id", "time", "label"]], "no channel"),
        (lambda f: f[:0], "no rows"),
    ],
)
def test_faults_of_long_tables_are_named(tmp_path, change, message):
    made, label = recordings()
    path = write_table(change(long_frame(made, label)), tmp_path / "a.csv")
    with pytest.raises(DataError, match=message):
        read(path)


def test_gaps_between_regular_steps_are_told(tmp_path, caplog):
    made, label = recordings()
    frame = long_frame(made, label)
    read(write_table(frame, tmp_path / "whole.csv"))
    assert "steps come later" not in caplog.text
    row = frame.index[frame.id == "r003"][1]
    read(write_table(frame.drop(index=row), tmp_path / "gap.csv"))
    steps = len(frame) - 1 - frame.id.nunique()
    assert f"1 of {steps} steps come later after the one before" in caplog.text
    assert "the first in 'r003' after" in caplog.text
    caplog.clear()
    # A recording at another pace has no gaps.
    slower = frame.assign(time=frame.time * np.where(frame.id == "r003", 2, 1))
    read(write_table(slower, tmp_path / "slower.csv"))
    assert "steps come later" not in caplog.text
    uneven = frame.assign(time=np.random.default_rng(0).random(len(frame)))
    read(write_table(uneven, tmp_path / "uneven.csv"))
    assert "steps come later" not in caplog.text


def test_a_recording_that_changes_its_unit_is_refused(tmp_path):
    made, label = recordings(low=9, high=10)
    frame = long_frame(made, label)
    other = (frame.id == "r004") & (frame.time > 2.7)
    frame["time"] *= np.where(other, 1000, 1)
    with pytest.raises(DataError, match=r"'r004' lie 0\.5 apart here and 500 there.*several units"):
        read(write_table(frame, tmp_path / "a.csv"))


def test_a_pause_is_no_change_of_units(tmp_path):
    made, label = recordings(low=8, high=11)
    frame = long_frame(made, label)
    paused = frame.assign(time=frame.time + np.where(frame.time > 1, 5000, 0))
    assert same(read(write_table(paused, tmp_path / "a.csv")), made, label)


def test_official_split_and_groups_of_long_tables(tmp_path):
    made, label = recordings()
    part = np.array(["train", "test", "val"] * 8)
    path = write_table(long_frame(made, label, part=part), tmp_path / "a.csv")
    raw = read(path, Columns(split="part"))
    assert raw.part.tolist() == part.tolist()
    assert raw.channel_names == ["c0", "c1", "c2"]
    with pytest.raises(DataError, match=r"'label' must hold .*set split_column"):
        read(path, Columns(split="label", label="part"))


def test_wide_table_is_a_recording_a_row(tmp_path):
    made, label = recordings(n_channels=1)
    longest = max(map(len, made))
    rows = [[*one[:, 0].tolist(), *[np.nan] * (longest - len(one))] for one in made]
    frame = pd.DataFrame(rows, columns=[f"t{i}" for i in range(longest)])
    frame["label"], frame["person"] = label, np.arange(24) % 5
    raw = read(write_table(frame, tmp_path / "a.csv"), Columns(more={"person": "columns"}))
    assert same(raw, made, label)
    assert raw.columns["person"].tolist() == (np.arange(24) % 5).tolist()
    frame.loc[3, [f"t{i}" for i in range(longest)]] = np.nan
    with pytest.raises(DataError, match="line 5 holds no value"):
        read(write_table(frame, tmp_path / "a.csv"), Columns(more={"person": "columns"}))


def test_a_long_table_whose_columns_are_called_otherwise_is_not_read_as_wide(tmp_path):
    made, label = recordings(n_channels=2)
    rows = [
        {"recording": number, "t": step, "x": x, "y": y, "label": label[number]}
        for number, one in enumerate(made)
        for step, (x, y) in enumerate(one.tolist())
    ]
    path = write_table(pd.DataFrame(rows), tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"id_column=recording and time_column"):
        read(path, Columns())
    raw = read(path, Columns(id="recording", time="t"))
    assert len(raw.labels) == len(made)
    # Whoever names the steps means them.
    assert len(read(path, Columns(channels=["t", "x", "y"])).labels) == len(rows)


def recording_files(folder, made, label):
    for i, one in enumerate(made):
        frame = pd.DataFrame(one, columns=["x", "y", "z"])
        frame.insert(0, "time", np.arange(len(one)))
        frame.to_csv(folder / f"r{i:03d}.csv", index=False)
    names = [f"r{i:03d}" + (".csv" if i % 2 else "") for i in range(len(made))]
    table = pd.DataFrame({"id": names, "label": label, "person": np.arange(len(made)) % 4})
    table.sample(frac=1, random_state=0).to_csv(folder / "labels.csv", index=False)
    return table


def test_folder_of_recordings_is_read_in_the_order_of_names(tmp_path, caplog):
    made, label = recordings()
    table = recording_files(tmp_path, made, label)
    (tmp_path / "unknown.csv").write_text("x,y,z\n1,2,3\n")
    raw = read(tmp_path, Columns(more={"person": "columns"}))
    assert same(raw, made, label)
    assert raw.channel_names == ["x", "y", "z"]
    assert raw.columns["person"].tolist() == table["person"].tolist()
    assert "1 files are named in labels.csv by no row" in caplog.text
    (tmp_path / "r003.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match=r"r003\.csv has no column 'z'"):
        read(tmp_path)
    (tmp_path / "r003.csv").unlink()
    with pytest.raises(DataError, match=r"names 'r003\.csv'.*no such file"):
        read(tmp_path)
    (tmp_path / "labels.csv").write_text("id,label\nr000,a\nr000,b\n")
    with pytest.raises(DataError, match="several times"):
        read(tmp_path)
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(DataError, match=r"labels\.csv does not exist"):
        read(tmp_path)


def test_what_is_no_series_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist: set path"):
        read(tmp_path / "nothing.ts")
    (tmp_path / "a.xlsx").write_bytes(b"")
    with pytest.raises(DataError, match=r"ends in \.ts"):
        read(tmp_path / "a.xlsx")
    (tmp_path / "a.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.csv is empty"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize(("window", "stride"), [(3, 1), (4, 4), (5, 2), (30, 1)])
def test_windows_are_those_of_a_brute_force_search(window, stride):
    made, _ = recordings(12)
    offsets = np.r_[0, np.cumsum([len(one) for one in made])]
    steps, found, of = window_steps(offsets, window, stride)
    expected, owner = [], []
    for i, one in enumerate(made):
        for start in range(0, len(one) - window + 1, stride):
            expected.append(one[start : start + window])
            owner.append(i)
    assert of.tolist() == owner
    assert found.tolist() == [window * i for i in range(len(owner) + 1)]
    values = np.concatenate(made)[steps]
    assert np.array_equal(values, np.concatenate(expected) if expected else values[:0])


def test_japanese_vowels_come_out_of_the_wheel_that_stands_in_the_folder(tmp_path):
    made, label = recordings()
    folder = tmp_path / "JapaneseVowels"
    folder.mkdir()
    write_ts(folder / "JapaneseVowels_TRAIN.ts", made[:15], label[:15])
    write_ts(folder / "JapaneseVowels_TEST.ts", made[15:], label[15:])
    wheel = folder / "aeon-1.6.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("JapaneseVowels_TRAIN.ts", "JapaneseVowels_TEST.ts"):
            archive.write(folder / name, f"aeon/datasets/data/JapaneseVowels/{name}")
    assert same(read_japanese_vowels(tmp_path, tmp_path / "cache"), made, label)
    for name in ("JapaneseVowels_TRAIN.ts", "JapaneseVowels_TEST.ts"):
        (folder / name).unlink()
    with pytest.raises(DataError, match="SHA-256"):
        read_japanese_vowels(tmp_path, tmp_path / "cache")
    assert same(read_japanese_vowels(tmp_path, tmp_path / "cache", verify=False), made, label)


def test_a_long_table_whose_times_are_not_found_is_refused(tmp_path):
    frame = long_frame(*recordings()).rename(columns={"time": "Zeit"})
    frame.to_csv(tmp_path / "a.csv", index=False)
    told = r"the table is long.*no column 'time'.*time_column.*'Zeit'"
    with pytest.raises(DataError, match=told):
        read_series(tmp_path / "a.csv", Columns())
    made = read_series(tmp_path / "a.csv", Columns(time="Zeit"))
    assert len(made) == len(frame["id"].unique())


def test_all_columns_that_are_missing_are_told_at_once(tmp_path):
    frame = long_frame(*recordings()).rename(columns={"time": "t", "id": "i", "label": "y"})
    frame.to_csv(tmp_path / "a.csv", index=False)
    told = r"'id'.*'time'.*'label'.*id_column.*time_column.*label_column"
    with pytest.raises(DataError, match=told):
        read_series(tmp_path / "a.csv", Columns())


def test_a_table_that_is_read_as_wide_says_so_and_names_its_steps(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    frame = pd.DataFrame({"label": ["a", "b"], "early": [1.0, 2.0], "late": [3.0, 4.0]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    read_series(tmp_path / "a.csv", Columns())
    assert "read as wide" in caplog.text
    assert "early, late" in caplog.text
    frame.assign(late=["x", "y"]).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=r"the table is wide.*'late' holds 'x'"):
        read_series(tmp_path / "a.csv", Columns())


def test_ids_with_leading_zeros_are_names_and_numbers_are_numbers(tmp_path):
    made, label = recordings(n=12)
    frame = long_frame(made, label)
    ids = [f"{i:03d}" for i in range(11)] + ["10"]
    frame["id"] = [ids[int(name[1:])] for name in frame["id"]]
    path = tmp_path / "a.csv"
    frame.rename(columns={"id": " id "}).to_csv(path, index=False)
    raw = read(path)
    assert raw.columns["id"].tolist() == ids
    assert same(raw, made, label)
    frame["id"] = [f"{int(name)}.0" for name in frame["id"] if name != "10"] + ["11.0"] * len(
        made[11]
    )
    frame.to_csv(path, index=False)
    # By size, not as texts: 10 behind 9.
    assert read(path).columns["id"].tolist() == list(range(12))


def test_files_of_a_folder_may_be_called_by_numbers_with_leading_zeros(tmp_path):
    made, label = recordings(n=12)
    for i, one in enumerate(made):
        pd.DataFrame(one, columns=list("abc")).to_csv(tmp_path / f"{i:03d}.csv", index=False)
    labels = pd.DataFrame({"id": [f"{i:03d}" for i in range(12)], "label": label})
    labels.to_csv(tmp_path / "labels.csv", index=False)
    raw = read(tmp_path)
    assert same(raw, made, label)
    assert raw.columns["id"].tolist() == labels["id"].tolist()


def test_labels_of_npz_are_names_of_its_classes_or_their_numbers(tmp_path):
    made, label = recordings(low=6, high=7)
    number = np.array([CLASSES.index(name) for name in label])
    for labels in (label, number, number.astype(np.float32)):
        np.savez(tmp_path / "a.npz", x=np.stack(made), y=labels, class_names=CLASSES)
        assert same(read(tmp_path / "a.npz"), made, label)
    np.savez(tmp_path / "a.npz", x=np.stack(made), y=number + 1, class_names=CLASSES)
    with pytest.raises(DataError, match=r"labels \['3'\] are none of .*0 \.\. 2"):
        read(tmp_path / "a.npz")


def test_labels_and_columns_keep_their_leading_zeros(tmp_path):
    made, _ = recordings(n=12)
    label = np.array(["1", "01", "2"] * 4)
    frame = long_frame(made, label)
    frame["device"] = ["007" if int(name[1:]) % 2 else "7" for name in frame["id"]]
    frame.to_csv(tmp_path / "a.csv", index=False)
    raw = read(tmp_path / "a.csv", Columns(more={"device": "columns"}))
    assert raw.labels.tolist() == label.tolist()
    assert raw.columns["device"].tolist() == ["7", "007"] * 6
    frame["label"], frame["device"] = frame["label"].str.lstrip("0"), 0.5
    frame.to_csv(tmp_path / "a.csv", index=False)
    raw = read(tmp_path / "a.csv", Columns(more={"device": "columns"}))
    assert set(raw.labels) == {"1", "2"}
    assert raw.columns["device"].tolist() == [0.5] * 12


def folder_of(tmp_path, frames):
    for name, frame in frames.items():
        pd.DataFrame(frame).to_csv(tmp_path / f"{name}.csv", index=False)
    labels = {"id": list(frames), "label": ["a", "b"] * (len(frames) // 2)}
    pd.DataFrame(labels).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ({"x": [1.0], "y": [2.0], "z": [3.0]}, r"d\.csv has the channels \['x', 'y', 'z'\], and"),
        ({"x": [1.0]}, r"d\.csv has no column 'y'"),
        ({"x": [], "y": []}, r"d\.csv holds no steps"),
        ({"time": [1, 0], "x": [1.0, 2.0], "y": [1.0, 2.0]}, r"d\.csv: 'time' goes back"),
    ],
)
def test_a_recording_that_is_unlike_the_others_is_refused(tmp_path, last, message):
    usual = {"x": [1.0, 2.0], "y": [0.0, 1.0]}
    folder = folder_of(tmp_path, {"a": usual, "b": usual, "c": usual, "d": last})
    with pytest.raises(DataError, match=message):
        read(folder)


def test_dates_in_any_form_stand_in_a_folder_as_they_are(tmp_path):
    usual = {"time": ["9/2/2024", "10/2/2024"], "x": [1.0, 2.0]}
    assert len(read(folder_of(tmp_path, {"a": usual, "b": usual}))) == 2


@pytest.mark.parametrize("name", ["lengths", "length", "seq_len"])
def test_lengths_of_npz_go_by_several_names(tmp_path, name):
    made, label = recordings()
    n = np.array([len(one) for one in made])
    padded = np.zeros((len(made), n.max(), 3), dtype=np.float32)
    for row, one in zip(padded, made, strict=True):
        row[: len(one)] = one
    np.savez(tmp_path / "a.npz", x=padded, y=label, **{name: n})
    assert same(read(tmp_path / "a.npz"), made, label)


def test_a_wide_table_without_a_header_is_refused_and_numbered_steps_are_read(tmp_path):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(12, 5)).round(3))
    table["label"] = ["a", "b"] * 6
    table.to_csv(tmp_path / "bare.csv", header=False, index=False)
    with pytest.raises(DataError, match=r"first row holds the numbers .* no header"):
        read(tmp_path / "bare.csv", Columns(label="a"))
    times, falling = [0.0, 0.1, 0.2, 0.3, 0.4], [4.5, 3.5, 2.5, 1.5, 0.5]
    for names in (range(5), times, falling, [845.1, 901.3, 843.2, 900.0, 850.5]):
        table.columns = [*map(str, names), "label"]
        table.to_csv(tmp_path / "numbered.csv", index=False)
        assert len(read(tmp_path / "numbered.csv").labels) == 12

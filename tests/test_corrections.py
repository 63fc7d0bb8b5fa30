"""Corrections: read back, refused where they make no sense, and applied after the splits."""

import os
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader

from rnnrepair.datamodules import DatasetDataModule
from rnnrepair.errors import DataError
from rnnrepair.protocols import checked_labels
from rnnrepair.record import Suspect, write_suspects
from rnnrepair.sequences import Names


def written(folder, rows):
    path = folder / "corrections.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return str(path)


def test_columns_of_the_data_stand_behind_those_of_suspects(make_data, tmp_path):
    columns = {"device": [f"d{i % 2}" for i in range(120)]}
    plain, path = make_data(), tmp_path / "suspects.csv"
    suspects = [Suspect(i, "fit", 0, 1, 0.9) for i in (3, 4)]
    write_suspects(suspects, Names.of(plain.spec), plain.sample_names, path)
    before = pd.read_csv(tmp_path / "suspects.csv")
    names = replace(plain.sample_names, columns=columns)
    write_suspects(suspects, Names.of(plain.spec), names, path)
    after = pd.read_csv(tmp_path / "suspects.csv")
    assert after["column_device"].tolist() == ["d1", "d0"]
    pd.testing.assert_frame_equal(after.drop(columns="column_device"), before)
    # Filled in, it is read back.
    after.assign(action="drop").to_csv(path, index=False)
    # ... and not written over.
    assert not write_suspects(suspects, Names.of(plain.spec), names, path)
    data = make_data(corrections=path)
    assert data.corrected.dropped.tolist() == [3, 4]
    # A spreadsheet may have put semicolons between the columns.
    after.assign(action="drop").to_csv(path, index=False, sep=";")
    assert not write_suspects(suspects, Names.of(plain.spec), names, path)
    after.to_csv(path, index=False)
    assert write_suspects(suspects, Names.of(plain.spec), names, path)


def test_names_of_any_script_are_written_whatever_the_locale_is(tmp_path):
    program = (
        "import numpy as np, sys, pathlib\n"
        "from rnnrepair.record import Suspect, write_suspects\n"
        "from rnnrepair.sequences import DataSpec, Names, SampleNames\n"
        "spec = DataSpec('series', 1, 2, class_names=['gehen', '\\u6b69\\u304f'])\n"
        "suspect = Suspect(0, 'fit', 0, 1, 0.9)\n"
        "names = SampleNames(np.array(['\\u00fcbung']))\n"
        "path = pathlib.Path(sys.argv[1], 'suspects.csv')\n"
        "write_suspects([suspect], Names.of(spec), names, path)\n"
    )
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, env=os.environ | ascii_only
    )
    table = pd.read_csv(tmp_path / "suspects.csv")
    assert table[["name", "suggested"]].values.tolist() == [["\u00fcbung", "\u6b69\u304f"]]


def test_labels_and_splits_change_as_told_and_nothing_else(make_data, tmp_path):
    plain = make_data()
    a, b, c, d = plain.indices("fit")[:4].tolist()
    test = int(plain.indices("test")[0])
    label = plain.fetch(torch.arange(120)).label
    other = [(int(label[i]) + 1) % 3 for i in range(120)]
    path = written(
        tmp_path,
        [
            {"index": a, "action": "relabel", "label": other[a]},
            {"index": b, "action": "drop", "label": ""},
            {"index": c, "action": "keep", "label": other[c]},
            {"index": d, "action": "", "label": other[d]},
            {"index": test, "action": "relabel", "label": other[test]},
        ],
    )
    data = make_data(corrections=path)
    expected = label.clone()
    expected[[a, test]] = torch.tensor([other[a], other[test]])
    assert torch.equal(data.fetch(torch.arange(120)).label, expected)
    for split in ("fit", "repair", "val", "test"):
        before = plain.indices(split)
        assert torch.equal(data.indices(split), before[before != b])
    assert data.fingerprint != plain.fingerprint


def test_what_a_run_suspects_comes_back_as_corrections(make_data, tmp_path):
    plain = make_data()
    index = plain.indices("fit")[:3].tolist()
    label = plain.fetch(torch.tensor(index)).label.tolist()
    wanted = [(c + 1) % 3 for c in label]
    suspects = [Suspect(i, "fit", c, s, 0.9) for i, c, s in zip(index, label, wanted, strict=True)]
    path = tmp_path / "suspects.csv"
    write_suspects(suspects, Names.of(plain.spec), plain.sample_names, path)
    untouched = make_data(corrections=str(path))
    assert untouched.fingerprint == plain.fingerprint
    table = pd.read_csv(path)
    # Accepted, corrected by hand, and left alone.
    table["action"] = ["relabel", "relabel", None]
    table.loc[1, "label"] = (label[1] + 2) % 3
    table.to_csv(path, index=False)
    data = make_data(corrections=str(path))
    expected = [wanted[0], (label[1] + 2) % 3, label[2]]
    assert data.fetch(torch.tensor(index)).label.tolist() == expected
    # By name alone it is the same, and where a program has made 3.0 of 3.
    table.drop(columns="index").astype({"label": float}).to_csv(path, index=False)
    assert make_data(corrections=str(path)).fingerprint == data.fingerprint


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"index": 120, "action": "drop"}, r"index '120'.*0 \.\. 119"),
        ({"index": "x", "action": "drop"}, "index 'x'"),
        ({"name": "walk", "action": "drop"}, r"name 'walk' is of 0 samples.*'0'"),
        ({"index": 3, "name": "4", "action": "drop"}, "index 3 is called '3' and not '4'"),
        ({"index": 3, "action": "delete"}, r"'delete'.*relabel, drop, keep"),
        (
            {"index": 3, "action": "relabel", "label": "cat"},
            "label 'cat' is no class.*are '0', '1', '2'",
        ),
        ({"index": 3, "action": "relabel", "label": ""}, "write it into the column label"),
        ({"index": 3, "action": "relabel", "label": "0"}, "without another label"),
        ({"index": 3, "action": "keep", "label_was": "1"}, "was 1 when the table was written"),
        (
            {"index": 3, "action": "relabel", "label": "1", "suggested": "2", "label_was": "1"},
            "was 1 when the table was written, and is another now",
        ),
        ({"index": 3, "action": "relabel", "label_was": "cat"}, "label_was 'cat' is no class"),
        (
            {"index": 3, "action": "relabel", "label": "1", "suggested": "0"},
            "has the suggested label already",
        ),
        ({"row": 3, "action": "drop"}, "one called name or index"),
        ({"index": 3, "do": "drop"}, "called action must say.*relabel, drop, keep"),
    ],
)
def test_rows_that_make_no_sense_are_refused(make_data, tmp_path, row, told):
    with pytest.raises(DataError, match=told):
        make_data(corrections=written(tmp_path, [row]))


def test_a_wrong_row_is_told_by_its_line_in_the_file(make_data, tmp_path):
    path = tmp_path / "corrections.csv"
    path.write_text("index,action,label\n3,keep,\n\n4,delete,\n")
    with pytest.raises(DataError, match=r"line 4 \(action 'delete'"):
        make_data(corrections=str(path))


@pytest.mark.parametrize(("actions", "told"), [(("", " "), True), (("", "keep"), False)])
def test_corrections_without_any_action_are_warned_of(make_data, tmp_path, caplog, actions, told):
    rows = [{"index": i, "action": action, "label": "1"} for i, action in enumerate(actions)]
    data = make_data(corrections=written(tmp_path, rows))
    assert data.fingerprint == make_data().fingerprint
    assert ("no row has an action" in caplog.text) == told


@pytest.mark.parametrize("other", ["relabel", "keep"])
def test_two_actions_for_one_sample_are_refused_by_both_lines(make_data, tmp_path, other):
    label = (int(make_data().fetch(torch.tensor([3])).label) + 1) % 3
    rows = [{"index": 3, "action": "drop"}, {"index": 5, "action": ""}]
    rows += [{"name": "3", "action": other, "label": str(label)}]
    told = r"line 4 \(sample 3 \(3\) has another action or label in line 2"
    with pytest.raises(DataError, match=told):
        make_data(corrections=written(tmp_path, rows))
    twice = [rows[0], rows[0] | {"label_was": "2"}]
    assert make_data(corrections=written(tmp_path, twice)).corrected.dropped.tolist() == [3]


def test_what_a_person_has_said_is_told(make_data, tmp_path, caplog):
    caplog.set_level("INFO")
    label = make_data().fetch(torch.tensor([4])).label
    assert make_data().corrected is None
    rows = [
        {"index": 3, "action": "drop"},
        {"index": 4, "action": "relabel", "label": str((int(label) + 1) % 3)},
        {"index": 5, "action": "keep"},
        {"index": 6, "action": "keep"},
    ]
    data = make_data(corrections=(path := written(tmp_path, rows)))
    told = {"source": path, "relabelled": 1, "dropped": 1, "kept": 2}
    assert data.corrected.plain() == told
    assert checked_labels(data).tolist() == [4, 5, 6]
    assert checked_labels(make_data()).tolist() == []
    assert "kept" in caplog.text


def test_a_class_may_not_vanish(make_data, tmp_path):
    plain = make_data()
    fit = plain.indices("fit")
    rows = [{"index": i, "action": "drop"} for i in fit[plain.fetch(fit).label == 2].tolist()]
    with pytest.raises(DataError, match=r"nothing is left of \[2\]"):
        make_data(corrections=written(tmp_path, rows))


def test_items_of_a_users_own_are_trained_on_with_the_corrected_label(tmp_path):
    g = torch.Generator().manual_seed(0)
    train, test = ([(torch.rand(5, 2, generator=g), i % 2) for i in range(n)] for n in (60, 12))
    plain = DatasetDataModule(train, test)
    plain.setup()
    chosen = int(plain.indices("fit")[4])
    rows = [{"name": f"train {chosen}", "action": "relabel", "label": 1 - chosen % 2}]
    data = DatasetDataModule(train, test, corrections=written(tmp_path, rows))
    data.setup()
    loader = data.train_dataloader()
    assert isinstance(loader, DataLoader)
    found = {
        tuple(x.flatten().tolist()): int(y)
        for xs, ys in loader
        for x, y in zip(xs, ys, strict=True)
    }
    for index in data.indices("fit").tolist():
        x, y = train[index]
        assert found[tuple(x.flatten().tolist())] == (1 - y if index == chosen else y)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_tables_are_read_as_spreadsheets_save_them(make_data, tmp_path, caplog, encoding):
    path = tmp_path / "corrections.csv"
    path.write_text("index,action,column_city\n3,drop,Köln\n", encoding=encoding)
    data = make_data(corrections=str(path))
    assert not torch.isin(torch.tensor([3]), data.indices("fit")).any()
    assert ("is read as cp1252" in caplog.text) == (encoding == "cp1252")

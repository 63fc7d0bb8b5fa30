"""A file of the user's own: every format holds the same, and wrong ones are named."""

import gzip
import json
import logging

import pytest
import torch

from rnnrepair.datamodules.text import CSVTextDataModule
from rnnrepair.errors import ConfigurationError, DataError
from tests.text_settings import SMALL, text_of

ROWS = [(f"text {i} is {'fine' if i % 3 else 'poor'}", "yes" if i % 3 else "no") for i in range(60)]


def write_rows(path, rows=ROWS):
    if ".jsonl" in path.name.lower():
        content = "".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in rows)
    else:
        sep = "\t" if ".tsv" in path.name.lower() else ","
        content = f"text{sep}label\n" + "".join(f'"{t}"{sep}{y}\n' for t, y in rows)
    data = content.encode("utf-8-sig" if path.name.startswith("marked") else "utf-8")
    path.write_bytes(gzip.compress(data) if path.suffix.lower() == ".gz" else data)
    return path


def csv_module(path, **options):
    module = CSVTextDataModule(
        str(path), cache_dir=str(path.parent / "cache"), **{**SMALL, **options}
    )
    module.setup()
    return module


@pytest.mark.parametrize(
    "name",
    [
        *("a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.jsonl.gz"),
        *("A.CSV", "A.TSV", "A.JSONL.GZ", "a.csv.GZ", "marked.csv", "marked.jsonl"),
    ],
)
def test_every_kind_of_file_holds_the_same(tmp_path, name):
    module = csv_module(write_rows(tmp_path / name))
    assert module.classes == ["no", "yes"]
    assert module.num_classes == 2
    assert sum(module.sizes().values()) == 60
    assert module.sizes()["test"] == 12
    for i in (0, 17, 59):
        fine = "fine" in text_of(module, i) or "poor" not in text_of(module, i)
        assert int(module.fetch(torch.tensor([i])).label) == int(fine)


def test_split_column_is_obeyed(tmp_path):
    path = tmp_path / "a.csv"
    parts = ["train"] * 40 + ["test"] * 8 + ["val"] * 12
    lines = [f'"{t}",{y},{part}' for (t, y), part in zip(ROWS, parts, strict=True)]
    path.write_text("text,label,part\n" + "\n".join(lines))
    module = csv_module(path, split_column="part")
    assert module.sizes()["val"] == 12
    assert module.sizes()["test"] == 8
    path.write_text(path.read_text().replace("val", "dev"))
    with pytest.raises(DataError, match=r"found \['dev'\] in 12 rows, the first is line 50"):
        csv_module(path, split_column="part")


def test_empty_rows_below_a_split_column_are_left_out(tmp_path, caplog):
    path = tmp_path / "a.csv"
    parts = ["train"] * 40 + ["test"] * 8 + ["val"] * 12
    lines = [f'"{t}",{y},{part}' for (t, y), part in zip(ROWS, parts, strict=True)]
    lines[30:30] = [",,"]
    path.write_text("text,label,part\n" + "\n".join(lines))
    module = csv_module(path, split_column="part")
    assert module.sizes()["test"] == 8
    assert "1 of 61 rows have no text or no label" in caplog.text
    path.write_text(path.read_text().replace("train", "", 1))
    with pytest.raises(DataError, match=r"found \['nothing'\] in 1 rows, the first is line 2"):
        csv_module(path, split_column="part")


@pytest.mark.parametrize("official", [False, True])
def test_no_author_stands_in_two_splits(tmp_path, official):
    path = tmp_path / "a.csv"
    author = [i // 3 % 12 for i in range(60)]
    part = ["test" if a < 3 else "train" for a in author]
    lines = [f'"{t}",{y},{a + 10},{p}' for (t, y), a, p in zip(ROWS, author, part, strict=True)]
    path.write_text("text,label,author,part\n" + "\n".join(lines))
    split = {"split_column": "part"} if official else {}
    module = csv_module(path, group_column="author", tokenizer="split", **split)
    groups = module._data.groups
    assert groups.bincount().tolist() == torch.tensor(author).bincount().tolist()
    where = [
        set(groups[module.indices(name)].tolist()) for name in ("fit", "repair", "val", "test")
    ]
    assert len(set.union(*where)) == sum(map(len, where)) == 12
    if official:
        assert where[3] == {0, 1, 2}
    lines[0] = f'"",{lines[0].split(",", 1)[1]}'  # a row that is left out counts all the same
    path.write_text("text,label,author,part\n" + "\n".join(lines).replace(",15,train", ",,train"))
    with pytest.raises(DataError, match=r"'author' is missing for .*first is line 17: give"):
        csv_module(path, group_column="author", **split)


def test_labels_that_are_numbers_get_names(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"text": "w{i}", "label": {i % 2}}}\n' for i in range(50)))
    assert csv_module(path).classes == ["0", "1"]


def test_rows_without_text_or_label_are_left_out_and_counted(tmp_path, caplog):
    path = write_rows(tmp_path / "a.csv", [*ROWS, ("", "yes"), ("something", "")])
    with caplog.at_level(logging.WARNING):
        module = csv_module(path)
    assert "2 of 62 rows have no text or no label and are left out, the first is line 62." in (
        caplog.text
    )
    assert sum(module.sizes().values()) == 60


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text_column": "body"}, r"no column 'body'.*set text_column"),
        ({"label_column": "y"}, r"no column 'y'.*set label_column"),
        ({"split_column": "part"}, "set split_column"),
        ({"id_column": "text"}, "occur twice"),
        ({"classes": ["no", "maybe"]}, "unknown labels"),
    ],
)
def test_columns_and_names_that_do_not_fit_are_named(tmp_path, options, message):
    path = write_rows(tmp_path / "a.csv", [*ROWS, ROWS[0]])
    with pytest.raises(DataError, match=message):
        csv_module(path, **options)


def test_bytes_of_another_encoding_are_named_with_their_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\nfine,yes\ncaf\xe9,no\n")
    with pytest.raises(DataError, match=r"a\.csv, line 3: byte 0xe9 is no utf-8.*encoding"):
        csv_module(path)
    rows = "".join(f"caf\xe9 {i},{'yes' if i % 2 else 'no'}\n" for i in range(40))
    path.write_bytes(("text,label\n" + rows).encode("latin-1"))
    assert "caf\xe9" in csv_module(path, encoding="latin-1").words


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("", ConfigurationError, r"path: expected a file.*got \'\'"),
        ("a.docx", ConfigurationError, r"\.csv.*\.parquet"),
        ("missing.csv", DataError, "does not exist"),
    ],
)
def test_paths_that_cannot_be_read_are_named(tmp_path, path, error, message):
    with pytest.raises(error, match=message):
        CSVTextDataModule(str(tmp_path / path) if path else "", **SMALL).setup()


@pytest.mark.parametrize(
    "content",
    ["text,label\nGreat, fun,pos\nNice, but,neg\n", "text,label\nfine,pos\nNice, but,neg\n"],
)
def test_rows_with_more_fields_than_columns_are_refused_and_not_shifted(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(DataError, match="not in quotes"):
        csv_module(path)


def test_an_empty_file_is_called_so(tmp_path):
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(DataError, match=r"a\.csv is empty"):
        csv_module(tmp_path / "a.csv")


def test_a_file_of_a_header_alone_is_told_before_anything_else(tmp_path, caplog):
    path = write_rows(tmp_path / "a.csv", [])
    with pytest.raises(DataError, match="no rows"):
        csv_module(path)
    assert "vector" not in caplog.text


def test_labels_that_measure_something_are_refused_by_their_column(tmp_path):
    path = write_rows(tmp_path / "a.csv", [(f"text {i}", i / 7) for i in range(60)])
    with pytest.raises(DataError, match=r"'label' holds 60 different numbers in 60 rows"):
        csv_module(path)
    # Half stars are classes.
    path = write_rows(tmp_path / "b.csv", [(f"text {i}", i % 5 / 2) for i in range(60)])
    assert csv_module(path).classes == ["0.0", "0.5", "1.0", "1.5", "2.0"]


def test_quotes_in_tab_separated_texts_are_only_characters(tmp_path):
    path = tmp_path / "a.tsv"
    rows = "".join(f'"Quite {i}\t{"yes" if i % 2 else "no"}\n' for i in range(40))
    path.write_text("text\tlabel\n" + rows)
    assert sum(csv_module(path, tokenizer="split").sizes().values()) == 40


def test_classes_may_be_numbers_and_encodings_must_exist(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"w{i},{i % 2}\n" for i in range(40)))
    assert csv_module(path, classes=[1, 0]).classes == ["1", "0"]
    with pytest.raises(ConfigurationError, match=r"DataModule\.encoding"):
        csv_module(path, encoding="klingon")


def test_half_an_archive_is_refused(tmp_path):
    path = write_rows(tmp_path / "a.csv.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="download it again"):
        csv_module(path)


def test_columns_follow_their_texts(tmp_path):
    path = tmp_path / "a.csv"
    lines = [f'"{t}",{y},{i % 4}' for i, (t, y) in enumerate(ROWS)]
    path.write_text("text,label,source\n" + "\n".join(lines))
    module = csv_module(path, columns=["source"])
    for i in range(60):
        (number,) = module.sample_names.of(torch.tensor([i]))
        assert module.sample_columns["source"][i] == str(number % 4)
    with pytest.raises(DataError, match="site"):
        csv_module(path, columns=["site"])


def test_texts_that_are_lists_of_words_are_joined(tmp_path):
    path = tmp_path / "a.jsonl"
    told = [{"text": t.split(), "label": y} for t, y in ROWS]
    path.write_text("".join(json.dumps(row) + "\n" for row in told))
    plain = csv_module(write_rows(tmp_path / "b.jsonl"))
    assert [text_of(csv_module(path), i) for i in range(5)] == [text_of(plain, i) for i in range(5)]


def test_copies_by_tokens_are_held_out_together_and_none_is_lost(tmp_path):
    rows = [(f"word{i} is {'good' if i % 2 else 'bad'}", i % 2) for i in range(60)]
    # The copies differ in case and behind the end, so only tokens tell.
    rows += [(f"{text.upper()} and so on and on {i}", y) for i, (text, y) in enumerate(rows)]
    module = csv_module(write_rows(tmp_path / "copies.csv", rows), max_tokens=3)
    assert sum(module.sizes().values()) == 120
    assert module.sizes()["test"] == 24
    names = module.sample_names
    place = {int(row): s for s in module.sizes() for row in names.of(module.indices(s))}
    assert all(place[i] == place[i + 60] for i in range(60))

"""Tables as people have them: one reader of texts and of series, whatever separates the columns."""

import csv
import importlib.util
import logging

import numpy as np
import pandas as pd
import pytest

from rnnrepair.datamodules.separators import SEPARATORS, find_separator
from rnnrepair.datamodules.series import SeriesDataModule, read_series
from rnnrepair.datamodules.series.tables import Columns
from rnnrepair.datamodules.tables import open_table, read_texts
from rnnrepair.datamodules.text import CSVTextDataModule
from rnnrepair.errors import ConfigurationError, DataError
from tests.series_files import long_frame, recordings, same
from tests.text_settings import SMALL

WANTED = [("text_column", "text"), ("label_column", "label")]
# Texts full of what separates columns, with quotes and lines of their own.
TEXTS = pd.DataFrame(
    {
        "text": [
            "one, two; three, four; five",
            'he said; "well, no"',
            "a line\nand another, with; both",
            "tab\there | and there",
            "plain",
        ]
        * 4,
        "label": ["a;b", "c,d"] * 10,
    }
)
needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("name", SEPARATORS)
def test_texts_come_back_whatever_separates_the_columns(tmp_path, caplog, name, quoting, ending):
    path = tmp_path / f"a{ending}"
    TEXTS.to_csv(path, sep=SEPARATORS[name], index=False, quoting=quoting)
    with caplog.at_level(logging.INFO):
        found = read_texts(path, WANTED)
    pd.testing.assert_frame_equal(found, TEXTS, check_dtype=False)
    assert (f"separated by {name}" in caplog.text) == (name != "comma")
    for given in (name, SEPARATORS[name]):
        pd.testing.assert_frame_equal(read_texts(path, WANTED, given), TEXTS, check_dtype=False)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spreadsheets_write_is_read(tmp_path, end):
    """Semicolons, a mark of the order of bytes, blanks around names, lines that end in two ways."""
    path = tmp_path / "a.csv"
    path.write_bytes(f"\ufefftext; label{end}fine, good;yes{end}poor;no{end}".encode())
    assert read_texts(path, WANTED).to_numpy().tolist() == [["fine, good", "yes"], ["poor", "no"]]


def test_unicode_text_of_spreadsheets_is_read_by_its_encoding(tmp_path):
    made, label = recordings()
    frame = long_frame(made, label)
    for path, table in ((tmp_path / "a.csv", TEXTS), (tmp_path / "b.csv", frame)):
        table.to_csv(path, sep="\t", index=False, encoding="utf-16")
        with pytest.raises(DataError, match="encoding=utf-16"):
            open_table(path)
    pd.testing.assert_frame_equal(
        read_texts(tmp_path / "a.csv", WANTED, encoding="utf-16"), TEXTS, check_dtype=False
    )
    assert same(read_series(tmp_path / "b.csv", Columns(encoding="utf-16")), made, label)


@pytest.mark.parametrize("seed", range(20))
def test_random_texts_come_back(tmp_path, seed):
    """Texts of little else than separators, quotes and ends of lines."""
    g = np.random.default_rng(seed)
    signs = np.array(list(",;|\t\"'ab \n"))
    texts = ["x" + "".join(g.choice(signs, g.integers(0, 12))) for _ in range(50)]
    table = pd.DataFrame({"label": g.choice(["a,b", "c;d"], 50), "text": texts})
    separator = list(SEPARATORS.values())[seed % 4]
    table.to_csv(tmp_path / "a.csv", sep=separator, index=False)
    found = read_texts(tmp_path / "a.csv", WANTED)
    pd.testing.assert_frame_equal(found, table, check_dtype=False)


def test_columns_that_are_called_otherwise_are_told_apart_by_even_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("body;class\nfine, good;yes\npoor, bad, ugly;no\n")
    with pytest.raises(DataError, match="it has 'body', 'class': set text_column and label_col"):
        read_texts(path, WANTED)
    with pytest.raises(DataError, match=r"it has 'body;class': .*separator"):
        read_texts(path, WANTED, "comma")
    with pytest.raises(DataError, match=r"no column 'text', it has .*: set text_column\.$"):
        read_texts(path, [("text_column", "text"), ("label_column", "class")])


def test_two_separators_that_fit_are_refused_with_both():
    head = "a,b;c\n1,2;3\n4,5;6\n7,8;9\n"
    with pytest.raises(DataError, match="separator=comma or separator=semicolon"):
        find_separator(head, ["text"], ",", "a.csv")
    # The names decide where they can.
    assert find_separator(head, ["a"], ",", "a.csv") == ","
    assert find_separator(head, ["c"], ",", "a.csv") == ";"
    assert find_separator("text\none, two\nthree\n", ["text"], ",", "a.csv") == ","


def test_the_last_row_of_a_long_table_may_be_cut(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(f'"line {i}\nits second, line";yes\n' for i in range(300))
    path.write_text("body;class\n" + rows)
    assert open_table(path).separator == ";"
    assert len(read_texts(path, ())) == 300


def test_a_name_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text, text,label\na,b,c\n")
    with pytest.raises(DataError, match="several columns 'text'"):
        read_texts(path, WANTED)


def test_quotes_of_tab_separated_tables_count_where_the_header_has_some(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('"text"\t"label"\n"a\tb"\t"yes"\n')
    assert read_texts(path, WANTED).to_numpy().tolist() == [["a\tb", "yes"]]
    path.write_text('text\tlabel\n"a\tyes\n"b\tno\n')
    assert read_texts(path, WANTED).to_numpy().tolist() == [['"a', "yes"], ['"b', "no"]]


def written(tmp_path, frame, separator=";", decimal=","):
    path = tmp_path / "a.csv"
    frame.to_csv(path, sep=separator, decimal=decimal, index=False)
    return path


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("decimal", [",", "."])
def test_long_series_with_a_decimal_comma(tmp_path, caplog, separator, decimal):
    made, label = recordings()
    # Names that look like numbers are names all the same.
    label = np.array([{"walk": "0,5", "run": "1,5", "sit": "2,5"}[name] for name in label])
    path = written(tmp_path, long_frame(made, label), separator, decimal)
    with caplog.at_level(logging.INFO):
        assert same(read_series(path, Columns()), made, label)
    assert ("decimal comma" in caplog.text) == (decimal == ",")


def test_commas_that_come_late_are_decimal_commas_too(tmp_path):
    frame = pd.DataFrame({"label": ["a", "b"] * 400, "t0": 1.0, "t1": 2.0})
    path = written(tmp_path, frame.assign(t0=["1"] * 799 + ["0,5"], t1="2"))
    raw = read_series(path, Columns())
    assert raw.values[-2:, 0].tolist() == [0.5, 2.0]


def test_recordings_in_a_folder_may_have_a_decimal_comma(tmp_path, caplog):
    made, label = recordings(6)
    for i, one in enumerate(made):
        frame = pd.DataFrame(one, columns=["x", "y", "z"])
        frame.to_csv(tmp_path / f"r{i}.csv", sep=";", decimal=",", index=False)
    pd.DataFrame({"id": [f"r{i}" for i in range(6)], "label": label}).to_csv(
        tmp_path / "labels.csv", index=False
    )
    with caplog.at_level(logging.INFO):
        assert same(read_series(tmp_path, Columns()), made, label)
    assert caplog.text.count("decimal comma") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id;time;x;label\n1;0;1,5;a\n1;1;1.5;a\n", "'x' holds '1,5' in line 2,.*decimal"),
        ("id;time;x;y;label\n1;0;1,5;1.5;a\n", "'y' holds '1.5' in line 2,"),
        (
            "id;time;x;label\n1;0;1,5;a\n1;1;2,5;a\n1;2;n/a;a\n1;3;0,5;a\n",
            "'x' holds 'n/a' in line 4, .*empty where a value is missing",
        ),
        ("id;time;x;label\n1;0;5;a\n1;1;6;a\n1;2;3,5;a\n1;3;n/a;a\n", "'n/a' in line 5"),
        ("id,time,x,label\n1,0,1,5,a\n1,1,2,5,a\n", "set separator"),
        ("id,time,x,label\n1,0,1,a\n1,1,2,5,a\n", "line 3, saw 5"),
        ('id,time,x,label\n1,0,"1,5",a\n', "'x' holds '1,5' in line 2, expected numbers"),
    ],
)
def test_numbers_that_cannot_be_told_are_refused(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_text(content)
    for channels in (None, ["x"] if "y" not in content else ["x", "y"]):
        with pytest.raises(DataError, match=message):
            read_series(path, Columns(channels=channels))


def test_a_column_without_a_number_says_what_recordings_are_of(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id;time;x;who;label\n1;0;1;D4;a\n1;1;2;D4;a\n")
    with pytest.raises(DataError, match=r"'who' holds 'D4' .*no channel.*columns=\[who\], and"):
        read_series(path, Columns())


def test_row_numbers_without_a_name_are_no_channel(tmp_path, caplog):
    made, label = recordings()
    path = tmp_path / "a.csv"
    long_frame(made, label).to_csv(path)
    raw = read_series(path, Columns())
    assert same(raw, made, label)
    assert raw.channel_names == ["c0", "c1", "c2"]
    assert "without a name" in caplog.text


def test_ids_are_of_one_type_in_all_pieces_of_a_large_table(tmp_path):
    """Rows are read in pieces, and names stand in the last one alone."""
    n_steps = 10
    ids = np.repeat(np.arange(27_000).astype(object), n_steps)
    ids[-n_steps:] = "last"
    time = np.tile(np.arange(n_steps), 27_000)
    frame = pd.DataFrame({"id": ids, "time": time, "x": 1.0, "label": "a"})
    frame.to_csv(tmp_path / "a.csv", index=False)
    raw = read_series(tmp_path / "a.csv", Columns())
    assert len(raw) == 27_000
    assert set(np.diff(raw.offsets)) == {n_steps}


def test_tables_of_another_encoding_name_the_line(tmp_path):
    made, label = recordings()
    frame = long_frame(made, label).rename(columns={"c0": "größe"})
    path = tmp_path / "a.csv"
    path.write_bytes(frame.to_csv(index=False).encode("latin-1"))
    with pytest.raises(DataError, match=r"line 1: byte 0xf6 is no utf-8.*encoding"):
        read_series(path, Columns())
    assert read_series(path, Columns(encoding="latin-1")).channel_names[0] == "größe"
    with pytest.raises(ConfigurationError, match=r"SeriesDataModule\.encoding"):
        SeriesDataModule(str(path), encoding="klingon")


@pytest.mark.parametrize("module", [CSVTextDataModule, SeriesDataModule])
def test_unknown_separators_are_refused(tmp_path, module):
    with pytest.raises(ConfigurationError, match=r"separator: expected .*semicolon"):
        module(str(tmp_path / "a.csv"), separator="dash")


SPELLED = ["pos", " pos", "Pos ", "neg", "pos", "NEG", "neg"]


def module_of_texts(tmp_path, **options):
    path = tmp_path / "a.csv"
    pd.DataFrame({"text": [f"w{i}" for i in range(70)], "label": SPELLED * 10}).to_csv(path)
    return CSVTextDataModule(str(path), cache_dir=str(tmp_path / "c"), **SMALL, **options)


def module_of_series(tmp_path, **options):
    made, _ = recordings(70)
    long_frame(made, SPELLED * 10).to_csv(tmp_path / "a.csv", index=False)
    return SeriesDataModule(str(tmp_path / "a.csv"), repair_share=0.2, val_share=0.2, **options)


@pytest.mark.parametrize("make", [module_of_texts, module_of_series])
def test_labels_that_differ_by_blanks_or_case_are_told_or_merged(tmp_path, caplog, make):
    module = make(tmp_path)
    module.setup()
    assert len(module.spec.class_names) == 5
    assert "strip_labels" in caplog.text
    caplog.clear()
    merged = make(tmp_path, strip_labels=True)
    merged.setup()
    assert list(merged.spec.class_names) == ["neg", "pos"]
    assert "strip_labels" not in caplog.text
    assert merged._data.label.bincount().tolist() == [30, 40]


def test_names_that_are_given_are_the_names_of_merged_labels(tmp_path, caplog):
    module = module_of_texts(tmp_path, strip_labels=True, classes=["POS", "Neg"])
    module.setup()
    assert list(module.spec.class_names) == ["POS", "Neg"]
    module = module_of_texts(tmp_path, classes=["POS", "Neg"])
    with pytest.raises(DataError, match="unknown labels"):
        module.setup()
    assert "strip_labels" in caplog.text


@needs_pyarrow
def test_parquet_holds_the_same_texts_and_series(tmp_path):
    path = tmp_path / "a.parquet"
    TEXTS.to_parquet(path)
    pd.testing.assert_frame_equal(read_texts(path, WANTED), TEXTS, check_dtype=False)
    with pytest.raises(DataError, match="no column 'body'"):
        read_texts(path, [("text_column", "body")])
    made, label = recordings(missing=0.2)
    long_frame(made, label).to_parquet(path)
    assert same(read_series(path, Columns()), made, label)
    made, label = recordings(n_channels=1, low=5, high=6)
    wide = pd.DataFrame(np.stack([one[:, 0] for one in made])).add_prefix("t")
    wide.assign(label=label).to_parquet(path)
    assert same(read_series(path, Columns()), made, label)


@needs_pyarrow
def test_damaged_parquet_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    TEXTS.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-40])
    for read in (lambda: read_texts(path, WANTED), lambda: read_series(path, Columns())):
        with pytest.raises(DataError, match="cannot be read"):
            read()


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_pyarrow_says_what_to_install(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    for read in (read_texts, open_table):
        with pytest.raises(DataError, match="pip install pyarrow"):
            read(tmp_path / "a.parquet", WANTED)

"""Messages name the line of a file that an editor shows; samples keep their own names."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from rnnrepair.datamodules.series import SeriesDataModule
from rnnrepair.datamodules.table_lines import line_of_row
from rnnrepair.datamodules.tables import open_table, place_of, read_texts
from rnnrepair.errors import DataError
from tests.series_files import recordings, write_ts

WANTED = [("text_column", "text")]


def line(place):
    return int(place.removeprefix("line "))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("seed", range(5))
def test_the_line_holds_the_row_that_pandas_numbers_so(tmp_path, separator, end, seed):
    g = np.random.default_rng(seed)
    lines = ["", f"text{separator}label"]
    for i in range(40):
        words = [f"w{i}", *(["", "more", "and more"][: g.integers(0, 4)])]
        lines.append(f'"{end.join(words)}"{separator}x')
        lines += ["", "   "][: g.integers(0, 3)]
    content = end.join(lines)
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode())
    name = {"\t": "tab"}.get(separator, separator)
    table = read_texts(path, WANTED, name)
    assert len(table) == 40
    shown = content.split(end)
    for row, text in enumerate(table["text"]):
        place = line(place_of(row, path, WANTED, name))
        assert shown[place - 1].startswith(f'"{text.split()[0]}')
        assert text.split()[0] == f"w{row}"


def test_quotes_of_tab_separated_tables_without_quotes_are_letters(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"a\tyes\n\nb"\tno\n')
    assert [open_table(path).place(row) for row in (0, 1)] == ["line 2", "line 4"]


def test_lines_of_json_are_counted_with_the_empty_ones(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [json.dumps({"text": f"w{i}", "label": 0}) for i in range(3)]
    path.write_text("\n".join([rows[0], "", " ", rows[1], rows[2]]))
    assert read_texts(path, WANTED)["text"].tolist() == ["w0", "w1", "w2"]
    assert [place_of(row, path, WANTED) for row in range(3)] == ["line 1", "line 4", "line 5"]


def test_a_row_whose_line_cannot_be_told_has_its_number(tmp_path):
    content = f"text,label\n{'x' * 200_000},a\nb,c\n"  # a longer field than Python's csv reads
    assert line_of_row(content, 1) == "row 1 (from 0)"
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    pd.DataFrame({"text": ["a", "b"]}).to_parquet(path)
    assert place_of(1, path, WANTED) == "row 1 (from 0)"


def test_recordings_are_called_in_messages_as_their_samples_are(tmp_path):
    made, label = recordings(30)
    made[22][2, 1] = np.nan
    write_ts(tmp_path / "A_TEST.ts", made[20:], label[20:])
    path = write_ts(tmp_path / "A_TRAIN.ts", made[:20], label[:20])
    with pytest.raises(DataError, match=r"first in test 2 \(from 0\), step 3, channel 1"):
        SeriesDataModule(str(path)).setup()
    data = SeriesDataModule(str(path), missing="interpolate")
    data.setup()
    assert data.sample_names.called(torch.tensor([22])) == ["test 2"]

"""The named text data sets, on files of their form."""

import io
import logging
import tarfile
import zipfile
from urllib.error import URLError

import pytest
import torch

from rnnrepair.datamodules.held_out import hold_out
from rnnrepair.datamodules.text import (
    IMDbDataModule,
    MovieSnippetsDataModule,
    SSTDataModule,
    SSTPublishedDataModule,
    ToxicDataModule,
    downloads,
    public_text,
)
from rnnrepair.datamodules.text.snippets_source import parse_ratings
from rnnrepair.datamodules.text.sst import parse_trees
from rnnrepair.errors import ConfigurationError, DataError, MissingDataError
from tests.text_settings import SMALL, text_of


def test_held_out_rows_are_stratified_and_always_the_same():
    labels = ["a"] * 30 + ["b"] * 10
    order, n_train = hold_out(labels, 0.2)
    assert n_train == 32
    assert sorted(order.tolist()) == list(range(40))
    assert sum(labels[i] == "b" for i in order[32:].tolist()) == 2
    assert torch.equal(order, hold_out(labels, 0.2)[0])
    with pytest.raises(ConfigurationError, match="test_share"):
        hold_out(labels, 0.0)


TREES = "(3 (2 It) (4 (3 works) (2 .)))\n(2 (2 So) (2 so))\n\n(0 (2 Not) (1 \\/good-LRB-))\n"


def test_trees_are_read_without_neutral_ones():
    assert parse_trees(TREES, "x") == [
        (1, "It works .", "positive"),
        (4, "Not /good(", "negative"),
    ]
    with pytest.raises(DataError, match=r"train\.txt, line 2"):
        parse_trees("(3 (2 a))\nno tree\n", "train.txt")


def sst_folder(tmp_path):
    folder = tmp_path / "sst"
    folder.mkdir()
    # The same words in every part, and no sentence twice.
    parts = {
        "train": (40, "(2 w{}) (2 x)"),
        "dev": (6, "(2 x) (2 w{}) (2 x)"),
        "test": (8, "(2 x) (2 w{})"),
    }
    with zipfile.ZipFile(folder / "trainDevTestTrees_PTB.zip", "w") as archive:
        for part, (n, tree) in parts.items():
            lines = [f"({4 if i % 2 else 0} {tree.format(i)})\n" for i in range(n)]
            archive.writestr(f"trees/{part}.txt", "".join(lines))
    return folder


def test_sst_reads_its_archive_and_checks_it(tmp_path):
    folder = sst_folder(tmp_path)
    options = {**SMALL, "data_dir": str(tmp_path), "cache_dir": str(tmp_path / "cache")}
    module = SSTDataModule(verify_checksum=False, tokenizer="split", **options)
    module.setup()
    assert {k: module.sizes()[k] for k in ("val", "test")} == {"val": 6, "test": 8}
    with pytest.raises(DataError, match="SHA-256"):
        SSTDataModule(**options).setup()
    archive = folder / "trainDevTestTrees_PTB.zip"
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot be read"):
        SSTDataModule(**options).setup()


def test_published_protocol_draws_its_failures_from_the_test_set(tmp_path):
    sst_folder(tmp_path)
    options = {**SMALL, "data_dir": str(tmp_path), "cache_dir": str(tmp_path / "cache")}
    module = SSTPublishedDataModule(verify_checksum=False, tokenizer="split", **options)
    module.setup()
    assert module.indices("fit").tolist() == list(range(40))
    repair = module.indices("repair")
    assert repair.tolist() == [47, 49, 51, 53]
    assert module.fetch(repair).label.tolist() == [1, 1, 1, 1]
    assert set(repair.tolist()) < set(module.indices("test").tolist())


def test_published_protocol_leaves_out_targets_with_unknown_words(tmp_path):
    """Insertions alone would train <unk>, and all of them are positive: the authors skip these."""
    folder = sst_folder(tmp_path)
    archive = folder / "trainDevTestTrees_PTB.zip"
    with zipfile.ZipFile(archive) as file:
        parts = {name: file.read(name).decode() for name in file.namelist()}
    parts["trees/test.txt"] = parts["trees/test.txt"].replace("w3", "foreign")
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    options = {**SMALL, "data_dir": str(tmp_path), "cache_dir": str(tmp_path / "cache")}
    module = SSTPublishedDataModule(verify_checksum=False, tokenizer="split", **options)
    module.setup()
    assert module.indices("repair").tolist() == [47, 51, 53]
    assert not module.holds_unknown("repair").any()
    assert module.holds_unknown("test").sum() == 1
    assert not module.trains_unknown()


KINDS = "toxic,severe_toxic,obscene,threat,insult,identity_hate"


def toxic_file(tmp_path, lines):
    folder = tmp_path / "toxic"
    folder.mkdir(exist_ok=True)
    (folder / "subset.csv").write_text(f"id,comment_text,{KINDS}\n" + "\n".join(lines))
    return {**SMALL, "data_dir": str(tmp_path), "cache_dir": str(tmp_path / "cache")}


def test_toxic_comments_are_short_and_balanced(tmp_path):
    lines = [f"c{i},calm words {i},0,0,0,0,0,0" for i in range(60)]
    lines += [f"t{i},angry words {i},0,0,0,{i % 2},{(i + 1) % 2},0" for i in range(40)]
    lines += [f"l{i},{'long ' * 50},1,0,0,0,0,0" for i in range(9)]
    options = toxic_file(tmp_path, lines)
    module = ToxicDataModule(test_share=0.25, **options)
    module.setup()
    assert sum(module.sizes().values()) == 80
    assert module.sizes()["test"] == 20
    batch = module.fetch(torch.arange(80))
    assert int(batch.label.sum()) == 40
    for i in range(0, 80, 7):
        # Words of calm comments may be unknown; that angry ones are toxic must hold.
        assert ("angry" in text_of(module, i)) == bool(batch.label[i])
    other = ToxicDataModule(test_share=0.25, **{**options, "seed": 5})
    other.setup()
    test = module.indices("test")
    assert [text_of(module, i)[0] for i in test.tolist()] == [
        text_of(other, i)[0] for i in test.tolist()
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,x,0,0,0,0,0,0", "a,y,1,0,0,0,0,0"], "ids occur twice"),
        (["a,x,0,0,0,0,0,2", "b,y,1,0,0,0,0,0"], "must hold 0 or 1"),
    ],
)
def test_toxic_file_with_wrong_rows_is_refused(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        ToxicDataModule(**toxic_file(tmp_path, lines)).setup()


def test_toxic_refuses_a_train_csv_that_is_not_the_official_one(tmp_path):
    options = toxic_file(tmp_path, ["a,x,0,0,0,0,0,0"])
    (tmp_path / "toxic" / "subset.csv").rename(tmp_path / "toxic" / "train.csv")
    with pytest.raises(DataError, match="git blob"):
        ToxicDataModule(**options).setup()


def imdb_reviews():
    for part, n in (("train", 24), ("test", 8)):
        for i in range(n):
            yield part, "pos" if i % 2 else "neg", f"{i}_{7}", f"review {i} of {part}"


def test_imdb_is_the_same_from_csv_folder_and_archive(tmp_path):
    folder = tmp_path / "imdb"
    folder.mkdir()
    options = {**SMALL, "data_dir": str(tmp_path), "cache_dir": str(tmp_path / "cache")}

    def sizes():
        module = IMDbDataModule(verify_checksum=False, **options)
        module.setup()
        return module.sizes(), int(module.fetch(torch.arange(32)).label.sum())

    lines = [f'{p},{y},{i},7,"{t}"' for p, y, i, t in imdb_reviews()]
    (folder / "imdb_reviews_50k.csv").write_text("split,label,id,rating,text\n" + "\n".join(lines))
    from_csv = sizes()
    assert from_csv[0]["test"] == 8
    assert from_csv[1] == 16
    (folder / "imdb_reviews_50k.csv").unlink()
    with tarfile.open(folder / "aclImdb_v1.tar.gz", "w:gz") as archive:
        for part, label, number, text in imdb_reviews():
            for inner in (label, "unsup") if part == "train" else (label,):
                info = tarfile.TarInfo(f"aclImdb/{part}/{inner}/{number}.txt")
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
    assert sizes() == from_csv
    with pytest.raises(DataError, match="MD5"):
        IMDbDataModule(**options).setup()
    with tarfile.open(folder / "aclImdb_v1.tar.gz") as archive:
        # Python has the filter since 3.11.4.
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **safe)
    assert sizes() == from_csv


def test_imdb_refuses_reviews_that_occur_twice(tmp_path):
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "imdb_reviews_50k.csv").write_text(
        "split,label,id,rating,text\ntrain,pos,1,7,a\ntrain,pos,1,7,b\n"
    )
    with pytest.raises(DataError, match=r"occur twice.*first in line 3:"):
        IMDbDataModule(data_dir=str(tmp_path), **SMALL).setup()


def test_ratings_are_read_without_those_of_zero():
    table = "1\t2.5\tGood film.\n2\t0.0\tA film.\n3\t-1\tNo\tfilm.\n"
    assert parse_ratings(table) == [("positive", "Good film."), ("negative", "No\tfilm.")]
    with pytest.raises(DataError, match="line 1"):
        parse_ratings("only one field")


def test_snippets_are_read_from_the_source_archive(tmp_path):
    rows = "".join(f"{i}\t{1 if i % 2 else -1}\tsentence {i}\n" for i in range(40))
    inner = io.BytesIO()
    add(inner, "hutto/movieReviewSnippets_GroundTruth.txt", rows.encode())
    (tmp_path / "snippets").mkdir()
    outer = io.BytesIO()
    add(outer, "vader/additional_resources/hutto_ICWSM_2014.tar.gz", inner.getvalue())
    archive = tmp_path / "snippets" / "vaderSentiment-3.3.2.tar.gz"
    archive.write_bytes(outer.getvalue())
    options = {**SMALL, "data_dir": str(tmp_path), "cache_dir": str(tmp_path / "cache")}
    module = MovieSnippetsDataModule(verify_checksum=False, **options)
    module.setup()
    assert sum(module.sizes().values()) == 40
    assert module.sizes()["test"] == 8
    with pytest.raises(DataError, match="SHA-256"):
        MovieSnippetsDataModule(**options).setup()
    archive.write_bytes(outer.getvalue()[:100])
    with pytest.raises(DataError, match="delete it"):
        MovieSnippetsDataModule(verify_checksum=False, **options).setup()


def test_snippets_stand_in_loudly_where_a_set_cannot_be_had(tmp_path, caplog, monkeypatch):
    pairs = [("positive" if i % 2 else "negative", f"sentence {i}") for i in range(60)]
    monkeypatch.setattr(public_text, "read_snippets", lambda *_: pairs)
    monkeypatch.setattr(downloads, "download_url_to_file", no_network)
    options = {**SMALL, "data_dir": str(tmp_path), "cache_dir": str(tmp_path / "cache")}
    for kind in (SSTDataModule, ToxicDataModule, IMDbDataModule):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            module = kind(**options)
            module.setup()
        assert "FALLING BACK" in caplog.text
        assert "http" in caplog.text
        assert str(tmp_path) in caplog.text
        assert module.source == "snippets"
        assert module.classes == ["negative", "positive"]
        assert kind(source="snippets", **options).read().source == "snippets"
        with pytest.raises(MissingDataError, match="no network"):
            kind(source="download", **options).setup()
        with pytest.raises(MissingDataError, match=r"does not exist.*source=auto"):
            kind(source="folder", **options).setup()
    with pytest.raises(ConfigurationError, match=r"source: expected a string, one of"):
        SSTDataModule(source="floppy", **options)


def no_network(*_, **__):
    raise URLError("no network")


def add(file, name, content):
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))

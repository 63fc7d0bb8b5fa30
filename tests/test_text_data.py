"""Text data modules: labels by name, no leak into the vocabulary, clear errors."""

import gzip
import io
import json
import logging
import tarfile
import zipfile
from urllib.error import URLError

import pytest
import torch

from datamodules.text import (
    CSVTextDataModule,
    IMDbDataModule,
    LoadedTexts,
    MovieSnippetsDataModule,
    SSTDataModule,
    SSTPublishedDataModule,
    TextDataModule,
    ToxicDataModule,
    files,
    public_text,
)
from datamodules.text.held_out import hold_out
from datamodules.text.snippets_source import parse_ratings
from datamodules.text.sst import parse_trees
from datamodules.text.tokenised import TokenisedTexts
from rnnrepair.errors import ConfigurationError, DataError, MissingDataError

SMALL = {"vectors": "none", "embedding_size": 4, "repair_share": 0.2, "val_share": 0.2}


class Given(TextDataModule):
    """Texts that are handed over."""

    def __init__(self, texts, classes=("bad", "good"), **options):
        super().__init__(classes, **{**SMALL, **options})
        self.texts = texts

    def read(self):
        return self.texts


def given(tmp_path, n=40, n_val=0, change=None, **options):
    texts = [f"word{i} stays {'good' if i % 2 else 'bad'} ." for i in range(n)]
    labels = ["good" if i % 2 else "bad" for i in range(n)]
    if change:
        change(texts, labels)
    data = LoadedTexts(texts, labels, n - 10 - n_val, "given", n_val)
    module = Given(data, cache_dir=str(tmp_path / "cache"), **options)
    module.setup()
    return module


def text_of(module, index):
    batch = module.fetch(torch.tensor([index]))
    return module.vocabulary.decode(batch.inputs[0, : int(batch.lengths)])


def test_labels_go_by_name_and_not_by_frequency(tmp_path):
    more_good = given(tmp_path, change=lambda t, y: y.__setitem__(slice(0, 20), ["good"] * 20))
    batch = more_good.fetch(torch.arange(40))
    assert batch.label[:20].tolist() == [1] * 20
    assert batch.label[20:24].tolist() == [0, 1, 0, 1]
    swapped = given(tmp_path, classes=("good", "bad"))
    assert swapped.fetch(torch.arange(4)).label.tolist() == [1, 0, 1, 0]


def test_only_words_of_the_fit_split_are_in_the_vocabulary(tmp_path):
    module = given(tmp_path)
    fit = set(module.split_index("fit").tolist())
    assert 0 < len(fit) < 30
    for i in range(40):
        assert (f"word{i}" in module.words) == (i in fit)
        assert text_of(module, i)[0] == (f"word{i}" if i in fit else "<unk>")


def test_official_val_set_stays_whole(tmp_path):
    module = given(tmp_path, n_val=6)
    assert module.split_index("val").tolist() == list(range(24, 30))
    assert module.split_index("test").tolist() == list(range(30, 40))
    assert len(module.split_index("fit")) + len(module.split_index("repair")) == 24


def test_texts_without_tokens_are_left_out_and_counted(tmp_path, caplog):
    def empty(texts, labels):
        texts[3], texts[8], texts[35] = "", "  \t", "\n"

    with caplog.at_level(logging.WARNING):
        module = given(tmp_path, change=empty)
    assert "3 of 40 texts hold no token" in caplog.text
    assert sum(module.sizes().values()) == 37
    assert module.sizes()["test"] == 9
    # What is left has moved up, with its label.
    assert text_of(module, 3)[2] == "bad"
    assert module.fetch(torch.tensor([3])).label.tolist() == [0]


def test_huge_texts_are_cut_by_a_named_option_and_counted(tmp_path, caplog):
    def huge(texts, labels):
        texts[5] = " ".join(["good"] * 100_000)

    with caplog.at_level(logging.WARNING):
        module = given(tmp_path, max_tokens=7, change=huge)
    assert "1 of 40 texts are longer than datamodule.max_tokens=7" in caplog.text
    assert "100000" in caplog.text
    assert module.fetch(torch.tensor([5])).lengths.tolist() == [7]


def test_unknown_label_is_named(tmp_path):
    with pytest.raises(DataError, match=r"'so-so': 1.*text 4"):
        given(tmp_path, change=lambda t, y: y.__setitem__(4, "so-so"))


def test_one_class_alone_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"1 class \(\['good'\]\)"):
        given(tmp_path, change=lambda t, y: y.__setitem__(slice(0, 40), ["good"] * 40))


def test_tokens_are_kept_between_runs(tmp_path, monkeypatch):
    first = given(tmp_path)
    monkeypatch.setattr(TokenisedTexts, "of", None)  # would fail if it were called
    second = given(tmp_path)
    assert first.fingerprint == second.fingerprint
    assert torch.equal(first._sequences.values, second._sequences.values)
    with pytest.raises(TypeError):
        given(tmp_path, lower=False, change=lambda t, y: t.__setitem__(0, "Another text"))


def test_fingerprint_covers_words_and_vectors(tmp_path):
    names = {given(tmp_path).fingerprint, given(tmp_path, seed=0).fingerprint}
    assert len(names) == 1
    names.add(given(tmp_path, embedding_size=5).fingerprint)
    names.add(given(tmp_path, max_vocabulary=5).fingerprint)
    assert len(names) == 3


def test_model_learns_what_it_must_know_of_the_data(tmp_path):
    module = given(tmp_path)
    arguments = module.model_arguments()
    assert arguments["vectors"].shape == (len(module.vocabulary), 4)
    assert arguments["num_classes"] == 2


@pytest.mark.parametrize("key", ["max_tokens", "min_count", "embedding_size", "max_vocabulary"])
def test_sizes_out_of_range_are_named(tmp_path, key):
    with pytest.raises(ConfigurationError, match=rf"datamodule\.{key}"):
        given(tmp_path, **{key: 0})


def test_held_out_rows_are_stratified_and_always_the_same():
    labels = ["a"] * 30 + ["b"] * 10
    order, n_train = hold_out(labels, 0.2)
    assert n_train == 32
    assert sorted(order.tolist()) == list(range(40))
    assert sum(labels[i] == "b" for i in order[32:].tolist()) == 2
    assert torch.equal(order, hold_out(labels, 0.2)[0])
    with pytest.raises(ConfigurationError, match="test_share"):
        hold_out(labels, 0.0)


# --- a file of the user's own ---------------------------------------------------------------------

ROWS = [(f"text {i} is {'fine' if i % 3 else 'poor'}", "yes" if i % 3 else "no") for i in range(60)]


def write_rows(path, rows=ROWS):
    if ".jsonl" in path.name:
        content = "".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in rows)
    else:
        sep = "\t" if ".tsv" in path.name else ","
        content = f"text{sep}label\n" + "".join(f'"{t}"{sep}{y}\n' for t, y in rows)
    data = content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def csv_module(path, **options):
    module = CSVTextDataModule(
        str(path), cache_dir=str(path.parent / "cache"), **{**SMALL, **options}
    )
    module.setup()
    return module


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.jsonl.gz"])
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
    with pytest.raises(DataError, match=r"found \['dev'\]"):
        csv_module(path, split_column="part")


def test_labels_that_are_numbers_get_names(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"text": "w{i}", "label": {i % 2}}}\n' for i in range(50)))
    assert csv_module(path).classes == ["0", "1"]


def test_rows_without_text_or_label_are_left_out_and_counted(tmp_path, caplog):
    path = write_rows(tmp_path / "a.csv", [*ROWS, ("", "yes"), ("something", "")])
    with caplog.at_level(logging.WARNING):
        module = csv_module(path)
    assert "2 of 62 rows have no text or no label" in caplog.text
    assert sum(module.sizes().values()) == 60


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text_column": "body"}, r"no column 'body'.*datamodule\.text_column"),
        ({"label_column": "y"}, r"no column 'y'.*datamodule\.label_column"),
        ({"split_column": "part"}, r"datamodule\.split_column"),
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
        ("", ConfigurationError, r"datamodule\.path is empty"),
        ("a.docx", ConfigurationError, r"\.csv.*\.parquet"),
        ("missing.csv", DataError, "does not exist"),
    ],
)
def test_paths_that_cannot_be_read_are_named(tmp_path, path, error, message):
    with pytest.raises(error, match=message):
        CSVTextDataModule(str(tmp_path / path) if path else "", **SMALL).setup()


@pytest.mark.parametrize(
    "content",
    ["text,label\nGreat, fun,pos\nNice, but,neg\n", "text,label\nfine,pos\nNice, but,neg\n", ""],
)
def test_rows_with_more_fields_than_columns_are_refused_and_not_shifted(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(DataError, match="not in quotes"):
        csv_module(path)


def test_quotes_in_tab_separated_texts_are_only_characters(tmp_path):
    path = tmp_path / "a.tsv"
    rows = "".join(f'"Quite {i}\t{"yes" if i % 2 else "no"}\n' for i in range(40))
    path.write_text("text\tlabel\n" + rows)
    assert sum(csv_module(path, tokenizer="split").sizes().values()) == 40


def test_classes_may_be_numbers_and_encodings_must_exist(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"w{i},{i % 2}\n" for i in range(40)))
    assert csv_module(path, classes=[1, 0]).classes == ["1", "0"]
    with pytest.raises(ConfigurationError, match=r"datamodule\.encoding"):
        csv_module(path, encoding="klingon")


def test_test_texts_that_were_trained_on_are_counted(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        given(tmp_path, change=lambda t, y: t.__setitem__(35, t[2]))
    assert "1 test texts stand among the training texts" in caplog.text


def test_tokens_of_any_kind_survive_the_cache(tmp_path):
    texts = ["a b\0c d", "e f \ud800"]
    for _ in range(2):
        kept = TokenisedTexts.cached(texts, "split", tmp_path)
        assert kept.words == ["a", "b\0c", "d", "e", "f", "\ud800"]


def test_half_an_archive_is_refused(tmp_path):
    path = write_rows(tmp_path / "a.csv.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="download it again"):
        csv_module(path)


# --- the named data sets, on files of their form --------------------------------------------------

TREES = "(3 (2 It) (4 (3 works) (2 .)))\n(2 (2 So) (2 so))\n\n(0 (2 Not) (1 \\/good-LRB-))\n"


def test_trees_are_read_without_neutral_ones():
    assert parse_trees(TREES, "x") == [("It works .", "positive"), ("Not /good(", "negative")]
    with pytest.raises(DataError, match=r"train\.txt, line 2"):
        parse_trees("(3 (2 a))\nno tree\n", "train.txt")


def sst_folder(tmp_path):
    folder = tmp_path / "sst"
    folder.mkdir()
    lines = [f"({4 if i % 2 else 0} (2 w{i}) (2 x))\n" for i in range(40)]
    with zipfile.ZipFile(folder / "trainDevTestTrees_PTB.zip", "w") as archive:
        for part, n in {"train": 40, "dev": 6, "test": 8}.items():
            archive.writestr(f"trees/{part}.txt", "".join(lines[:n]))
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
    assert module.split_index("fit").tolist() == list(range(40))
    repair = module.split_index("repair")
    assert repair.tolist() == [47, 49, 51, 53]
    assert module.fetch(repair).label.tolist() == [1, 1, 1, 1]
    assert set(repair.tolist()) < set(module.split_index("test").tolist())


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
    test = module.split_index("test")
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
        archive.extractall(folder, filter="data")
    assert sizes() == from_csv


def test_imdb_refuses_reviews_that_occur_twice(tmp_path):
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "imdb_reviews_50k.csv").write_text(
        "split,label,id,rating,text\ntrain,pos,1,7,a\ntrain,pos,1,7,b\n"
    )
    with pytest.raises(DataError, match="occur twice"):
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
    monkeypatch.setattr(files, "download_url_to_file", no_network)
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
        with pytest.raises(MissingDataError, match=r"does not exist.*datamodule\.source=auto"):
            kind(source="folder", **options).setup()
    with pytest.raises(ConfigurationError, match=r"datamodule\.source must be one of"):
        SSTDataModule(source="floppy", **options)


def no_network(*_, **__):
    raise URLError("no network")


def add(file, name, content):
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))

"""Vocabulary and word vectors."""

import ssl
import unicodedata
from collections import Counter

import numpy as np
import pytest
import torch

from rnnrepair.datamodules.text.characters import characters
from rnnrepair.datamodules.text.language import (
    Vocabulary,
    make_tokenizer,
    read_vectors,
    vectors_for,
)
from rnnrepair.errors import ConfigurationError, DataError


def test_vocabulary_goes_by_frequency_then_alphabet_behind_the_specials():
    vocabulary = Vocabulary.of(Counter({"b": 2, "a": 2, "c": 5, "d": 1}), 3, 1)
    assert vocabulary.words == ["<unk>", "<pad>", "c", "a", "b"]
    assert [vocabulary.number(w) for w in ("c", "d", "<pad>")] == [2, 0, 1]
    assert vocabulary.decode(torch.tensor([3, 0])) == ["a", "<unk>"]
    assert Vocabulary.of(Counter({"b": 2, "d": 1}), None, 2).words == ["<unk>", "<pad>", "b"]


def test_specials_in_the_text_get_no_second_number():
    vocabulary = Vocabulary.of(Counter({"<unk>": 9, "<pad>": 8, "a": 1}), None, 1)
    assert vocabulary.words == ["<unk>", "<pad>", "a"]


def test_vectors_stand_at_the_numbers_of_their_words():
    vocabulary = Vocabulary(["<unk>", "<pad>", "good", "film", "strange"])
    vectors = torch.tensor([[1.0, 2.0], [3.0, 5.0], [7.0, -8.0]])
    found = vectors_for(vocabulary, (["film", "unused", "good"], vectors), 2, seed=0)
    assert found.known == 2
    assert found.table[:4].tolist() == [[0, 0], [0, 0], [7, -8], [1, 2]]
    again = vectors_for(vocabulary, (["film", "unused", "good"], vectors), 2, seed=0)
    other = vectors_for(vocabulary, (["film", "unused", "good"], vectors), 2, seed=1)
    assert torch.equal(found.table, again.table)
    assert not torch.equal(found.table[4], other.table[4])


def test_vectors_of_another_width_are_refused():
    with pytest.raises(DataError, match=r"embedding_size=2"):
        vectors_for(Vocabulary(["<unk>", "<pad>"]), (["a"], torch.zeros(1, 2)), 3, seed=0)


def test_vectors_are_read_from_glove_text_and_from_npz_alike(tmp_path):
    text = tmp_path / "glove.3d.txt"
    text.write_text("good 1.5 2 0\nfilm -1 0.25 4\n", encoding="utf-8")
    np.savez(
        tmp_path / "v.npz",
        words=np.array(["good", "film"]),
        vectors=np.array([[1.5, 2, 0], [-1, 0.25, 4]], np.float16),
    )
    checked = ssl._create_default_https_context
    for _ in range(2):  # the second time from torchtext's own file
        words, vectors = read_vectors(text, tmp_path / "cache")
        assert words == ["good", "film"]
        assert vectors.tolist() == [[1.5, 2.0, 0.0], [-1.0, 0.25, 4.0]]
    assert ssl._create_default_https_context is checked
    words, vectors = read_vectors(tmp_path / "v.npz", tmp_path)
    assert words == ["good", "film"]
    assert vectors.dtype == torch.float32


def test_vectors_of_another_file_of_the_same_name_are_not_taken_for_it(tmp_path):
    for folder, value in (("a", "1"), ("b", "5")):
        (tmp_path / folder).mkdir()
        text = f"{folder}good {value} 2 3\n\xff 9 9 9\n".encode("latin-1")
        (tmp_path / folder / "vec.txt").write_bytes(text)
        words, vectors = read_vectors(tmp_path / folder / "vec.txt", tmp_path / "cache")
        # A word that is no UTF-8 is left out, with its vector.
        assert (words, vectors.tolist()) == ([f"{folder}good"], [[float(value), 2, 3]])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.npz", None, "does not exist"),
        ("other.npz", {"a": np.zeros(3)}, "named words and vectors"),
        ("short.npz", {"words": np.array(["a"]), "vectors": np.zeros((2, 3))}, "row for each"),
        ("narrow.txt", "a 1 2\nb 1 2\n", "text form"),
        ("half.npz", "PK\x03\x04", "half copied"),
        ("ragged.txt", "a 1 2 3\nb 1 2\n", "text form"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, dict):
        np.savez(path, **content)
    elif content:
        path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_vectors(path, tmp_path / "cache")


def test_tokenizers():
    assert make_tokenizer("split")("It's  fine") == ["It's", "fine"]
    assert make_tokenizer("basic_english")("Not good!") == ["not", "good", "!"]
    with pytest.raises(ConfigurationError, match=r"tokenizer: expected a string, one of"):
        make_tokenizer("magic")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("这部电影。", ["这", "部", "电", "影", "。"]),
        ("cafe\u0301!", ["c", "a", "f", "\u00e9", "!"]),  # NFC has a letter for it
        ("q\u0323\u0307", ["q\u0323\u0307"]),  # and none for this
        ("नमस्ते", ["न", "म", "स्", "ते"]),
        ("\u1112\u1161\u11ab", ["\ud55c"]),  # Hangul in pieces
        ("\U0001f44d\U0001f3fd\U0001f44d", ["\U0001f44d\U0001f3fd", "\U0001f44d"]),
        ("\U0001f469\u200d\U0001f680a", ["\U0001f469\u200d\U0001f680", "a"]),
        ("\u2764\ufe0f\u2764", ["\u2764\ufe0f", "\u2764"]),
        (
            "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
            ["\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"],
        ),
        ("  a\t\n b ", ["a", " ", "b"]),
        ("\u0301a", ["\u0301", "a"]),
        ("   ", []),
    ],
)
def test_characters_are_what_a_reader_takes_for_one(text, expected):
    assert make_tokenizer("characters")(text) == expected


def test_characters_joined_are_the_text():
    signs = [
        chr(i) for block in ((32, 0x250), (0x300, 0x370), (0x900, 0x980)) for i in range(*block)
    ]
    order = torch.randperm(len(signs), generator=torch.Generator().manual_seed(0))
    text = "".join(signs[i] for i in order)
    joined = "".join(characters(text))
    assert joined == " ".join(unicodedata.normalize("NFC", text).split())
    # A mark stands alone only where no letter stands before it.
    lone = [c for c in characters(text) if unicodedata.category(c[0]).startswith("M")]
    blanks = text.split()
    assert len(lone) <= len(blanks)

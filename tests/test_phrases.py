"""Labelled phrases of trees: their own words and labels, and nothing of val or test."""

import random

import pytest
import torch

from rnnrepair.datamodules import PlantedLabels
from rnnrepair.datamodules.planted_trigger import PlantedWord
from rnnrepair.datamodules.text import SSTDataModule, SSTPublishedDataModule
from rnnrepair.datamodules.text.constituents import constituents
from rnnrepair.errors import DataError
from rnnrepair.protocols import KnowsPhrases, phrases_of
from rnnrepair.sequences import Phrases
from tests.text_settings import SMALL
from tests.trees import sentence, treebank, write_trees


def module_of(tmp_path, kind=SSTDataModule, **options):
    settings = {**SMALL, "verify_checksum": False, "tokenizer": "split", **options}
    module = kind(data_dir=str(tmp_path), cache_dir=str(tmp_path / "cache"), **settings)
    module.setup()
    return module


def nodes_below(node, first=0):
    """All constituents of a tree with their first words, by descending from the root."""
    yield node, first
    for child in node.children:
        yield from nodes_below(child, first)
        first += len(child.words)


def told(module):
    """(name of the sentence, words, label) of each phrase, read back through the data."""
    phrases = module.phrases
    names = module.sample_names.of(phrases.sequence)
    texts = module.fetch(phrases.sequence).sequences()
    return [
        (name, tuple(module.vocabulary.decode(text[first:end])), label)
        for name, text, first, end, label in zip(
            *(names, texts, phrases.first.tolist(), phrases.end.tolist(), phrases.label.tolist()),
            strict=True,
        )
    ]


def test_constituents_are_those_that_the_tree_was_written_from():
    draw = random.Random(5)
    for _ in range(50):
        tree = sentence(draw)
        wanted = {(n.grade, first, first + len(n.words)) for n, first in nodes_below(tree)}
        found = constituents(str(tree), "here")
        assert {tuple(one) for one in found} == wanted
        assert found[-1] == (tree.grade, 0, len(tree.words))


@pytest.mark.parametrize(
    "broken", ["(3 (2 a) (2 b)", "(3 (2 a)) (2 b))", "(3 (2 a)) (2 b)", "", ") (3 (2 a) (2 b)"]
)
def test_brackets_that_do_not_close_are_told_with_their_place(broken):
    with pytest.raises(DataError, match="train 7 is no tree"):
        constituents(broken, "train 7")


def test_phrases_are_the_graded_parts_of_training_trees(tmp_path):
    parts = treebank(tmp_path, (300, 5, 5))
    module = module_of(tmp_path)
    held_out = {tree.words for part in ("dev", "test") for tree in parts[part]}
    trained = set(module.sample_names.of(torch.cat([module.indices(s) for s in ("fit", "repair")])))
    wanted = {
        (f"train {line}", node.words, int(node.grade > 2), first)
        for line, tree in enumerate(parts["train"], start=1)
        for node, first in nodes_below(tree)
        if f"train {line}" in trained
        and node is not tree
        and node.grade != 2
        and node.words not in held_out
    }
    found = [
        (*one, int(first)) for one, first in zip(told(module), module.phrases.first, strict=True)
    ]
    assert len(found) == len(wanted) > 500
    assert set(found) == wanted
    # Some say the opposite of their sentence: that is what they are wanted for.
    sentence_label = module.fetch(module.phrases.sequence).label
    assert 0.05 < float((module.phrases.label != sentence_label).double().mean()) < 0.5
    assert torch.equal(module.phrases.sequence, module.phrases.sequence.sort().values)


def test_nothing_is_learnt_of_val_and_test(tmp_path):
    """Not their trees, and no phrase of training that one of their sentences consists of."""
    lines = [f"(4 (2 w{i % 7}) (3 (2 is) (4 fine)))" for i in range(20)]
    lines += [f"(0 (2 w{i % 7}) (1 (2 is) (0 dull)))" for i in range(20)]
    parts = {
        "train": lines,
        "dev": ["(4 (2 is) (4 fine))", "(0 (2 w1) (0 poor))"],
        "test": ["(0 (2 only) (0 (2 here) (0 dull)))", "(4 (2 so) (3 good))"],
    }
    write_trees(tmp_path, parts)
    module = module_of(tmp_path)
    of_phrases = {words for _, words, _ in told(module)}
    assert of_phrases == {("fine",), ("dull",), ("is", "dull")}
    held_out = torch.cat([module.indices("val"), module.indices("test")])
    assert not torch.isin(module.phrases.sequence, held_out).any()
    published = module_of(tmp_path, SSTPublishedDataModule)
    assert torch.isin(published.indices("repair"), published.indices("test")).all()
    assert torch.isin(published.phrases.sequence, published.indices("fit")).all()


def test_phrases_of_unknown_words_alone_are_left_out(tmp_path):
    lines = [f"({4 if i % 2 else 0} (2 w) (3 (3 rare{i}) (3 (3 x) (2 y))))" for i in range(40)]
    write_trees(
        tmp_path,
        {"train": lines, "dev": ["(4 (2 x) (3 w))"], "test": ["(4 (2 y) (3 w))"]},
    )
    module = module_of(tmp_path, min_count=2)
    words = {words for _, words, _ in told(module)}
    assert words == {("x",), ("x", "y"), ("<unk>", "x", "y")}


def test_labels_that_are_not_those_of_the_trees_give_nothing_away(tmp_path):
    treebank(tmp_path, (300, 5, 5))
    whole = module_of(tmp_path).phrases
    planted = module_of(tmp_path, planted=PlantedLabels(0.3, splits=("fit", "repair")))
    index = torch.cat([planted.indices("fit"), planted.indices("repair")])
    wrong = index[planted.mislabelled(index)]
    assert len(wrong) > 50
    kept = whole.select(~torch.isin(whole.sequence, wrong))
    assert all(torch.equal(getattr(planted.phrases, n), v) for n, v in vars(kept).items())


def test_sentences_that_hold_a_trigger_have_no_phrases(tmp_path):
    treebank(tmp_path, (300, 5, 5))
    module = module_of(tmp_path, trigger=PlantedWord(n=20, label=1))
    poisoned = module.poison.index
    assert len(poisoned) == 20
    assert not torch.isin(module.phrases.sequence, poisoned).any()
    assert torch.isin(module.indices("repair"), module.phrases.sequence).all()


def test_data_without_trees_know_no_phrases(tmp_path, make_data):
    treebank(tmp_path, (60, 5, 5))
    module = module_of(tmp_path, tokenizer="basic_english")
    assert isinstance(module, KnowsPhrases)
    assert phrases_of(module) is None
    assert phrases_of(make_data()) is None


def test_cut_sentences_have_no_phrases(tmp_path):
    parts = treebank(tmp_path, (200, 5, 5))
    module = module_of(tmp_path, max_tokens=7)
    lengths = {f"train {n}": len(t.words) for n, t in enumerate(parts["train"], start=1)}
    assert max(lengths.values()) > 7
    assert {lengths[name] for name, *_ in told(module)} == {n for n in lengths.values() if n <= 7}


def test_phrases_around_a_step_are_found_shortest_first():
    phrases = Phrases(
        torch.tensor([3, 3, 3, 5, 5, 9]),
        torch.tensor([0, 2, 1, 0, 2, 1]),
        torch.tensor([4, 3, 3, 2, 4, 2]),
        torch.tensor([0, 1, 0, 1, 1, 0]),
    )
    assert phrases.around(3, 2).tolist() == [1, 2, 0]
    assert phrases.around(3, 3).tolist() == [0]
    assert phrases.around(5, 2).tolist() == [4]
    assert phrases.around(4, 0).tolist() == []
    assert phrases.around(9, 0).tolist() == []
    some = phrases.of(torch.tensor([9, 3]))
    assert some.sequence.tolist() == [3, 3, 3, 9]
    assert some.lengths.tolist() == [4, 1, 2, 1]

"""Base of the text data modules: labels by name, no leak into the vocabulary, clear errors."""

import logging

import pytest
import torch

from rnnrepair.datamodules import Augmentation
from rnnrepair.datamodules.text import LoadedTexts, TextDataModule
from rnnrepair.datamodules.text.tokenised import TokenisedTexts
from rnnrepair.edits import TokenEdits
from rnnrepair.errors import ConfigurationError, DataError
from tests.text_settings import SMALL, text_of


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


def test_labels_go_by_name_and_not_by_frequency(tmp_path):
    more_good = given(tmp_path, change=lambda t, y: y.__setitem__(slice(0, 20), ["good"] * 20))
    batch = more_good.fetch(torch.arange(40))
    assert batch.label[:20].tolist() == [1] * 20
    assert batch.label[20:24].tolist() == [0, 1, 0, 1]
    swapped = given(tmp_path, classes=("good", "bad"))
    assert swapped.fetch(torch.arange(4)).label.tolist() == [1, 0, 1, 0]


def test_only_words_of_the_fit_split_are_in_the_vocabulary(tmp_path):
    module = given(tmp_path)
    fit = set(module.indices("fit").tolist())
    assert 0 < len(fit) < 30
    for i in range(40):
        assert (f"word{i}" in module.words) == (i in fit)
        assert text_of(module, i)[0] == (f"word{i}" if i in fit else "<unk>")


def test_official_val_set_stays_whole(tmp_path):
    module = given(tmp_path, n_val=6)
    assert module.indices("val").tolist() == list(range(24, 30))
    assert module.indices("test").tolist() == list(range(30, 40))
    assert len(module.indices("fit")) + len(module.indices("repair")) == 24


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
    assert "1 of 40 texts are longer than max_tokens=7" in caplog.text
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
    assert torch.equal(first._store.base.values, second._store.base.values)
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
    with pytest.raises(ConfigurationError, match=rf"\.{key}: expected"):
        given(tmp_path, **{key: 0})


def test_a_text_that_test_holds_too_is_trained_on_no_more(tmp_path, caplog):
    whole = given(tmp_path)
    with caplog.at_level(logging.WARNING):
        module = given(tmp_path, change=lambda t, y: t.__setitem__(35, t[2]))
    assert "1 training and val sequences are left out" in caplog.text
    assert 2 in torch.cat([whole.indices(split) for split in ("fit", "repair", "val")])
    for split in ("fit", "repair", "val", "test"):
        kept = whole.indices(split)
        assert module.indices(split).tolist() == kept[kept != 2].tolist()


def test_texts_that_differ_in_rare_words_alone_are_no_copies(tmp_path):
    """Both words are unknown to the network; which split a text stands in must not hang on that."""

    def change(texts, labels):
        texts[0], texts[35] = "a quokka sat", "a numbat sat"

    module = given(tmp_path, change=change, min_count=2)
    assert 0 in torch.cat([module.indices(split) for split in ("fit", "repair", "val")])


def test_tokens_of_any_kind_survive_the_cache(tmp_path):
    texts = ["a b\0c d", "e f \ud800"]
    for _ in range(2):
        kept = TokenisedTexts.cached(texts, "split", tmp_path)
        assert kept.words == ["a", "b\0c", "d", "e", "f", "\ud800"]


def test_rare_words_are_unknown_in_training_too(tmp_path):
    """Else repair samples alone would say what an unknown word means: their own label."""
    known = given(tmp_path)  # every word of the fit split has a vector of its own
    assert not known.holds_unknown("fit").any()
    assert known.holds_unknown("repair").all()
    assert not known.trains_unknown()
    rare = given(tmp_path, min_count=2)
    assert rare.holds_unknown("fit").all()
    assert rare.trains_unknown()
    hidden = given(tmp_path, augmentation=Augmentation(0.5, TokenEdits()))
    assert hidden.trains_unknown()
    assert not given(tmp_path, augmentation=Augmentation(0.0, TokenEdits())).trains_unknown()


def chinese(texts, labels):
    good, bad, other = "好美棒", "差坏烂", "我你他这部电影的是在有"
    for i in range(len(texts)):
        word = good if i % 2 else bad
        texts[i] = "".join(other[(i * k + k) % 11] for k in range(3, 9)) + word[i % 3] + "。"


def test_texts_without_blanks_are_told_with_what_to_write(tmp_path, caplog):
    given(tmp_path, n=200, change=chinese)
    assert "100 % of the tokens of val are unknown" in caplog.text
    assert "tokenizer=characters" in caplog.text
    caplog.clear()
    module = given(tmp_path, n=200, change=chinese, tokenizer="characters")
    assert "unknown" not in caplog.text
    assert module.spec.between_tokens == ""
    assert "好" in module.words
    assert "".join(text_of(module, 1)).endswith("好。") or "".join(text_of(module, 1))[-2] in "美棒"


def test_unknown_words_that_stand_apart_have_another_remedy(tmp_path, caplog):
    strange = lambda texts, labels: texts.__setitem__(  # noqa: E731
        slice(None), [f"w{i} v{i} u{i} good" for i in range(len(texts))]
    )
    module = given(tmp_path, change=strange)
    assert "75 % of the tokens of val" in caplog.text
    assert "min_count" in caplog.text
    assert "characters" not in caplog.text
    assert module.spec.between_tokens == " "
    caplog.clear()
    given(tmp_path)  # a quarter is unknown
    assert "tokens of val" not in caplog.text


@pytest.mark.parametrize("progress", [False, True])
def test_a_bar_is_shown_only_where_it_is_wanted(tmp_path, capsys, progress):
    given(tmp_path, progress=progress)
    assert ("Tokenising" in capsys.readouterr().err) == progress

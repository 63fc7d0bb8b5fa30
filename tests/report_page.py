"""A written report as the tests read it, and what stands in one."""

import base64
import io
import math
from html.parser import HTMLParser

import torch
from PIL import Image

from rnnrepair.network import Predictions
from rnnrepair.report import FailureCard

VOID = {"meta", "link"}


class Page(HTMLParser):
    """Collects what the tests ask of a page, and checks that its elements are nested."""

    def __init__(self, html):
        super().__init__()
        self.words, self.tags, self.attributes, self.ids, self.open = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def pictures(self):
        """Decoded PNGs, in the order of the page."""
        start = "data:image/png;base64,"
        found = [v for n, v in self.attributes if n == "href" and v.startswith(start)]
        return [Image.open(io.BytesIO(base64.b64decode(uri[len(start) :]))) for uri in found]


def summary_of(**changes):
    return {
        "experiment": "mnist_repair",
        "seed": 3,
        "strategy": "guided",
        "notes": [],
        "repair_trained_on": True,
        "data": {"source": "folder", "fit": 3001, "repair": 6, "val": 6, "test": 6},
        "n_components": 43,
        "stability": 0.75,
        "before": {
            f"{split}_{name}": value
            for split in ("repair", "val", "test")
            for name, value in (("accuracy", 0.5), ("failures", 3))
        },
        "after": {
            **{f"{split}_accuracy": 2 / 3 for split in ("repair", "val", "test")},
            **dict.fromkeys(("repaired_share", "val_repaired_share", "test_repaired_share"), 2 / 3),
            "newly_broken": 1,
        },
        "injected": 1500,
        "judged": 47680,
        "rounds": 2,
        "stop_reason": "share_reached",
        "time_s": dict.fromkeys(("fit", "collect", "abstract", "influence", "generate"), 2.0)
        | {"total": 87.7},
        "epoch_time_s": 2.65,
    } | changes


def row_of(epoch, **changes):
    return {
        "epoch": float(epoch),
        "val_accuracy": 0.8,
        "repair_accuracy": 0.75,
        "failures": 83.0,
        "injected": 750.0,
        "stability": 0.75,
        "n_empty": 0.0,
        "drift": math.nan,
    } | changes


def predictions_of(label, before, after):
    index = torch.arange(100, 100 + len(label))
    label, before, after = map(torch.tensor, (label, before, after))
    pair = Predictions(index, label, before), Predictions(index, label, after)
    return dict.fromkeys(("repair", "val", "test"), pair)


# 3 failures: 2 repaired; 1 newly broken.
PREDICTIONS = predictions_of([4, 4, 4, 1, 1, 2], [9, 9, 4, 1, 7, 2], [4, 9, 4, 3, 1, 2])


def card_of(index=100, n_steps=28, n_features=28, label=4, predicted=9, step=20, samples=8):
    torch.manual_seed(index)
    predictions = torch.full((n_steps,), label)
    predictions[step:] = predicted
    states = torch.full((n_steps,), 17)
    states[step:] = 31
    return FailureCard(
        index=index,
        label=label,
        predicted=predicted,
        inputs=torch.rand(n_steps, n_features),
        states=states,
        predictions=predictions,
        step=step,
        segment=(step, step + 1),
        nearest=list(torch.rand(samples, n_steps, n_features)),
        nearest_label=torch.tensor([predicted, label] * samples)[:samples],
        nearest_caption=[f"{0.125 * (i + 1):.3f}" for i in range(samples)],
        nearest_note="",
        nearest_mark=[(0, 0)] * samples,
        injected=list(torch.rand(samples, n_steps, n_features)),
        injected_label=torch.tensor([label] * samples, dtype=torch.int64),
        injected_mark=[(0, 0)] * samples,
    )

"""A written report as the tests read it, and what stands in one."""

import base64
import io
from html.parser import HTMLParser

import torch
from PIL import Image
from torch.nn.utils.rnn import pad_sequence

from rnnrepair.sequences import DataSpec, SequenceBatch

VOID = {"meta", "link", "img"}


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


class Sequences:
    """Data of any kind: a sequence of random numbers for each index, unless one is given."""

    def __init__(self, kind="image", shape=(28, 28), given=None, **names):
        self.spec = DataSpec(kind, 1, 10, **names)
        self.shape, self.given = shape, dict(given or {})

    def fetch(self, index):
        found = [self.given.get(i, self._random(i)) for i in index.tolist()]
        lengths = torch.tensor([len(sequence) for sequence in found], dtype=torch.int64)
        inputs = pad_sequence(found, batch_first=True) if found else torch.empty(0, *self.shape)
        return SequenceBatch(index, inputs, lengths, torch.zeros(len(found), dtype=torch.int64))

    def _random(self, index):
        return torch.rand(self.shape, generator=torch.Generator().manual_seed(index))

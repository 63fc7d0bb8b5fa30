"""Items as people have them: the same sequences in every form, with what an analysis must read."""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

N, T, F, C = 60, 9, 3, 3
WIDE = 12

Named = namedtuple("Named", ["series", "target"])


def ragged():
    """N sequences of 2 to T steps with their classes; no step repeats, and none is 0."""
    g = torch.Generator().manual_seed(11)
    lengths = [2 + i % (T - 1) for i in range(N)]
    rows = [torch.rand(n, F, generator=g) + 0.1 for n in lengths]
    label = torch.arange(N) % C
    return [row + 0.5 * y for row, y in zip(rows, label, strict=True)], label.tolist()


ROWS, LABEL = ragged()
WHOLE = [torch.cat([row, row.flip(0), row, row.flip(0), row])[:T] for row in ROWS]
TOKENS = [(10 * row[:, 0]).long() + 3 + torch.arange(len(row)) % 2 for row in ROWS]
STATIC = torch.rand(N, 5, generator=torch.Generator().manual_seed(1))


def filled(row, value, width=WIDE):
    return torch.cat([row, torch.full((width - len(row), *row.shape[1:]), value).to(row.dtype)])


def padded(batch):
    return [pad_sequence(list(column), batch_first=True) for column in zip(*batch, strict=True)]


def pads(items):
    """Collate tuples whose first entry is of any length."""
    first, *others = zip(*items, strict=True)
    first = [torch.as_tensor(np.asarray(x)) for x in first]
    others = [torch.as_tensor(np.asarray([np.asarray(v) for v in column])) for column in others]
    return [pad_sequence(first, batch_first=True), *others]


def pads_dicts(items):
    columns = {key: [torch.as_tensor(item[key]) for item in items] for key in items[0]}
    return {
        k: pad_sequence(v, batch_first=True) if v[0].dim() else torch.stack(v)
        for k, v in columns.items()
    }


@dataclass(frozen=True)
class ItemForm:
    """A form of items.

    Attributes:
        make: the item of a number.
        rows: sequences that an analysis must read.
        collate: of the user; torch's where None.
        width: of every batch, None where it is that of its longest.
        padding: what stands behind the end.
        options: of the data module.
    """

    make: Callable[[int], Any]
    rows: list[torch.Tensor]
    collate: Callable[[list[Any]], Any] | None = None
    width: int | None = None
    padding: float = 0
    options: dict[str, Any] | None = None


def second(i):
    """A second sequence of as many steps."""
    return ROWS[i][:, :2].flip(0)


FORMS = {
    "tensors of one length": ItemForm(lambda i: (WHOLE[i], LABEL[i]), WHOLE, width=T),
    "numpy of one length, lists": ItemForm(
        lambda i: [WHOLE[i].double().numpy(), np.int32(LABEL[i])], WHOLE, width=T
    ),
    "of any length": ItemForm(lambda i: (ROWS[i], torch.tensor(LABEL[i])), ROWS, pads),
    "lists of numbers": ItemForm(lambda i: (ROWS[i].tolist(), LABEL[i]), ROWS, pads),
    "one value a step": ItemForm(
        lambda i: (ROWS[i][:, 0].numpy(), LABEL[i]), [r[:, :1] for r in ROWS], pads
    ),
    "with its length": ItemForm(lambda i: (ROWS[i], len(ROWS[i]), LABEL[i]), ROWS, pads),
    "padded, with its length": ItemForm(
        lambda i: (filled(ROWS[i], -1.0), torch.tensor(len(ROWS[i])), LABEL[i]),
        ROWS,
        width=WIDE,
        padding=-1,
    ),
    "length behind the label": ItemForm(
        lambda i: (filled(ROWS[i], 0.0), LABEL[i], len(ROWS[i])), ROWS, width=WIDE
    ),
    "padded with a value": ItemForm(
        lambda i: (filled(ROWS[i], -7.0), LABEL[i]), ROWS, width=WIDE, padding=-7
    ),
    "padded, value told": ItemForm(
        lambda i: (filled(ROWS[i], 0.0), LABEL[i]), ROWS, width=WIDE, options={"padding": 0.0}
    ),
    "NaN tails": ItemForm(
        lambda i: (filled(ROWS[i], torch.nan).numpy(), LABEL[i]),
        ROWS,
        width=WIDE,
        padding=torch.nan,
    ),
    "whole, length behind the label": ItemForm(lambda i: (WHOLE[i], LABEL[i], T), WHOLE, width=T),
    "dict": ItemForm(lambda i: {"y": LABEL[i], "x": WHOLE[i], "name": f"no. {i}"}, WHOLE, width=T),
    "dict of other names": ItemForm(
        lambda i: {"wave": ROWS[i], "what": LABEL[i]}, ROWS, pads_dicts
    ),
    "named tuple": ItemForm(lambda i: Named(WHOLE[i], LABEL[i]), WHOLE, width=T),
    "tokens": ItemForm(lambda i: (TOKENS[i], LABEL[i]), TOKENS, pads),
    "tokens with a mask": ItemForm(
        lambda i: {
            "input_ids": filled(TOKENS[i], 0),
            "attention_mask": (torch.arange(WIDE) < len(TOKENS[i])).long(),
            "labels": LABEL[i],
        },
        TOKENS,
        width=WIDE,
    ),
    "images of one channel": ItemForm(lambda i: (WHOLE[i][None], LABEL[i]), WHOLE, width=T),
    "index first": ItemForm(lambda i: (i, WHOLE[i], LABEL[i]), WHOLE, width=T),
    "static vector": ItemForm(lambda i: (WHOLE[i], STATIC[i], LABEL[i]), WHOLE, width=T),
    "second sequence": ItemForm(
        lambda i: {"x": ROWS[i], "other": second(i), "y": LABEL[i]}, ROWS, pads_dicts
    ),
    "label in a column": ItemForm(
        lambda i: (WHOLE[i], np.array([LABEL[i]], dtype=np.float32)), WHOLE, width=T
    ),
}


def items_of(name):
    return [FORMS[name].make(i) for i in range(N)]

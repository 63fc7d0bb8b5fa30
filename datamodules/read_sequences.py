"""The sequences of a user's data sets, read through their form: kept, or read when asked for."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from tqdm import tqdm

from rnnrepair.datamodules.groups import numbered
from rnnrepair.datamodules.item_form import check_form, form_of, item_described
from rnnrepair.datamodules.items import Items
from rnnrepair.datamodules.sample_format import Ends, Sample, SampleFormat, stacked
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.errors import DataError
from rnnrepair.sequences import offsets_of


@dataclass(frozen=True)
class Kept:
    """What an analysis reads of N items, in memory.

    Attributes:
        sequences: N of them.
        static: (N, ...) further inputs by name.
        beside: (S, ...) further inputs of all S steps by name.
    """

    sequences: Sequences
    static: dict[str, Tensor]
    beside: dict[str, Tensor]

    @classmethod
    def of(cls, samples: Sequence[Sample], form: SampleFormat) -> "Kept":
        """Put samples together."""
        first = samples[0]
        values = torch.cat([sample.sequence for sample in samples])
        lengths = torch.tensor([len(sample.sequence) for sample in samples])
        return cls(
            Sequences(values, offsets_of(lengths), form.padding, form.width),
            {name: stacked([s.static[name] for s in samples]) for name in first.static},
            {name: torch.cat([s.beside[name] for s in samples]) for name in first.beside},
        )

    def further(self, rows: Tensor, width: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return further inputs of sequences, and of their steps, padded with 0 to ``width``."""
        static = {name: values[rows] for name, values in self.static.items()}
        if not self.beside:
            return static, {}
        steps = torch.arange(width)
        place = (self.sequences.offsets[rows][:, None] + steps).clamp_max(
            self.sequences.n_steps - 1
        )
        behind = steps >= self.sequences.lengths[rows][:, None]
        beside = {name: values[place] for name, values in self.beside.items()}
        for values in beside.values():
            values[behind] = 0
        return static, beside


class ReadSequences:
    """N sequences of a user's data sets, and what else an analysis reads of their items.

    Attributes:
        items: of the user.
        form: of those.
        lengths: (N,) int64 steps of each.
        label: N numbers.
        copies: (N,) int64, equal where two items have the same steps.
        digest: (4,) int64, of all that was read.
        kept: all of it, None where it is read when it is asked for.
        largest_token: the largest that was read; None of features.
    """

    def __init__(
        self,
        items: Items,
        form: SampleFormat,
        lengths: Tensor,
        label: Tensor,
        digest: Tensor,
        copies: Tensor,
        kept: Kept | None,
        largest_token: int | None,
    ) -> None:
        """Take what was read; see ``read_sequences``."""
        self.items, self.form, self.kept = items, form, kept
        self.lengths, self.label, self.digest = lengths, label, digest
        self._copies, self.largest_token = copies, largest_token
        self._none = Kept.of([form.read(items[0])], form).sequences.none()
        # What was read last: a batch and its further inputs are asked for one after the other.
        self._last: tuple[Tensor, Kept] | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def in_front(self) -> int | None:
        """Token that shorter texts begin with; None where nothing stands in front."""
        return self.form.in_front

    def copies(self) -> Tensor:
        """Return (N,) int64, equal where two sequences had the same steps when they were read."""
        return self._copies

    def fingerprinted(self) -> tuple[Tensor, ...]:
        """Return what tells these sequences from others."""
        return (self.digest,)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, T, F) features or (B, T) int64 tokens, padded, and (B,) lengths."""
        if self.kept is not None:
            return self.kept.sequences.take(rows)
        if len(rows) == 0:
            return self._none.take(rows)
        return self._read(rows).sequences.take(torch.arange(len(rows)))

    def further(self, rows: Tensor, width: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return further inputs of sequences, and of their steps, padded with 0 to ``width``."""
        if not (self.form.static or self.form.beside):
            return {}, {}
        if self.kept is not None:
            return self.kept.further(rows, width)
        if len(rows) == 0:
            return Kept.of([self.form.read(self.items[0])], self.form).further(rows, width)
        return self._read(rows).further(torch.arange(len(rows)), width)

    def none(self) -> Sequences:
        """Return no sequences of the same kind."""
        return self._none

    def like(self, inputs: Tensor, lengths: Tensor) -> Sequences:
        """Return further sequences of the same kind.

        Raises:
            DataError: they have other features, or more steps than the items have.
        """
        form = self.form
        longest, shortest = int(lengths.max()), int(lengths.min())
        if form.width and longest > form.width:
            raise DataError(
                f"New samples have up to {longest} steps, and every item has {form.width}: pad the "
                "items of the data set to more, or choose edits that lengthen nothing."
            )
        if form.width and form.ends is Ends.WHOLE and shortest < form.width:
            raise DataError(
                f"New samples have {shortest} steps, and every item has {form.width}: choose edits "
                "that keep the length, or let items tell theirs (inputs, length, label)."
            )
        return self._none.like(inputs[:, : max(longest, 1)], lengths)

    def check_origins(self, origin: Tensor | None, lengths: Tensor) -> None:
        """Refuse new samples that nothing is known of but their steps.

        Args:
            origin: (n,) sequences that they were made from.
            lengths: (n,) of the new ones.

        Raises:
            DataError: no origins, or another length than that of the further inputs.
        """
        if origin is None:
            raise DataError(
                "Changes.origin is missing: samples take over what they have beside their steps "
                "from the sequences they were made from; give their indices."
            )
        if self.form.beside and not torch.equal(self.lengths[origin], lengths):
            raise DataError(
                "New samples have other lengths than the sequences they were made from, whose "
                f"further inputs {list(self.form.beside)} have an entry for each step: choose "
                "edits that keep the length."
            )

    def _read(self, rows: Tensor) -> Kept:
        if self._last is None or not torch.equal(self._last[0], rows):
            items = self.items.many(rows.tolist())
            self._last = rows, Kept.of([self.form.read(item) for item in items], self.form)
        return self._last[1]


def read_sequences(
    items: Items, form: SampleFormat, keep_bytes: int, progress: bool, *, repeats: bool
) -> ReadSequences:
    """Read every item once.

    Args:
        items: of the user.
        form: of those that were tried.
        keep_bytes: sequences are kept in memory up to this size.
        progress: show a progress bar.
        repeats: whether an item is the same whenever it is asked for.

    Raises:
        DataError: names the first item that cannot be read, and says what is wrong with it.
    """
    first, n_bytes, widths = items[0], 0, set()
    common = form_of(first)
    digest = hashlib.sha256()
    lengths, labels, contents, largest = [], [], [], []
    kept: list[Sample] | None = []
    for index, item in enumerate(_shown(items, progress)):
        _check(items, common, first, item, index)
        try:
            sample = form.read(item)
        except DataError as error:
            raise DataError(f"{items.place(index)} is {item_described(item)}: {error}.") from error
        lengths.append(len(sample.sequence))
        labels.append(sample.label)
        widths.add(sample.n_steps)
        contents.append(_digest(sample.sequence))
        if not sample.sequence.is_floating_point():
            largest.append(int(sample.sequence.max()))
        digest.update(f"{sample.label}".encode())
        tensors = [sample.sequence, *sample.static.values(), *sample.beside.values()]
        for tensor in tensors if repeats else ():
            digest.update(_digest(tensor))
        n_bytes += sum(tensor.nbytes for tensor in tensors)
        if kept is not None and n_bytes <= keep_bytes:
            kept.append(sample)
        else:
            kept = None
    found = replace(form, width=widths.pop() if len(widths) == 1 else 0)
    return ReadSequences(
        items,
        found,
        torch.tensor(lengths),
        torch.tensor(labels, dtype=torch.float64),
        torch.frombuffer(bytearray(digest.digest()), dtype=torch.int64),
        numbered(contents),
        None if kept is None else Kept.of(kept, found),
        max(largest, default=None),
    )


def _digest(tensor: Tensor) -> bytes:
    content = hashlib.blake2b(f"{tuple(tensor.shape)}".encode(), digest_size=16)
    content.update(tensor.contiguous().numpy().data.cast("B"))
    return content.digest()


def _shown(items: Items, progress: bool) -> Iterable[object]:
    return tqdm(items, "Reading the data", len(items), leave=False, disable=not progress)


def _check(items: Items, form: tuple[object, ...], first: object, item: object, index: int) -> None:
    check_form(form, first, items.place(0), item, items.place(index))

"""Arrays, tensors, frames and lists of arrays, as items of a data set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor
from torch.utils.data import default_collate

from rnnrepair.datamodules.argument_order import refuse_order
from rnnrepair.datamodules.dataset_datamodule import DatasetDataModule
from rnnrepair.datamodules.frames import channels_of_frames
from rnnrepair.datamodules.items import Items
from rnnrepair.datamodules.labels import fault_of_shape
from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.options import refuse_unknown
from rnnrepair.datamodules.precision import tell_merged
from rnnrepair.datamodules.row_index import refuse_other_order
from rnnrepair.datamodules.sample_format import Key, stacked
from rnnrepair.datamodules.sequence_ends import refuse_padded
from rnnrepair.datamodules.splits import PartShare, split_training
from rnnrepair.datamodules.values import as_tensor, described
from rnnrepair.errors import DataError
from rnnrepair.sequences import SampleNames
from rnnrepair.settings import check_settings

# What to do with texts.
AS_NUMBERS = (
    " Give texts as the numbers of their words, as the network reads them (token_names= tells the "
    "words), or read a file of them with rnnrepair.datamodules.text.CSVTextDataModule."
)


class ArrayDataModule(DatasetDataModule):
    """N sequences with their labels: training batches are ``(x, y)`` or ``(x, length, y)``.

    With ``static`` they are ``(x, static, y)`` or ``(x, length, static, y)``. Floats are in single
    precision. Sequences of different lengths are padded to the longest of their batch.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        x_test: Any = None,
        y_test: Any = None,
        *,
        lengths: Any = None,
        lengths_test: Any = None,
        static: Any = None,
        static_test: Any = None,
        group: Any = None,
        test_share: PartShare = 0.2,
        padding: float = 0,
        steps_last: bool = False,
        class_names: Sequence[str] = (),
        **options: Any,
    ) -> None:
        """Take arrays.

        Args:
            x: (n, T, F), (n, T) or n of (T, F) or (T,): an array, a tensor, a frame or a list.
            y: n classes: whole numbers, or names, which are numbered in the order of
                ``class_names``, in alphabetical order where these are not given.
            x_test: of the test set; carved from ``x`` where None.
            y_test: of the same.
            lengths: n, how many steps count. Where None, an end of one number in most sequences of
                equal length is taken for padding, which is told; all steps count elsewhere.
            lengths_test: of the test set.
            static: (n, ...) further inputs, one of each sequence.
            static_test: of the test set.
            group: an entry for each sequence of x, then x_test, which must be given.
            test_share: share that is carved as the test set, the same for every seed.
            padding: what sequences are padded with.
            steps_last: ``x`` is (n, F, T), as convolutions take it; batches stay so.
            class_names: by class, as the network numbers them.
            **options: see ``DatasetDataModule``; ``columns`` (a mapping, or a frame) have an entry
                for each sequence of x, then x_test.

        Raises:
            DataError: entries that do not fit each other.
            SettingsError: a value out of range.
            TypeError: an argument that there is not.
        """
        check_settings(ArrayDataModule, locals())
        refuse_unknown(type(self), options)
        refuse_order(x, y, x_test, y_test)
        _refuse_one_sided(
            {"x": (x, x_test), "y": (y, y_test)},
            {"lengths": (lengths, lengths_test), "static": (static, static_test)},
            group,
        )
        arrays = {"x": x, "y": y, "lengths": lengths, "static": static}
        tests = {"x": x_test, "y": y_test, "lengths": lengths_test, "static": static_test}
        given = arrays | {f"{name}_test": values for name, values in tests.items()}
        refuse_other_order(given, group, options.get("columns"))
        columns = {
            "x": _sequences(x, "x", steps_last=steps_last),
            "lengths": _column(lengths, "lengths"),
        }
        columns |= {"static": _column(static, "static"), "y": _column(y, "y")}
        others: dict[str, list[Any]] = {}
        drawn: Tensor | None = None
        if x_test is not None:
            others = {
                "x": _sequences(x_test, "x_test", steps_last=steps_last),
                "y": _column(y_test, "y_test"),
            }
            others["lengths"] = _column(lengths_test, "lengths_test")
            others["static"] = _column(static_test, "static_test")
        channels = channels_of_frames(x, x_test)
        for labels, name in ((columns["y"], "y"), (others.get("y", []), "y_test")):
            _refuse_missing(labels, name)
            _refuse_wide(labels, name)
        names = _names([*columns["y"], *others.get("y", [])], class_names)
        train = _items(columns, names, "x")
        test = _items(others, names, "x_test") if others else []
        if not others:
            label = torch.tensor([int(item[-1]) for item in train])
            split = split_training(label, test_share, None, 0, _copies(columns["x"]))
            drawn = torch.cat([split["fit"], split["repair"]])
            every, n_train = train, len(split["fit"])
            train, test = (
                [every[i] for i in part.tolist()] for part in drawn.tensor_split([n_train])
            )
        different = len({item[0].shape for item in (*train, *test)}) > 1
        if different and steps_last:
            raise DataError(
                "steps_last: sequences have different lengths, and only what has its steps first "
                "is padded: give each as (steps, features), x[i].T, and turn batches in forward."
            )
        if different and not columns["lengths"]:
            refuse_padded({"x": columns["x"], "x_test": others.get("x", [])})
            train, test = ([(i[0], len(i[0]), *i[1:]) for i in part] for part in (train, test))
        told = different or bool(columns["lengths"])
        fields: dict[str, Key] = {"inputs": 0, "label": len(train[0]) - 1}
        fields |= {"length": 1} if told else {}
        fields |= {"static": 1 + told} if columns["static"] else {}
        super().__init__(
            train,
            test,
            **{
                "collate_fn": _Padded(padding) if different else default_collate,
                "fields": fields,
                "padding": padding if told else None,
                "steps_last": steps_last,
                "class_names": names or class_names,
                "source": "arrays",
                "group": group,
                "channel_names": [] if steps_last else channels,
                **options,
            },
        )
        # Positions in x of train and then test, where test was drawn from it.
        self._drawn = drawn
        self._numbered = names if names and not class_names else []
        if drawn is not None:
            self._columns = {name: _drawn(v, drawn, name) for name, v in self._columns.items()}

    def load(self) -> LoadedData:
        """Read every sequence once; see ``DatasetDataModule``."""
        if self._numbered:
            told = ", ".join(f"{number} {name}" for number, name in enumerate(self._numbered[:10]))
            rank_zero_info(
                f"Classes are numbered in alphabetical order: {told}"
                f"{', ...' if len(self._numbered) > 10 else ''}. A network that was trained with "
                "other numbers needs class_names=[...], in its order."
            )
        if self._drawn is not None:
            n_test = len(self._parts["test"])
            rank_zero_info(
                f"No x_test is given: {n_test} of the {len(self._drawn)} sequences of x are drawn "
                "as the test set, the same for every seed. For a network that is trained already, "
                "give x_test and y_test, so that nothing is judged that it was trained on."
            )
        return super().load()

    def place_of(self, part: str, number: int) -> str:
        """Return the array and the position in it that an item was given at."""
        if part == "val":
            return super().place_of(part, number)
        if self._drawn is None:
            return f"{'x' if part == 'train' else 'x_test'}[{number}]"
        row = number if part == "train" else len(self._parts["train"]) + number
        return f"x[{int(self._drawn[row])}]"

    def item_names(self, items: Items) -> SampleNames:
        """Return positions in ``x``, or the array too where there are several."""
        told = "array and position in it, from 0"
        called = {"train": "x", "val": "val", "test": "x_test"}
        if self._drawn is None:
            return SampleNames.by_part([(called[n], len(p)) for n, p in items.parts.items()], told)
        if "val" not in items.parts:
            return SampleNames(self._drawn.numpy(), "x", "position in x, from 0")
        places = [f"x {place}" for place in self._drawn.tolist()]
        val = [f"val {place}" for place in range(len(items.parts["val"]))]
        n_train = len(items.parts["train"])
        return SampleNames(np.array([*places[:n_train], *val, *places[n_train:]]), "", told)


def _copies(sequences: list[Tensor]) -> Tensor:
    """Return (n,) int64 numbers, equal where two sequences hold the same."""
    known: dict[tuple[Any, ...], int] = {}
    every = ((*x.shape, x.contiguous().numpy().tobytes()) for x in sequences)
    return torch.tensor([known.setdefault(content, len(known)) for content in every])


def _drawn(values: list[str], drawn: Tensor, name: str) -> list[str]:
    """Return an entry for each sequence in the order in which they were drawn.

    Raises:
        DataError: there are more or fewer.
    """
    if len(values) != len(drawn):
        raise DataError(
            f"columns[{name!r}] has {len(values)} entries, expected one for each of {len(drawn)} "
            "sequences of x."
        )
    return [values[place] for place in drawn.tolist()]


class _Padded:
    """Collates items whose sequences have different lengths."""

    def __init__(self, padding: float) -> None:
        self.padding = padding

    def __call__(self, items: list[tuple[Any, ...]]) -> list[Any]:
        inputs, *others = map(list, zip(*items, strict=True))
        return [stacked(inputs, padding=self.padding), *map(default_collate, others)]


def _sequences(x: Any, name: str, *, steps_last: bool) -> list[Tensor]:
    """Return n (T, F) or (T,) sequences, or (F, T) where steps come last."""
    found: list[Tensor] = []
    given: list[Tensor] = []
    for number, value in enumerate(_column(x, name)):
        numbers = as_tensor(_plain(value))
        if numbers is None or numbers.dim() not in {1, 2, 3}:
            raise DataError(
                f"{name}[{number}] is {described(value)}: expected a sequence of numbers, (steps, "
                f"features) or (steps,).{AS_NUMBERS if isinstance(value, str) else ''}"
            )
        # Bytes stay what they are: they are pixels or tokens, and their form tells.
        single = numbers.float() if numbers.is_floating_point() else numbers
        found.append(single)
        given.append(numbers)
        if not steps_last and single.shape[1:] != found[0].shape[1:]:
            raise DataError(
                f"{name}[{number}] is {described(value)}, {name}[0] {described(found[0])}: every "
                "sequence must have the same features, only the number of steps may differ."
            )
    tell_merged((of.mT if steps_last and of.dim() == 2 else of for of in given), name)
    return found


def _column(values: Any, name: str) -> list[Any]:
    """Return the n entries of an array, a tensor, a frame or a list; none of None."""
    if values is None:
        return []
    if isinstance(values, Mapping):
        raise DataError(
            f"{name} is a mapping of {list(values)}: expected one array with an entry for each "
            "sequence. Several further inputs are fields of items: DatasetDataModule(train, test)."
        )
    try:
        return list(_plain(values))
    except TypeError as error:
        raise DataError(f"{name} is {described(values)}: expected one entry a sequence.") from error


def _plain(values: Any) -> Any:
    return values.to_numpy() if hasattr(values, "to_numpy") else values


def _refuse_one_sided(
    needed: Mapping[str, tuple[Any, Any]], further: Mapping[str, tuple[Any, Any]], group: Any
) -> None:
    """Refuse what is given for one of training and test.

    Args:
        needed: of training, and of a test set where one is given.
        further: which may be given, of both.
        group: entries of both.

    Raises:
        DataError: names what is missing.
    """
    tested = [there is not None for _, there in needed.values()]
    if any(tested) != all(tested):
        raise DataError("x_test and y_test belong together: give both, or neither.")
    if not any(tested):
        alone = [f"{name}_test" for name, (_, there) in further.items() if there is not None]
        if alone:
            raise DataError(f"{' and '.join(alone)}: give x_test and y_test too.")
        if group is not None:
            raise DataError("group: give x_test and y_test too, of groups that x has not.")
        return
    for name, (here, there) in further.items():
        if (here is None) != (there is None):
            has, missing, of = ("x", f"{name}_test", "x_test")
            if here is None:
                has, missing, of = ("x_test", name, "x")
            raise DataError(f"{name} is given for {has} alone: give {missing} too, for {of}.")


def _refuse_missing(labels: list[Any], name: str) -> None:
    """Refuse None and NaN, which would be a class of their own.

    Raises:
        DataError: names the first.
    """
    missing = [i for i, y in enumerate(labels) if y is None or (isinstance(y, float) and y != y)]
    if missing:
        raise DataError(
            f"{name}[{missing[0]}] is missing ({labels[missing[0]]}), as are {len(missing)} of "
            f"{len(labels)} labels: leave out sequences without one."
        )


def _refuse_wide(labels: list[Any], name: str) -> None:
    """Refuse more than one number a sequence.

    Raises:
        DataError: what they look like, and what to do.
    """
    numbers = [as_tensor(y) for y in labels]
    wide = [y for y in numbers if y is not None and y.numel() > 1]
    if wide and len(wide) == len(labels) and len({y.shape for y in wide}) == 1:
        raise DataError(f"{name}: {fault_of_shape(torch.stack(wide))}")


def _names(labels: list[Any], given: Sequence[str]) -> list[str]:
    """Return the names of classes in the order of their numbers, none where classes are numbers.

    Raises:
        DataError: a label is none of those given.
    """
    if not any(isinstance(y, str) for y in labels):
        return []
    found = sorted(set(map(str, labels)))
    unknown = [name for name in found if name not in given]
    if given and unknown:
        raise DataError(
            f"y has the labels {unknown[:5]}, which are not among class_names={list(given)}: give "
            "the names that y has, in the order in which the network numbers them."
        )
    return list(given) or found


def _items(columns: dict[str, list[Any]], names: list[str], x: str) -> list[tuple[Any, ...]]:
    sizes = {name: len(values) for name, values in columns.items() if values}
    if not sizes:
        raise DataError(f"Expected sequences, got none: {x} is empty.")
    if len(set(sizes.values())) != 1:
        raise DataError(f"Expected as many entries of each, got {sizes}.")
    labels = [names.index(str(y)) if names else _class(y, i) for i, y in enumerate(columns["y"])]
    lengths = [_length(length, row) for row, length in enumerate(columns["lengths"])]
    static = [as_tensor(value) for value in columns["static"]]
    given = [values for values in (columns["x"], lengths, static, labels) if values]
    return list(zip(*given, strict=True))


def _length(length: Any, row: int) -> int:
    if not float(length).is_integer():
        raise DataError(f"lengths[{row}] is {float(length):g}: expected whole numbers of steps.")
    return int(length)


def _class(label: Any, row: int) -> int:
    numbers = as_tensor(label)
    if numbers is None or numbers.numel() != 1 or not float(numbers).is_integer():
        raise DataError(
            f"y[{row}] is {described(label)}: expected one whole number or name a sequence. "
            "Real-valued targets are not supported; cut them into classes."
        )
    return int(np.asarray(numbers).reshape(()))

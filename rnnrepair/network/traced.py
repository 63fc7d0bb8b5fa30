"""One view of any network: its answers, its states, and what it would answer after each step."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network.answers import AnswerInTraining, answer_in_training
from rnnrepair.network.calls import Call, Form, as_it_is
from rnnrepair.network.evaluating import device_of, evaluating
from rnnrepair.network.inspection import inspect
from rnnrepair.network.looked_up import FollowedInputs
from rnnrepair.network.memory import begun_otherwise
from rnnrepair.network.perturbed import perturbed
from rnnrepair.network.predictions import Predictions
from rnnrepair.network.prefixes import Readout
from rnnrepair.network.reading import Reading
from rnnrepair.network.snapshot import unchanged
from rnnrepair.network.stream import HiddenBatch, hidden_batch, refuse_no_answers
from rnnrepair.sequences import DataSpec, RecurrentOutput, SequenceBatch, Target

# Sequences that are looked at one by one, at least, and all at once, at most.
VERIFIED = 7
AT_ONCE = 100


@runtime_checkable
class TracingModule(Protocol):
    """A module that shows its states by itself."""

    def trace(self, batch: SequenceBatch) -> RecurrentOutput:
        """Return logits, step logits and hidden states of a batch."""
        ...


class TracedNetwork:
    """A module with its states and step predictions; the only forward pass of an analysis.

    The prediction of a sequence is always the module's own output. That after each step is what
    the module's own code makes of the states up to there; at the last step the two are the same.

    Attributes:
        module: the network.
        spec: of the data that it reads.
    """

    def __init__(
        self,
        module: nn.Module,
        spec: DataSpec,
        tap: str | None = None,
        call: Call | None = None,
        context: Callable[[], AbstractContextManager[Any]] = nullcontext,
        form: Form = as_it_is,
    ) -> None:
        """Take a module; see ``of``."""
        self.module = module
        self.spec = spec
        self._tap = tap
        self._call = call
        self._context = context
        self._form = form
        self._reading: Reading | None = None
        self._own: TracingModule | None = None
        self._writes_numbers = True

    @classmethod
    def of(
        cls,
        module: nn.Module,
        spec: DataSpec,
        tap: str | None = None,
        call: Call | None = None,
        context: Callable[[], AbstractContextManager[Any]] = nullcontext,
        form: Form = as_it_is,
    ) -> "TracedNetwork":
        """View a module.

        Args:
            module: any recurrent classifier; one that has a method ``trace(batch)`` is asked.
            spec: of the data.
            tap: name of the layer whose outputs are the states; found where None.
            call: calls the module with a batch; found where None.
            context: makes what the module runs in, such as the precision of a trainer.
            form: in which training is given a batch.

        Raises:
            ConfigurationError: a scripted module, or a tap that is none of its layers, or scripted.
        """
        module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
        if isinstance(module, torch.jit.ScriptModule):
            raise ConfigurationError(
                f"{type(module).__name__} is compiled by torch.jit, which shows no layers: train "
                "the module that was scripted, and script it afterwards."
            )
        layers = dict(module.named_modules())
        if tap is not None and tap not in layers:
            raise ConfigurationError(
                f"tap={tap!r} is no layer of {type(module).__name__}, which has "
                f"{sorted(name for name in layers if name)}."
            )
        if tap is not None and isinstance(layers[tap], torch.jit.ScriptModule):
            raise ConfigurationError(
                f"tap={tap!r} is compiled by torch.jit, which shows no outputs: name a layer "
                "around it, or let its outputs pass an nn.Identity() and name that."
            )
        return cls(module, spec, tap, call, context, form)

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return device_of(self.module)

    @property
    def readout(self) -> Readout:
        """How step predictions are found; known once the network is verified."""
        return Readout.OWN if self._own is not None else self._read().readout

    @property
    def depends_on_padding(self) -> bool:
        """Whether a sequence is answered otherwise in a longer batch; of a verified network."""
        return self._own is None and self._read().depends_on_padding

    def describe(self) -> str:
        """Say in one line what is read, and how."""
        if self._own is not None:
            return f"{type(self.module).__name__}: {Readout.OWN.value}"
        return self._read().told

    def verify(self, batch: SequenceBatch) -> None:
        """Find out how the network is read, and check it on real sequences; before any training.

        Args:
            batch: of the data, best of different lengths.

        Raises:
            ConfigurationError: it cannot be read; says what was tried, and what to write.
        """
        if self.spec.target != Target.SEQUENCE:
            raise ConfigurationError(
                "The data have a label for each step, which is not supported: one label a sequence "
                "is expected."
            )
        with evaluating(self.module), self._context():
            few = self._prepared(_few(batch, self.spec.n_classes))
            if isinstance(self.module, TracingModule):
                with unchanged(self.module) as before:
                    _check_own(self.module, few, self.spec.n_classes)
                    self._writes_numbers = before.wrote_numbers
                self._own = self.module
                return
            # In full precision, if there is: how it is read must not hang on rounding.
            with unchanged(self.module), torch.autocast(self.device.type, enabled=False):
                self._reading = inspect(
                    self.module, self.spec, few, self._tap, self._call, self._form
                )
            with unchanged(self.module) as before:
                # Many sequences of equal lengths too: a module that sorts them may mix them up.
                self.trace(batch.rows(slice(AT_ONCE)))
                self._writes_numbers = before.wrote_numbers

    def remembers(self, batch: SequenceBatch) -> bool:
        """Return whether the states know how a sequence began; ask a verified network.

        Args:
            batch: as for ``verify``.
        """
        with evaluating(self.module), self._unchanged():
            few = _few(batch, self.spec.n_classes)
            other = begun_otherwise(few)
            if few.inputs.shape[1] < 2 or torch.equal(other.inputs[0], few.inputs[0]):
                return True  # nothing to tell them by
            usual, changed = self.trace(few), self.trace(other)
        # Longest first; one state in all is of the whole sequence.
        last = int(usual.lengths[0]) - 1
        return last < 1 or not torch.equal(usual.hidden[0, last], changed.hidden[0, last])

    def computes_with_tokens(self, batch: SequenceBatch) -> bool:
        """Return whether tokens become floats and are looked up nowhere; ask a verified network.

        Args:
            batch: as for ``verify``.
        """
        few = _few(batch, self.spec.n_classes)
        with evaluating(self.module), self._unchanged(), FollowedInputs(few.inputs) as seen:
            self._logits(few)
        return seen.computed_with and not seen.looked_up

    def trace(self, batch: SequenceBatch) -> RecurrentOutput:
        """Return logits, step logits and states; call it inside ``evaluating``.

        Shapes are those of ``RecurrentOutput``; ``lengths`` are steps of the tap.
        """
        with self._context():
            if self._own is not None:
                return self._own.trace(self._prepared(batch))
            reading = self._read()
            # Longest first: modules that pack their inputs may want them so.
            order = batch.lengths.argsort(descending=True, stable=True)
            seen = reading.network.run(self._prepared(batch.rows(order)))
            logits = reading.network.decoder(seen.output, len(batch))
            hidden, steps, lengths = reading.steps(seen, logits)
            back = order.argsort()
            return RecurrentOutput(logits[back], steps[back], hidden[back], lengths[back])

    def steps(
        self,
        batches: Iterable[SequenceBatch],
        reduce: Callable[[Tensor], Tensor] | None = None,
    ) -> Iterator[HiddenBatch]:
        """Yield the states of every batch without their padding; modes and random state are kept.

        Args:
            batches: of sequences.
            reduce: see ``hidden_batch``.

        Raises:
            NonFiniteError: a state is NaN or infinite; names the first such sequence.
        """
        with evaluating(self.module):
            for batch in batches:
                with self._unchanged():
                    found = hidden_batch(self.trace(batch), batch, reduce)
                yield found

    def predict(self, batches: Iterable[SequenceBatch]) -> Predictions:
        """Return the module's own answers, in ascending order of index; none for no batch."""
        index, label = [torch.empty(0, dtype=torch.int64)], [torch.empty(0, dtype=torch.int64)]
        logits = [torch.empty(0, self.spec.n_classes)]
        with evaluating(self.module):
            for batch in batches:
                index.append(batch.index.cpu())
                label.append(batch.label.cpu())
                with self._unchanged():
                    logits.append(self._logits(batch).float().cpu())
        order = torch.cat(index).argsort()
        found = torch.cat(logits)[order]
        refuse_no_answers(found, torch.cat(index)[order])
        return Predictions(
            torch.cat(index)[order], torch.cat(label)[order], found.argmax(-1), found
        )

    def logits(self, batch: SequenceBatch) -> Tensor:
        """Return the (B, C) float32 logits of the module's own answers to a batch, in its order."""
        with evaluating(self.module), self._unchanged():
            return self._logits(batch).float()

    def answer_in_training(self, batch: SequenceBatch) -> AnswerInTraining | None:
        """Find where the module's training step makes its answers; ask a verified network.

        Args:
            batch: as for ``verify``.

        Returns:
            None where no part of the module returns them, or it has no training step.
        """
        if not hasattr(self.module, "training_step"):
            return None
        with evaluating(self.module), self._context():
            few = self._prepared(_few(batch, self.spec.n_classes))
            with perturbed(self.module, lambda: not bool(self._logits(few).isnan().any())):
                trained_on, read = self._form(few)
                return answer_in_training(self.module, trained_on, self._logits(read))

    def _unchanged(self) -> AbstractContextManager[Any]:
        """Leave the module as it was; all numbers are kept where its calls write to many."""
        return unchanged(self.module, numbers=self._writes_numbers)

    def _logits(self, batch: SequenceBatch) -> Tensor:
        with self._context():
            if self._own is not None:
                return self._own.trace(self._prepared(batch)).logits
            order = batch.lengths.argsort(descending=True, stable=True)
            prepared = self._prepared(batch.rows(order))
            return self._read().network.logits(prepared)[order.argsort()]

    def _read(self) -> Reading:
        if self._reading is None:
            raise ConfigurationError("The network has not been verified: call verify(batch) first.")
        return self._reading

    def _prepared(self, batch: SequenceBatch) -> SequenceBatch:
        """Put a batch where the network is, in its precision."""
        batch = batch.to(self.device)
        own = [p.dtype for p in self.module.parameters() if p.is_floating_point()]
        # What is trained in several precisions is given what the data are.
        if not own or not batch.inputs.is_floating_point() or batch.inputs.dtype in own:
            return batch
        return _in_precision(batch, own[0])


def _in_precision(batch: SequenceBatch, precision: torch.dtype) -> SequenceBatch:
    """Return a batch whose floats have a precision."""

    def cast(values: Tensor) -> Tensor:
        return values.to(precision) if values.is_floating_point() else values

    return replace(
        batch,
        inputs=cast(batch.inputs),
        static={name: cast(values) for name, values in batch.static.items()},
        beside={name: cast(values) for name, values in batch.beside.items()},
    )


def _few(batch: SequenceBatch, n_classes: int) -> SequenceBatch:
    """Return a few sequences of lengths as different as there are, longest first.

    Their number is none of the other sizes, so that no dimension is taken for another.
    """
    order = batch.lengths.argsort(descending=True, stable=True)
    other = {n_classes, *batch.inputs.shape[1:]}
    n = next(n for n in range(VERIFIED, VERIFIED + 10) if n not in other)
    rows = order[torch.linspace(0, len(order) - 1, min(n, len(order))).round().long()]
    return batch.rows(rows, int(batch.lengths.max()))


def _check_own(module: TracingModule, batch: SequenceBatch, n_classes: int) -> None:
    output = module.trace(batch)
    found = {n: tuple(getattr(output, n).shape) for n in ("logits", "step_logits", "hidden")}
    n, steps = len(batch), found["hidden"][1:2]
    if found["logits"] != (n, n_classes) or found["step_logits"] != (n, *steps, n_classes):
        raise ConfigurationError(
            f"{type(module).__name__}.trace returns {found} for {n} sequences of {n_classes} "
            f"classes, expected logits ({n}, {n_classes}), step_logits ({n}, T, {n_classes}) and "
            f"hidden ({n}, T, d). Where the numbers of classes differ, make them agree (n_classes "
            "of the data, the last layer of the network)."
        )

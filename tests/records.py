"""Records of runs for tests, and whether two are the same."""

from dataclasses import fields, is_dataclass

import torch
from torch import Tensor

from rnnrepair.influence import Role
from rnnrepair.record import (
    AnalysedEpoch,
    Effort,
    Failure,
    Injected,
    Neighbour,
    Repair,
    RunRecord,
    Seconds,
    SplitAnswers,
    TargetLook,
)
from rnnrepair.repair import StopReason


def answers_of(label, before, after, first=100):
    """Answers to sequences that are numbered from ``first`` on."""
    index = torch.arange(first, first + len(label))
    return SplitAnswers(index, *map(torch.as_tensor, (label, before, after)))


# 3 failures: 2 repaired; 1 newly broken.
ANSWERS = answers_of([4, 4, 4, 1, 1, 2], [9, 9, 4, 1, 7, 2], [4, 9, 4, 3, 1, 2])


def epoch_of(epoch, **changes):
    told = {
        "val_accuracy": 0.8,
        "repair_accuracy": 0.75,
        "failures": 83,
        "injected": 750,
        "n_components": 43,
        "stability": 0.75,
        "n_empty": 0,
        "drift": None,
    }
    return AnalysedEpoch(epoch, **told | changes)


def effort_of(**changes):
    told = {
        "injected": 1500,
        "without_context": 0,
        "steps": 4800,
        "budget": 10,
        "judged": 47680,
        "rounds": 2,
        "stop_reason": StopReason.SHARE_REACHED,
    }
    return Effort(**told | changes)


def failure_of(index=100, n_steps=28, label=4, predicted=9, step=20, samples=8, **changes):
    """A failure whose nearest samples are 1000, 1001 ... and injected ones 2000, 2001 ..."""
    prediction = torch.full((n_steps,), label)
    prediction[step:] = predicted
    state = torch.full((n_steps,), 17)
    state[step:] = 31
    told = {
        "index": index,
        "label": label,
        "predicted": predicted,
        "state": state,
        "prediction": prediction,
        "step": step,
        "segment": (step, step + 1),
        "contrast": None,
        "neighbours": tuple(
            Neighbour(1000 + i, (predicted, label)[i % 2], Role.NEAREST, 0.125 * (i + 1))
            for i in range(samples)
        ),
        "injected": tuple(Injected(2000 + i, label, (0, 0)) for i in range(samples)),
    }
    return Failure(**told | changes)


def repair_of(answers=ANSWERS, history=(), failures=(), targets=(), effort=None, **changes):
    """A repair; ``answers`` are of all three splits, or of each by its name."""
    splits = (
        answers if isinstance(answers, dict) else dict.fromkeys(("repair", "val", "test"), answers)
    )
    seconds = Seconds(2.0, 2.0, 2.0, 2.0, 2.0, total=87.7, epoch=2.65)
    told = {
        "trained_on": True,
        "history": tuple(history) or (epoch_of(9),),
        "answers": splits,
        "targets": torch.tensor(targets, dtype=torch.int64),
        "failures": tuple(failures),
        "effort": effort or effort_of(),
        "seconds": seconds,
    }
    return Repair(**told | changes)


def record_of(repair=None, **changes):
    told = {
        "experiment": "mnist_repair",
        "seed": 3,
        "strategy": "guided",
        "arm": "guided",
        "contrasts": (),
        "notes": (),
        "network": "LSTM",
        "source": "folder",
        "sizes": {"fit": 3001, "repair": 6, "val": 6, "test": 6},
        "repair": repair or repair_of(),
    }
    return RunRecord(**told | changes)


def target_record(strategy="published", seed=0, right=(4, 6), accuracy=(0.9, 0.8), **changes):
    """What the published protocol on MNIST leaves behind."""
    looks = tuple(
        TargetLook(6 + i, *look) for i, look in enumerate(zip(right, accuracy, strict=True))
    )
    told = {
        "experiment": "mnist_repair_published",
        "seed": seed,
        "strategy": strategy,
        "arm": strategy,
        "contrasts": (),
        "notes": (),
        "network": "LSTM",
        "source": None,
        "sizes": {"repair": 23, "test": 10_000},
        "looks": looks,
    }
    return RunRecord(**told | changes)


def same(one, other):
    """Whether two things are equal, tensors bit for bit and NaN like NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)

"""TracIn over several moments of a training."""

import shutil

import pytest
import torch

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.influence import LossGradients, TracIn
from rnnrepair.influence.gradients import Curvature
from tests.gradient_parts import exact_batch, exact_parts, exact_view


def moved(parts, by):
    with torch.no_grad():
        for parameter in parts.parameters().values():
            parameter += by


def save(module, path, rate, step, **more):
    groups = [{"lr": rate}] if rate is not None else []
    state = {"state_dict": module.state_dict(), "optimizer_states": [{"param_groups": groups}]}
    torch.save({**state, "global_step": step, **more}, path)


@pytest.fixture
def case(make_traces, make_model, tmp_path):
    """A network, its view, checkpoints of two earlier moments, and the gradients of all three."""
    parts, batch = exact_parts("gru", 2), exact_batch(9)
    view = exact_view(parts, batch, make_traces, make_model)
    layout, gradients = Curvature(parts).layout, []
    # The later one comes first by name.
    for name, rate, step in (("b", 0.5, 10), ("a", 0.2, 20), (None, None, None)):
        gradients.append(layout.flat(LossGradients(parts).gradients(batch)))
        if name is not None:
            save(view.network.module, tmp_path / f"{name}.ckpt", rate, step)
            moved(parts, 0.1)
    return parts, view, gradients, tmp_path


def products(gradients, rates):
    return sum(rate * g @ g.T for rate, g in zip(rates, gradients, strict=True))


def test_scores_are_summed_by_learning_rate(case):
    _, view, gradients, folder = case
    rows = torch.tensor([5, 0, 2])
    queries = view.traces.select(rows)
    expected = products(gradients, (0.5, 0.2, 0.2)).float()
    for given in (folder, str(folder), [folder / "a.ckpt", folder / "b.ckpt"]):
        scorer = TracIn(checkpoints=given).fit(view)
        torch.testing.assert_close(scorer.scores(queries), -expected[rows])
    torch.testing.assert_close(scorer.group_scores(queries), -expected[rows].mean(0))
    torch.testing.assert_close(scorer.own(), expected.diagonal())
    cosine = TracIn(cosine=True, checkpoints=folder).fit(view)
    unit = [g / g.norm(dim=1, keepdim=True) for g in gradients]
    torch.testing.assert_close(
        cosine.group_scores(queries), -products(unit, (0.5, 0.2, 0.2))[rows].mean(0).float()
    )


def test_a_checkpoint_of_the_network_as_it_is_counts_once(case):
    _, view, gradients, folder = case
    save(view.network.module, folder / "now.ckpt", 0.4, 30)
    scores = TracIn(checkpoints=folder).fit(view).scores(view.traces)
    torch.testing.assert_close(scores, -products(gradients, (0.5, 0.2, 0.4)).float())


def test_a_moment_that_is_kept_twice_counts_once(case):
    """As ``ModelCheckpoint`` leaves it with save_last=True."""
    _, view, _, folder = case
    once = TracIn(checkpoints=folder).fit(view).scores(view.traces)
    shutil.copy(folder / "a.ckpt", folder / "last.ckpt")
    assert torch.equal(TracIn(checkpoints=folder).fit(view).scores(view.traces), once)


def test_where_nothing_is_kept_yet_the_network_as_it_is_counts(case, tmp_path):
    _, view, _, _ = case
    alone = TracIn().fit(view).scores(view.traces)
    assert torch.equal(TracIn(checkpoints=tmp_path / "none").fit(view).scores(view.traces), alone)


class Code:
    def __reduce__(self):
        return (print, ("read",))


@pytest.mark.parametrize("wrong", ["rate", "weights", "code"])
def test_other_checkpoints_are_refused(case, wrong, capsys):
    _, view, _, folder = case
    module, path = view.network.module, folder / "c.ckpt"
    if wrong == "rate":
        save(module, path, None, 30)
    elif wrong == "weights":
        save(torch.nn.Linear(2, 2), path, 0.1, 30)
    else:
        save(module, path, 0.1, 30, code=Code())
    with pytest.raises(IncompatibleCheckpointError, match=r"c\.ckpt"):
        TracIn(checkpoints=folder).fit(view)
    assert capsys.readouterr().out == ""

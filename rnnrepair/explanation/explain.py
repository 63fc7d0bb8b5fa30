"""From a trained network and its data to the story of each of its failures."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rnnrepair.abstraction import (
    Abstraction,
    AbstractionSettings,
    Collected,
    StreamingPCA,
    abstract,
)
from rnnrepair.atomic import make_folder
from rnnrepair.errors import ConfigurationError
from rnnrepair.explanation.asked import asked_about, told_rows
from rnnrepair.explanation.by_group import failures_by_group
from rnnrepair.explanation.cautions import cautions, without_doubted
from rnnrepair.explanation.common_causes import common_causes
from rnnrepair.explanation.cut_off import cut_off
from rnnrepair.explanation.explanation import Explanation
from rnnrepair.explanation.goes_by import goes_by
from rnnrepair.explanation.states import states_name, states_of
from rnnrepair.explanation.two_labels import two_labels
from rnnrepair.influence import (
    Doubting,
    Evidence,
    InfluenceMethod,
    LabelDoubt,
    Need,
    Role,
    StateSimilarity,
    Suspicion,
    TrainingDynamics,
    TrainingView,
    check_method,
    doubt_labels,
    find_evidence,
    held_out_of,
    suspect_labels,
)
from rnnrepair.network import TracedNetwork, verified
from rnnrepair.network.calls import Call
from rnnrepair.patterns import (
    Finder,
    learnt_told,
    other_unit,
    unlike_inside,
)
from rnnrepair.progress import bars_if, bars_shown
from rnnrepair.protocols import (
    RepairableData,
    Split,
    checked_labels,
    columns_of_samples,
    groups_of_samples,
    names_of_samples,
    set_up,
)
from rnnrepair.record import gather_failures, gather_suspects, with_evidence
from rnnrepair.scores import confusion
from rnnrepair.sequences import Kind, Names, SampleName
from rnnrepair.settings import Count, check_settings
from rnnrepair.traces import Traces

# Training samples with a suspect label that are told with what speaks against it.
SHOWN = 12
# What nobody knows of a network whose training was not watched.
UNKNOWN = dict.fromkeys(
    (Need.DYNAMICS, Need.TRAJECTORY),
    "how training went is not seen in a trained network: choose another method.",
)

log = logging.getLogger(__name__)


def explain(
    module: nn.Module,
    data: RepairableData,
    *,
    split: Split = "test",
    index: Sequence[int] | Tensor | None = None,
    names: Sequence[SampleName] | None = None,
    at_most: Count = 100,
    settings: AbstractionSettings | None = None,
    method: InfluenceMethod | None = None,
    top: Count = 20,
    doubting: Doubting | None = None,
    finders: Sequence[Finder] | None = None,
    dynamics: TrainingDynamics | None = None,
    tap: str | None = None,
    call: Call | None = None,
    keep_in: str | Path | None = None,
    progress: bool = False,
) -> Explanation:
    """Tell what failures of a trained network share, where each left the truth, and what is behind.

    Nothing is trained. The network runs once over ``fit`` and the split, and once over a sample.

    Args:
        module: any recurrent classifier, with its weights.
        data: that it was trained on.
        split: whose failures are told.
        index: sequences of the split that are asked about, by their numbers in ``data``; all
            failures where neither this nor ``names`` is given.
        names: the same by what the user's data call them (rows, ids; the column ``name`` of
            ``to_dataframe``).
        at_most: failures told, the first of the split; None of those asked for is left out.
        settings: how hidden states are grouped.
        method: finds the training samples behind failures; ``StateSimilarity`` where None.
        top: training samples a failure and role.
        doubting: when a label is suspect.
        finders: of what the failures of the split have in common (docs/method.md 6.14); edits,
            words and values of columns where None, and nothing is looked for where there are none.
        dynamics: what training has shown of each sample, where somebody has recorded it: labels
            are judged by it too, and methods may read it.
        tap: name of the layer whose outputs are the states; found where None.
        call: calls the network with a batch; found where None.
        keep_in: folder that keeps the reduced states, so that a second call with the same weights
            and data reads them; None keeps nothing. Nothing is kept where ``call`` is given.
        progress: show progress bars, those of the data that are read included.

    Returns:
        What prints as text, is a table as ``to_dataframe()``, and gives single failures as
        ``[0]``. Failures count from 0 as in any list, steps from 1.

    Raises:
        ConfigurationError: the network cannot be read, the data have no such split, the method does
            not fit, ``keep_in`` cannot be written, or both ``index`` and ``names`` are given.
        DataError: an index or a name is not in the split.
        SettingsError: ``at_most`` or ``top`` below 1.
    """
    check_settings(explain, locals())
    _check_module(module)
    if keep_in is not None:
        _make_folder(Path(keep_in))
    settings, method = settings or AbstractionSettings(), method or StateSimilarity()
    with bars_shown(progress):
        set_up(data)
    asked = asked_about(data, split, index, names)
    network = verified(module, data, tap, call)
    missing = {n: UNKNOWN[n] for n in UNKNOWN if n != Need.DYNAMICS or dynamics is None}
    check_method(method, network, data, missing)
    # K is chosen on val, where there are several.
    # Right labels are told from wrong ones by samples that the network has not seen: a network of
    # one's own may have been trained on all but the test set.
    splits = list(
        dict.fromkeys(["fit", split, *(["val"] if len(settings.sizes) > 1 else []), "test"])
    )
    name = None
    if keep_in is not None and call is None:
        name = states_name(network, data, splits, settings, tap)
    kept = Path(keep_in) / name if keep_in is not None and name is not None else None
    collected = states_of(network, data, splits, settings, kept, bars_if(progress))
    n_original = int(torch.isin(collected.states["fit"].index, data.indices("fit")).sum())
    abstraction = abstract(collected, settings, n_original)
    traces = abstraction.traces[split]
    trained_on = abstraction.traces["fit"].select(torch.arange(n_original))
    rows, right = told_rows(traces, asked, at_most)
    failures = traces.select(rows)
    view = _view(network, data, collected, abstraction, n_original, dynamics)
    suspicion = suspect_labels(view, settings.seed)
    undoubted = without_doubted(trained_on, suspicion)
    warnings = cautions(network, data, trained_on, undoubted, traces, split)
    for warning in warnings:
        log.warning("%s", warning)
    suspects = gather_suspects(suspicion, view, None, None)
    evidence = _evidence(method, view, failures, top, settings.seed)
    patterns, perhaps, gathered = common_causes(data, trained_on, traces, finders, settings.seed)
    doubt = _doubt(view, failures, traces, suspicion, doubting, settings.seed)
    doubted = 4 * int((doubt.suspect | doubt.explained).sum()) > len(failures)
    # Classes say little of why.
    elsewhere = any(of.parameters.get("group") != "class" for of in gathered)
    several = two_labels(data, trained_on, traces, split)
    more_is_told = patterns or doubted or elsewhere or several
    failing, groups = traces.index[~traces.correct], view.groups
    return Explanation(
        spec=data.spec,
        network=network.describe(),
        split=split,
        accuracy=traces.accuracy,
        fit_accuracy=trained_on.accuracy,
        searched=n_original,
        set_aside=sum(len(data.indices(other)) for other in ("repair", "val") if other != split),
        warning="\n".join(warnings),
        learnt="" if warnings or more_is_told else learnt_told(traces, undoubted, split),
        two_labels=several,
        cut_off=cut_off(data, trained_on, traces, split),
        confused=confusion(traces.label, traces.final_prediction),
        failing=failing,
        by_group=failures_by_group(traces.index, ~traces.correct, groups, view.columns),
        n_apart=len((failing if groups is None else groups[failing]).unique()),
        patterns=patterns,
        perhaps=perhaps,
        gathered=gathered,
        known={
            found.description: (
                goes_by(found, trained_on, traces, Names.of(data.spec)),
                unlike_inside(data.spec, data.fetch, trained_on.index, found),
                other_unit(data.spec, data.fetch, trained_on.index, found),
            )
            for found in (*(patterns or ()), *gathered)
        },
        failures=gather_failures(evidence, (), lambda i: data.fetch(i).label, len(failures)),
        evidence=evidence,
        doubt=doubt,
        suspicion=suspicion,
        suspects=tuple(with_evidence(suspects, view, SHOWN, settings.seed)),
        place=_in_the_plane(
            abstraction.ends.at(view.traces.index), abstraction.ends.at(failures.index)
        ),
        words=_words(data, failures.index),
        n_inputs=data.fetch(failures.index).lengths,
        right=right,
        sample_names=names_of_samples(data),
    )


def _view(
    network: TracedNetwork,
    data: RepairableData,
    collected: Collected,
    abstraction: Abstraction,
    n_original: int,
    dynamics: TrainingDynamics | None,
) -> TrainingView:
    """Return what influence methods may know of a network whose training was not watched."""
    return TrainingView(
        abstraction.traces["fit"],
        abstraction.model,
        n_original,
        network,
        data.fetch,
        states=collected.states["fit"],
        ends=abstraction.ends,
        dynamics=dynamics,
        columns=columns_of_samples(data),
        groups=groups_of_samples(data),
        checked=checked_labels(data),
        held_out=held_out_of({"test": abstraction.traces["test"]}),
        scale=data.spec.scale,
    )


def _check_module(module: Any) -> None:
    """Refuse what stands for a network and is none.

    Raises:
        ConfigurationError: says what to make of it.
    """
    if isinstance(module, nn.Module):
        return
    if isinstance(module, type):
        what = f"the class {module.__name__}: make the network, {module.__name__}(...), and load"
    elif isinstance(module, Mapping):
        what = "a state dict, which holds weights and no network: make the network and load"
    else:
        what = f"{type(module).__name__}: make the network and load"
    raise ConfigurationError(
        f"module: expected a torch.nn.Module with its weights, got {what} its weights: "
        "network.load_state_dict(...)."
    )


def _make_folder(keep_in: Path) -> None:
    try:
        make_folder(keep_in)
    except OSError as error:
        raise ConfigurationError(
            f"keep_in={keep_in} cannot be written ({error}): name another folder."
        ) from error


def _evidence(
    method: InfluenceMethod, view: TrainingView, failures: Traces, top: int, seed: int
) -> Evidence:
    if len(failures) == 0:
        nothing = torch.empty(0, dtype=torch.int64)
        return Evidence(failures, nothing, nothing.reshape(0, 2))
    roles = {Role.NEAREST, Role.PARENTS, Role.OPPONENTS}
    if view.traces.token is not None:
        roles.add(Role.CONTEXTS)
    return find_evidence(method.fit(view), view, failures, roles, top, seed)


def _doubt(
    view: TrainingView,
    failures: Traces,
    traces: Traces,
    suspicion: Suspicion,
    doubting: Doubting | None,
    seed: int,
) -> LabelDoubt:
    if len(failures) == 0:
        nothing = torch.empty(0, dtype=torch.bool)
        none = torch.empty(0, (doubting or Doubting()).nearest, dtype=torch.int64)
        return LabelDoubt(torch.empty(0), nothing, nothing, none, none[:, 0], suspicion.shared)
    # Those that are told stand for as large a part of the split.
    among = len(traces) * len(failures) / int((~traces.correct).sum())
    return doubt_labels(view, failures, suspicion, doubting, seed, among)


def _in_the_plane(ends: Tensor, failed_ends: Tensor) -> Tensor:
    """Return (M, 2): where (M, k) last states lie on the main axes of the (N, k) of training."""
    pca = StreamingPCA()
    pca.update(ends)
    place = pca.finish(2)(failed_ends)
    return torch.nn.functional.pad(place, (0, 2 - place.shape[1]))


def _words(data: RepairableData, index: Tensor) -> tuple[tuple[str, ...], ...]:
    if data.spec.kind != Kind.TOKENS or len(index) == 0:
        return ((),) * len(index)
    names = Names.of(data.spec)
    return tuple(tuple(names.of_tokens(text)) for text in data.fetch(index).sequences())

"""Why what is told of a network may not hold: other data, another network, padding that is read."""

from rnnrepair.at_chance import at_chance, constant_score
from rnnrepair.explanation.padding_cost import padding_cost
from rnnrepair.influence import Suspicion
from rnnrepair.network import TracedNetwork
from rnnrepair.patterns import unlike_training
from rnnrepair.protocols import RepairableData, Split
from rnnrepair.scores import Monitor, Scored
from rnnrepair.traces import Traces

# Share of what one answer for all gets wrong of the training samples, that a network has learnt.
LEARNT = 0.25
# Share of training labels that may be suspect, and still be what is wrong with the data.
FEW_SUSPECT = 0.2

# Told of networks that read padding.
PADDED = (
    "What the network answers depends on how far a batch is padded: it reads padding as inputs, as "
    "output[:, -1] or a mean over all steps of padded sequences does."
)
# What to do where that is why it fails.
INSTEAD = (
    " Read the steps of each sequence alone (packed sequences, its length, a mask). If what is "
    "taken for padding are readings, give their lengths (lengths=, or a length in each item)."
)


def cautions(
    network: TracedNetwork,
    data: RepairableData,
    trained_on: Traces,
    undoubted: Traces,
    traces: Traces,
    split: Split,
) -> list[str]:
    """Return why what is told may not hold, the gravest first."""
    padded, costs = [], False
    if network.depends_on_padding:
        told, costs = padding_cost(network, data, traces, split)
        padded = [f"{PADDED} {told}{INSTEAD if costs else ''}"]
    # Where wrong labels are why, they are told by themselves.
    of_other_data = not_trained_on(undoubted, traces, split) != ""
    other = [not_trained_on(trained_on, traces, split)] if of_other_data else []
    others = [*other, *unlike_training(data, trained_on, traces, split)]
    return [*padded, *others] if costs else [*others, *padded]


def without_doubted(trained_on: Traces, suspicion: Suspicion) -> Traces:
    """Leave out samples whose label is doubted, where few are: of other data all labels are."""
    doubted = suspicion.suspect | suspicion.explained
    if float(doubted.double().mean()) > FEW_SUSPECT:
        return trained_on
    return trained_on.select((~doubted).nonzero()[:, 0])


def not_trained_on(trained_on: Traces, traces: Traces, split: Split) -> str:
    """Return a warning where training samples are not answered as by a network trained on them.

    It has learnt little of them, or is further behind the split than three standard errors.
    """
    here, there = (Scored.share(int(of.correct.sum()), len(of)) for of in (trained_on, traces))
    guess = constant_score(trained_on.label, Monitor.ACCURACY)
    chance = at_chance(trained_on.label, trained_on.final_prediction, Monitor.ACCURACY)
    little = chance or here.value - guess < LEARNT * (1 - guess)
    if not little and not here.is_surely_below(there):
        return ""
    reason = f"one answer for all {guess:.1%}" if little else f"but {there.value:.1%} of {split}"
    return (
        f"The network gets {here.value:.1%} of its training samples right, {reason}. Is it "
        "trained, and are these the data that it was trained on: scaled the same way, with classes "
        "numbered in the same order? Nothing that is told of training samples holds otherwise."
    )

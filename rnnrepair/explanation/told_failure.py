"""One failure as people read it: on its own, out of all that an explanation tells."""

from dataclasses import dataclass

from rnnrepair.sequences import SampleName


@dataclass(frozen=True)
class ToldFailure:
    """A failure of a trained network. Printed, it is its story.

    Its fields are columns of ``Explanation.to_dataframe``. Steps count from 1, as in the story.

    Attributes:
        index: number of the sample in the data.
        name: what the user's data call it.
        label: class that it is labelled with.
        predicted: class that the network gives it.
        label_name: of the label.
        predicted_name: of the predicted one.
        n_steps: steps of the sequence.
        step: the responsible step.
        segment_first: first step of the responsible segment.
        segment_last: last step of it.
        nearest: the most influential training samples, these first, as in the next three.
        parents: those of its label that the network gets right.
        opponents: those of the predicted label that it gets right.
        contexts: those of its label that come to where the failure goes wrong, of texts.
        pattern: what it shares with other failures; empty for nothing.
        label_suspect: whether evidence speaks against the label, or those of its neighbours.
        why_suspect: what does; empty for nothing.
        story: all of it that people read.
    """

    index: int
    name: SampleName
    label: int
    predicted: int
    label_name: str
    predicted_name: str
    n_steps: int
    step: int
    segment_first: int
    segment_last: int
    nearest: list[int]
    parents: list[int]
    opponents: list[int]
    contexts: list[int]
    pattern: str
    label_suspect: bool
    why_suspect: str
    story: str

    def __str__(self) -> str:
        return self.story

"""Pictures or texts of some samples, side by side."""

from torch import Tensor

from rnnrepair.report.card_view import Figure
from rnnrepair.report.cards import ShownData
from rnnrepair.report.pictures import shared_scales, thumbnail
from rnnrepair.report.text_figure import sample_text
from rnnrepair.sequences import Kind, Names


def sample_figures(
    inputs: list[Tensor], data: ShownData, names: Names, described: str
) -> list[Figure]:
    """Return pictures of one scale, or texts.

    Args:
        inputs: (T, F) features or (T,) tokens of each sample.
        data: that they are of.
        names: of it.
        described: what each is, for people who do not see it.
    """
    if not inputs:
        return []
    kind = data.spec.kind
    if kind == Kind.TOKENS:
        return [sample_text(tokens, (0, 0), names, described) for tokens in inputs]
    image = kind == Kind.IMAGE
    scales = shared_scales(inputs, by_feature=not image)
    return [thumbnail(part, scales, described, image=image) for part in inputs]

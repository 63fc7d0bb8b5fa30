"""Wide edits of images."""

from rnnrepair.edits.image_edits import SIDES, ImageEdits
from rnnrepair.edits.sweep import Sweep
from rnnrepair.sequences import DataSpec

# Beside the parameter that is swept all others vary a little, as they do between samples.
IMAGE_JITTER = ImageEdits(rotation=8, translation=1, scale=(0.95, 1.05), shear=5)
# Largest move, as a share of the rows or columns.
FAR = 2 / 7


def image_sweeps(spec: DataSpec) -> list[Sweep]:
    """Return the wide edits of images: where they stand, how they look, what of them is covered."""
    rows = spec.max_steps or spec.step_width
    return [
        _sweep("rotation", "turned by {low} to {high} degrees", "angle", -90, 90),
        _sweep("shear", "sheared by {low} to {high} degrees", "shear", -45, 45),
        _sweep("scale", "scaled by {low} to {high}", "scale", 0.5, 1.6, by_factor=True),
        _moved("right", FAR * spec.step_width),
        _moved("down", FAR * rows),
        _sweep("contrast", "contrast times {low} to {high}", "contrast", 0.3, 3, by_factor=True),
        _sweep("blur", "blurred by {low} to {high} pixels", "blur", 0.2, 1.5),
        Sweep("inverted", "inverted", IMAGE_JITTER, fixed={"inverted": 1.0}),
        Sweep("mirrored", "mirrored left to right", IMAGE_JITTER, fixed={"mirrored": 1.0}),
        *(_covered(number, side) for number, side in enumerate(SIDES)),
    ]


def _sweep(
    name: str, told: str, parameter: str, low: float, high: float, *, by_factor: bool = False
) -> Sweep:
    return Sweep(name, told, IMAGE_JITTER, parameter, low, high, by_factor=by_factor)


def _moved(way: str, pixels: float) -> Sweep:
    return _sweep(way, f"moved {way} by {{low}} to {{high}} pixels", way, -pixels, pixels)


def _covered(number: int, side: str) -> Sweep:
    return Sweep(
        f"covered_{side}",
        f"{{low}} to {{high}} of it covered from the {side}",
        IMAGE_JITTER,
        "covered",
        low=0.15,
        high=0.65,
        fixed={"side": float(number)},
    )

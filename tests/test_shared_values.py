"""Values that doubted samples share, against draws by hand, and what they do to suspicion."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import fisher_exact

from rnnrepair.influence import SharedValue, shared_values, suspect_labels
from rnnrepair.record import gather_suspects
from tests.test_suspicion import in_groups

N = 600


def flags(n_inside, n_outside, having, n=N):
    """Samples of which the first have the value; doubted are some of them and some others."""
    doubted = torch.zeros(n, dtype=torch.bool)
    doubted[:n_inside] = True
    doubted[having : having + n_outside] = True
    return doubted, ["b" if i < having else "a" for i in range(n)]


def test_p_is_that_of_fishers_exact_test_where_there_is_one_class():
    doubted, device = flags(9, 30, 40)
    index, label = torch.arange(N), torch.zeros(N, dtype=torch.int64)
    (found,) = shared_values({"device": device}, index, label, doubted)
    table = [[9, 30], [31, N - 70]]
    # Two values were tried.
    assert found.p == pytest.approx(2 * fisher_exact(table, "greater").pvalue, rel=1e-9)
    counts = (found.doubted, found.of_doubted, found.having, found.of_samples)
    assert counts == (9, 39, 40, N)
    assert (found.column, found.value, found.classes) == ("device", "b", ())
    assert "9 of 39" in found.told
    assert "device=b, but only 6.7% of all 600 that were looked at" in found.told


def test_samples_that_are_labelled_together_are_doubted_once():
    """Two recordings of 15 windows are doubted, and both are of device b by chance."""
    group = torch.arange(N) // 15
    doubted = torch.isin(group, torch.tensor([3, 11]))
    device = ["b" if i // 15 in (3, 11, 20) else "a" for i in range(N)]
    given = {"device": device}, torch.arange(N), torch.zeros(N).long(), doubted
    assert shared_values(*given)
    assert not shared_values(*given, group)
    # Eight of ten of the device are no chance; what is told counts samples.
    doubted = torch.isin(group, torch.arange(8))
    device = ["b" if i // 15 < 10 else "a" for i in range(N)]
    (found,) = shared_values({"device": device}, torch.arange(N), given[2], doubted, group)
    counts = (found.doubted, found.of_doubted, found.having, found.of_samples)
    assert counts == (120, 120, 150, N)
    table = [[8, 0], [2, 30]]
    assert found.p == pytest.approx(2 * fisher_exact(table, "greater").pvalue, rel=1e-9)
    # Where a device has one window of each recording, its windows are what counts.
    window = [f"d{i % 15}" for i in range(N)]
    of_one = (torch.arange(N) % 15 == 3) & (torch.arange(N) < 450)
    (found_there,) = shared_values({"device": window}, torch.arange(N), given[2], of_one, group)
    assert (found_there.value, found_there.doubted, found_there.having) == ("d3", 30, 40)
    # Half of a recording or more counts as the recording.
    partly = doubted & (torch.arange(N) % 15 < 8)
    (half,) = shared_values({"device": device}, torch.arange(N), given[2], partly, group)
    assert half.p == found.p
    assert half.doubted == 64


def test_a_value_that_stands_for_a_class_is_no_surprise():
    """Every doubted sample is of class 1, which alone has the value b and not always."""
    label = (torch.arange(N) < 100).long()
    doubted, device = flags(10, 0, 80)
    assert shared_values({"device": device}, torch.arange(N), label * 0, doubted)
    within = doubted.clone()
    within[80:82] = True
    assert not shared_values({"device": device}, torch.arange(N), label, within)


def test_chance_names_a_value_in_few_of_many_draws():
    g = torch.Generator().manual_seed(0)
    index, label = torch.arange(N), torch.arange(N) % 3
    named = 0
    for _ in range(100):
        columns = {
            name: [f"v{v}" for v in torch.randint(k, (N,), generator=g).tolist()]
            for name, k in (("a", 3), ("b", 10), ("c", 60))
        }
        doubted = torch.rand(N, generator=g) < 0.1
        named += bool(shared_values(columns, index, label, doubted))
    assert named <= 3


def test_classes_are_those_in_which_half_of_the_value_is_doubted():
    label, device = torch.arange(N) % 3, ["b" if i < 90 else "a" for i in range(N)]
    doubted = (torch.arange(N) < 90) & (label != 2)
    columns = {"device": device}
    (found,) = shared_values(columns, torch.arange(N), label, doubted)
    assert found.classes == (0, 1)
    index = torch.tensor([0, 2, 300])
    assert found.explains(columns, index, label[index]).tolist() == [True, False, False]
    assert SharedValue.of_plain(found.plain()) == found


def odd_device(n=900):
    """Wrong labels at random, and a device of which every label looks wrong and is right.

    The device makes samples of one group look like those of the next.
    """
    wrong, device = list(range(5, n, 60)), list(range(0, n, 30))
    columns = {"device": ["b" if i in set(device) else "a" for i in range(5 * n)]}
    by_index = {"device": [columns["device"][i // 5] for i in range(5 * n)]}
    return replace(in_groups([*wrong, *device], n), columns=by_index), wrong, device


def test_a_device_that_makes_all_its_labels_look_wrong_is_told_and_not_suspect():
    view, wrong, device = odd_device()
    told_nothing = suspect_labels(replace(view, columns={}))
    assert set(device) <= set(told_nothing.suspect.nonzero()[:, 0].tolist())
    found = suspect_labels(view)
    (value,) = found.shared
    assert (value.column, value.value) == ("device", "b")
    assert value.classes == (0, 1, 2)
    suspects = set(found.suspect.nonzero()[:, 0].tolist())
    assert suspects >= set(wrong)
    assert len(suspects & set(device)) <= 0.1 * len(device)
    # Nor is it lost: a person is shown which they are, behind the suspects.
    explained = set(found.explained.nonzero()[:, 0].tolist())
    assert len(explained & set(device)) >= 0.9 * len(device)
    assert not explained & suspects
    listed = gather_suspects(found, view, None, None)
    assert [suspect.explained for suspect in listed] == [False] * len(suspects) + [True] * len(
        explained
    )
    assert all(s.suggested != s.label for s in listed)
    # What is suspect is more likely wrong than right, whatever the columns say.
    assert (found.score[found.suspect] >= 0.5).all()


def test_columns_that_say_nothing_change_nothing():
    view = in_groups(range(0, 600, 20), 600)
    columns = {"device": [f"d{(i // 5) % 7}" for i in range(3000)]}
    plain, found = suspect_labels(view), suspect_labels(replace(view, columns=columns))
    assert found.shared == ()
    assert torch.equal(plain.score, found.score)
    assert torch.equal(plain.suspect, found.suspect)


def test_labels_that_a_person_has_looked_at_are_right():
    view = in_groups([0, 7, 25, 44, 59])
    checked = view.traces.index[[7, 44]]
    found = suspect_labels(replace(view, checked=checked))
    assert found.suspect.nonzero()[:, 0].tolist() == [0, 25, 59]
    assert found.score[[7, 44]].tolist() == [0, 0]
    assert torch.equal(found.suggested[[7, 44]], view.traces.label[[7, 44]])


def test_what_is_far_from_all_others_is_not_suspect():
    view = in_groups([0, 7, 25, 44, 59])
    far = int(view.traces.index[7])

    def fetch(asked):
        batch = view.fetch(asked)
        inputs = torch.where((asked == far)[:, None, None], batch.inputs * 9, batch.inputs)
        return replace(batch, inputs=inputs)

    found = suspect_labels(replace(view, fetch=fetch))
    assert found.suspect.nonzero()[:, 0].tolist() == [0, 25, 44, 59]
    assert found.n_far == 1


def test_labels_that_mean_something_else_for_two_values_at_once_are_explained_there_alone():
    """Mail from one region counts the other way round; other labels are wrong here and there."""
    g = np.random.default_rng(0)
    n = 2000
    source = g.choice(["mail", "web", "app"], n)
    region = g.choice(["us", "eu", "asia"], n)
    label = torch.arange(n) % 2
    both = (source == "mail") & (region == "us")
    doubted = torch.from_numpy(np.where(both, g.random(n) < 0.7, g.random(n) < 0.01))
    columns = {"source": source.tolist(), "region": region.tolist(), "day": ["1"] * n}
    found = shared_values(columns, torch.arange(n), label, doubted)
    assert [shared.pairs for shared in found] == [{("source", "mail"), ("region", "us")}]
    for shared in found:
        assert (shared.doubted, shared.having) == (int(doubted[both].sum()), int(both.sum()))
        assert shared.classes == (0, 1)
        assert shared.name in shared.told
        explains = shared.explains(columns, torch.arange(n), label)
        assert torch.equal(explains, torch.from_numpy(both))
        assert SharedValue.of_plain(json.loads(json.dumps(shared.plain()))) == shared
    # What records of earlier versions do not have is nothing.
    old = found[0].plain()
    old.pop("beside")
    assert SharedValue.of_plain(old).beside is None
    # A source that is often wrong, in no region more than in others, explains nothing.
    often = torch.from_numpy(np.where(source == "mail", g.random(n) < 0.3, g.random(n) < 0.01))
    (mail,) = shared_values(columns, torch.arange(n), label, often)
    assert (mail.name, mail.classes) == ("source=mail", ())


def test_windows_of_one_recording_are_no_second_value():
    """Of 40 recordings of a device eight are doubted: one person's are no more than one of them."""
    group = torch.arange(1600) // 8
    device = ["A" if i < 320 else "B" for i in range(1600)]
    person = [f"p{i // 8}" for i in range(1600)]
    doubted = (group < 40) & (group % 5 == 0) | (group == 77)
    given = {"device": device, "person": person}, torch.arange(1600), torch.arange(1600) // 800
    found = shared_values(*given, doubted, group)
    assert [(shared.name, shared.classes) for shared in found] == [("device=A", ())]


def test_a_value_that_explains_by_itself_is_told_alone():
    g = np.random.default_rng(0)
    n = 2000
    device, firmware = g.choice(["A", "B"], n), g.choice(["1", "2", "3", "4", "5"], n)
    doubted = torch.from_numpy(np.where(firmware == "2", g.random(n) < 0.8, g.random(n) < 0.01))
    # Of device A most samples have the firmware.
    firmware[(device == "A") & (g.random(n) < 0.2) & ~doubted.numpy()] = "1"
    columns = {"device": device.tolist(), "firmware": firmware.tolist()}
    found = shared_values(columns, torch.arange(n), torch.arange(n) % 2, doubted)
    assert [shared.name for shared in found if shared.classes] == ["firmware=2"]

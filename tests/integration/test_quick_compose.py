"""Tests compose as Hydra does."""

import pytest
from hydra.errors import HydraException

from tests.integration.conftest import QUICK
from tests.integration.quick_compose import composed, whole_composed

RUN = "+experiment=mnist_repair"


@pytest.mark.parametrize(
    "overrides",
    [
        (RUN, *QUICK),
        ("seed=3", RUN, "study=[faults,patterns]", "study.faults.n_components=[5,8]"),
        (RUN, "influence=tracin", "+mine=3", "repair.budget=${mine}", "~logger"),
        ("+experiment=mnist_rare", "plant=inverted", "repair.strategy=augment"),
        ("+experiment=csv_repair", "datamodule.path='a=b.csv'", "++datamodule.columns=[x,y]"),
    ],
)
def test_values_that_are_set_on_a_copy_are_those_of_hydra(overrides):
    composed(*overrides, "seed=9")
    assert composed(*overrides) == whole_composed(*overrides)


@pytest.mark.parametrize(
    "override", ["repair.budgt=3", "+seed=3", "repare=x", "model=lost", "seed=0,1"]
)
def test_what_hydra_refuses_is_refused(override):
    for compose in (composed, whole_composed):
        with pytest.raises(HydraException):
            compose(RUN, override)

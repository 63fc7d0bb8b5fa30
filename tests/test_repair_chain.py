"""The chain for programs of one's own hands its settings to those who need them."""

from rnnrepair.callbacks import RepairInjection, RepairReport, repair_chain
from rnnrepair.repair import NoRepair


def test_runs_of_a_chain_are_told_apart_by_seed_and_arm():
    """All runs of such programs were recorded as seed 0, and could not be compared."""
    chain = repair_chain(start_epoch=1, strategy=NoRepair(), seed=7, arm="longer")
    (injection,) = (c for c in chain if isinstance(c, RepairInjection))
    (report,) = (c for c in chain if isinstance(c, RepairReport))
    assert injection.seed == report.seed == 7
    assert report.arm == "longer"

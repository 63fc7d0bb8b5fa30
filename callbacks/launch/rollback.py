"""Takes rounds of a repair out of the checkpoint of a run."""

from collections.abc import Mapping
from typing import Any

from rnnrepair.callbacks.launch.finished import inject_again
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError
from rnnrepair.repair import StopReason, ledger_of, ledger_text, rounds_held, taken_back


def without_rounds(
    saved: Mapping[str, Any], datamodule: Any, first: int
) -> tuple[dict[str, Any], int]:
    """Return a checkpoint whose data lack round ``first`` and all later ones.

    Its weights are those of ``saved``, which were trained on what is taken back: training has to go
    on for the network to let go of it. No round is made any more.

    Args:
        saved: checkpoint of a run; not changed.
        datamodule: of the run, as it came; holds the data of the checkpoint afterwards.
        first: number of the round, from 1.

    Returns:
        The checkpoint, and the number of changes that are taken back.

    Raises:
        ConfigurationError: no such round has changed anything.
        IncompatibleCheckpointError: the run has repaired nothing.
    """
    repair = saved.get("callbacks", {}).get(RepairInjection.__qualname__)
    if repair is None:
        raise IncompatibleCheckpointError(
            "The run has no ledger: it was trained without a repair, so there is no round."
        )
    ledger = ledger_of(repair["ledger"])
    held = rounds_held(ledger)
    if not any(number >= first for number in held):
        raise ConfigurationError(
            f"round={first}: the rounds that have changed the data and hold are {held or 'none'}."
        )
    inject_again(datamodule, saved)
    for _ in range(sum(number >= first for number in held)):
        datamodule.take_back()
    gone = [row for row in ledger if row.holds and row.round >= first]
    data = datamodule.state_dict()
    if data["n_originals"] is not None:
        # As many steps as before: originals are drawn in the place of what was injected.
        data["n_originals"] += sum(row.injected for row in gone)
    left = ledger_text(taken_back(ledger, first, saved["epoch"] + 1))
    campaign = {**repair["campaign"], "stopped": StopReason.TAKEN_BACK.value}
    callbacks = {
        **saved["callbacks"],
        RepairInjection.__qualname__: {**repair, "ledger": left, "campaign": campaign},
    }
    return {**saved, type(datamodule).__qualname__: data, "callbacks": callbacks}, len(gone)

"""Training samples that are copies of failures with another label, as a file of corrections."""

import pandas as pd

from rnnrepair.influence import LabelDoubt
from rnnrepair.protocols import names_of_samples
from rnnrepair.sequences import Names
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.traces import Traces


def copy_table(run: FinishedRun, failures: Traces, doubt: LabelDoubt) -> pd.DataFrame:
    """Return a row for each near copy of a failure that training holds with another label.

    Once somebody has written drop or relabel into ``action``, the table is what data modules take
    as ``corrections``. Relabelled, a copy gets the label of the failure (``suggested``).

    Args:
        run: whose network fails.
        failures: M of them.
        doubt: of their labels.
    """
    names, samples = Names.of(run.data.spec), names_of_samples(run.data)
    row, column = (doubt.copies >= 0).nonzero(as_tuple=True)
    copy, of = doubt.copies[row, column], failures.index[row]
    label = run.data.fetch(copy).label if len(copy) else copy
    called = [names.of_class(c) for c in label.tolist()]
    table = pd.DataFrame(
        {
            "index": copy.tolist(),
            "name": samples.of(copy),
            "label": called,
            "suggested": [names.of_class(c) for c in failures.label[row].tolist()],
            "label_was": called,
            "copy_of": of.tolist(),
            "copy_of_name": samples.of(of),
        }
    )
    # Of several failures that it is a copy of, the first stands for all.
    return table.drop_duplicates("index").assign(action="")

"""Find out why a recurrent classifier fails, and repair it while it trains.

Rooms, in the order in which the data flows: ``traces`` (hidden states of every sequence),
``abstraction`` (hidden states to abstract states), ``influence`` (failures to training samples),
``repair`` (training samples to repair samples), ``report`` (what happened, for people).
"""

__version__ = "0.1.0"

"""Declares what a reading of an energy counter can be that does not simply go on from the one before."""

from typing import Literal

Note = Literal["large_step", "restart", "overflow", "dip", "spike", "return", "set_back", "jump"]

NOTES: dict[Note, str] = {
    "large_step": "much since the reading before; the device's own power explains it",
    "restart": "begins again near zero; adds its own value",
    "overflow": "passed the largest number that it can show; adds the rest",
    "dip": "lower for a while; adds nothing",
    "spike": "higher for a while; adds nothing",
    "return": "back after a dip or spike; adds the difference across it",
    "set_back": "lower, not from zero, and goes on from there; adds nothing",
    "jump": "higher level that nothing leads to, as of another plug; adds nothing",
}
"""Each note with its meaning."""

ADDS_NOTHING = frozenset[Note]({"dip", "spike", "set_back", "jump"})
"""Notes of readings that are not believed."""

"""Defines the people of sites.yaml: who may see which homes and when, and what residents consent to."""

from datetime import date
from typing import Literal

from pydantic import (
    Field,
)

from domotic_assets.registry.entry import Entry, Identifier


class Consents(Entry):
    """What a resident lets a non-resident owner see; nothing by default."""

    presence_to_owner: bool = False
    daily_energy_to_owner: bool = False


class Person(Entry):
    """A person who may see data. `user` is an opaque login id, never a name.

    An admin may do everything, a viewer sees all that an admin sees and changes nothing.
    """

    user: Identifier
    role: Literal["admin", "viewer", "owner", "renter", "technician"]
    homes: tuple[str, ...] = ()
    since: date | None = Field(default=None, alias="from")
    until: date | None = Field(default=None, alias="to")
    lives_there: bool = False
    consents: Consents = Consents()

"""Works out what each person of sites.yaml sees by the matrix: homes, local dates, minutes.

A scope results in row filters that any store can apply; how it applies them belongs to the store.
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from domotic_assets.errors import ConfigurationError
from domotic_assets.localtime import zone
from domotic_assets.registry.homes import Home
from domotic_assets.registry.people import Person
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.serve.people.matrix import MATRIX, WITHHELD, Reach, Role
from domotic_assets.serve.publish import ADMIN

_NO_USER = re.compile(rf"{ADMIN}|.*-\d{{6,}}")
_LAST_DAY_IS = timedelta(hours=24)


@dataclass(frozen=True, order=True)
class Span:
    """Local dates from `since` until the day before `until`."""

    since: date = date.min
    until: date = date.max

    def within(self, other: "Span") -> "Span":
        """Return the dates that are in both spans; may be an empty span."""
        return Span(max(self.since, other.since), min(self.until, other.until))

    def without(self, other: "Span") -> "tuple[Span, ...]":
        """Return the dates that are not in the other span, as none, one or two spans."""
        before, after = (
            Span(self.since, min(self.until, other.since)),
            Span(max(self.since, other.until), self.until),
        )
        return tuple(part for part in (before, after) if part)

    def __bool__(self) -> bool:
        return self.since < self.until


@dataclass(frozen=True)
class HomeRole:
    """A person's role in one home, by one entry of sites.yaml.

    provider: of the home's tariff. span: the entry's local dates. presence, daily_energy: its dates on which
    everybody who lives there consents to show these to an owner who does not live there.
    """

    role: Role
    home: str
    time_zone: str
    provider: str | None
    span: Span
    presence: tuple[Span, ...] = ()
    daily_energy: tuple[Span, ...] = ()

    def spans(self, reach: Reach, newest: datetime) -> tuple[Span, ...]:
        """Return the local dates on which this role sees rows of a table with this reach.

        newest: the UTC minute of the newest data; its local date counts as today.
        """
        today = self._today(newest)
        if reach is Reach.NOTHING:
            return ()
        if reach in (Reach.ALL, Reach.HOMES):
            return (Span(),)
        if reach is Reach.MONTHS:
            return (self.span.within(Span(until=today.replace(day=1))),)
        if reach is Reach.PRESENCE_IF_CONSENTED:
            return self.presence
        if reach is Reach.DAYS_IF_CONSENTED:
            return tuple(span.within(Span(until=today)) for span in self.daily_energy)
        return (self.span,)

    def covers(self, newest: datetime) -> bool:
        """Return whether the entry is valid on the local date of the newest data."""
        return self.span.since <= self._today(newest) < self.span.until

    def _today(self, newest: datetime) -> date:
        """Return the local date of the home at the UTC minute `newest`."""
        return newest.astimezone(zone(self.time_zone)).date()


@dataclass(frozen=True, order=True)
class RowFilter:
    """Rows of one home with first_date_key <= date_key < end_date_key, and datetime_key > after_minute."""

    apartment_key: int
    first_date_key: int
    end_date_key: int
    after_minute: int = 0


@dataclass(frozen=True)
class Cut:
    """What a scope sees of a table or mart: rows in any of the windows, and these providers' tariffs.

    Rows of a weather site are seen on all dates if it is of one of the windows' homes. Rows that belong to
    no home are all seen.
    """

    windows: tuple[RowFilter, ...]
    providers: frozenset[str] = frozenset()

    @property
    def apartment_keys(self) -> tuple[int, ...]:
        """Keys of the windows' homes, sorted."""
        return tuple(sorted({window.apartment_key for window in self.windows}))


@dataclass(frozen=True)
class Scope:
    """What one person sees: the sum of their entries in sites.yaml."""

    user: str
    home_roles: tuple[HomeRole, ...]

    def cut(self, name: str, newest: datetime) -> Cut | None:
        """Return which rows the person sees of a Gold table or mart; None if it is not published for them.

        The cut holds ranges of dates and minutes for each home, and the providers whose tariffs are seen.
        newest: the UTC minute of the newest data. It counts as the present: days and months that are over,
        and the last 24 hours, are counted from it.
        """
        rule = MATRIX[name]
        windows: set[RowFilter] = set()
        providers: set[str] = set()
        seen = False
        for home_role in self.home_roles:
            reach = rule.reach(home_role.role)
            spans = home_role.spans(reach, newest)
            seen |= bool(spans)
            windows |= {_window(home_role, span, reach, newest) for span in spans if span}
            providers |= {home_role.provider} if spans and home_role.provider is not None else set()
        return Cut(tuple(sorted(windows)), frozenset(providers)) if seen else None

    def cut_for(self, mart: str, table: str, newest: datetime) -> Cut | None:
        """Return what a mart may read of a Gold table; None if nothing."""
        reads_file = any(MATRIX[mart].reach(home_role.role) is Reach.FILE for home_role in self.home_roles)
        return self.cut(table if reads_file else mart, newest)

    def homes_shown(self, table: str, column: str) -> tuple[int, ...] | None:
        """Return keys of the homes whose rows show a column; None if it is withheld from no role."""
        denied = WITHHELD.get((table, column))
        if denied is None:
            return None
        return tuple(sorted({surrogate_key(s.home) for s in self.home_roles if s.role not in denied}))

    def homes_lived_in(self, newest: datetime) -> tuple[int, ...]:
        """Return keys of the homes where the person lives on the date of the newest data."""
        lived_in = (s for s in self.home_roles if s.role in _RESIDENTS and s.covers(newest))
        return tuple(sorted({surrogate_key(home_role.home) for home_role in lived_in}))

    def definition(self, definition: str, checks: Iterable[object] = ()) -> str:
        """Hash all that decides this person's file besides the data.

        definition: the hash that the admin's file states. checks: the failing ones that the person sees.
        """
        rights = repr((definition, *checks, sorted(MATRIX.items()), sorted(WITHHELD.items()), self))
        return hashlib.sha256(rights.encode()).hexdigest()


def scopes_of(registry: Registry) -> tuple[Scope, ...]:
    """Build one scope for each person except admins and viewers, who see everything, sorted by login id.

    Raises ConfigurationError for a login id that cannot name a file.
    """
    see_all = {person.user for person in registry.people if person.role in ("admin", "viewer")}
    home_roles: dict[str, list[HomeRole]] = {}
    for place, person in enumerate(registry.people):
        if person.user in see_all:
            continue
        if _NO_USER.fullmatch(person.user):
            raise ConfigurationError(
                "this login id cannot name a published file",
                where=f"sites.yaml: people.{place}.user",
                expected=f"an id other than {ADMIN!r} that does not end in a hyphen and six or more digits",
                remedy="give the person another id",
            )
        home_roles.setdefault(person.user, []).extend(_home_roles(registry, person))
    return tuple(Scope(user, tuple(held)) for user, held in sorted(home_roles.items()))


def _home_roles(registry: Registry, person: Person) -> list[HomeRole]:
    """Return the roles that one entry of sites.yaml gives a person, one for each of its homes."""
    homes = {home.id: home for home in registry.homes}
    return [_home_role(registry, person, homes[name]) for name in person.homes]


def _home_role(registry: Registry, person: Person, home: Home) -> HomeRole:
    """Build the role that one entry of sites.yaml gives a person in a home, with the residents' consents."""
    span = _span(person)
    residents = [
        other
        for other in registry.people
        if other.user != person.user and home.id in other.homes and _role(other) in _RESIDENTS
    ]
    return HomeRole(
        _role(person),
        home.id,
        home.time_zone,
        home.tariff,
        span,
        _consented(span, residents, "presence_to_owner"),
        _consented(span, residents, "daily_energy_to_owner"),
    )


_RESIDENTS = (Role.RESIDENT_OWNER, Role.RENTER)


def _role(person: Person) -> Role:
    """Return what a person is to a home. An owner's role depends on whether the owner lives there."""
    if person.role == "owner":
        return Role.RESIDENT_OWNER if person.lives_there else Role.OWNER
    return Role.RENTER if person.role == "renter" else Role.TECHNICIAN


def _span(person: Person) -> Span:
    """Return the local dates on which a person's entry is valid; without a limit where it gives none."""
    return Span(person.since or date.min, person.until or date.max)


def _consented(
    span: Span, residents: Collection[Person], consent: Literal["presence_to_owner", "daily_energy_to_owner"]
) -> tuple[Span, ...]:
    """Return the dates of a span on which a resident who consents lives there, and none who does not."""
    agreed = {_span(person).within(span) for person in residents if getattr(person.consents, consent)}
    refused = [_span(person) for person in residents if not getattr(person.consents, consent)]
    for refusal in refused:
        agreed = {part for one in agreed for part in one.without(refusal)}
    return tuple(sorted(one for one in agreed if one))


def _window(home_role: HomeRole, span: Span, reach: Reach, newest: datetime) -> RowFilter:
    """Make the filter for a home's rows on the dates of a span; for LAST_DAY only 24 h up to `newest`."""
    after = int((newest - _LAST_DAY_IS).strftime("%Y%m%d%H%M")) if reach is Reach.LAST_DAY else 0
    return RowFilter(surrogate_key(home_role.home), _date_key(span.since), _date_key(span.until), after)


def _date_key(day: date) -> int:
    """Return a date as a whole number, YYYYMMDD."""
    return day.year * 10_000 + day.month * 100 + day.day

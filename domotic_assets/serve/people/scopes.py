"""Works out what each person of sites.yaml sees by the matrix: homes, local dates, minutes.

A scope results in row filters that any store can apply; how it applies them belongs to the store.
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from domotic_assets.errors import ConfigurationError
from domotic_assets.localtime import local_day_bounds, zone
from domotic_assets.registry.homes import Home
from domotic_assets.registry.people import Person
from domotic_assets.registry.registry import Registry, Tunables
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

        newest: the UTC minute of the newest data; its local date counts as today. A month is over once the
        entry's dates are, too: its figure no longer grows.
        """
        today = self.today(newest)
        over = date.max
        if reach is Reach.MONTHS and today < self.span.until:
            over = today.replace(day=1)
        elif reach is Reach.DAYS_IF_CONSENTED:
            over = today
        return tuple(span.within(Span(until=over)) for span in self.granted(reach))

    def granted(self, reach: Reach) -> tuple[Span, ...]:
        """Return the local dates that the entry gives of a table with this reach, whatever data there is."""
        if reach is Reach.NOTHING:
            return ()
        if reach is Reach.PRESENCE_IF_CONSENTED:
            return self.presence
        return self.daily_energy if reach is Reach.DAYS_IF_CONSENTED else (self.span,)

    def has_begun(self, newest: datetime) -> bool:
        """Return whether the entry's dates have begun by the local date of the newest data."""
        return self.span.since <= self.today(newest)

    def covers(self, newest: datetime) -> bool:
        """Return whether the entry is valid on the local date of the newest data."""
        return self.has_begun(newest) and self.today(newest) < self.span.until

    def today(self, newest: datetime) -> date:
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

    Windows begin with the data: an entry that begins later has none yet. present: keys of the homes where the
    person's dates go on, by entries that see this table; of any other, what is known as of today alone is not
    seen. going_on: the windows of these entries. active: the part of the windows in which a reading makes a
    device active.
    """

    windows: tuple[RowFilter, ...]
    providers: frozenset[str] = frozenset()
    present: frozenset[int] = frozenset()
    active: tuple[RowFilter, ...] = ()
    going_on: tuple[RowFilter, ...] = ()

    @property
    def apartment_keys(self) -> tuple[int, ...]:
        """Keys of the windows' homes, sorted."""
        return tuple(sorted({window.apartment_key for window in self.windows}))


Grant = tuple[str, str, int, int, int]
"""A right: table or mart, reach, home key, first date key, and the date key after the last."""


@dataclass(frozen=True)
class Scope:
    """What one person sees: the sum of their entries in sites.yaml.

    active_days: a device is active with a reading in so many last days.
    """

    user: str
    home_roles: tuple[HomeRole, ...]
    active_days: int = Tunables().active_days

    def cut(self, name: str, newest: datetime) -> Cut | None:
        """Return which rows the person sees of a Gold table or mart; None if it is not published for them.

        The cut holds ranges of dates and minutes for each home, and the providers whose tariffs are seen.
        newest: the UTC minute of the newest data. It counts as the present: days and months that are over,
        and the last 24 hours, are counted from it.
        """
        rule = MATRIX[name]
        seeing = [held for held in self.home_roles if rule.reach(held.role) is not Reach.NOTHING]
        present = {held.home for held in seeing if held.covers(newest)}
        active_from = self._active_from(newest, present)
        windows: set[RowFilter] = set()
        going_on: set[RowFilter] = set()
        providers: set[str] = set()
        seen = False
        for home_role in seeing:
            reach = rule.reach(home_role.role)
            spans = home_role.spans(reach, newest)
            seen |= bool(spans)
            begun = [span for span in spans if span and span.since <= home_role.today(newest)]
            shown = {_window(home_role, span, reach, newest) for span in begun}
            windows |= shown
            if home_role.covers(newest):
                going_on |= shown
                if begun and home_role.provider is not None:
                    providers.add(home_role.provider)
        active = [
            replace(window, first_date_key=max(window.first_date_key, active_from[window.apartment_key]))
            for window in windows
        ]
        keys = frozenset(map(surrogate_key, present))
        if not seen:
            return None
        return Cut(
            tuple(sorted(windows)),
            frozenset(providers),
            keys,
            tuple(sorted(active)),
            tuple(sorted(going_on)),
        )

    def _active_from(self, newest: datetime, present: Collection[str]) -> dict[int, int]:
        """Return, by home key, the first date key of a reading that makes a device active.

        Counted back from the date of the newest data for homes in `present`, else from the end of the last
        entry.
        """
        ends: dict[str, date] = {}
        for home_role in self.home_roles:
            if home_role.has_begun(newest):
                today = home_role.today(newest)
                end = today if home_role.home in present else home_role.span.until
                ends[home_role.home] = max(end, ends.get(home_role.home, date.min))
        days = timedelta(days=self.active_days)
        return {surrogate_key(home): _date_key(end - days) for home, end in ends.items()}

    def grants(self) -> frozenset[Grant]:
        """Return all rights that the entries give, whatever data there is."""
        return frozenset(
            (name, str(reach), surrogate_key(held.home), _date_key(span.since), _date_key(span.until))
            for name, rule in MATRIX.items()
            for held in self.home_roles
            for reach in [rule.reach(held.role)]
            for span in held.granted(reach)
        )

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

    def moved_in(self, newest: datetime) -> dict[object, datetime]:
        """Return, by key, the homes where the person lives on the date of the newest data, and since when.

        The moment is in UTC, without a zone; `datetime.min` if the entry has no first date.
        """
        found: dict[object, datetime] = {}
        for held in self.home_roles:
            if held.role in _RESIDENTS and held.covers(newest):
                key, since = surrogate_key(held.home), datetime.min
                if held.span.since > date.min:
                    since = local_day_bounds(held.span.since, held.time_zone)[0].replace(tzinfo=None)
                found[key] = min(since, found.get(key, since))
        return found

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
    days = registry.settings.active_days
    return tuple(Scope(user, tuple(held), days) for user, held in sorted(home_roles.items()))


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

"""Finds the rows of the lake that belong to a home, even one that sites.yaml no longer lists.

Then only the lake tells what belonged to the home: its files have its id and, in their names, its feed user,
which leads to its building in the register. Each table declares the columns that name a row's owner
(`Table.owner_columns`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from domotic_assets.domains.homes.bronze.landing import user_of
from domotic_assets.domains.register.buildings import leads_to, rooms_of_buildings
from domotic_assets.errors import QueryError
from domotic_assets.flow.workspace import Workspace
from domotic_assets.lake.traces import Needles
from domotic_assets.same_name import accent_forms, name_key
from domotic_assets.schemas import ALL_TABLES, register
from domotic_assets.schemas.homes import bronze, gold, silver
from domotic_assets.schemas.register import SILVER_REGISTER, SILVER_REGISTER_HISTORY
from domotic_assets.schemas.table import Table, surrogate_key


@dataclass(frozen=True)
class HomeIds:
    """The ids and names by which a home is known.

    users: its feed users. names: what people call it. rooms, devices: natural ids. buildings: ids of its
    buildings in the register. register_rooms: ids of the register's rooms in these buildings.
    """

    home: str
    users: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    rooms: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    buildings: frozenset[int] = frozenset()
    register_rooms: frozenset[int] = frozenset()

    @property
    def keys(self) -> frozenset[int]:
        """The surrogate keys of the home, its rooms and its devices."""
        return frozenset(map(surrogate_key, (self.home, *self.rooms, *self.devices)))

    @property
    def needles(self) -> Needles:
        """Search terms that no file may contain once the home is forgotten."""
        return Needles([self.home, *self.names], _spelled(self.users), self.keys)


@dataclass(frozen=True)
class HomeRows:
    """Selects the rows that belong to a home. files: ids of its files in bronze."""

    ids: HomeIds
    files: pl.Series = field(repr=False)

    def mine(self, table: Table, rows: pl.DataFrame) -> pl.Series:
        """Return, for each row, whether it belongs to the home."""
        if not table.owner_columns:
            # Bronze's register holds a changed row as JSON.
            return leads_to(rows, self.ids.buildings, self.ids.register_rooms)
        # Compare with the home's many files only if a row has no home, which is rare.
        has_strays = _may_have_strays(table) and rows["home"].null_count() > 0
        condition = self.condition(table) if has_strays else self._owned(table)
        return rows.select(mine=condition).to_series()

    def condition(self, table: Table) -> pl.Expr:
        """Return an expression: whether a row belongs to the home. Not for bronze's register."""
        if not _may_have_strays(table):
            return self._owned(table)
        # A row has no home if sites.yaml did not list the home when it was read: match it by its file's id.
        return self._owned(table) | (
            pl.col("home").is_null() & pl.col("file_id").is_in(self.files.implode())
        ).fill_null(False)

    def _owned(self, table: Table) -> pl.Expr:
        """Return an expression: whether a row names the home, or a room, device or building of it."""
        keys = list(self.ids.keys)
        owners: dict[str, Iterable[Any]] = {
            "home": [self.ids.home],
            "apartment_key": keys,
            "room_key": keys,
            "device_key": keys,
            "id_building": self.ids.buildings,
            "id_room": self.ids.register_rooms,
        }
        found = [
            pl.col(name).is_in(pl.Series(list(owners[name]), dtype=table.schema[name]).implode())
            for name in table.owner_columns
        ]
        return pl.any_horizontal(found).fill_null(False)


def owned_tables() -> list[Table]:
    """Return the tables whose rows each belong to a home, from the files received to Gold."""
    return [table for table in ALL_TABLES.values() if table.is_owned]


def _may_have_strays(table: Table) -> bool:
    """Return whether rows of a table may name a file but no home."""
    return "file_id" in table.schema and table.column("home").nullable


def rows_of_home(work: Workspace, home: str) -> HomeRows:
    """Find a home's ids and files in the lake and sites.yaml; raises QueryError if neither knows the home."""
    users, files = _users_and_files(work, home)
    devices = work.lake.read(silver.DEVICES, where=pl.col("home") == home, columns=["room", "device"])
    apartments = work.lake.read(gold.DIM_APARTMENT, where=pl.col("apartment_id") == home)
    entry = next((one for one in work.registry.homes if one.id == home), None)
    if entry is None and files.is_empty() and devices.is_empty() and apartments.is_empty():
        raise QueryError(
            f"the lake holds nothing of a home {home!r}",
            where=work.lake.root,
            expected="the id that the home has or had in sites.yaml",
            remedy="look at the spelling, and at --lake",
        )
    rooms = work.lake.read(gold.DIM_ROOM, where=pl.col("apartment_key") == surrogate_key(home))
    known_devices = work.lake.read(
        gold.DIM_DEVICE,
        where=pl.col("room_key").is_in(rooms["room_key"].implode()),
        columns=["device_id"],
    )
    if entry is not None:
        users |= {entry.feed_user}
    buildings = _buildings(work, home, users) | set(apartments["building_id"].drop_nulls())
    ids = HomeIds(
        home,
        frozenset(users),
        frozenset(set(apartments["name"]) - {other.name for other in work.registry.homes} - {home}),
        frozenset({*devices["room"], *rooms["room_id"]}),
        frozenset({*devices["device"], *known_devices["device_id"]}),
        frozenset(buildings),
        frozenset(rooms_of_buildings(work.lake.read(register.REGISTER_ROWS), buildings)),
    )
    return HomeRows(ids, pl.concat([files, _files_without_home(work, users)]).unique())


def rows_still_there(work: Workspace, ids: HomeIds) -> HomeRows:
    """Find a home's remaining rows and files, by the ids that were noted when its erasure began."""
    _, files = _users_and_files(work, ids.home)
    return HomeRows(ids, pl.concat([files, _files_without_home(work, ids.users)]).unique())


def _users_and_files(work: Workspace, home: str) -> tuple[set[str], pl.Series]:
    """Return the feed users of a home's files, and the ids of these files."""
    files = work.lake.read(bronze.SENSOR_FILES, where=pl.col("home") == home, columns=["file_id", "name"])
    return _users(work, home, files["name"]), files["file_id"]


def _users(work: Workspace, home: str, names: pl.Series) -> set[str]:
    """Return the feed users of a home's files, from the names or, if a name has none, from the content."""
    named = {name: user_of(name) for name in names.unique()}
    users = {user for user in named.values() if user is not None}
    if odd := [name for name, user in named.items() if user is None]:
        mine = (pl.col("home") == home) & pl.col("name").is_in(odd)
        for name, content in work.lake.read(
            bronze.SENSOR_FILES, where=mine, columns=["name", "content"]
        ).iter_rows():
            users.add(user_of(name, content or b"") or "")
    return users - {""}


def _files_without_home(work: Workspace, users: Iterable[str]) -> pl.Series:
    """Return ids of bronze files without a home whose name or content mentions one of these feed users."""
    needles = Needles((), _spelled(users), ())
    strays = work.lake.read(
        bronze.SENSOR_FILES, where=pl.col("home").is_null(), columns=["file_id", "name", "content"]
    )
    found = [
        file_id
        for file_id, name, content in strays.iter_rows()
        if users and (needles.in_text(name) or needles.in_bytes(content or b""))
    ]
    return pl.Series(found, dtype=pl.String)


def _spelled(users: Iterable[str]) -> frozenset[str]:
    """Return these feed users in each form of their accents, as bytes are searched for them."""
    return frozenset[str]().union(*map(accent_forms, users))


def _buildings(work: Workspace, home: str, users: Iterable[str]) -> set[int]:
    """Return ids of buildings that silver ever joined to the home, or that bronze names like a feed user."""
    found: set[int] = set()
    for tables in (SILVER_REGISTER, SILVER_REGISTER_HISTORY):
        joined = work.lake.read(tables["buildings"], where=pl.col("home") == home, columns=["id_building"])
        found |= set(joined["id_building"])
    spoken = set(map(name_key, users))
    of_buildings = work.lake.read(register.REGISTER_ROWS, where=pl.col("table") == "buildings")
    names = pl.concat([of_buildings["before"], of_buildings["after"]]).drop_nulls().unique()
    described = pl.DataFrame({"row": names}).select(
        building=pl.col("row").str.json_path_match("$.idBuilding").cast(pl.Int64),
        name=pl.col("row")
        .str.json_path_match("$.houseName")
        .map_elements(name_key, return_dtype=pl.String, skip_nulls=True),
    )
    return found | set(described.filter(pl.col("name").is_in(spoken))["building"].drop_nulls())

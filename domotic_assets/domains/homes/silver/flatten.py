"""Flattens bronze file versions into clean events, rejects and one status row per file version.

Pure: frames in, frames out. The caller decides which files and minutes a run works on. What a value means is
decided in `shape`, whether it fits in `judgement`, and what bytes mean in `document`. Files of a frequent
structure go through a `decoder`, with the same result.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any

import polars as pl

from domotic_assets.domains.homes.bronze.names import NameReader
from domotic_assets.domains.homes.silver.bulk import (
    NOTHING_TAKEN,
    Batch,
    Taken,
    files_of,
    minutes_of,
    with_more_quotes,
)
from domotic_assets.domains.homes.silver.decoder import Decoder, decoder_of
from domotic_assets.domains.homes.silver.document import MOST_BYTES, Unreadable, read_document
from domotic_assets.domains.homes.silver.events import candidates_in, superseded_among, without
from domotic_assets.domains.homes.silver.header import (
    header_secrets,
    own_secrets_of,
    read_local,
    sender_secrets_of,
    unix_times,
)
from domotic_assets.domains.homes.silver.judgement import (
    REFUSED,
    SPOKEN,
    Beside,
    Group,
    judge,
    passes_as_value,
)
from domotic_assets.domains.homes.silver.minute import Evidence, Reading, reading_of
from domotic_assets.domains.homes.silver.neighbours import with_units
from domotic_assets.domains.homes.silver.ordering import Ordered, events_of, in_order
from domotic_assets.domains.homes.silver.repeats import may_repeat_keys, repeated_keys, without_repeats
from domotic_assets.domains.homes.silver.shape import Interpreted, Leaf, Naming, Shape, interpret, split_all
from domotic_assets.ingest.harmless import shown_text
from domotic_assets.ingest.secrets import NO_SECRETS, Secrets
from domotic_assets.registry.homes import Home
from domotic_assets.registry.registry import Registry
from domotic_assets.same_name import name_key
from domotic_assets.schemas.homes.silver import SENSOR_FILES
from domotic_assets.schemas.refusals import REJECTS
from domotic_assets.schemas.table import UTC_TIME, as_texts

_FIRST, _LAST = (moment.replace(tzinfo=UTC) for moment in (datetime.min, datetime.max))
"""Bounds of a date: a last write of the year 10000 is taken for the last moment of 9999."""

MOST_VALUES = 5_000
"""Most values of one file. A sensor file has some hundred; each costs about 0.1 ms, and a file must not delay
the others."""

ALIKE_BEFORE_DECODER = 100
"""Files of one structure read one by one before a decoder is made, which costs as much as these."""
MOST_DECODERS = 8
"""Most decoders of homes that spell their rooms alike: a file that none of them reads was tried with each."""

CONTENTS_AT_ONCE = 128
"""Files whose bytes are copied together: half a megabyte, which stays in the caches until it is read."""


@dataclass(frozen=True)
class Flattened:
    """The result of flattening file versions.

    events: SENSOR_EVENTS plus `file`, the row of its file in `files`; texts that repeat are categories. One
    row per accepted reading, by minute, device and variable. rejects: REJECTS. files: SENSOR_FILES, one row
    per file version. sources: arrived_at and name of each of these. shared_minutes: the minutes in which a
    device and variable may occur more than once, as two files have them.
    """

    events: pl.DataFrame
    rejects: pl.DataFrame
    files: pl.DataFrame
    sources: pl.DataFrame
    shared_minutes: pl.Series

    def counting(self) -> "Flattened":
        """Keep only the events that count, as `events.merge` does; shared_minutes is empty afterwards."""
        if self.shared_minutes.is_empty():
            return self
        lost = superseded_among(self._with_sources(candidates_in(self.events, self.shared_minutes)))
        return replace(self, events=without(lost, self.events), shared_minutes=self.shared_minutes.clear())

    def events_with_sources(self) -> pl.DataFrame:
        """Return SENSOR_EVENTS plus `arrived_at` and `name`, which decide which of two events counts."""
        return as_texts(self._with_sources(self.events).drop("file"))

    def _with_sources(self, events: pl.DataFrame) -> pl.DataFrame:
        """Add `arrived_at` and `name` of each event's file."""
        return pl.concat([events, self.sources[events["file"]]], how="horizontal")


@dataclass(slots=True)
class _File:
    """A file version while it is read value by value."""

    number: int
    home: Home | None = None
    minute: datetime | None = None
    time_source: str | None = None
    time_note: str | None = None
    status: str = "quarantined"
    reason: str | None = None
    secrets: Secrets = NO_SECRETS
    """Beside which its texts must pass."""


_Scope = tuple[tuple[tuple[str, str], ...], str]
"""Key of a spelling to room id, and the key of hidden names: whose plans of a shape are the same.

Homes that spell their rooms alike share the plans of shapes that hide no name: these have no key.
"""


@dataclass(slots=True)
class _Plan:
    """A shape interpreted for a scope; valid for files whose user and token do not overlap its free names.

    decoder: made from the last document of this shape that needed one.
    """

    scope: _Scope
    interpreted: Interpreted
    decoder: Decoder | None = None


@lru_cache(maxsize=64)
def _plan(scope: _Scope, shape: Shape) -> _Plan:
    """Interpret a shape as a plan, which is cached for the files to come."""
    rooms, key = scope
    return _Plan(scope, interpret(shape, "", Naming(dict(rooms), key)))


@dataclass(slots=True)
class _Sent:
    """What is known of a shape that a home sends: its plan, and the group and first leaf of its files.

    places: by the secrets of user and token, and whether a secret of the file is a number.
    """

    plan: _Plan
    places: dict[tuple[Secrets, bool], tuple[Group, int]]


def flatten(versions: pl.DataFrame, registry: Registry) -> Flattened:
    """Flatten file versions into events, rejects and statuses.

    versions: file_id, name, arrived_at, modified_at, window, window_source, home and content, one row per
    file version; of each (name, window) either all versions or none. Of one name only the latest readable
    version counts; the others are returned as superseded or quarantined.
    """
    newest_first = versions.sort("name", "window", "arrived_at", descending=[False, False, True])
    work = _Flattening(registry, newest_first)
    work.read()
    return work.result()


class _Flattening:
    """Collects files by shape, so that values are judged as whole columns.

    A file is identified by its number, which is its row among the given versions.
    """

    def __init__(self, registry: Registry, versions: pl.DataFrame) -> None:
        self._homes = {home.id: home for home in registry.homes}
        self._versions = versions
        self._facts = versions.select(
            "name", "window", "window_source", pl.col("modified_at").clip(_FIRST, _LAST), "home"
        )
        self._users = registry.home_of_user()
        self._shared = Secrets.of({home.feed_user for home in registry.homes})
        self._beside: dict[Secrets, Secrets] = {}
        self._rooms = {home.id: tuple(sorted(home.room_ids().items())) for home in registry.homes}
        self._reader = NameReader(self._users, registry.history_start)
        self._files: dict[int, _File] = {}
        self._settled: tuple[str, datetime] | None = None
        # Files that decoders read.
        self._taken = NOTHING_TAKEN
        self._doubtful: list[int] = []
        self._batches: dict[_Scope, list[Batch]] = defaultdict(list)
        self._latest: dict[str | None, Batch] = {}
        self._groups: dict[tuple[_Scope, Secrets, bool, Shape], Group] = {}
        self._sent: dict[tuple[str, Shape], _Sent] = {}
        self._leaves: list[Leaf] = []
        # Numbers of leaves and their homes: each leaf of a shape once for each home that sends it.
        self._named: tuple[list[int], list[str]] = ([], [])

    def read(self) -> None:
        """Read all file versions, each with the decoder that read the home's file before it, if that can."""
        homes = self._homes_of_plain_files()
        first = 0
        for part in self._versions.select("content").iter_slices(CONTENTS_AT_ONCE):
            contents = part.to_series().to_list()
            decoded: dict[int, tuple[Decoder, bytes]] = {}
            for file, content in enumerate(contents, first):
                home = homes[file]
                batch = self._latest.get(home)
                if batch is None or home is None or not batch.take(file, home, content):
                    batch = self._read_otherwise(file, home, content)
                if batch is not None:
                    decoded[file] = batch.decoder, content
            self._doubtful += with_more_quotes(decoded)
            first += len(contents)
        for file in self._admit():
            self._read_singly(file, self._versions["content"][file])

    def _homes_of_plain_files(self) -> list[str | None]:
        """Return the home of each file that is its name's only version and not too large; None for others."""
        version = pl.struct("name", "window")
        return (
            self._versions.select(
                pl.when(version.is_unique(), pl.col("content").bin.size() <= MOST_BYTES).then("home")
            )
            .to_series()
            .to_list()
        )

    def _read_otherwise(self, file: int, home: str | None, content: bytes) -> Batch | None:
        """Read a file with another decoder, and return its batch, or else value by value."""
        if home is not None and home in self._rooms:
            scopes = (self._shared_scope(home), self._own_scope(home))
            for batch in chain.from_iterable(self._batches[scope] for scope in scopes):
                if batch.take(file, home, content):
                    self._latest[home] = batch
                    return batch
        self._read_singly(file, content)
        return None

    def _read_singly(self, number: int, content: bytes) -> None:
        """Read one file version value by value; a readable one supersedes older versions of its name."""
        name, window, *_, home = self._facts.row(number)
        file = self._files[number] = _File(number, self._homes.get(home))
        try:
            document = read_document(content)
            lost = repeated_keys(content, MOST_VALUES) if may_repeat_keys(content, document) else []
            self._place(file, document, lost)
            parts = (*lost, document)
            whole = [with_units(part) for part in parts]
            shape, values = split_all(*whole)
            if len(values) > MOST_VALUES:
                raise Unreadable("too_large")
        except Unreadable as error:
            file.reason = error.reason
            return
        superseded, self._settled = (name, window) == self._settled, (name, window)
        file.status = "superseded" if superseded else "loaded"
        if superseded:
            return
        assert file.home is not None
        sent = self._sent.get((file.home.id, shape))
        if sent is None:
            sent = self._sent[file.home.id, shape] = self._planned(file.home, shape)
        file.secrets, sender = self._secrets_of(file.home, sent.plan, parts, values)
        key = sender, file.secrets.figures
        place = sent.places.get(key)
        if place is None:
            place = sent.places[key] = self._begin(file.home, key, sent.plan, shape)
        group, begin = place
        group.files.append(number)
        group.begins.append(begin)
        group.values += values
        if len(group.files) in (1, ALIKE_BEFORE_DECODER):
            self._begin_batch(file.home, group, sent.plan, whole[-1], content)

    def _shared_scope(self, home: str) -> _Scope:
        """Return the scope of a home's shapes that hide no name."""
        return self._rooms[home], ""

    def _own_scope(self, home: str) -> _Scope:
        """Return the scope of a home's other shapes: hidden names are its own."""
        return self._rooms[home], self._homes[home].feed_user

    def _planned(self, home: Home, shape: Shape) -> _Sent:
        """Plan a shape for a home, with names of its own if it hides any."""
        plan = _plan(self._shared_scope(home.id), shape)
        return _Sent(_plan(self._own_scope(home.id), shape) if plan.interpreted.hides else plan, {})

    def _secrets_of(
        self, home: Home, plan: _Plan, documents: Sequence[dict[str, Any]], values: Sequence[Any]
    ) -> tuple[Secrets, Secrets]:
        """Collect the secrets beside which a file's texts must pass, and those for its names.

        For names they are user and token alone, which are the same in all files of a home. A document is
        searched for others than those of its header only if it may have any.
        """
        document = documents[-1]
        header = [document.get(name, "") for name in ("user", "api_token", "datetime")]
        plain = len(documents) == 1 and set(map(type, header)) == {str} and not plan.interpreted.tells_secrets
        if plain and _NESTED.isdisjoint([type(value) for value in values]):
            beside = self._beside_shared(header_secrets(*header[:2]))
            return beside, beside
        rooms = dict(self._rooms[home.id])
        own = Secrets.of(set().union(*(own_secrets_of(part, rooms) for part in documents)))
        sender = Secrets.of(set().union(*map(sender_secrets_of, documents)))
        return self._beside_shared(own), self._beside_shared(sender)

    def _beside_shared(self, own: Secrets) -> Secrets:
        """Add the secrets that all files share; one object for equal ones."""
        beside = self._beside.get(own)
        if beside is None:
            beside = self._beside[own] = own.beside(self._shared)
        return beside

    def _begin_batch(
        self, home: Home, group: Group, plan: _Plan, document: dict[str, Any], content: bytes
    ) -> None:
        """Have files like this decoded from now on, if a decoder is known or the group is large enough.

        Not if two values are of one device and variable, or if a secret of the file is a number or overlaps a
        name.
        """
        batches = self._batches[plan.scope]
        leaves = plan.interpreted.leaves
        if group.leaves is not leaves or group.is_careful or group.repeats or len(batches) == MOST_DECODERS:
            return
        if plan.decoder is None or not plan.decoder.reads(content):
            if len(group.files) < ALIKE_BEFORE_DECODER:
                return
            plan.decoder = decoder_of(document, group.leaves)
        if plan.decoder is not None and all(batch.decoder is not plan.decoder for batch in batches):
            self._latest[home.id] = Batch(plan.decoder, group.first_leaf, plan.interpreted.free)
            batches.append(self._latest[home.id])

    def _admit(self) -> list[int]:
        """Set home and minute of the decoded files; returns those that must be read value by value after all.

        These have a header that is foreign to the home, a time that is odd, or more quotes than their decoder
        expects. The minute inside nearly every file is that of its name.
        """
        batches = list(chain.from_iterable(self._batches.values()))
        if not batches:
            return []
        begins = [begin for batch in batches for begin in self._begins_of(batch)]
        taken = files_of(batches, begins)
        files = taken["file"]
        homes, windows, sources = self._facts.select("home", "window", "window_source")[files].get_columns()
        local = pl.Series([text for batch in batches for text in batch.local], dtype=pl.String)
        zones = homes.replace_strict({home.id: home.clock_zone for home in self._homes.values()})
        minutes = minutes_of(local, zones)
        known = taken["begin"].is_not_null()
        usual = ((minutes == windows) & (sources == "name")).fill_null(False)
        placed = pl.DataFrame(
            [minutes.alias("minute"), pl.Series("time_source", ["inside"]).new_from_index(0, files.len())]
        ).with_columns(time_note=pl.lit(None, pl.String))
        weighed = {
            row: self._weighed(files[row]) for row in (known & ~usual & minutes.is_not_null()).arg_true()
        }
        found = {row: reading for row, reading in weighed.items() if reading is not None}
        if found:
            columns = zip(placed.get_columns(), zip(*found.values(), strict=True), strict=True)
            placed = pl.DataFrame(
                [
                    column.scatter([*found], pl.Series(values, dtype=column.dtype))
                    for column, values in columns
                ]
            )
        timely = usual | pl.Series([row in found for row in range(files.len())], dtype=pl.Boolean)
        kept = known & timely & ~files.is_in(self._doubtful)
        packed = [numbers for batch in batches for numbers in batch.packed]
        whole = taken.hstack([homes, *placed.get_columns()])
        self._taken = Taken(whole, packed, self._texts(batches, begins)).keeping(kept)
        return files.filter(~kept).to_list()

    def _weighed(self, file: int) -> Reading | None:
        """Decide the minute of a decoded file whose time inside is not that of its name."""
        home = self._homes[self._facts["home"][file]]
        return self._reading(file, home, read_document(self._versions["content"][file]))

    def _begins_of(self, batch: Batch) -> list[int | None]:
        """Apply `_begin_of_batch` to each sender of a batch, once per home, user and token.

        None for a sender of whose texts one does not pass: it is refused value by value.
        """
        known: dict[tuple[str, str, str], int | None] = {}
        begins: list[int | None] = []
        for home, user, token, said in batch.senders:
            if (home, user, token) not in known:
                known[home, user, token] = self._begin_of_batch(batch, home, user, token)
            may_pass = not batch.decoder.free or self._pass(user, token, batch.decoder.free, said)
            begins.append(known[home, user, token] if may_pass else None)
        return begins

    def _pass(self, user: str, token: str, free: Sequence[int], said: Sequence[str]) -> bool:
        """Return whether all texts of a sender pass that may be any. free: their places among `said`."""
        beside = header_secrets(user, token).beside(self._shared)
        return all(passes_as_value(said[place], beside) for place in free)

    def _texts(self, batches: Sequence[Batch], begins: Sequence[int | None]) -> pl.DataFrame:
        """Build SPOKEN of each reading of each sender; of files that are not taken without texts."""
        texts: list[str | None] = []
        lengths: list[int | None] = []
        senders = ((batch.decoder, said) for batch in batches for *_, said in batch.senders)
        for (decoder, said), begin in zip(senders, begins, strict=True):
            texts += decoder.at_places(None if begin is None else shown_text(text) for text in said)
            lengths += decoder.at_places(map(len, said))
        return pl.DataFrame({"value_text": texts, "value_text_length": lengths}, schema=SPOKEN)

    def _begin_of_batch(self, batch: Batch, home: str, user: str, token: str) -> int | None:
        """Add a batch's leaves to `_names` for a sender; returns the row of the first one.

        None if the files must not be decoded: the user is not one of the home, or a secret is a number or
        overlaps a name of the leaves.
        """
        inside = self._users.get(name_key(user))
        beside = header_secrets(user, token).beside(self._shared)
        if inside is None or inside.id != home or beside.figures or any(map(beside.overlap, batch.free)):
            return None
        return self._name(home, [batch.first_leaf + leaf for leaf in batch.decoder.leaves])

    def _name(self, home: str, leaves: Sequence[int]) -> int:
        """Add leaves to the rows of `_names` for a home; returns the row of the first one."""
        numbers, homes = self._named
        begin = len(numbers)
        numbers.extend(leaves)
        homes.extend([home] * len(leaves))
        return begin

    def _begin(self, home: Home, key: tuple[Secrets, bool], plan: _Plan, shape: Shape) -> tuple[Group, int]:
        """Return the group of a home's files of a shape, and the row of its first leaf in `_names`.

        key: of `_Sent.places`.
        """
        group = self._group(home, *key, plan, shape)
        return group, self._name(home.id, range(group.first_leaf, group.first_leaf + len(group.leaves)))

    def _group(self, home: Home, sender: Secrets, is_careful: bool, plan: _Plan, shape: Shape) -> Group:
        """Return the group that collects files of this shape from homes that spell their rooms alike.

        If a name that passes by its form overlaps user or token, it is hidden too, and only files of the home
        with the same ones share the group. is_careful: whether a secret of the files is a number.
        """
        leaves, scope, apart = plan.interpreted.leaves, plan.scope, NO_SECRETS
        if any(map(sender.overlap, plan.interpreted.free)):
            scope, apart = self._own_scope(home.id), sender
            leaves = interpret(shape, "", Naming(dict(scope[0]), scope[1], sender)).leaves
        key = (scope, apart, is_careful, shape)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(leaves, len(self._leaves), is_careful)
            self._leaves.extend(leaves)
        return group

    def _place(self, file: _File, document: dict[str, Any], lost: Sequence[dict[str, Any]]) -> None:
        """Set the home and the minute of a file; raises Unreadable if either cannot be found.

        lost: values whose key stands twice. A file with two users or two times is that of neither.
        """
        user = document.get("user")
        for other in lost:
            if "user" in other and not (
                type(user) is type(other["user"]) is str and name_key(user) == name_key(other["user"])
            ):
                raise Unreadable("user_mismatch")
            if other.get("datetime", document.get("datetime")) != document.get("datetime"):
                document = document | {"datetime": _CONTRADICTED}
        inside = self._users.get(name_key(user)) if type(user) is str else None
        if file.home is None:
            file.home = inside
        elif inside is not None and inside.id != file.home.id:
            raise Unreadable("user_mismatch")
        if file.home is None:
            raise Unreadable("unknown_user")
        self._set_minute(file, file.home, document)

    def _set_minute(self, file: _File, home: Home, document: dict[str, Any]) -> None:
        """Set a file's minute, time_source and time_note; raises Unreadable if nothing tells them."""
        reading = self._reading(file.number, home, document)
        if reading is None:
            raise Unreadable("no_readable_time")
        file.minute, file.time_source, file.time_note = reading

    def _reading(self, number: int, home: Home, document: dict[str, Any]) -> Reading | None:
        """Decide the minute of a file by all that speaks for it; None if nothing tells it."""
        *evidence, _ = self._facts.row(number)
        inside = document.get("datetime")
        return reading_of(
            self._reader,
            Evidence(*evidence),
            home.clock_zone,
            read_local(inside),
            unix_times(document),
            has_time=inside is not None,
        )

    def result(self) -> Flattened:
        """Judge all values collected so far, and build the result."""
        groups = list(self._groups.values())
        facts = self._file_facts()
        names = self._names()
        judged = without_repeats(judge(groups, self._beside_of), groups, names["rank"], self._beside_of)
        ordered = in_order(judged.readings, self._taken, names, facts)
        refused = pl.DataFrame(judged.refused, schema=REFUSED, orient="row")
        rejects = (
            refused.with_columns(
                names.select("device", "variable", "json_path")[refused["leaf"]].get_columns()
            )
            .with_columns(facts.drop("file", "reason")[refused["file"]].get_columns())
            .select(REJECTS.schema.names())
        )
        return Flattened(
            events_of(ordered, facts),
            _told_apart(rejects),
            self._statuses(ordered, refused, judged.nulls, facts),
            facts.select("arrived_at", "name"),
            self._shared_minutes(facts),
        )

    def _beside_of(self, file: int) -> Beside:
        """Return what the values of a file that was read value by value are judged beside."""
        known = self._files[file]
        return Beside(known.secrets, known.minute)

    def _names(self) -> pl.DataFrame:
        """Build one row for each leaf of each home: what it is called, and the unit and bounds of its values.

        `rank` puts devices and variables in order: whole numbers are sorted faster than texts.
        """
        numbers, homes = self._named
        leaves = pl.DataFrame(self._leaves, schema=_LEAVES, orient="row")
        return (
            leaves[pl.Series(numbers, dtype=pl.Int64)]
            .with_columns(home=pl.Series(homes, dtype=pl.String))
            .with_columns(room=pl.concat_str("home", "room"), device=pl.concat_str("home", "device"))
            .with_columns(rank=pl.struct("device", "variable").rank("dense").cast(pl.Int64))
        )

    def _file_facts(self) -> pl.DataFrame:
        """Build one row per file version, in order: name, window, home, minute, status and more."""
        files = self._files.values()
        singly = pl.DataFrame(
            [
                (
                    f.number,
                    f.home.id if f.home else None,
                    f.minute,
                    f.status,
                    f.reason,
                    f.time_source,
                    f.time_note,
                )
                for f in files
            ],
            schema=_OUTCOMES,
            orient="row",
        )
        decoded = self._taken.files.select(
            "file", "home", "minute", "time_source", "time_note", status=pl.lit("loaded")
        )
        outcomes = pl.concat([singly, decoded], how="diagonal").sort("file")
        return pl.concat(
            [self._versions.select("file_id", "name", "window", "arrived_at"), outcomes], how="horizontal"
        ).with_columns(utc_date=pl.col("window").dt.date(), source=pl.lit("sensor_files"))

    def _shared_minutes(self, facts: pl.DataFrame) -> pl.Series:
        """Find the minutes of two counting files of a home."""
        counting = facts.filter(pl.col("status") == "loaded")
        return counting.filter(pl.struct("home", "minute").is_duplicated())["minute"].unique()

    def _statuses(
        self, ordered: Ordered, refused: pl.DataFrame, nulls: Counter[int], facts: pl.DataFrame
    ) -> pl.DataFrame:
        """Build SENSOR_FILES: one row per file version, with its counts and its silent devices.

        A loaded file with refused values is `partial`. refused: rows of REFUSED. nulls: number of JSON nulls
        by file.
        """
        silent = self._silent_devices(ordered, {*nulls, *refused["file"]})
        rejects = refused["file"].value_counts(name="rejects")
        counts = {
            "events": (ordered.blocks["file"], ordered.blocks["events"]),
            "rejects": (rejects["file"], rejects["rejects"]),
            "nulls": (list(nulls), list(nulls.values())),
        }
        of_files = pl.DataFrame(
            {"file": list(silent), "silent_devices": list(silent.values())},
            schema={"file": pl.UInt32, "silent_devices": pl.List(pl.String)},
        )
        # A file's number is its row.
        counted = facts.with_columns(
            pl.zeros(facts.height, pl.Int64, eager=True).scatter(files, numbers).alias(what)
            for what, (files, numbers) in counts.items()
        )
        return (
            counted.join(of_files, on="file", how="left", maintain_order="left")
            .with_columns(
                pl.col("silent_devices").fill_null([]),
                status=pl.when((pl.col("status") == "loaded") & (pl.col("rejects") > 0))
                .then(pl.lit("partial"))
                .otherwise("status"),
            )
            .select(SENSOR_FILES.schema.names())
        )

    def _silent_devices(self, ordered: Ordered, lacking: set[int]) -> dict[int, list[str]]:
        """Find by file the devices that it names without a reading: they still tell which sensor a room has.

        By file, not by file_id: the same bytes may come in both passes of the autumn hour. lacking: the files
        with a null or a refused value, as no others can have such a device.
        """
        if not lacking:
            return {}
        blocks = ordered.blocks.with_row_index("block").filter(pl.col("file").is_in(sorted(lacking)))
        # Readings are many, and those of a file need not be adjacent.
        theirs = pl.col("block").is_in(blocks["block"].implode())
        incomplete = ordered.readings.select("block", "leaf").filter(theirs).join(blocks, on="block")
        spoken = incomplete.select("file", device=ordered.names["device"][incomplete["leaf"]]).unique()
        heard: dict[int, set[str]] = {}
        for file, device in spoken.iter_rows():
            heard.setdefault(file, set()).add(device)
        silent: dict[int, list[str]] = {}
        devices = ordered.names["device"].head(len(self._named[0])).to_list()
        for group in self._groups.values():
            for file, begin in zip(group.files, group.begins, strict=True):
                if file in lacking:
                    named = set(devices[begin : begin + len(group.leaves)])
                    if missing := named - heard.get(file, set()):
                        silent[file] = sorted(missing)
        return silent


def _told_apart(rejects: pl.DataFrame) -> pl.DataFrame:
    """Number json_paths that repeat, so that the key of rejects is unique.

    The paths of two values may agree by their spelling, or once they are hidden.
    """
    key = list(REJECTS.primary_key)
    while rejects.select(key).is_duplicated().any():
        nth = pl.int_range(1, pl.len() + 1).over(key)
        numbered = pl.format("{} ({})", "json_path", nth)
        rejects = rejects.with_columns(json_path=pl.when(nth == 1).then("json_path").otherwise(numbered))
    return rejects


_NESTED: frozenset[type] = frozenset({dict, list})

_CONTRADICTED = ()
"""In place of a time that is stated twice, and not alike: no text that could be read."""

_OUTCOMES = pl.Schema(
    [
        ("file", pl.UInt32), ("home", pl.String), ("minute", UTC_TIME), ("status", pl.String),
        ("reason", pl.String), ("time_source", pl.String), ("time_note", pl.String),
    ]
)  # fmt: skip
_LEAVES = {
    "room": pl.String, "device": pl.String, "variable": pl.String, "kind": pl.String, "unit": pl.String,
    "minimum": pl.Float64, "maximum": pl.Float64, "json_path": pl.String,
}  # fmt: skip

"""Energy of plugs whose counters fall, jump and come back: the same rows however time was cut.

Silver is written here directly, as only what energy reads of it matters. The law of the whole feed is in
`test_law_of_windows`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from domotic_assets.domains.homes.flows import facts
from domotic_assets.domains.homes.silver.events import devices
from domotic_assets.flow.windows import Window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.registry.loading import Sites
from domotic_assets.schemas.homes import silver
from domotic_assets.schemas.homes.gold import FACT_ENERGY_MINUTE
from domotic_assets.settings import Settings
from domotic_assets_tests.support import builders, meters
from domotic_assets_tests.support.memory_lake import MemoryLake

pytestmark = pytest.mark.untraced

START = datetime(2023, 9, 4, 21, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PLUGS = ("jimmy/office/plugs/1", "jimmy/kitchen/plugs/1")


def workspace() -> Workspace:
    """An empty lake in memory, whose counters settle in two hours."""
    text = builders.REGISTRY.replace("homes:", "settings: {counter_settles_hours: 2}\nhomes:", 1)
    registry = builders.registry(text)
    nowhere = Path("nowhere")
    sites = Settings.of(nowhere / "sites.yaml", "memory", {})
    return Workspace(sites, Sites(registry, nowhere), MemoryLake("memory"))


def events_of(rng: Random) -> pl.DataFrame:
    """SENSOR_EVENTS of plugs with up to five faults each, some at times without power or counter."""
    rows: list[tuple[datetime, str, str, float]] = []
    for device in PLUGS:
        made = meters.faulty_plug(rng, rng.sample(sorted(meters.FAULTS), rng.randint(1, 5)))
        silent = rng.choice(["", "", "plugs.total", "plugs.power"])
        for minute, counter in made.shown.items():
            values = {"plugs.power": made.loads[minute], "plugs.total": counter}
            if silent and (minute // 30) % 3 == 0:
                del values[silent]
            rows += [(START + minute * MINUTE, device, name, value) for name, value in values.items()]
    return as_events(rows)


def as_events(rows: Sequence[tuple[datetime, str, str, float]]) -> pl.DataFrame:
    """SENSOR_EVENTS of ts, device, variable and value."""
    frame = pl.DataFrame(rows, schema=["ts", "device", "variable", "value"], orient="row")
    parts = pl.col("device").str.splitn("/", 3).struct
    empty = silver.SENSOR_EVENTS.empty()
    filled = frame.with_columns(
        home=parts.field("field_0"),
        room=pl.format("{}/{}", parts.field("field_0"), parts.field("field_1")),
        is_outlier=pl.lit(False),
        file_id=pl.lit("file"),
        utc_date=pl.col("ts").dt.date(),
    )
    whole = pl.concat(
        [empty, filled.with_columns(pl.col("ts").cast(empty.schema["ts"]))], how="diagonal_relaxed"
    )
    return whole.select(empty.columns).cast(empty.schema)


def files_of(minutes: pl.Series) -> pl.DataFrame:
    """SENSOR_FILES of a loaded file a minute."""
    empty = silver.SENSOR_FILES.empty()
    rows = pl.DataFrame({"window": minutes, "minute": minutes, "arrived_at": minutes}).with_columns(
        file_id=pl.col("minute").dt.strftime("%s"),
        home=pl.lit("jimmy"),
        status=pl.lit("loaded"),
        events=pl.lit(0),
        rejects=pl.lit(0),
        nulls=pl.lit(0),
        utc_date=pl.col("minute").dt.date(),
    )
    return pl.concat([empty, rows], how="diagonal_relaxed").select(empty.columns).cast(empty.schema)


def deliver(work: Workspace, events: pl.DataFrame, minutes: pl.Series) -> None:
    """Write the events of these minutes to Silver, in the place of what it holds of them."""
    lake, dates = work.lake, minutes.dt.date()
    new = events.filter(pl.col("ts").is_in(minutes.implode()))
    lake.replace_values(silver.SENSOR_EVENTS, new, "ts", minutes, dates)
    lake.replace_values(silver.SENSOR_FILES, files_of(minutes), "window", minutes, dates)
    days = dates.unique().sort().to_list()
    seen = devices(lake.read(silver.SENSOR_EVENTS, dates=days))
    lake.replace_dates(silver.DEVICES, seen, days)


def cuts(rng: Random, minutes: Sequence[datetime]) -> Iterator[list[datetime]]:
    """The minutes in pieces of any size, in order, nearly so or not; one twice."""
    edges = sorted({0, len(minutes), *(rng.randrange(len(minutes)) for _ in range(14))})
    # Minute by minute for a while, as when live.
    live = rng.randrange(len(minutes))
    edges = sorted({*edges, *range(live, min(live + 12, len(minutes)))})
    pieces = [list(minutes[first:last]) for first, last in pairwise(edges)]
    for _ in range(rng.choice([0, 2, 20])):
        pieces.insert(rng.randrange(len(pieces)), pieces.pop(rng.randrange(len(pieces))))
    pieces.insert(rng.randrange(len(pieces)), rng.choice(pieces))
    yield from (piece for piece in pieces if piece)


@pytest.mark.rule(1)
@pytest.mark.parametrize("seed", range(8))
def test_energy_does_not_depend_on_how_time_was_cut(seed: int) -> None:
    """Also where a first delivery of some minutes was wrong, and the right one came later."""
    rng = Random(seed)
    events = events_of(rng)
    minutes = events["ts"].unique().sort()
    at_once = workspace()
    deliver(at_once, events, minutes)
    facts.energy_facts(at_once, windows_of(minutes))
    in_pieces = workspace()
    wrong = events.with_columns(value=pl.col("value") * rng.choice([0.0, 0.5, 3.0]))
    for number, piece in enumerate(cuts(rng, minutes.to_list())):
        delivered = pl.Series(piece, dtype=events.schema["ts"]).sort()
        if number % 4 == 0:
            deliver(in_pieces, wrong, delivered)
            facts.energy_facts(in_pieces, windows_of(delivered))
        deliver(in_pieces, events, delivered)
        facts.energy_facts(in_pieces, windows_of(delivered))
    found, expected = (
        work.lake.read(FACT_ENERGY_MINUTE).sort(FACT_ENERGY_MINUTE.primary_key)
        for work in (in_pieces, at_once)
    )
    assert found.height == expected.height
    assert_frame_equal(found, expected, check_exact=True)


def windows_of(minutes: pl.Series) -> list[Window]:
    return [Window(minute, minute + MINUTE) for minute in minutes]


def eventful() -> pl.DataFrame:
    """Hours of a plug: a heater days ago, an hour unread in which it ran, a dip, a restart, a set-back."""
    rows: list[tuple[datetime, str, str, float]] = []
    counter = 60_000.0
    for minute in range(420):
        power = 2_000.0 if 30 <= minute < 35 else 6.0
        counter += {40: 140.0, 160: 900.0}.get(minute, power / 60)
        if minute == 300:
            counter = 0.05
        if minute == 350:
            counter -= 0.6
        if not 100 <= minute < 160:
            at = START + (minute if minute >= 40 else minute - 2 * meters.DAY) * MINUTE
            shown = 0.0 if 200 <= minute < 260 else counter
            # Back from 40 Wh lower by a step that another plug could make.
            shown -= 40.0 if 285 <= minute < 295 else 0.0
            for name, value in (("plugs.power", power), ("plugs.total", round(shown, 3))):
                rows.append((at, PLUGS[0], name, value))
    return as_events(rows)


@pytest.mark.rule(1)
def test_a_late_quarter_of_an_hour_is_judged_with_all_that_hangs_on_it() -> None:
    """Wherever it lies: what explains a step hours later, or tells a dip from a restart hours before."""
    events = eventful()
    minutes = events["ts"].unique().sort()
    at_once = workspace()
    deliver(at_once, events, minutes)
    facts.energy_facts(at_once, windows_of(minutes))
    expected = at_once.lake.read(FACT_ENERGY_MINUTE).sort("datetime_key")
    assert set(expected["counter_note"].drop_nulls()) == {
        "large_step",
        "dip",
        "return",
        "restart",
        "set_back",
    }
    for start in range(0, minutes.len(), 15):
        late = minutes[start : start + 15]
        work = workspace()
        for delivered in (minutes.filter(~minutes.is_in(late.implode())), late):
            deliver(work, events, delivered)
            facts.energy_facts(work, windows_of(delivered))
        found = work.lake.read(FACT_ENERGY_MINUTE).sort("datetime_key")
        assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.rule(1)
def test_the_feed_minute_by_minute_ends_as_all_at_once() -> None:
    events = eventful().filter(pl.col("ts").is_between(START + 150 * MINUTE, START + 298 * MINUTE))
    minutes = events["ts"].unique().sort()
    found, expected = workspace(), workspace()
    deliver(expected, events, minutes)
    facts.energy_facts(expected, windows_of(minutes))
    for minute in range(minutes.len()):
        deliver(found, events, minutes[minute : minute + 1])
        facts.energy_facts(found, windows_of(minutes[minute : minute + 1]))
    assert_frame_equal(
        *(work.lake.read(FACT_ENERGY_MINUTE).sort("datetime_key") for work in (found, expected)),
        check_exact=True,
    )

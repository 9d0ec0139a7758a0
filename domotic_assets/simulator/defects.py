"""Spoils files between a home and the share: every defect, its usual share, and what it does to a file.

A defect changes what is delivered, never the world. Each has its own random generator per home, so changing
one share affects no other defect. To add one, write a function for its stage and a row in DEFECTS.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

from domotic_assets.errors import ConfigurationError
from domotic_assets.localtime import candidates
from domotic_assets.simulator.payload import Message, compose, file_name, serialise
from domotic_assets.simulator.world import World

Stage = Literal["meter", "message", "bytes", "delivery"]
"""meter: the plug's counter. message: the readings. bytes: the text. delivery: whether, when and under
what name."""

FOREIGN_USER = "PassingVisitor"
FOREIGN_TOKEN = "simulated-foreign"  # nosec B105
COUNTER_REST = timedelta(hours=1)
"""A plug's counter is struck at most once in this time, so that its energy can still be decided."""

RESET_ABOVE_MWH = 2_000_000
"""Only a counter far above what an outage can hold is reset: a lower one might reach its old level unseen."""

GLITCH_MWH = 1_000_000_000
"""Added by a glitch upwards: more than any plug can draw between two readings."""

OUTAGE_MINUTES = (5, 45)
OUTAGE_SHARE = 0.1
"""Share of the gaps that are outages; the others are a single minute."""

GAP_MINUTES = 1 + OUTAGE_SHARE * (sum(OUTAGE_MINUTES) / 2 - 1)


@dataclass(slots=True)
class Delivery:
    """One file that arrives. again: whether its name already exists on the share."""

    name: str
    arrived_at: datetime
    content: bytes
    again: bool = False
    folder: Literal["share", "weather"] = "share"


@dataclass(slots=True)
class Draft:
    """A minute's file before it is delivered; defects change it in place."""

    world: World
    message: Message
    content: bytes = b""
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def main(self) -> Delivery:
        """The file itself, apart from other files that arrive with it."""
        return self.deliveries[0]


Act = Callable[[Draft, Random], None]


@dataclass(frozen=True, slots=True)
class Defect:
    """Something that goes wrong.

    stage: where it strikes. share: its usual share of the files. act: what it does; None for a defect that
    `Carrier` handles itself.
    """

    stage: Stage
    share: float
    meaning: str
    act: Act | None = None


def _leaf(draft: Draft, rng: Random) -> tuple[dict[str, Any], str]:
    """Pick a random numeric reading of the message; return the object that holds it, and its field."""
    found: list[tuple[dict[str, Any], str]] = []
    stack: list[Any] = [value for value in draft.message.values() if isinstance(value, dict)]
    while stack:
        node = stack.pop()
        for key, value in node.items() if isinstance(node, dict) else ():
            if isinstance(value, dict):
                stack.append(value)
            elif isinstance(value, list):
                stack += value
            elif isinstance(value, int | float) and not isinstance(value, bool):
                found.append((node, key))
    return rng.choice(found)


def _stations(message: Message) -> dict[str, dict[str, Any]]:
    """Return the message's own climate stations by room, whether or not they are inside `meteo`."""
    meteos: dict[str, Any] = message["meteos"]
    stations: dict[str, dict[str, Any]] = meteos.get("meteo", meteos)
    return stations


def _bad_number(draft: Draft, rng: Random) -> None:
    """Set one random numeric reading to NaN, an infinity or a text that is no valid number."""
    holder, key = _leaf(draft, rng)
    holder[key] = rng.choice((float("nan"), float("inf"), float("-inf"), "21,5", "n/a", ""))


def _null(draft: Draft, rng: Random) -> None:
    """Set one random numeric reading to null."""
    holder, key = _leaf(draft, rng)
    holder[key] = None


def _outlier(draft: Draft, rng: Random) -> None:
    """Set one random reading to a value that is physically out of bounds.

    It is temperature, CO2, humidity or noise of the living-room station, or temperature of the kitchen's
    motion sensor.
    """
    station = _stations(draft.message)["Livingroom"]
    kind, value = rng.choice((("Temperature", 85.3), ("CO2", 65_535), ("Humidity", 255), ("Noise", 182)))
    if rng.random() < 0.2:
        draft.message["motions"]["Kitchen"]["temperature"] = -127.0
    else:
        station[kind] = value


def _invalid_plug(draft: Draft, rng: Random) -> None:
    """Set `is_valid` of one random plug to false, its power to a wrong value and its counter to 0."""
    plug = draft.message["plugs"][rng.choice(sorted(draft.message["plugs"]))]
    plug.update(is_valid=False, power=9_876.5, total=0.0)


def _invalid_phase(draft: Draft, rng: Random) -> None:
    """Set `is_valid` of one random phase of the house meter to false, and its power to a wrong value.

    The total power includes the wrong value.
    """
    house, phase = draft.message["consumptions"]["House"], rng.randint(1, 3)
    garbage = 6_553.5
    meter = draft.world.meter
    house["total_power"] = round(meter.total_w - meter.power_w[phase - 1] + garbage, 2)
    house[f"power{phase}"] = garbage
    house[f"is_valid{phase}"] = False


def _unknown_room(draft: Draft, rng: Random) -> None:
    """Add a climate station in `Wintergarden`, a room that no home has."""
    _stations(draft.message)["Wintergarden"] = {"Temperature": round(rng.uniform(8, 30), 1), "Humidity": 51}


def _unknown_field(draft: Draft, rng: Random) -> None:
    """Add the unknown field `Formaldehyde` to the living-room station."""
    _stations(draft.message)["Livingroom"]["Formaldehyde"] = round(rng.uniform(5, 60), 1)


def _unknown_category(draft: Draft, rng: Random) -> None:
    """Add the unknown category `waters`, with one device, to the message."""
    flow = round(rng.uniform(0, 9), 2)
    draft.message["waters"] = {"Bhroom": {"flow": flow, "leak": False, "serial": "W-17"}}


def _bare_meteos(draft: Draft, rng: Random) -> None:  # noqa: ARG001
    """Put the climate stations directly into `meteos`, without the inner `meteo`."""
    draft.message["meteos"] = _stations(draft.message)


def _single_opening(draft: Draft, rng: Random) -> None:  # noqa: ARG001
    """Replace each list of exactly one door or window by the object in it."""
    rooms = draft.message["doorsWindows"]
    for room, openings in rooms.items():
        if isinstance(openings, list) and len(openings) == 1:
            rooms[room] = openings[0]


def _unreadable_datetime(draft: Draft, rng: Random) -> None:
    """Set the message's `datetime` to an unreadable or absurd text, or remove the field."""
    text = rng.choice(("", "soon", "32.13.2023 25:61", "01.01.1970 00:00", "01.01.2099 00:00", None))
    if text is None:
        del draft.message["datetime"]
    else:
        draft.message["datetime"] = text


def _user_mismatch(draft: Draft, rng: Random) -> None:  # noqa: ARG001
    """Set the user inside the message to FOREIGN_USER; the file's name keeps the home's user."""
    draft.message["user"] = FOREIGN_USER


def _nul_in_name(draft: Draft, rng: Random) -> None:  # noqa: ARG001
    """Add a motion sensor in a room whose name contains the character U+0000."""
    draft.message["motions"]["Cel\0lar"] = {"motion": False, "light": 1.0, "temperature": 12.5}


def _deep_nesting(draft: Draft, rng: Random) -> None:
    """Nest deeper than parsers can follow; built as text, since a serialiser could not follow either."""
    depth = rng.choice((200, 2_000, 100_000))
    body = draft.content.decode()
    draft.content = (body[:-1] + ', "debug": ' + '{"a":' * depth + "1" + "}" * depth + "}").encode()


def _huge(draft: Draft, rng: Random) -> None:  # noqa: ARG001
    """Add an unknown field `trace` with 5,000,000 characters to the file's text."""
    padding = "x" * 5_000_000
    draft.content = draft.content[:-1] + f', "trace": "{padding}"}}'.encode()


def _byte_order_mark(draft: Draft, rng: Random) -> None:  # noqa: ARG001
    """Put a UTF-8 byte-order mark before the file's text."""
    draft.content = b"\xef\xbb\xbf" + draft.content


def _utf16(draft: Draft, rng: Random) -> None:  # noqa: ARG001
    """Encode the file's text in UTF-16 with a byte-order mark, instead of UTF-8."""
    draft.content = draft.content.decode("utf-8-sig").encode("utf-16")


def _truncated(draft: Draft, rng: Random) -> None:
    """Cut the file off at a random byte; in half of the cases, deliver the whole file later.

    The whole file has the same name. It never follows in a minute that the clock shows twice.
    """
    main = draft.main
    whole = main.content
    main.content = whole[: rng.randint(0, len(whole) - 2)]
    if rng.random() < 0.5 and not _repeats(draft.world):
        _again(draft, whole, rng)


def _resent_identical(draft: Draft, rng: Random) -> None:
    """Deliver the same bytes under the same name once more, 1 to 40 minutes later."""
    _again(draft, draft.main.content, rng)


def _resent_changed(draft: Draft, rng: Random) -> None:
    """Deliver a reading that is wrong by some degrees first; the resend has the true one."""
    wrong = _copy(draft.message)
    true_c = draft.world.air["Livingroom"].temperature_c
    _stations(wrong)["Livingroom"]["Temperature"] = round(true_c + rng.choice((-2.5, 1.5)), 1)
    whole = draft.main.content
    draft.main.content = serialise(wrong)
    _again(draft, whole, rng)


def _copy(message: Message) -> Message:
    """Return a deep copy of the message."""
    copy: Message = json.loads(json.dumps(message))
    return copy


def _repeats(world: World) -> bool:
    """Return whether the clock shows this minute twice; then its name cannot have a third version."""
    return len(candidates(world.clock.replace(tzinfo=None), world.home.clock_zone)) == 2


def _again(draft: Draft, content: bytes, rng: Random) -> None:
    """Add a delivery of `content` under the file's name, 1 to 40 minutes after the file's arrival."""
    later = draft.main.arrived_at + timedelta(seconds=rng.randint(60, 2400))
    draft.deliveries.append(Delivery(draft.main.name, later, content, again=True))


def _late(draft: Draft, rng: Random) -> None:
    """Delay all deliveries of the draft by the same random time, from one minute to about six hours."""
    delay = timedelta(seconds=60 + round(min(rng.expovariate(1 / 3600), 6 * 3600)))
    for delivery in draft.deliveries:
        delivery.arrived_at += delay


def _foreign_name(draft: Draft, rng: Random) -> None:
    """Deliver a thumbnail cache, a temporary file or a copy by hand; only the copy ends in `.json`."""
    stamp = f"{draft.world.utc:%Y%m%dT%H%M}-{draft.world.home.id}"
    name, content = rng.choice(
        (
            (f"Thumbs-{stamp}.db", b"\xd0\xcf\x11\xe0 not a reading"),
            (f"~{stamp}.tmp", draft.main.content[:100]),
            (f"copy of {stamp}.json", draft.main.content),
        )
    )
    draft.deliveries.append(Delivery(name, draft.main.arrived_at, content))


def _foreign_user(draft: Draft, rng: Random) -> None:  # noqa: ARG001
    """Add a file with the same readings, but the name and token of a user that no home has."""
    user = f"{FOREIGN_USER}-{draft.world.home.id}"
    message = draft.message | {"user": user, "api_token": FOREIGN_TOKEN}
    name = file_name(draft.world, user)
    draft.deliveries.append(Delivery(name, draft.main.arrived_at, serialise(message), again=draft.main.again))


DEFECTS: dict[str, Defect] = {
    "counter_reset": Defect("meter", 2e-4, "a plug's counter restarts at 0 and goes on from there"),
    "counter_glitch": Defect("meter", 2e-4, "a plug's counter shows 0 or far too much, once"),
    "bad_number": Defect("message", 1e-3, 'one value is NaN, ±Infinity, "21,5", "n/a" or ""', _bad_number),
    "null": Defect("message", 1e-3, "one value is null", _null),
    "outlier": Defect("message", 1e-3, "one value lies out of bounds", _outlier),
    "invalid_plug": Defect(
        "message", 5e-4, "a plug says is_valid false; its figures are garbage", _invalid_plug
    ),
    "invalid_phase": Defect("message", 5e-4, "a phase of the house meter likewise", _invalid_phase),
    "unknown_room": Defect("message", 2e-4, "a climate station in a room nobody named", _unknown_room),
    "unknown_field": Defect("message", 2e-4, "a field that the description lacks", _unknown_field),
    "unknown_category": Defect("message", 2e-4, "a category that the description lacks", _unknown_category),
    "bare_meteos": Defect("message", 5e-3, "meteos without the inner meteo", _bare_meteos),
    "single_opening": Defect(
        "message", 5e-3, "a single door or window is an object, no list", _single_opening
    ),
    "unreadable_datetime": Defect(
        "message", 5e-4, "the inner datetime is unreadable, missing or absurd", _unreadable_datetime
    ),
    "user_mismatch": Defect("message", 1e-4, "the user inside is not the one of the name", _user_mismatch),
    "nul_in_name": Defect("message", 1e-4, "a room name holds U+0000", _nul_in_name),
    "deep_nesting": Defect("bytes", 2e-5, "an unknown field nested 200 to 100,000 deep", _deep_nesting),
    "huge": Defect("bytes", 2e-5, "5 MB of trace text in an unknown field", _huge),
    "byte_order_mark": Defect("bytes", 5e-4, "UTF-8 with a byte-order mark", _byte_order_mark),
    "utf16": Defect("bytes", 2e-4, "UTF-16 with a byte-order mark", _utf16),
    "missing": Defect("delivery", 8e-3, "the minute never arrives; a gap in ten lasts 5–45 minutes"),
    "truncated": Defect("delivery", 1e-3, "cut off mid-write; half of them are completed later", _truncated),
    "resent_identical": Defect("delivery", 2e-3, "the same bytes arrive again", _resent_identical),
    "resent_changed": Defect("delivery", 1e-3, "arrives again with corrected content", _resent_changed),
    "foreign_name": Defect("delivery", 2e-4, "a file of another name arrives beside it", _foreign_name),
    "foreign_user": Defect(
        "delivery", 2e-4, "a file of a user that no home names arrives beside it", _foreign_user
    ),
    "late": Defect("delivery", 4e-3, "arrives a minute to six hours late", _late),
}
"""Every defect, in the order in which they strike a file. Shares are of files; the share of `missing` is
of minutes."""

RESENDS = frozenset({"resent_identical", "resent_changed"})
ALL = "all"
CLEAN: Mapping[str, float] = dict.fromkeys(DEFECTS, 0.0)


def shares(settings: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return the share of each defect: the usual ones, changed by `settings`; `all` sets those not named.

    Raises ConfigurationError for an unknown defect or a share outside 0 to 1.
    """
    chosen = dict(settings or {})
    unknown = sorted(set(chosen) - set(DEFECTS) - {ALL})
    if unknown or any(not 0 <= share <= 1 for share in chosen.values()):
        raise ConfigurationError(
            f"unknown defect {unknown[0]!r}" if unknown else "a share outside 0 to 1",
            where="defects",
            expected=f"a share from 0 to 1 for {ALL} or one of {', '.join(sorted(DEFECTS))}",
            remedy="correct --defect",
        )
    everywhere = chosen.pop(ALL, None)
    usual = {name: defect.share if everywhere is None else everywhere for name, defect in DEFECTS.items()}
    return usual | chosen


class Carrier:
    """Delivers one home's files to the share, and spoils some of them."""

    def __init__(self, seed: int, world: World, chosen: Mapping[str, float]) -> None:
        key = f"{seed}/{world.home.id}/{world.utc:%Y-%m-%dT%H:%M}"
        self._world = world
        self._arrivals = Random(f"{key}/arrival")
        self._active = {name: (chosen[name], Random(f"{key}/{name}")) for name in DEFECTS if chosen[name]}
        self._counter_base_mwh: dict[str, int] = {}
        self._counter_rests_until: dict[str, datetime] = {}
        self._gap_left = 0

    def carry(self) -> tuple[list[Delivery], dict[str, str]]:
        """Return the deliveries of the current minute, and the defects that struck it.

        Each defect comes with the room of the plug that it struck, or an empty text.
        """
        world = self._world
        arrived_at = world.utc + timedelta(seconds=self._arrivals.randint(2, 20))
        struck = dict.fromkeys((name for name in self._active if self._strikes(name)), "")
        shown_mwh = self._count(struck)
        if "missing" in struck:
            return [], {name: room for name, room in struck.items() if name in ("missing", "counter_reset")}
        draft = Draft(world, compose(world))
        for room, total_mwh in shown_mwh.items():
            draft.message["plugs"][room]["total"] = total_mwh / 1000
        self._strike(draft, struck, "message")
        draft.content = serialise(draft.message)
        self._strike(draft, struck, "bytes")
        name = file_name(world, world.household.user)
        draft.deliveries.append(Delivery(name, arrived_at, draft.content, again=world.clock.fold == 1))
        self._strike(draft, struck, "delivery")
        return draft.deliveries, struck

    def _strikes(self, name: str) -> bool:
        """Decide at random whether a defect strikes the current minute; call it once a minute.

        An outage that has begun makes `missing` strike until it ends. Resends never strike a minute that the
        clock shows twice.
        """
        share, rng = self._active[name]
        if name != "missing":
            return rng.random() < share and not (name in RESENDS and _repeats(self._world))
        if self._gap_left:
            self._gap_left -= 1
            return True
        # A gap is longer than a minute, so fewer gaps must begin for the same share of minutes.
        if rng.random() >= share / (GAP_MINUTES * (1 - share) + share):
            return False
        if rng.random() < OUTAGE_SHARE:
            self._gap_left = rng.randint(*OUTAGE_MINUTES) - 1
        return True

    def _strike(self, draft: Draft, struck: Mapping[str, str], stage: Stage) -> None:
        """Apply to the draft, in place, those defects in `struck` that belong to this stage.

        struck: names of the defects that strike this minute, as keys. Defects without `act` are skipped.
        """
        for name in struck:
            act = DEFECTS[name].act
            if act is not None and DEFECTS[name].stage == stage:
                act(draft, self._active[name][1])

    def _count(self, struck: dict[str, str]) -> dict[str, int]:
        """Return what struck counters show in this minute, in mWh by room.

        Sets the plug's room in `struck`, or removes the defect if no plug can be struck.
        """
        plugs, base = self._world.plugs, self._counter_base_mwh
        if "counter_reset" in struck and (room := self._pick("counter_reset", struck)):
            # It restarts as the minute begins, so the reading after it holds that minute's energy.
            base[room] = plugs[room].total_mwh - plugs[room].energy_mwh
        shown = {room: plugs[room].total_mwh - base_mwh for room, base_mwh in base.items()}
        if "counter_glitch" in struck and (room := self._pick("counter_glitch", struck)):
            rng = self._active["counter_glitch"][1]
            shown[room] = rng.choice((0, plugs[room].total_mwh + GLITCH_MWH))
        return shown

    def _pick(self, name: str, struck: dict[str, str]) -> str | None:
        """Pick a random plug for a counter defect and return its room; None if no plug can be struck.

        A plug can be struck if its counter was not struck within COUNTER_REST and shows more than
        RESET_ABOVE_MWH. Sets `struck[name]` to the room, or removes `name` from `struck` if there is none.
        """
        world = self._world
        rooms = [
            room
            for room, plug in world.plugs.items()
            if world.utc >= self._counter_rests_until.get(room, world.utc)
            and plug.total_mwh - self._counter_base_mwh.get(room, 0) > RESET_ABOVE_MWH
        ]
        if not rooms:
            del struck[name]
            return None
        room = struck[name] = self._active[name][1].choice(rooms)
        self._counter_rests_until[room] = world.utc + COUNTER_REST
        return room

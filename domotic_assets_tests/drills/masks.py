"""Secrets at random places of files, in random forms: none is right of Bronze.

    python -m domotic_assets_tests.drills.masks --placements 10000 --seed 1

Files go through landing, Silver, rejects, names and Gold of a lake on disk. The scan that decodes every
container of the lake first shows that it finds each form of a secret.
"""

import argparse
import base64
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from domotic_assets.quality import installed_contract
from domotic_assets.schemas import refusals
from domotic_assets_tests.support import leaks
from domotic_assets_tests.support.builders import (
    HOMES,
    REGISTRY,
    ShareFile,
    name_of,
    payload,
    write_share,
    write_sites,
)
from domotic_assets_tests.support.carry import FORECASTS, carry
from domotic_assets_tests.support.lakes import open_lake
from domotic_assets_tests.support.secret_forms import FORMS, KEYS

FIRST = datetime(2023, 9, 4, tzinfo=UTC)
PLACEMENTS_A_FILE = 4
FILES_A_LAKE = 400
SECRETS_A_LAKE = 24
FLOWS = ("sensor_files", "sensor_silver", "minute_facts", "homes_dims", *FORECASTS)

SHORTEST_HALF = 6
SHORTEST_FIGURES = 8
"""Signs and figures of a text that is searched for: a shorter one is in other texts by chance."""

Node = dict[str, Any]


@dataclass
class Outcome:
    """What a drill found. leaked: places where a secret was found right of Bronze."""

    placements: int = 0
    files: int = 0
    rejects: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    leaked: list[leaks.Finding] = field(default_factory=list)


def secrets_of(rng: Random) -> list[str]:
    """Tokens, passwords, names, phone numbers, mail and street addresses, all with signs at random."""

    def some(signs: str, length: int) -> str:
        return "".join(rng.choice(signs) for _ in range(length))

    small, figures = "abcdefghijklmnopqrstuvwxyz", "0123456789"
    makers: Sequence[Callable[[], str]] = (
        lambda: "tok-" + some("0123456789abcdef", 16),
        lambda: base64.b64encode(rng.randbytes(18)).decode(),
        lambda: some(small, 14),
        lambda: f"{some(small, 6).title()}{rng.randint(1000, 9999)}!",
        lambda: f"{some(small, 6).title()} {some(small, 7).title()}é",
        lambda: f"+4179{some(figures, 7)}",
        lambda: f"079 {some(figures, 3)} {some(figures, 2)} {some(figures, 2)}",
        lambda: f"{some(small, 6)}.{some(small, 6)}@{some(small, 5)}.ch",
        lambda: f"Rue {some(small, 8).title()} {rng.randint(1, 99)}",
        lambda: some(figures, 12),
    )
    return [makers[number % len(makers)]() for number in range(SECRETS_A_LAKE)]


def _node(document: Node, rng: Random) -> Node:
    """A random object of a file, itself included."""
    nodes: list[Node] = []
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            nodes.append(node)
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return rng.choice(nodes)


def _rooms(document: Node, category: str) -> Node:
    """The rooms of a category, which may have been replaced by something else."""
    if not isinstance(document.get(category), dict):
        document[category] = {}
    rooms: Node = document[category]
    if not isinstance(rooms.get("Office", {}), dict):
        del rooms["Office"]
    return rooms


def _under_a_key(document: Node, secret: str, rng: Random) -> None:
    _node(document, rng)[rng.choice(KEYS)] = rng.choice((secret, [secret], {"value": secret}))


def _nested_header(document: Node, secret: str, rng: Random) -> None:
    document[rng.choice(("header", "meta", "data"))] = {rng.choice(KEYS): secret, "note": secret}


def _header(document: Node, secret: str, rng: Random) -> None:
    document["api_token"] = rng.choice((secret, [secret], {"v": secret}))


def _value(document: Node, secret: str, rng: Random) -> None:
    _node(document, rng)[rng.choice(("note", "mode", "comment", "x"))] = secret


def _key(document: Node, secret: str, rng: Random) -> None:
    _node(document, rng)[secret] = rng.choice((1, "open", {"state": "on"}, [secret]))


def _room(document: Node, secret: str, rng: Random) -> None:
    category = rng.choice(("plugs", "motions", "humidities", "waters"))
    _rooms(document, category)[secret] = {"temperature": 20.5, "power": 1.5}


def _field(document: Node, secret: str, rng: Random) -> None:
    _rooms(document, "motions").setdefault("Office", {})[secret] = rng.choice((1, True, "on", secret))


def _category(document: Node, secret: str, rng: Random) -> None:
    document[secret] = rng.choice(({"Office": {"flow": 1}}, [secret], 7, secret))


def _list(document: Node, secret: str, rng: Random) -> None:
    document[rng.choice(("log", "plugs", "waters"))] = [secret, {"a": [secret, 1]}]


def _nested(document: Node, secret: str, rng: Random) -> None:  # noqa: ARG001
    document["waters"] = {"Bhroom": {"deep": {"a": [{"b": {"c": secret}}]}, "text": json.dumps([secret])}}


def _unit(document: Node, secret: str, rng: Random) -> None:
    document["meteos"] = {"Office": {"Temperature": 20.5, rng.choice(("unit", "Temperature_unit")): secret}}


def _in_a_known_field(document: Node, secret: str, rng: Random) -> None:
    category, name, values = rng.choice(
        (
            ("plugs", "power", (secret, f"{secret} W", [secret])),
            ("plugs", "total", (secret,)),
            ("motions", "motion", (secret, {secret: secret})),
            ("doorsWindows", "type", (secret, f"Window {secret}")),
        )
    )
    _rooms(document, category)["Office"] = {name: rng.choice(values)}


def _number(document: Node, secret: str, rng: Random) -> None:  # noqa: ARG001
    figures = "".join(filter(str.isdecimal, secret))[:15].lstrip("0")
    number = int(figures) if len(figures) > 8 else 41791234567
    document["waters"] = {"Bhroom": {"flow": number, "pin": number}}
    _rooms(document, "plugs").setdefault("Office", {})["power"] = number


def _time(document: Node, secret: str, rng: Random) -> None:  # noqa: ARG001
    document["datetime"] = secret


PLACES: Mapping[str, Callable[[Node, str, Random], None]] = {
    "under a key": _under_a_key, "nested header": _nested_header, "header": _header, "value": _value,
    "key": _key, "room": _room, "field": _field, "category": _category, "list": _list, "nested": _nested,
    "unit": _unit, "known field": _in_a_known_field, "number": _number, "time": _time,
}  # fmt: skip


def file_of(number: int, secrets: Sequence[str], rng: Random, kinds: Counter[str]) -> ShareFile:
    """A file with secrets: its own under a key first, whose forms then lie elsewhere, or others' alone."""
    home, at = HOMES[number % 2], FIRST + timedelta(minutes=number // 2)
    document = payload(home, at)
    for _ in range(PLACEMENTS_A_FILE):
        place, form = rng.choice([*PLACES]), rng.choice([*FORMS])
        secret = rng.choice(secrets)
        PLACES[place](document, FORMS[form](secret), rng)
        kinds[f"place: {place}"] += 1
        kinds[f"form: {form}"] += 1
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.3:
        # The first of two keys, which parsers drop in silence.
        twice = f'{{"{rng.choice(KEYS)}": {json.dumps(secret)}, "note": {json.dumps(secret)}, "note": "on", '
        text = twice + f'"{rng.choice(KEYS)}": "open", ' + text[1:]
        kinds["place: first of two keys"] += 1
    content = text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16")))
    if rng.random() < 0.02:
        content = content[: rng.randrange(len(content))]
    return ShareFile(name_of(home, at), content, at + timedelta(seconds=rng.randint(1, 90)))


def forecast_of(day: int, secrets: Sequence[str], rng: Random) -> ShareFile:
    """A forecast whose texts are secrets."""
    lines = ["Time,Value,Prediction,Site,Measurement,Unit"]
    for hour in range(24):
        texts = [
            f"2023-09-{4 + day:02d} {hour:02d}:00:00+00:00",
            "11.5",
            f"{hour:02d}",
            "Sion",
            "PRED_T_2M_ctrl",
            "°C",
        ]
        told = FORMS[rng.choice([*FORMS])](rng.choice(secrets)).replace('"', '""')
        texts[rng.randrange(len(texts))] = f'"{told}"'
        lines.append(",".join(texts))
    name = f"Pred_2023-09-{4 + day:02d}.csv"
    return ShareFile(name, "\n".join(lines).encode(), FIRST + timedelta(days=day, hours=6))


def tells(text: str) -> bool:
    """Whether a text is found for what it is: a few figures lie in times and counters by chance."""
    return len(text) >= (SHORTEST_FIGURES if text.replace(" ", "").isdecimal() else SHORTEST_HALF)


def forbidden(secrets: Sequence[str]) -> dict[str, str]:
    """The secrets and their halves, as far as those tell something, by a label."""
    parts = (text for secret in secrets for text in (secret, secret[1:], *leaks.halves(secret)))
    texts = sorted({text for text in parts if tells(text)})
    return {f"{number}": text for number, text in enumerate(texts)}


def prove(folder: Path, secrets: Sequence[str]) -> None:
    """Show that the scan finds each form of each secret in a file and in a Parquet column."""
    for number, secret in enumerate(secrets):
        for name, form in FORMS.items():
            if "half" in name and not all(map(tells, leaks.halves(secret))):
                continue
            place = folder / f"{number} {name.replace('/', ' ')}"
            place.mkdir(parents=True)
            text = form(secret)
            (place / "log.txt").write_text(f"of {text} seen", encoding="utf-8")
            leaks.PLANTS["Parquet value"][0](place, text)
            found = {finding.path for finding in leaks.scan(place, forbidden([secret]))}
            if len(found) < 2:
                raise leaks.LeakScanError(f"the scan does not find {name} of secret {number}")


def lake_of(number: int, seed: int, files: int, outcome: Outcome, folder: Path) -> None:
    """Carry files with secrets through a lake of its own, and scan all of it but Bronze."""
    rng = Random(f"{seed} {number}")
    secrets = secrets_of(rng)
    prove(folder / "proof", secrets[:10] if number == 0 else ())
    shutil.rmtree(folder / "proof", ignore_errors=True)
    made = [file_of(at, secrets, rng, outcome.kinds) for at in range(files)]
    write_share(folder / "share", made)
    write_share(folder / "weather", [forecast_of(day, secrets, rng) for day in range(2)])
    work = open_lake(write_sites(folder, REGISTRY), folder / "lake")
    carry(work, flows=FLOWS)
    # What checks say of names is written down as well.
    drift = installed_contract.observe_feed(work, FIRST.date())
    (folder / "lake" / "drift.txt").write_text(repr(drift), encoding="utf-8")
    outcome.files += files
    outcome.placements += files * PLACEMENTS_A_FILE
    outcome.rejects += work.lake.read(refusals.REJECTS).height
    held_back = [folder / "lake" / "bronze"]
    outcome.leaked += leaks.scan(folder / "lake", forbidden(secrets), exclude=held_back)


def drill(placements: int, seed: int) -> Outcome:
    """Carry so many placements, some hundred files a lake."""
    outcome = Outcome()
    lakes = 0
    while outcome.placements < placements:
        left = -(-(placements - outcome.placements) // PLACEMENTS_A_FILE)
        with tempfile.TemporaryDirectory(prefix="domotic-masks-") as place:
            lake_of(lakes, seed, min(FILES_A_LAKE, left), outcome, Path(place))
        lakes += 1
    return outcome


def report(outcome: Outcome, seconds: float) -> Iterator[str]:
    """The figures in Markdown."""
    yield (
        f"{outcome.placements:,} placements in {outcome.files:,} files, {outcome.rejects:,} rejects, "
        f"{seconds:.0f} s: {len(outcome.leaked)} found right of Bronze."
    )
    yield from (f"| {kind} | {number:,} |" for kind, number in sorted(outcome.kinds.items()))
    yield from (f"LEAKED {finding}" for finding in outcome.leaked[:20])


def main() -> None:
    """The drill from the command line."""
    parser = argparse.ArgumentParser(description="Secrets at random places of files: none right of Bronze")
    parser.add_argument("--placements", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    outcome = drill(asked.placements, asked.seed)
    print("\n".join(report(outcome, time.monotonic() - began)))
    sys.exit(bool(outcome.leaked))


if __name__ == "__main__":
    main()

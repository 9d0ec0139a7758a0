"""What others do, as plainly as they do it: each figure of the bench is held against one of these."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl


def loops(contents: Sequence[bytes]) -> list[dict[str, Any]]:
    """(b) Parse each file and walk it with loops, a dict for each reading."""
    rows: list[dict[str, Any]] = []
    for content in contents:
        try:
            document = json.loads(content)
        except ValueError:
            continue
        if not isinstance(document, dict):
            continue
        for category, rooms in document.items():
            if not isinstance(rooms, dict):
                continue
            if category == "meteos" and isinstance(rooms.get("meteo"), dict):
                rooms = rooms["meteo"]
            for room, devices in rooms.items():
                for place, device in enumerate(devices if isinstance(devices, list) else [devices], 1):
                    if not isinstance(device, dict):
                        continue
                    for field, value in device.items():
                        is_number = isinstance(value, int | float)
                        rows.append(
                            {
                                "datetime": document.get("datetime"),
                                "user": document.get("user"),
                                "room": room,
                                "device": f"{room}/{category}/{place}",
                                "variable": f"{category}.{field}",
                                "value": float(value) if is_number else None,
                                "value_text": None if is_number or value is None else str(value),
                            }
                        )
    return rows


def values_in(content: bytes) -> int:
    """How many values a sensor file holds, counted for itself: nothing of ours is asked."""
    document = json.loads(content.decode(json.detect_encoding(content), "replace"), strict=False)
    header = {"user", "api_token", "datetime"}
    found = 0
    for category, rooms in document.items():
        if category.casefold() in header:
            continue
        if category == "meteos" and isinstance(rooms, dict) and isinstance(rooms.get("meteo"), dict):
            found += sum(map(_values_of_room, rooms["meteo"].values()))
            rooms = {name: room for name, room in rooms.items() if name != "meteo"}
        found += sum(map(_values_of_room, rooms.values())) if isinstance(rooms, dict) else 1
    return found


def _values_of_room(device: Any) -> int:
    if isinstance(device, list):
        return sum(len(item) if isinstance(item, dict) else 1 for item in device)
    return len(device) if isinstance(device, dict) else 1


def loops_to_frame(contents: Sequence[bytes]) -> pl.DataFrame:
    """(a) The same loops, their rows made a DataFrame."""
    return pl.DataFrame(loops(contents), infer_schema_length=None)


def parse_only(contents: Sequence[bytes]) -> int:
    """(c) The limit: parse each file with orjson and do nothing else; how many could be parsed."""
    parsed = 0
    for content in contents:
        try:
            orjson.loads(content)
        except ValueError:
            continue
        parsed += 1
    return parsed


def copy_tree(source: Path, target: Path) -> None:
    """(d) Copy a folder of files, as an archive of the share would."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def read_tree(source: Path) -> int:
    """(g) List a folder with sizes and times, and read every file by the fewest calls; how many bytes."""
    with os.scandir(source) as listing:
        files = [(entry.path, entry.stat()) for entry in listing]
    total = 0
    for path, status in files:
        file = os.open(path, os.O_RDONLY)
        total += len(os.read(file, status.st_size + 1))
        os.close(file)
    return total

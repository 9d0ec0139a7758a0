"""YAML that a person hands in costs seconds at most, and ends in one line: no crash, no traceback."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domotic_assets.errors import ConfigurationError
from domotic_assets.quality.contract import parse_contract
from domotic_assets.registry.bounded_yaml import LARGEST_BYTES, MOST_VALUES
from domotic_assets.registry.loading import load_sites, parse_registry
from domotic_assets_tests.support.builders import REGISTRY
from domotic_assets_tests.support.shared_data import REPOSITORY

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGES = "a: &a {b: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join(['*a'] * 50)}]}}\n" for n in range(15_000)
)
BOMBS = {
    "lists": ("[" * 100_000 + "]" * 100_000, "over 40 deep"),
    "open lists": ("[" * 100_000, "over 40 deep"),
    "maps": ("{a: " * 100_000, "over 40 deep"),
    "block lists": ("- " * 100_000 + "x", "over 40 deep"),
    "block maps": ("".join(f"{' ' * n}a:\n" for n in range(2_000)), "over 40 deep"),
    "keys": ("? " * 100_000, "a key that is no text"),
    "key of a list": ("? [a]\n: b", "a key that is no text"),
    "laughs": (LAUGHS, f"more than {MOST_VALUES:,} values"),
    "merges": (MERGES, f"more than {MOST_VALUES:,} values"),
    "itself": ("a: &a [*a]", "an alias within what it stands for"),
    "object": ("homes: !!python/object/apply:os.system ['id']", "a tag"),
    "number": ("homes: !!int abc", "a tag"),
    "tags": ("".join(f"%TAG !a{n}! tag:x,{n}:\n" for n in range(100_000)) + "---\na: 1\n", "a tag"),
    "long tag": (f"homes: !{'x' * 1_000_000} y", "a tag"),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("parse", [parse_registry, parse_contract], ids=["sites.yaml", "contract.yaml"])
def test_a_bomb_is_one_line_within_seconds(name: str, parse: object) -> None:
    text, what = BOMBS[name]
    began = time.process_time()
    with pytest.raises(ConfigurationError) as error:
        parse(text, "handed in.yaml")  # type: ignore[operator]
    assert time.process_time() - began < 5
    assert what in str(error.value)
    assert str(error.value).startswith("handed in.yaml:")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_the_process_lives_on_with_100000_nested_lists(tmp_path: Path) -> None:
    """In a process of its own, whose death the tests survive."""
    (tmp_path / "sites.yaml").write_text("[" * 100_000 + "]" * 100_000)
    main = "import sys; sys.argv[0] = 'domotic'; from domotic_assets.cli.main import main; main()"
    command = [sys.executable, "-c", main, "status", "--sites", "sites.yaml", "--lake", "lake"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {tmp_path}/sites.yaml:1: lists and maps over 40 deep; "
        "expected at most 40 levels; mend that line"
    ]


@pytest.mark.parametrize("size", [LARGEST_BYTES + 1, None], ids=["a byte too many", "without end"])
def test_a_file_too_large_is_not_read(size: int | None, tmp_path: Path) -> None:
    file = Path("/dev/zero")
    if size is not None:
        file = tmp_path / "sites.yaml"
        with file.open("wb") as handle:
            handle.truncate(size)
    with pytest.raises(ConfigurationError, match="too large; expected at most 8,388,608 bytes"):
        load_sites(file)


def test_thousands_of_mistakes_are_told_in_a_few_lines() -> None:
    began = time.process_time()
    with pytest.raises(ConfigurationError) as error:
        parse_registry(f"homes: [{'x,' * 100_000}]\nhistory_start: {'9' * 1_000_000}\n")
    assert time.process_time() - began < 10
    lines = str(error.value).splitlines()
    assert len(lines) == 21
    assert max(map(len, lines)) <= 1000
    assert lines[-1].endswith("more mistakes")


def test_a_value_with_line_ends_and_signs_stays_on_its_line() -> None:
    text = REGISTRY.replace("role: admin", 'role: "x\\ny\\e[2J\\u202E"')
    with pytest.raises(ConfigurationError) as error:
        parse_registry(text)
    (line,) = str(error.value).splitlines()
    assert line.isprintable()


def test_anchors_of_a_usual_size_are_read() -> None:
    assert "rooms: *rooms" in REGISTRY
    one, other = parse_registry(REGISTRY).homes
    assert one.rooms == other.rooms
    assert len(one.rooms) > 5

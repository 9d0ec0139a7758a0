"""After a build of hours full of defects, nothing personal stands outside bronze and the sources.

The sources hold tokens, users, addresses, telephone numbers; the build runs as a person starts it, its
output is kept, and the scan decodes every container below the lake.
"""

import hashlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from domotic_assets.registry.loading import load_sites
from domotic_assets.simulator.register import personal_values
from domotic_assets.simulator.run import Folders, Simulation, write_history
from domotic_assets_tests.support import builders, leaks
from domotic_assets_tests.support.leaks import Finding
from domotic_assets_tests.support.secret_forms import FORMS, KEYS

pytestmark = [pytest.mark.rule(11), pytest.mark.untraced]

REGISTER_SECRETS = {
    "register name": "Wernli-Bachofner", "register street": "Sonnhaldenweg",
    "register phone": "078 765 43 21", "register password": "Winterzauber88",  # pragma: allowlist secret
}  # fmt: skip
REGISTER_TEXTS = (
    ("rooms", "name", "Zimmer Wernli-Bachofner"),
    ("devices", "name", "TV 078 765 43 21"),
    ("devices", "type", "pw Winterzauber88"),
    ("buildingtype", "name", "Sonnhaldenweg 4"),
    ("dierrors", "errorMessage", "call 078 765 43 21, pw Winterzauber88, Wernli-Bachofner, Sonnhaldenweg 4"),
)
EXPORTED = "exported/files.zip"
SEED = 3
START = datetime(2023, 9, 4, tzinfo=UTC)
MINUTES = 240
# Every defect several times in these hours; the two big ones a few times.
DEFECTS = {"all": 0.05, "missing": 0.01, "huge": 0.004, "deep_nesting": 0.01}
SOURCES = "data/sources"
REGISTRY = builders.REGISTRY.replace("address: ", f"address: {SOURCES}/")


@dataclass(frozen=True)
class Installation:
    """A folder with sites.yaml, a lake, its sources, and the output of every command that ran in it."""

    folder: Path
    forbidden: Mapping[str, str]

    @property
    def lake(self) -> Path:
        """The lake root."""
        return self.folder / "data"

    def run(self, *arguments: str) -> int:
        """`domotic …` in a process of its own; output goes to a file below the folder."""
        output = self.folder / f"output-{len(list(self.folder.glob('output-*')))}-{arguments[0]}.txt"
        with output.open("wb") as file:
            command = [sys.executable, "-c", "from domotic_assets.cli.main import main; main()", *arguments]
            return subprocess.run(
                command, cwd=self.folder, stdout=file, stderr=subprocess.STDOUT, check=False
            ).returncode

    def output(self) -> str:
        """What all commands said."""
        return "".join(file.read_text() for file in sorted(self.folder.glob("output-*")))

    def findings(self) -> list[Finding]:
        """The scan of all but bronze, the sources and an export's files as received, and sites.yaml."""
        own = [
            self.lake / "bronze",
            self.folder / SOURCES,
            self.folder / "sites.yaml",
            self.folder / EXPORTED,
        ]
        return leaks.scan(self.folder, self.forbidden, exclude=own)


def simulated(folder: Path, minutes: int = MINUTES) -> Installation:
    """Some hours of two homes with every defect, and the register with personal values."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sites.yaml").write_text(REGISTRY, encoding="utf-8")
    sites = load_sites(folder / "sites.yaml")
    simulation = Simulation(sites.registry, START, seed=SEED, defects=DEFECTS, weather_sites=2)
    write_history(simulation, Folders.of(sites), minutes)
    planted = plant_forms(folder / SOURCES / "share") if minutes == MINUTES else []
    with sqlite3.connect(folder / SOURCES / "register.sqlite") as register:
        for table, column, text in REGISTER_TEXTS if planted else ():
            register.execute(f'UPDATE {table} SET "{column}" = ? WHERE rowid % 2', (text,))  # noqa: S608
    register.close()
    named = {f"planted {number}": text for number, text in enumerate(planted)}
    return Installation(folder, forbidden_values(folder) | named | REGISTER_SECRETS)


def plant_forms(share: Path) -> list[str]:
    """Write a secret into a file of its own in each form, under a key, as a value and in names; the secrets.

    A home's secrets of every form lie in a forecast and in the register as well.
    """
    secrets = []
    forms = iter(FORMS.items())
    for number, file in enumerate(sorted(share.glob("*_received.json"))):
        try:
            document = json.loads(file.read_bytes())
        except (ValueError, RecursionError):
            continue
        if not (isinstance(document, dict) and document.get("user") in file.name and "plugs" in document):
            continue
        name, form = next(forms, ("", None))
        if form is None:
            return secrets
        secret = f"tok-{hashlib.sha256(name.encode()).hexdigest()[:20]}"
        told = form(secret)
        document |= {KEYS[number % len(KEYS)]: secret, "note": told, told: 1, "waters": {told: {told: told}}}
        document["motions"] = {**document.get("motions", {}), told: {"motion": True, told: 7}}
        document["plugs"] = {**document["plugs"], told: {"power": told}}
        file.write_text(json.dumps(document), encoding="utf-8")
        secrets += [secret, *leaks.halves(secret)]
    raise AssertionError("fewer files than forms")


def forbidden_values(folder: Path) -> dict[str, str]:
    """Every personal text that the sources hold, read from what was written too."""
    homes = load_sites(folder / "sites.yaml").registry.homes
    found = dict.fromkeys(personal_values(SEED, homes))
    share = folder / SOURCES / "share"
    for file in share.iterdir():
        named = re.search(r"_(.+)_received", file.name)
        if named:
            found[named[1]] = None
        for key in (b"user", b"api_token"):
            inside = re.search(rb'"' + key + rb'": ?"([^"\\]+)"', file.read_bytes())
            if inside:
                found[inside[1].decode()] = None
    with sqlite3.connect(folder / SOURCES / "register.sqlite") as register:
        for column in (
            "houseName",
            "address",
            "firstName",
            "lastName",
            "phoneNumber",
            "latitude",
            "longitude",
        ):
            for (value,) in register.execute(f'SELECT "{column}" FROM buildings'):  # noqa: S608
                found[str(value)] = None
    register.close()
    return {f"personal value {number}": value for number, value in enumerate(found)}


COMMANDS = (
    ("build",),
    ("build",),
    ("query", "SELECT * FROM gold.dim_apartment, gold.dim_device"),
    ("rejects", "list"),
    ("export", "jimmy", "--out", "exported"),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The installation after a build, one more with resends and completed files, and a query."""
    installation = simulated(tmp_path_factory.mktemp("leaks"))
    later = (installation.folder / SOURCES / "later").iterdir()
    for arguments in COMMANDS:
        assert installation.run(*arguments) == 0, installation.output()[-2_000:]
        for file in later:
            shutil.copy2(file, installation.folder / SOURCES / "share")
    return installation


def test_the_scan_finds_what_is_planted_in_every_kind_of_container(tmp_path: Path) -> None:
    leaks.prove(tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_the_scan_finds_a_secret_in_each_form(form: str, tmp_path: Path) -> None:
    secret = "tok-9f3b5c71e08d"  # pragma: allowlist secret
    searched = {"whole": secret, "rest": secret[1:]} | dict(enumerate_halves(secret))
    (tmp_path / "log.txt").write_text(f"of {FORMS[form](secret)} seen", encoding="utf-8")
    assert leaks.scan(tmp_path, searched)


def enumerate_halves(secret: str) -> Iterator[tuple[str, str]]:
    """The halves of a secret by a label."""
    yield from ((f"half {number}", half) for number, half in enumerate(leaks.halves(secret)))


def test_the_sources_do_hold_what_is_searched_for(built: Installation) -> None:
    """Users, tokens, telephone numbers and addresses of both homes: the search is for real values."""
    # Files that were sent again since then lie in Bronze alone.
    in_sources = [
        finding
        for folder in (built.folder / SOURCES, built.lake / "bronze")
        for finding in leaks.scan(folder, built.forbidden)
    ]
    assert {finding.label for finding in in_sources} == set(built.forbidden)
    assert {"JimmyLoup", "JeremieVianin"} < set(built.forbidden.values())
    assert len(built.forbidden) > 20


def test_every_way_a_file_can_go_was_gone(built: Installation) -> None:
    """The scan is worth something only where defective files were worked through and texts masked."""
    files = pl.read_delta(str(built.lake / "silver/sensor_files"))
    assert set(files["status"]) == {"loaded", "partial", "superseded", "quarantined"}
    assert pl.read_delta(str(built.lake / "silver/rejects")).height > 20
    errors = pl.read_delta(str(built.lake / "silver/register_dierrors"))
    assert "***" in "".join(map(str, errors.rows()))


def test_nothing_personal_stands_outside_bronze_and_the_sources(built: Installation) -> None:
    scanned = {path.name for path in built.lake.iterdir()} | {path.name for path in built.folder.iterdir()}
    assert {"silver", "gold", "serve", "dagster", "output-0-build.txt", "exported"} <= scanned
    assert built.findings() == []


def test_one_value_planted_in_a_copy_of_the_lake_is_found(built: Installation, tmp_path: Path) -> None:
    copy = Installation(tmp_path / "copy", built.forbidden)
    shutil.copytree(built.lake / "silver", copy.lake / "silver")
    assert copy.findings() == []
    table = sorted((copy.lake / "silver/rejects").rglob("*.parquet"))[0]
    frame = pl.read_parquet(table)
    secret = built.forbidden["personal value 2"]
    frame.with_columns(raw_text=pl.lit(f"got {secret} instead")).write_parquet(table)
    assert {finding.path for finding in copy.findings()} == {table.relative_to(copy.folder).as_posix()}


@pytest.mark.parametrize("damage", ["share removed", "register damaged", "register without a column"])
def test_a_failing_build_says_nothing_personal(damage: str, tmp_path: Path) -> None:
    installation = simulated(tmp_path / "home", minutes=20)
    sources = installation.folder / SOURCES
    if damage == "share removed":
        shutil.rmtree(sources / "share")
    elif damage == "register damaged":
        content = (sources / "register.sqlite").read_bytes()
        (sources / "register.sqlite").write_bytes(content[:4_096] + b"\1" * 4_096 + content[8_192:])
    else:
        with sqlite3.connect(sources / "register.sqlite") as register:
            register.execute('ALTER TABLE buildings RENAME COLUMN "houseName" TO "nickname"')
        register.close()
    assert installation.run("build") == 1
    # One line with what is wrong, and no trace of where in the code.
    assert len(installation.output().splitlines()) == 1
    assert installation.output().startswith("error: ")
    assert installation.findings() == []


def test_processing_dates_again_brings_an_older_register_to_these_rules(built: Installation) -> None:
    """The last of these tests: the files that it replaces keep what an older version wrote for a day."""
    rooms = str(built.lake / "silver/register_rooms")
    held = pl.read_delta(rooms)
    held.with_columns(name=pl.lit("Zimmer Wernli-Bachofner")).write_delta(rooms, mode="overwrite")
    assert built.run("build", "--since", f"{START:%Y-%m-%d}") == 0
    assert pl.read_delta(rooms).sort("id_room")["name"].to_list() == held.sort("id_room")["name"].to_list()
    assert "Office" in held["name"].to_list()

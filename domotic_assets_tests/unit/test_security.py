"""What a hostile file or name could try, and what must not stand in the code: SQL of values, secrets."""

import ast
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domotic_assets.errors import ConfigurationError
from domotic_assets.flow.windows import read_key
from domotic_assets.flow.workspace import Workspace
from domotic_assets.lake.store import Lake
from domotic_assets.schemas.homes import silver
from domotic_assets.settings import Settings
from domotic_assets.sources.base import Entry
from domotic_assets.sources.files.folders import FileFolder
from domotic_assets.sources.files.local import LocalFolder
from domotic_assets.sources.files.sftp import SftpFolder
from domotic_assets.sources.files.smb import SmbFolder
from domotic_assets_tests.support.builders import (
    FEED_USERS,
    REGISTRY,
    SAMPLE_TIME,
    payload,
    plug,
    registry,
    share_file,
    to_bytes,
    write_share,
    write_sites,
)
from domotic_assets_tests.support.carry import TO_SILVER, carry
from domotic_assets_tests.support.sensor_path import in_memory

PACKAGE = Path(__file__).parents[2] / "domotic_assets"
AT = datetime(2023, 8, 31, 20, tzinfo=UTC)
MEGABYTE = 1024 * 1024


class TestBombs:
    """However large, deep or wide a file: it costs little time and memory, and no other file."""

    pytestmark = pytest.mark.rule(9)

    # Traced, 1.5 million numbers take eight times as long, and the tracer's time would be judged.
    @pytest.mark.untraced
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"[" * 5_000_000, "too_deep"),
            (b'{"plugs":' * 500_000 + b"1" + b"}" * 500_000, "too_deep"),
            (b'{"a":' * 300 + b"1" + b"}" * 300, "too_deep"),
            (to_bytes(payload(x=1))[:-1] + b', "y": ' + b"9" * 5_000_000 + b"}", None),
            (to_bytes(payload(x="a" * 7_000_000)), None),
            (to_bytes(payload(x="a" * 9_000_000)), "too_large"),
            (to_bytes(payload(x=[0] * 1_500_000)), None),
            (to_bytes(payload(plugs={"Office": {f"k{n}": n for n in range(500_000)}})), "too_large"),
            (to_bytes(payload(plugs={f"k{n}": {"power": n} for n in range(200_000)})), "too_large"),
            (to_bytes(payload(plugs={"Office": [plug()] * 20_000})), "too_large"),
            (to_bytes(payload(plugs={"r" * 200_000: {f"k{n}": n for n in range(4_000)}})), None),
            (to_bytes(payload(**{"c" * 200_000: {f"k{n}": {"x": n} for n in range(4_000)}})), None),
            (to_bytes(payload(api_token="é" * 1_000_000)), None),
            (to_bytes(payload(api_token=[f"token-{n}" for n in range(100_000)], x="token-7")), None),
            (b"\x1f\x8b\x08" + b"\x00" * 1_000_000, "not_json"),
            (b"PK\x03\x04" + b"\x00" * 1_000_000, "not_json"),
        ],
        ids=[
            "5 million brackets", "a million keys deep", "300 deep", "number of 5 million digits",
            "text of 7 MB", "text of 9 MB", "1.5 million numbers", "500,000 fields", "200,000 rooms",
            "20,000 plugs in a room",
            "room of 200,000 letters", "category of 200,000 letters", "token of a million letters",
            "100,000 tokens", "gzip", "zip",
        ],
    )  # fmt: skip
    def test_a_bomb_costs_little_and_its_neighbour_nothing(self, content: bytes, reason: str | None) -> None:
        bomb, good = share_file(content=content), share_file("jeremie")
        seconds, memory, done = measured(lambda: in_memory(bomb, good))
        states = dict(done.files.select("home", "reason").iter_rows())
        assert states == {"jimmy": reason, "jeremie": None}
        assert done.events.filter(home="jeremie").equals(in_memory(good).events)
        assert seconds < 5
        assert memory < 400 * MEGABYTE

    def test_long_names_stay_apart_and_are_hidden(self) -> None:
        rooms = {"r" * 300 + end: {"power": 1.0} for end in "ab"}
        ids = in_memory(share_file(plugs=rooms)).events.filter(variable="plugs.power")["room"].to_list()
        assert len(set(ids)) == 2
        assert {len(room) for room in ids} == {len("jimmy/hidden-") + 12}

    @pytest.mark.rule(11)
    def test_no_piece_of_a_user_is_left_where_a_name_is_cut(self) -> None:
        user = FEED_USERS["jimmy"]
        for place in range(100 - len(user), 101):
            name = "r" * place + user + "r" * 300
            texts = in_memory(share_file(plugs={name: {"x": 1}}, **{name: {name: {name: 1}}})).texts()
            assert [text for text in texts if "rj" in text.lower() or "lr" in text.lower()] == []


def measured(work: Callable[[], Any]) -> tuple[float, int, Any]:
    """CPU seconds, the most bytes held above what was held before, and the result."""
    Path("/proc/self/clear_refs").write_text("5")
    before, began = _status("VmRSS"), time.process_time()
    result = work()
    return time.process_time() - began, _status("VmHWM") - before, result


def _status(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


NAMES_THAT_LEAD_ELSEWHERE = (
    "../secret.json", "../../etc/passwd", "/etc/passwd", "sub/secret.json", "..\\secret.json",
    "C:\\secret.json",
    "\\\\server\\share\\secret.json", "secret.json\0.txt", "..", ".", "",
)  # fmt: skip


class _Answered(Exception):
    """A request would have gone to the server."""


def _refuse(*_: object, **__: object) -> None:
    raise _Answered


class TestNames:
    """A name is a file of its folder, or nothing."""

    @pytest.fixture(params=["folder", "smb", "sftp"])
    def folder(
        self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> FileFolder:
        """A folder of each kind; servers are never asked, but say that they would have been."""
        monkeypatch.setattr(SmbFolder, "_ask", _refuse)
        monkeypatch.setattr(SftpFolder, "_persist", _refuse)
        monkeypatch.setattr(LocalFolder, "_open", _refuse)
        if request.param == "smb":
            return SmbFolder("//host/share/feed", "somebody", "x")
        if request.param == "sftp":
            return SftpFolder("sftp://host/feed", "somebody", password="x", known_hosts=tmp_path / "none")
        return LocalFolder(tmp_path)

    @pytest.mark.parametrize("name", NAMES_THAT_LEAD_ELSEWHERE)
    def test_a_name_that_leads_elsewhere_is_not_read(self, folder: FileFolder, name: str) -> None:
        assert list(folder.read([Entry(name, 10, AT)])) == []

    @pytest.mark.parametrize("name", ["..json", "a..b.json", "31.08.2023 2144_JimmyLoup_received.json"])
    def test_any_other_name_is_asked_for(self, folder: FileFolder, name: str) -> None:
        with pytest.raises(_Answered):
            list(folder.read([Entry(name, 10, AT)]))

    @pytest.mark.parametrize("user", ["../x", "a/b", "a\\b", "a b"])
    def test_a_feed_user_that_could_be_a_path_is_refused(self, user: str) -> None:
        with pytest.raises(ConfigurationError, match="feed_user"):
            registry(REGISTRY.replace(FEED_USERS["jimmy"], json.dumps(user)))

    @pytest.mark.parametrize("home", ["../x", "a/b", "/etc", "..", "A", ""])
    def test_a_home_that_could_be_a_path_is_refused(self, home: str) -> None:
        with pytest.raises(ConfigurationError, match=r"homes\.0\.id"):
            registry(REGISTRY.replace("id: jimmy", f"id: {json.dumps(home)}"))


def test_no_name_in_a_file_makes_a_folder_of_the_lake(tmp_path: Path) -> None:
    """Rooms, categories and fields that spell paths are written as rows, and nowhere else."""
    sites = write_sites(tmp_path / "here")
    odd = "../../x"
    file = share_file(plugs={odd: plug(), "/etc": plug(), "..": plug()}, **{odd: {odd: {odd: 1}}})
    write_share(tmp_path / "here" / "share", [file])
    work = Workspace.open(Settings.of(sites, str(tmp_path / "here" / "lake"), {}))
    carry(work, [read_key(SAMPLE_TIME.strftime("%Y-%m-%d"))], flows=TO_SILVER)
    rooms = set(Lake(work.lake.root).read(silver.SENSOR_EVENTS)["room"])
    assert {"jimmy/.._.._x", "jimmy/.."} < rooms
    assert len([room for room in rooms if room.startswith("jimmy/hidden-")]) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"here"}
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"sites.yaml", "share", "weather", "lake"}
    inside = {part for path in (tmp_path / "here" / "lake").rglob("*") for part in path.parts if part == "x"}
    assert inside == set()
    dates = {path.name for path in (tmp_path / "here" / "lake").glob("*/*/utc_date=*")}
    assert dates == {"utc_date=2023-08-31"}


SQL_WORDS = re.compile(
    r"\s*(SELECT|INSERT|DELETE|UPDATE|CREATE|DROP|ALTER|ATTACH|DETACH|COPY|WITH|PRAGMA|SET|SHOW|COMMENT|FROM|CALL"
    r"|USE|INSTALL|LOAD|DESCRIBE|EXPORT|IMPORT|VACUUM|GRANT)\s"
)
PUT_INTO_SQL = {
    # Names of our own tables and columns, quoted.
    "name_of(table.name)", "identifier(schema)", "identifier(column.name)", "identifier(key.target)",
    "name_of(key.table)", "column",
    # Names that a catalog of our own files gives, quoted.
    "identifier(table)", "_kept(mart)",
    "', '.join(map(identifier, table.sort))",
    # Quoted texts.
    "literal(str(target))", "literal(STORAGE_VERSION)", "literal(describe_table(table))",
    "literal(describe_column(table, column))",
    "identifier(column)", "identifier(name)", "identifier(schema + _OLD)", "identifier(GOLD_SCHEMA)",
    "identifier(MARTS_SCHEMA)", "', '.join(map(identifier, SCHEMAS))", "qualified(META_SCHEMA, name)", "to",
    "name_of(calendar.DIM_DATE.name)", "', '.join(columns)", "', '.join(names)",
    "of_table",
    "relation", "shown", "names", "key", "order",
    "literal(str(admin_file))", "literal(publish.STORAGE_VERSION)", "literal(mart.comment or '')",
    "literal(meaning)", "literal(words)",
    # SQL made of the same parts, with values as parameters.
    "cut.rows(table, cuts[table.name], scope)", "rows",
    "read", "facts", "condition", "span.condition", "in_duckdb", "wanted", "held", "values", "origin",
    "setting", "max(1, (os.cpu_count() or 1) // number)",
    "rows_of_files(table)", "compared", "counts", "where", "between", "', '.join(parts)", "columns", "marks",
    # Names and constants of ours, and whole numbers of a scope's windows (`dated`).
    "' UNION ALL '.join([*minutes, dates])", "_DAYS", "_ISSUES", "_READINGS", "_devices(cut.windows)",
    "_within(cut.windows)", "_within(windows)", "calendar.DAYS_AHEAD", "dated.condition(table, cut)",
    "day", "device", "issues", "name_of(calendar.DIM_DATETIME.name)", "name_of(fact.name)",
    "name_of(homes.DIM_ROOM.name)", "name_of(homes.FACT_DEVICE_HEALTH_DAY.name)", "place_of(fact)",
    "present", "what",
    # Constants of the code.
    "SOURCE", "VIEWS", "cut.SOURCE", "cut.VIEWS", "_TARGET", "catalog", "schema", "kind", "words",
    "place", "SEEN", "SCHEMA", "change_log.SCHEMA", "patience_ms", "identifier(database)", "identifier(role)",
    "_FIRST_STATISTICS",
    "_CATALOG", "GOLD_SCHEMA", "MARTS_SCHEMA", "table", "_TABLE", "name",
}  # fmt: skip
"""What the code puts into SQL, each looked at: nothing of it comes from a feed, a file or a person."""


def _sql_parts(source: str) -> Iterator[str]:
    """What is put into the texts of a module that begin as SQL does."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]) if SQL_WORDS.match(start):
                yield from (ast.unparse(p.value) for p in node.values if isinstance(p, ast.FormattedValue))
            case ast.BinOp(left=ast.Constant(value=str(start)), right=right) if SQL_WORDS.match(start):
                yield ast.unparse(right)
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(start)))) if SQL_WORDS.match(start):
                yield ast.unparse(node)


def test_sql_holds_nothing_but_names_of_ours_and_parameters() -> None:
    found = {part for file in PACKAGE.rglob("*.py") for part in _sql_parts(file.read_text())}
    assert len(found) > 10
    assert found - PUT_INTO_SQL == set(), "look at it: is it a quoted name of ours? a value is a parameter"


@pytest.mark.parametrize(
    "source",
    [
        "run(f'SELECT * FROM t WHERE name = {name}')", "run('DELETE FROM t WHERE name = ' + name)",
        "run('DROP TABLE %s' % name)", "run('COPY t TO {}'.format(name))", "run(f'ATTACH {name}')",
    ],
)  # fmt: skip
def test_a_value_put_into_sql_would_be_seen(source: str) -> None:
    assert any("name" in part for part in _sql_parts(source))


PLANTED = {
    "key.pem": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\n",
    "settings.py": "pass" + "word = 'hunter2-and-some-more'\n",
    "cloud.ini": "aws_access_key_id = AKIA" + "QYLPMN5HHHFPZAM2\n",
    "address.yaml": "url: https://somebody:" + "s3cr3t-of-theirs@example.org/x\n",
}


@pytest.mark.parametrize(("name", "text"), PLANTED.items())
def test_the_scan_of_the_makefile_finds_a_planted_secret(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "clean.py").write_text("answer = 42\n")
    assert _scan(tmp_path / "clean.py") == 0
    assert _scan(tmp_path / name) == 1


def _scan(file: Path) -> int:
    """The exit code of the command that the Makefile runs, over one file."""
    makefile = (PACKAGE.parent / "Makefile").read_text()
    options = re.search(r"detect-secrets-hook (.*)$", makefile, re.MULTILINE)
    assert options
    program = Path(sys.executable).with_name("detect-secrets-hook")
    return subprocess.run([program, *options[1].split(), file], capture_output=True, check=False).returncode


def test_every_test_that_the_threat_table_names_is_there() -> None:
    """A row whose test has gone or got another name promises what nobody tries."""
    table = (PACKAGE.parent / "docs/security.md").read_text().split("## Threat table")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    tests = PACKAGE.parent / "domotic_assets_tests"
    for row in rows:
        named = re.findall(r"`([^`]+)`", row.rsplit("|", 2)[1])
        assert named, row
        file = ""
        for name in named:
            if name.startswith("make "):
                continue
            path, _, function = name.partition("::")
            file = path or file
            assert not function or f"def {function}(" in (tests / file).read_text(), name
            assert (tests / file).is_file(), name

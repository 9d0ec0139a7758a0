"""The `domotic` command as a person types it: help, results, one-line errors and exit codes."""

import sys
from pathlib import Path

import duckdb
import pytest

from domotic_assets.cli.main import main
from domotic_assets_tests.support.builders import REGISTRY, write_sites


class Command:
    """Runs `domotic …` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Exit code, what it printed, and what it complained of."""
        self._monkeypatch.setattr(sys, "argv", ["domotic", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.out, printed.err


@pytest.fixture
def domotic(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with a published file of one small table."""
    serve = tmp_path / "lake" / "serve"
    serve.mkdir(parents=True)
    with duckdb.connect(str(serve / "domotic-admin.duckdb")) as connection:
        connection.execute("CREATE SCHEMA gold")
        connection.execute("CREATE SCHEMA marts")
        connection.execute("CREATE TABLE gold.dim_room AS SELECT 'jimmy/office' AS room_id, NULL AS floor")
    return tmp_path / "lake"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["build", "query", "summary", "simulate"]),
        (["-h"], ["build", "query", "summary", "simulate"]),
        (["build", "--help"], ["--sites", "--lake", "--since", "--until"]),
        (["query", "--help"], ["SQL", "--lake", "mart_energy_daily"]),
        (["summary", "--help"], ["--sites", "--lake"]),
        (["simulate", "--help"], ["--days", "--defect", "--live"]),
    ],
)
def test_help_says_what_a_command_takes(domotic: Command, arguments: list[str], words: list[str]) -> None:
    code, printed, complaint = domotic(*arguments)
    assert (code, complaint) == (0, "")
    assert [word for word in words if word not in printed] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bild"], "No such command 'bild'"),
        (["query"], "Missing argument 'SQL'"),
        (["build", "--since", "4.9.2023"], "does not match the format '%Y-%m-%d'"),
        (["summary", "--homes", "3"], "No such option"),
    ],
)
def test_a_wrong_command_line_ends_with_code_2_and_says_why(
    domotic: Command, arguments: list[str], message: str
) -> None:
    code, printed, complaint = domotic(*arguments)
    assert (code, printed) == (2, "")
    assert message in complaint


def test_a_query_prints_names_and_rows_apart_by_tabs(domotic: Command, lake: Path) -> None:
    code, printed, complaint = domotic("query", "--lake", lake, "SELECT room_id, floor FROM dim_room")
    assert (code, printed, complaint) == (0, "room_id\tfloor\njimmy/office\t\n", "")


def test_a_question_before_any_build_says_to_build(domotic: Command, tmp_path: Path) -> None:
    code, printed, complaint = domotic("query", "SELECT 1", "--lake", tmp_path / "none")
    assert (code, printed) == (1, "")
    assert complaint == (
        f"error: {tmp_path / 'none' / 'serve' / 'domotic-admin.duckdb'}: nothing is published yet; "
        "expected a file that `domotic build` publishes; "
        "run `domotic build` first, or name its lake with --lake\n"
    )


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "error: query: Parser Error"),
        ("SELECT * FROM nowhere", "error: query: Catalog Error: Table with name nowhere does not exist"),
        ("SELECT rom_id FROM dim_room", "error: query: Binder Error"),
        ("DELETE FROM dim_room", "error: query: Invalid Input Error"),
        ("SELECT * FROM read_csv('/etc/hostname')", "error: query: Permission Error"),
    ],
)
def test_wrong_sql_is_one_line_with_the_remedy(domotic: Command, lake: Path, sql: str, message: str) -> None:
    code, printed, complaint = domotic("query", "--lake", lake, sql)
    assert (code, printed) == (1, "")
    assert complaint.startswith(message)
    assert complaint.endswith("`SHOW TABLES` lists what can be asked\n")
    assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (
            "{name: Sion, code: sio, lat: 46.2187",
            "{name: Sion, code: sio, lat: 146.2",
            ["weather_sites.0.lat", "146.2", "90"],
        ),
        ("    floor: 2\n", "    flor: 2\n", ["homes.0.flor", "unknown key", "allowed here are", "floor"]),
        (
            "    tariff: oiken\n    rooms: &rooms",
            "    tariff: nobody\n    rooms: &rooms",
            ["homes.0.tariff", "'nobody'", "oiken"],
        ),
        ("role: admin", "role: king", ["people.0.role", "'king'", "owner"]),
        ("kind: sqlite", "kind: oracle", ["sources.register_rows.kind", "'oracle'", "sqlite"]),
    ],
)  # fmt: skip
def test_a_wrong_registry_names_line_key_what_was_found_and_what_is_allowed(
    domotic: Command, tmp_path: Path, right: str, wrong: str, said: list[str]
) -> None:
    assert REGISTRY.count(right) == 1
    text = REGISTRY.replace(right, wrong)
    file = write_sites(tmp_path, text)
    changed = zip(REGISTRY.splitlines(), text.splitlines(), strict=True)
    line = next(number for number, (old, new) in enumerate(changed, 1) if old != new)
    code, printed, complaint = domotic("summary", "--sites", file, "--lake", tmp_path / "lake")
    assert (code, printed) == (1, "")
    assert (
        complaint.startswith(f"error: {file}:{line}: {said[0]}")
        or f"sites.yaml:{line}: {said[0]}" in complaint
    )
    assert [word for word in said if word not in complaint] == []
    assert complaint.count("\n") == 1
    assert not (tmp_path / "lake").exists()


@pytest.mark.rule(11)
def test_a_wrong_registry_repeats_no_user_name(domotic: Command, tmp_path: Path) -> None:
    for wrong in ("JimmyLoup", "[JeremieVianin]", "JeremieVianin: 1", '"JeremieVianin'):
        file = write_sites(tmp_path, REGISTRY.replace("feed_user: JeremieVianin", f"feed_user: {wrong}"))
        code, printed, complaint = domotic("summary", "--sites", file, "--lake", tmp_path / "lake")
        assert (code, printed) == (1, "")
        assert "sites.yaml:" in complaint
        assert not [user for user in ("JimmyLoup", "JeremieVianin") if user in complaint]


def test_a_missing_registry_is_one_line(domotic: Command, tmp_path: Path) -> None:
    code, _, complaint = domotic("summary", "--sites", tmp_path / "none.yaml", "--lake", tmp_path / "lake")
    assert code == 1
    assert complaint.startswith("error: ")
    assert complaint.count("\n") == 1
    assert "none.yaml" in complaint

"""Questions to the published file: short names, no way out of the file, errors a person understands."""

from pathlib import Path

import pytest

from domotic_assets.errors import LakeError, QueryError
from domotic_assets.serve import publish
from domotic_assets.serve.query import run_query
from domotic_assets_tests.support.gold_snapshot import write_snapshot


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("lake")
    snapshot = write_snapshot(lake)
    built = publish.build_file(lake / "serve", snapshot.files, snapshot.versions, "any", purpose="test")
    publish.swap_in(built, lake / "serve")
    return publish.published_file(lake / "serve")


def test_gold_tables_need_no_prefix(file: Path) -> None:
    columns, rows = run_query(
        file,
        "SELECT device_id, sum(energy_kwh) AS kwh "
        "FROM fact_energy_minute JOIN dim_device USING (device_key) GROUP BY ALL ORDER BY ALL",
    )
    assert columns == ["device_id", "kwh"]
    assert rows == [
        ("jeremie/kitchen/plugs/1", 0.375),
        ("jimmy/house/consumptions/1", 1.75),
        ("jimmy/office/plugs/1", 0.625),
    ]


def test_tables_can_be_listed(file: Path) -> None:
    _, rows = run_query(file, "SHOW TABLES")
    assert ("dim_room",) in rows


def test_nothing_to_run_gives_nothing(file: Path) -> None:
    assert run_query(file, "-- only a comment") == ([], [])


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM dim_room",
        "CREATE TABLE mine (i INTEGER)",
        "COPY dim_room TO '{folder}/rooms.csv'",
        "ATTACH '{folder}/other.duckdb'",
        "FROM read_text('{folder}/secret.txt')",
        "SET enable_external_access = true",
    ],
)
def test_a_query_can_neither_change_the_file_nor_leave_it(file: Path, tmp_path: Path, sql: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(QueryError):
        run_query(file, sql.format(folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["secret.txt"]
    assert run_query(file, "SELECT count(*) FROM dim_room")[1] == [(3,)]


def test_wrong_sql_gives_duckdbs_words_in_one_line(file: Path) -> None:
    with pytest.raises(QueryError, match="fact_enrgy_minute does not exist") as refused:
        run_query(file, "SELECT * FROM fact_enrgy_minute")
    assert "\n" not in str(refused.value)
    assert "SHOW TABLES" in str(refused.value)


def test_without_a_file_the_remedy_is_to_build(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="run `domotic build` first") as refused:
        run_query(tmp_path / "serve" / "domotic-admin.duckdb", "SELECT 1")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "serve").exists()


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    broken = tmp_path / "domotic-admin.duckdb"
    broken.write_bytes(b"no database" * 1000)
    with pytest.raises(LakeError, match="cannot be opened") as refused:
        run_query(broken, "SELECT 1")
    assert "\n" not in str(refused.value)

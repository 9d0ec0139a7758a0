"""The leak scan finds a value in every kind of container, and nothing where there is none."""

import gzip
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import write_deltalake

from domotic_assets_tests.support import leaks
from domotic_assets_tests.support.leaks import PLANTS, UNREADABLE, Finding, LeakScanError, prove, scan

VALUE = "Zoë Prüfling-4711"
# Kinds whose raw bytes hold the value in none of the encodings that a plain search would try.
HIDDEN = (
    "Base64",
    "gzip",
    "bzip2",
    "xz",
    "zlib",
    "zstd",
    "zip",
    "Parquet value",
    "Parquet dictionary",
    "Parquet nested list",
    "Parquet binary",
    "Delta log, escaped",
    "Arrow",
    "SQLite cell",
)


@pytest.mark.parametrize("kind", PLANTS)
def test_planted_value_is_found_where_it_stands(kind: str, tmp_path: Path) -> None:
    plant, where = PLANTS[kind]
    plant(tmp_path, VALUE)
    findings = scan(tmp_path, {"name": VALUE, "absent": "Nobody At All"})
    assert where in {finding.where for finding in findings}
    assert {finding.label for finding in findings} == {"name"}


@pytest.mark.parametrize("kind", PLANTS)
def test_container_with_a_harmless_value_is_clean(kind: str, tmp_path: Path) -> None:
    plant, _ = PLANTS[kind]
    plant(tmp_path, "harmless")
    assert scan(tmp_path, {"name": VALUE}) == []


@pytest.mark.parametrize("kind", HIDDEN)
def test_a_search_of_raw_bytes_would_miss_it(kind: str, tmp_path: Path) -> None:
    plant, _ = PLANTS[kind]
    plant(tmp_path, VALUE)
    contents = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert contents
    for content in contents:
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "latin-1"):
            assert VALUE.encode(encoding) not in content


def test_proof_passes_where_every_kind_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "PLANTS", {kind: PLANTS[kind] for kind in ("plain text", "gzip")})
    prove(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"plain_text", "gzip"}


def test_proof_names_the_kind_that_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = (lambda folder, value: None, "raw bytes")  # noqa: ARG005
    monkeypatch.setattr(leaks, "PLANTS", {"gzip": PLANTS["gzip"], "nothing at all": nothing})
    with pytest.raises(LeakScanError, match=r"planted in: nothing at all$"):
        prove(tmp_path)


def test_a_value_across_two_chunks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "CHUNK_BYTES", 1000)
    (tmp_path / "big.txt").write_bytes(b"." * 995 + VALUE.encode() + b"." * 5000)
    assert scan(tmp_path, {"name": VALUE}) == [Finding("big.txt", "raw bytes", "name")]


def test_a_value_in_much_data_is_found(tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_bytes(b"." * 20_000_000 + VALUE.upper().encode() + b"." * 100)
    assert scan(tmp_path, {"name": VALUE}) == [Finding("big.txt", "raw bytes", "name")]


def test_each_label_is_reported(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("tok-123456 of JimmyLoup")
    forbidden = {"user": "JimmyLoup", "token": "tok-123456", "street": "Rue du Rhône"}
    assert [finding.label for finding in scan(tmp_path, forbidden)] == ["token", "user"]


def test_a_number_stored_as_one_is_found(tmp_path: Path) -> None:
    pl.DataFrame({"phone": [1, 41791234567]}).write_parquet(tmp_path / "a.parquet", statistics=False)
    assert scan(tmp_path, {"phone": "41791234567"}) == [
        Finding("a.parquet", "Parquet column phone → raw bytes", "phone")
    ]


def test_excluded_folders_and_files_are_left_out(tmp_path: Path) -> None:
    for name in ("bronze/part", "sources/share/file"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(VALUE)
    findings = scan(tmp_path, {"name": VALUE}, exclude=[tmp_path / "bronze", tmp_path / "sources/share/file"])
    assert findings == []
    assert len(scan(tmp_path, {"name": VALUE})) == 2


def test_findings_never_repeat_the_value(tmp_path: Path) -> None:
    folder = tmp_path / f"user={VALUE}"
    folder.mkdir()
    with duckdb.connect(str(folder / f"{VALUE}.duckdb")) as connection:
        connection.execute(f'CREATE TABLE t AS SELECT 1 AS "{VALUE}"')
    findings = scan(tmp_path, {"name": VALUE})
    assert {finding.path for finding in findings} == {"***", "***/***"}
    assert VALUE not in repr(findings)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.parquet", b"PAR1 and no footer"),
        ("cut.gz", gzip.compress(b"text" * 100, mtime=0)[:20]),
        ("cut.db", b"SQLite format 3\0" + b"\1" * 200),
        ("cut.duckdb", b"\0" * 8 + b"DUCK" + b"\0" * 200),
        ("cut.zip", b"PK\3\4 and no more"),
    ],
)
def test_what_cannot_be_decoded_is_a_finding(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert [(f.path, f.label) for f in scan(tmp_path, {"name": VALUE})] == [(name, UNREADABLE)]


def test_too_short_a_value_is_refused_without_repeating_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'door code'") as caught:
        scan(tmp_path, {"door code": "4711"})
    assert "4711" not in str(caught.value)


def test_scan_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    write_deltalake(str(tmp_path / "table"), pl.DataFrame({"c": [VALUE]}))
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS c")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert scan(tmp_path, {"name": VALUE})
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before

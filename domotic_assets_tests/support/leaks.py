"""The leak scan: does a forbidden value (a token, a user name, an address) stand anywhere below a folder?

Compressed and encoded storage hides a value from a search of raw bytes, so every container is decoded:
Parquet, Delta logs and checkpoints, Arrow, DuckDB, SQLite, gzip, zlib, bzip2, xz, zstd, zip and JSON.
`prove` plants a value in each kind of container and shows that it is found. Which values are forbidden
is the caller's business. A forbidden value never appears in a finding, an error or a representation.
"""

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import os
import shutil
import sqlite3
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, write_deltalake

MASK = "***"
UNREADABLE = "(unreadable)"
SHORTEST_VALUE = 5
CHUNK_BYTES = 16 << 20
SMALL_BYTES = 16 << 10
DEEPEST_NESTING = 6


@dataclass(frozen=True, order=True)
class Finding:
    """One forbidden value in one place of one file.

    path: relative to the scanned folder; a part that holds a forbidden value is shown as ***.
    where: `raw bytes`, `file name`, or the place inside the container.
    label: the name of the forbidden value, or `(unreadable)` for a container that could not be decoded.
    """

    path: str
    where: str
    label: str


class LeakScanError(AssertionError):
    """The scan missed a value that was planted: nothing it says can be trusted."""


def scan(root: Path, forbidden: Mapping[str, str], exclude: Collection[Path] = ()) -> list[Finding]:
    """Every place below `root` where a forbidden value stands; `exclude` names files or folders to leave out.

    A container that cannot be decoded is a finding too: nobody can say what is in it.
    """
    needles = _Needles.of(forbidden)
    left_out = {path.resolve() for path in exclude}
    findings: set[Finding] = set()
    for folder, folder_names, file_names in os.walk(root):
        here = Path(folder)
        folder_names[:] = [name for name in folder_names if (here / name).resolve() not in left_out]
        for name in folder_names:
            path = here / name
            shown = _shown(path.relative_to(root), needles)
            findings |= {Finding(shown, "folder name", label) for label in needles.in_name(name)}
        for name in file_names:
            path = here / name
            if path.resolve() in left_out:
                continue
            shown = _shown(path.relative_to(root), needles)
            findings |= {Finding(shown, "file name", label) for label in needles.in_name(name)}
            findings |= {Finding(shown, where, label) for where, label in _scan_file(path, needles)}
    return sorted(findings)


@dataclass(frozen=True)
class _Needles:
    """The forbidden values in every form in which they may be written, lower case."""

    forms: Mapping[bytes, str] = field(repr=False)
    patterns: list[str] = field(repr=False)
    longest: int

    @classmethod
    def of(cls, forbidden: Mapping[str, str]) -> "_Needles":
        forms: dict[bytes, str] = {}
        for label, value in forbidden.items():
            if len(value) < SHORTEST_VALUE:
                raise ValueError(f"the forbidden value {label!r} is too short to be told from other text")
            for form in _written_forms(value):
                forms.setdefault(form.lower(), label)
        patterns = [form.decode("latin-1") for form in forms]
        return cls(forms, patterns, max(map(len, patterns), default=0))

    def labels_in(self, data: bytes) -> set[str]:
        """Labels of the values that stand in `data`."""
        found: set[str] = set()
        for start in range(0, len(data), CHUNK_BYTES):
            chunk = data[start : start + CHUNK_BYTES + self.longest]
            if len(chunk) <= SMALL_BYTES:
                lowered = chunk.lower()
                found |= {label for form, label in self.forms.items() if form in lowered}
            else:
                found |= self._labels_together(chunk)
        return found

    def _labels_together(self, chunk: bytes) -> set[str]:
        """One pass for all forms together, faster than one after the other on much data."""
        # Latin-1 lets any bytes pass as text, one sign a byte.
        text = pl.Series([chunk.decode("latin-1")])
        found = text.str.extract_many(self.patterns, ascii_case_insensitive=True, overlapping=True)
        return {self.forms[form.encode("latin-1").lower()] for form in found.explode().drop_nulls().unique()}

    def in_name(self, name: str) -> set[str]:
        """Labels of the values in a file or folder name, percent-encoded twice as Delta does or not."""
        once = unquote(name)
        text = "\n".join((name, once, unquote(once)))
        return self.labels_in(text.encode("utf-8", "surrogateescape"))


def _written_forms(value: str) -> Iterator[bytes]:
    """The value as UTF-8, Latin-1, UTF-16, JSON-escaped, percent-encoded and Base64 bytes."""
    for normal in {unicodedata.normalize("NFC", value), unicodedata.normalize("NFD", value)}:
        for text in {normal, normal.lower(), normal.upper()}:
            escaped = json.dumps(text)[1:-1]
            written = {
                text,
                escaped,
                escaped.replace("/", "\\/"),
                json.dumps(escaped)[1:-1],
                quote(text, safe=""),
                quote(text),
                quote_plus(text),
                quote(quote(text, safe=""), safe=""),
                "".join(f"%{byte:02x}" for byte in text.encode()),
            }
            for form in written:
                yield form.encode()
                # Without its zero byte at the end this stands in big-endian text of ASCII signs too.
                yield form.encode("utf-16-le").rstrip(b"\0")
                yield form.encode("utf-16-be").lstrip(b"\0")
            with suppress(UnicodeEncodeError):
                yield text.encode("latin-1")
        yield from _base64_forms(normal.encode())
        yield from (form.encode() for form in _other_forms(normal))


def _other_forms(text: str) -> Iterator[str]:
    """The value reversed, spelled, in hexadecimal, Base32 and full width, and as HTML or escapes have it."""
    yield text[::-1]
    yield text.encode().hex()
    yield base64.b32encode(text.encode())[: len(text.encode()) * 8 // 5].decode()
    yield html.escape(text)
    yield "".join(f"&#{ord(sign)};" for sign in text)
    yield "".join(f"&#x{ord(sign):x};" for sign in text)
    yield "".join(f"\\u{ord(sign):04x}" for sign in text)
    yield "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)
    yield from (between.join(text) for between in (" ", "-", "_", "\u200b"))


def halves(value: str) -> tuple[str, str]:
    """The two halves of a value."""
    middle = len(value) // 2
    return value[:middle], value[middle:]


def _base64_forms(data: bytes) -> Iterator[bytes]:
    """The signs that Base64 of any text around `data` must hold, for the three places it can start at."""
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + data).rstrip(b"=")
        # The first signs also depend on what stands before, the last one on what follows.
        inner = encoded[(lead * 8 + 5) // 6 : (lead + len(data)) * 8 // 6]
        if len(inner) > SHORTEST_VALUE:
            yield inner
            yield inner.replace(b"+", b"-").replace(b"/", b"_")


Place = tuple[str, str]
"""Where in a file, and the label of the value found there."""


def _shown(path: Path, needles: _Needles) -> str:
    """The path for people, with the parts that hold a forbidden value masked."""
    return "/".join(MASK if needles.in_name(part) else part for part in path.parts)


def _safe(text: str, needles: _Needles) -> str:
    """A table, column or member name for people."""
    return MASK if needles.in_name(text) else text


def _scan_file(path: Path, needles: _Needles) -> Iterator[Place]:
    if path.is_symlink():
        yield from (("link target", label) for label in needles.in_name(str(path.readlink())))
        return
    yield from _scan_bytes(path.read_bytes(), needles, (), path)


def _scan_bytes(
    data: bytes, needles: _Needles, inside: tuple[str, ...], path: Path | None = None
) -> Iterator[Place]:
    """Raw bytes first, then what they decode to. `path` is the file, where the bytes are a whole one."""
    place = " → ".join(inside)
    yield from (
        (f"{place} → raw bytes" if place else "raw bytes", label) for label in needles.labels_in(data)
    )
    decode = _decoder(data)
    if decode is None:
        return
    if len(inside) >= DEEPEST_NESTING:
        yield place, UNREADABLE
        return
    try:
        for name, content in decode(data, path):
            yield from _scan_bytes(content, needles, (*inside, _safe(name, needles)))
    except _Undecodable as error:
        yield " → ".join((*inside, str(error))), UNREADABLE


class _Undecodable(Exception):
    """A container says what it is, and yet cannot be decoded. The message names its kind only."""


Part = tuple[str, bytes]
"""A place inside a container and the bytes decoded from it."""
Decoder = Callable[[bytes, Path | None], Iterator[Part]]


def _decoder(data: bytes) -> Decoder | None:
    """How to decode these bytes; by their first bytes, never by a file's name."""
    for magic, decoder in _BY_MAGIC.items():
        if data.startswith(magic):
            return decoder
    if data[8:12] == b"DUCK":
        return _duckdb
    if data[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        return _zlib
    # Without a backslash the raw bytes already are what JSON decodes to.
    if data.lstrip()[:1] in (b"{", b"[") and b"\\" in data:
        return _json
    return None


def _whole(kind: str, decompress: Callable[[bytes], bytes]) -> Decoder:
    """A decoder of a stream that decompresses to one content."""

    def decode(data: bytes, path: Path | None) -> Iterator[Part]:  # noqa: ARG001
        try:
            content = decompress(data)
        except Exception:
            raise _Undecodable(kind) from None
        yield kind, content

    return decode


def _zstd(data: bytes) -> bytes:
    with pa.input_stream(pa.py_buffer(data), compression="zstd") as stream:
        return bytes(stream.read())


def _zlib(data: bytes, path: Path | None) -> Iterator[Part]:  # noqa: ARG001
    # Two bytes are a weak sign: what does not inflate is no zlib stream, and was read as raw bytes.
    try:
        content = zlib.decompress(data)
    except zlib.error:
        return
    yield "zlib", content


def _zip(data: bytes, path: Path | None) -> Iterator[Part]:  # noqa: ARG001
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield f"zip member {member}", archive.read(member)
    except Exception:
        raise _Undecodable("zip") from None


def _json(data: bytes, path: Path | None) -> Iterator[Part]:  # noqa: ARG001
    yield "JSON", _joined(_json_texts(data))


def _json_texts(data: bytes | str) -> set[str]:
    """Every text of a JSON document or of JSON lines, those of JSON within JSON too.

    What is not JSON was read as raw bytes, and gives nothing here.
    """
    waiting: list[object] = []
    for document in (data, *data.splitlines()):
        try:
            waiting.append(json.loads(document))
        except (ValueError, RecursionError):
            continue
        if document is data:
            break
    texts: set[str] = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.keys())
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str) and value not in texts:
            texts.add(value)
            if "\\" in value and value.lstrip()[:1] in ("{", "["):
                texts |= _json_texts(value)
    return texts


def _joined(texts: Collection[str]) -> bytes:
    return "\n".join(texts).encode("utf-8", "surrogatepass")


def _parquet(data: bytes, path: Path | None) -> Iterator[Part]:  # noqa: ARG001
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        yield "Parquet footer", _metadata_text(file.metadata.metadata, file.schema_arrow)
        yield "Parquet statistics", _joined(set(_statistics(file.metadata)))
        for column, values in _columns(file.schema_arrow, file.iter_batches(batch_size=131_072)):
            yield f"Parquet column {column}", values
    except (pa.ArrowException, OSError, ValueError):
        raise _Undecodable("Parquet") from None


def _arrow(data: bytes, path: Path | None) -> Iterator[Part]:  # noqa: ARG001
    try:
        file = pyarrow.ipc.open_file(pa.BufferReader(data))
        yield "Arrow schema", _metadata_text(file.schema.metadata, file.schema)
        batches = (file.get_batch(number) for number in range(file.num_record_batches))
        for column, values in _columns(file.schema, batches):
            yield f"Arrow column {column}", values
    except (pa.ArrowException, OSError, ValueError):
        raise _Undecodable("Arrow") from None


def _metadata_text(metadata: Mapping[bytes, bytes] | None, schema: pa.Schema) -> bytes:
    """Key-value metadata of the file and of its fields, and the fields' names."""
    parts = [part for pair in (metadata or {}).items() for part in pair]
    waiting = list(schema)
    while waiting:
        column = waiting.pop()
        parts.append(column.name.encode())
        parts.extend(part for pair in (column.metadata or {}).items() for part in pair)
        waiting.extend(column.type.field(place) for place in range(column.type.num_fields))
    return b"\n".join(parts)


def _statistics(metadata: pq.FileMetaData) -> Iterator[str]:
    """Least and greatest value of every column chunk that states them."""
    for group_number in range(metadata.num_row_groups):
        group = metadata.row_group(group_number)
        for column_number in range(group.num_columns):
            statistics = group.column(column_number).statistics
            if statistics is not None and statistics.has_min_max:
                for value in (statistics.min, statistics.max):
                    yield value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _columns(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[Part]:
    """The distinct values of every column, nested ones flattened."""
    for batch in batches:
        for name, column in zip(schema.names, batch.columns, strict=True):
            for leaf in _leaves(column):
                yield from ((name, content) for content in _leaf_contents(leaf))


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    """The flat arrays inside a nested one."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        yield from _leaves(array.storage)
    elif pa.types.is_dictionary(kind):
        yield from _leaves(array.dictionary)
    elif pa.types.is_map(kind):
        yield from _leaves(array.keys)
        yield from _leaves(array.items)
    elif pa.types.is_struct(kind):
        for child in array.flatten():
            yield from _leaves(child)
    elif pa.types.is_nested(kind):
        yield from _leaves(array.flatten())
    else:
        yield array


def _leaf_contents(leaf: pa.Array) -> Iterator[bytes]:
    """Texts and whole numbers joined (a phone number may be stored as one); bytes each for itself."""
    kind = leaf.type
    if pa.types.is_string_view(kind) or pa.types.is_large_string(kind) or pa.types.is_string(kind):
        values = pc.unique(leaf.cast(pa.large_string())).to_pylist()
        yield from _cell_contents(value for value in values if value is not None)
    elif pa.types.is_integer(kind):
        yield _joined({str(value) for value in pc.unique(leaf).to_pylist()})
    elif pa.types.is_binary_view(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary(kind):
        values = pc.unique(leaf.cast(pa.large_binary())).to_pylist()
        yield from (value for value in values if value is not None)
    elif pa.types.is_fixed_size_binary(kind):
        yield from (value for value in pc.unique(leaf.cast(pa.binary())).to_pylist() if value is not None)


def _duckdb(data: bytes, path: Path | None) -> Iterator[Part]:
    """Every table's values, and everything the catalogue says: view texts, comments, defaults, macros."""
    with _private_copy(data, path, ".wal") as copy:
        try:
            with duckdb.connect(str(copy), read_only=True) as connection:
                for catalogue, own in _DUCKDB_CATALOGUES.items():
                    rows = connection.execute(f"SELECT * FROM {catalogue}() WHERE {own}").fetchall()  # noqa: S608
                    yield f"DuckDB {catalogue}", _joined({str(row) for row in rows})
                tables = connection.execute(
                    "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
                    "WHERE NOT internal AND (schema_name, table_name) IN "
                    "(SELECT (schema_name, table_name) FROM duckdb_tables() WHERE NOT internal)"
                ).fetchall()
                for schema, table, column, kind in tables:
                    if kind.startswith(_DUCKDB_TEXTLESS) and not kind.endswith("]"):
                        continue
                    chosen = _quoted(column) if kind == "BLOB" else f"CAST({_quoted(column)} AS VARCHAR)"
                    rows = connection.execute(
                        f"SELECT DISTINCT {chosen} FROM {_quoted(schema)}.{_quoted(table)}"  # noqa: S608
                    ).fetchall()
                    for content in _cell_contents(value for (value,) in rows):
                        yield f"DuckDB {schema}.{table}.{column}", content
        except duckdb.Error:
            raise _Undecodable("DuckDB") from None


# Catalogue and the condition that leaves out what every database holds.
_DUCKDB_CATALOGUES = {
    "duckdb_schemas": "NOT internal",
    "duckdb_tables": "NOT internal",
    "duckdb_views": "NOT internal",
    "duckdb_columns": "NOT internal",
    "duckdb_functions": "NOT internal",
    "duckdb_types": "NOT internal",
    "duckdb_indexes": "true",
    "duckdb_sequences": "true",
}
# Types whose values hold no text; whole numbers stay in: a telephone number may be stored as one.
_DUCKDB_TEXTLESS = ("BOOLEAN", "DOUBLE", "FLOAT", "DECIMAL", "DATE", "TIME", "INTERVAL")


def _sqlite(data: bytes, path: Path | None) -> Iterator[Part]:
    """Every cell of every table. Freed pages and the schema's texts stand in the raw bytes."""
    with _private_copy(data, path, "-wal") as copy:
        connection = sqlite3.connect(copy)
        connection.text_factory = bytes
        try:
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                name = table.decode()
                described = connection.execute(f"SELECT * FROM {_quoted(name)} LIMIT 0")  # noqa: S608
                for column in [entry[0] for entry in described.description]:
                    cells = connection.execute(f"SELECT DISTINCT {_quoted(column)} FROM {_quoted(name)}")  # noqa: S608
                    for content in _cell_contents(value for (value,) in cells):
                        yield f"SQLite {name}.{column}", content
        except sqlite3.Error:
            raise _Undecodable("SQLite") from None
        finally:
            connection.close()


def _cell_contents(cells: Iterable[object]) -> Iterator[bytes]:
    """All cells joined, with the texts of those that are JSON; one that is another container, alone."""
    joined: list[bytes] = []
    for cell in cells:
        content = cell if isinstance(cell, bytes) else str(cell).encode("utf-8", "surrogatepass")
        decode = _decoder(content)
        if decode is None or decode is _json:
            joined.append(content)
        else:
            yield content
        if decode is _json:
            joined.append(_joined(_json_texts(content)))
    yield b"\n".join(joined)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _private_copy(data: bytes, path: Path | None, log_ending: str) -> Iterator[Path]:
    """The database and its write-ahead log in a folder of their own: a scan opens nobody's file."""
    with tempfile.TemporaryDirectory(prefix="scan-") as folder:
        copy = Path(folder, "database")
        copy.write_bytes(data)
        if path is not None and (log := path.with_name(path.name + log_ending)).exists():
            shutil.copyfile(log, copy.with_name(copy.name + log_ending))
        yield copy


_BY_MAGIC: dict[bytes, Decoder] = {
    b"PAR1": _parquet,
    b"ARROW1": _arrow,
    b"SQLite format 3\0": _sqlite,
    b"\x1f\x8b": _whole("gzip", gzip.decompress),
    b"BZh": _whole("bzip2", bz2.decompress),
    b"\xfd7zXZ\0": _whole("xz", lzma.decompress),
    b"\x28\xb5\x2f\xfd": _whole("zstd", _zstd),
    b"PK\x03\x04": _zip,
}

Plant = Callable[[Path, str], None]
"""Writes one container that holds the value into a folder."""

OTHER_VALUES = [f"harmless {number}" for number in range(50)]


def _plant_parquet(folder: Path, column: pa.Array, **options: object) -> None:
    pq.write_table(pa.table({"c": column}), folder / "part.parquet", compression="zstd", **options)


def _plant_parquet_value(folder: Path, value: str) -> None:
    # Neither least nor greatest, repeated so that it is stored once, and compressed.
    values = pa.array(["aaa", *OTHER_VALUES, value, "zzz"] * 20)
    _plant_parquet(folder, values, use_dictionary=True, write_statistics=False)


def _plant_parquet_dictionary(folder: Path, value: str) -> None:
    _plant_parquet(folder, pa.array([*OTHER_VALUES, value] * 20).dictionary_encode(), write_statistics=False)


def _plant_parquet_statistics(folder: Path, value: str) -> None:
    _plant_parquet(folder, pa.array([value] * 3), write_statistics=True)


def _plant_parquet_footer(folder: Path, value: str) -> None:
    table = pa.table({"c": [1]}).replace_schema_metadata({"note": value})
    pq.write_table(table, folder / "part.parquet")


def _plant_parquet_field_metadata(folder: Path, value: str) -> None:
    # Parquet keeps it in the Base64 of the Arrow schema only.
    schema = pa.schema([pa.field("c", pa.int64(), metadata={"note": value})])
    pq.write_table(pa.table({"c": [1]}, schema=schema), folder / "part.parquet")


def _plant_parquet_nested(folder: Path, value: str) -> None:
    rows = [{"list": [{"name": [other]}]} for other in (*OTHER_VALUES, value)]
    _plant_parquet(folder, pa.array(rows * 20), write_statistics=False)


def _plant_parquet_binary(folder: Path, value: str) -> None:
    contents = [other.encode() for other in OTHER_VALUES] + [gzip.compress(value.encode())]
    _plant_parquet(folder, pa.array(contents * 20, pa.binary()), write_statistics=False)


def _plant_partition_folder(folder: Path, value: str) -> None:
    frame = pl.DataFrame({"home": [value], "n": [1]})
    write_deltalake(str(folder / "table"), frame, partition_by=["home"])
    shutil.rmtree(folder / "table" / "_delta_log")


def _plant_delta_log(folder: Path, value: str) -> None:
    write_deltalake(
        str(folder / "table"), pl.DataFrame({"n": [1]}), commit_properties=CommitProperties({"note": value})
    )


def _plant_delta_log_escaped(folder: Path, value: str) -> None:
    # Statistics are JSON within JSON; every sign is written as an escape.
    escaped = "".join(f"\\u{ord(sign):04x}" for sign in value)
    line = json.dumps({"add": {"path": "a", "stats": '{"minValues": {"c": "' + escaped + '"}}'}})
    (folder / "00000000000000000000.json").write_text(line + "\n" + line + "\n")


def _plant_delta_checkpoint(folder: Path, value: str) -> None:
    table = folder / "table"
    write_deltalake(str(table), pl.DataFrame({"c": [value]}), description="readings")
    DeltaTable(str(table)).create_checkpoint()
    for path in table.rglob("*"):
        if path.is_file() and not path.name.endswith(".checkpoint.parquet"):
            path.unlink()


def _plant_duckdb(folder: Path, *statements: str) -> None:
    with duckdb.connect(str(folder / "published.duckdb")) as connection:
        # 5,000 rows make DuckDB compress the column.
        connection.execute("CREATE TABLE t AS SELECT 'harmless ' || (i % 50) AS c FROM range(5000) r(i)")
        for statement in statements:
            connection.execute(statement)
        connection.execute("CHECKPOINT")


def _plant_duckdb_table(folder: Path, value: str) -> None:
    _plant_duckdb(folder, f"CREATE TABLE u AS SELECT {_literal(value)} AS c FROM range(5000)")  # noqa: S608


def _plant_duckdb_nested(folder: Path, value: str) -> None:
    _plant_duckdb(folder, f"CREATE TABLE u AS SELECT [{{'name': {_literal(value)}}}] AS c")


def _plant_duckdb_comment(folder: Path, value: str) -> None:
    _plant_duckdb(folder, f"COMMENT ON COLUMN t.c IS {_literal(value)}")


def _plant_duckdb_view(folder: Path, value: str) -> None:
    _plant_duckdb(folder, f"CREATE VIEW v AS SELECT * FROM t WHERE c = {_literal(value)}")  # noqa: S608


def _plant_duckdb_log(folder: Path, value: str) -> None:
    # The state after a crash: the value stands in the write-ahead log alone.
    live = folder / "live.duckdb"
    with duckdb.connect(str(live)) as connection:
        connection.execute("SET checkpoint_threshold = '1GB'")
        connection.execute("CREATE TABLE t(c VARCHAR)")
        connection.execute("CHECKPOINT")
        connection.execute("INSERT INTO t VALUES (?)", [value])
        for ending in ("", ".wal"):
            shutil.copyfile(f"{live}{ending}", folder / f"crashed.duckdb{ending}")
    live.unlink()


def _plant_sqlite_cell(folder: Path, value: str) -> None:
    # As Dagster keeps its snapshots: compressed JSON in a cell.
    body = zlib.compress(json.dumps({"nested": [value, *OTHER_VALUES]}).encode())
    connection = sqlite3.connect(folder / "records.db")
    connection.execute("CREATE TABLE snapshots (body BLOB)")
    connection.execute("INSERT INTO snapshots VALUES (?)", (body,))
    connection.commit()
    connection.close()


def _plant_sqlite_freed_page(folder: Path, value: str) -> None:
    connection = sqlite3.connect(folder / "records.db")
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("CREATE TABLE t (c TEXT)")
    connection.executemany("INSERT INTO t VALUES (?)", [(value + "x" * 500,)] * 50)
    connection.commit()
    connection.execute("DROP TABLE t")
    connection.commit()
    connection.close()


def _plant_sqlite_log(folder: Path, value: str) -> None:
    live = folder / "live.db"
    connection = sqlite3.connect(live)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (c TEXT)")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("INSERT INTO t VALUES (?)", (value,))
    connection.commit()
    for ending in ("", "-wal"):
        shutil.copyfile(f"{live}{ending}", folder / f"crashed.db{ending}")
    connection.close()
    live.unlink()


def _plant_arrow(folder: Path, value: str) -> None:
    table = pa.table({"c": [*OTHER_VALUES, value] * 20})
    options = pyarrow.ipc.IpcWriteOptions(compression="zstd")
    with pyarrow.ipc.new_file(folder / "frame.arrow", table.schema, options=options) as writer:
        writer.write_table(table)


def _plant_file_name(folder: Path, value: str) -> None:
    (folder / f"a_{quote(value)}.json").touch()


def _plant_zip(folder: Path, value: str) -> None:
    with zipfile.ZipFile(folder / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet.xml", _amid(value))


def _plant_zstd(folder: Path, value: str) -> None:
    with pa.output_stream(str(folder / "log.zst"), compression="zstd") as stream:
        stream.write(_amid(value))


def _amid(value: str) -> bytes:
    """The value amid much else: a short text alone would be stored as it is."""
    return " ".join([*OTHER_VALUES, value] * 20).encode()


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _file(name: str, encode: Callable[[str], bytes]) -> Plant:
    """A plant that is one file of encoded text."""

    def plant(folder: Path, value: str) -> None:
        (folder / name).write_bytes(encode(value))

    return plant


# Kind of container: what plants the value there, and the place that the scan must name.
PLANTS: dict[str, tuple[Plant, str]] = {
    "plain text": (_file("log.txt", lambda v: f"user {v} seen".encode()), "raw bytes"),
    "other letter case": (_file("log.txt", lambda v: v.swapcase().encode()), "raw bytes"),
    "UTF-16 little-endian": (_file("log.txt", lambda v: f"user {v} seen".encode("utf-16-le")), "raw bytes"),
    "UTF-16 big-endian": (_file("log.txt", lambda v: f"user {v} seen".encode("utf-16-be")), "raw bytes"),
    "Latin-1": (_file("log.txt", lambda v: v.encode("latin-1")), "raw bytes"),
    "Base64": (_file("log.txt", lambda v: base64.b64encode(f"user {v} seen".encode())), "raw bytes"),
    "percent-encoded": (_file("log.txt", lambda v: ("/f?name=" + quote(v, safe="")).encode()), "raw bytes"),
    "JSON-escaped": (_file("log.json", lambda v: json.dumps({"user": v}).encode()), "raw bytes"),
    "gzip": (_file("log.gz", lambda v: gzip.compress(_amid(v))), "gzip → raw bytes"),
    "bzip2": (_file("log.bz2", lambda v: bz2.compress(_amid(v))), "bzip2 → raw bytes"),
    "xz": (_file("log.xz", lambda v: lzma.compress(_amid(v))), "xz → raw bytes"),
    "zlib": (_file("body", lambda v: zlib.compress(_amid(v))), "zlib → raw bytes"),
    "zstd": (_plant_zstd, "zstd → raw bytes"),
    "zip": (_plant_zip, "zip member sheet.xml → raw bytes"),
    "file name": (_plant_file_name, "file name"),
    "folder name": (lambda folder, v: (folder / f"user={v}").mkdir(), "folder name"),
    "Parquet value": (_plant_parquet_value, "Parquet column c → raw bytes"),
    "Parquet dictionary": (_plant_parquet_dictionary, "Parquet column c → raw bytes"),
    "Parquet statistics": (_plant_parquet_statistics, "Parquet statistics → raw bytes"),
    "Parquet footer": (_plant_parquet_footer, "Parquet footer → raw bytes"),
    "Parquet field metadata": (_plant_parquet_field_metadata, "Parquet footer → raw bytes"),
    "Parquet nested list": (_plant_parquet_nested, "Parquet column c → raw bytes"),
    "Parquet binary": (_plant_parquet_binary, "Parquet column c → gzip → raw bytes"),
    "Delta partition folder": (_plant_partition_folder, "folder name"),
    "Delta log": (_plant_delta_log, "raw bytes"),
    "Delta log, escaped": (_plant_delta_log_escaped, "JSON → raw bytes"),
    "Delta checkpoint": (_plant_delta_checkpoint, "Parquet column add → raw bytes"),
    "Arrow": (_plant_arrow, "Arrow column c → raw bytes"),
    "DuckDB table": (_plant_duckdb_table, "DuckDB main.u.c → raw bytes"),
    "DuckDB nested": (_plant_duckdb_nested, "DuckDB main.u.c → raw bytes"),
    "DuckDB comment": (_plant_duckdb_comment, "DuckDB duckdb_columns → raw bytes"),
    "DuckDB view": (_plant_duckdb_view, "DuckDB duckdb_views → raw bytes"),
    "DuckDB write-ahead log": (_plant_duckdb_log, "DuckDB main.t.c → raw bytes"),
    "SQLite cell": (_plant_sqlite_cell, "SQLite snapshots.body → zlib → raw bytes"),
    "SQLite freed page": (_plant_sqlite_freed_page, "raw bytes"),
    "SQLite write-ahead log": (_plant_sqlite_log, "SQLite t.c → raw bytes"),
}


def prove(folder: Path, value: str = "Zoë Prüfling-4711") -> None:
    """Plant a value in each kind of container below `folder` and show that the scan names its place.

    Raises LeakScanError with the kinds that were missed.
    """
    missed = []
    for kind, (plant, where) in PLANTS.items():
        planted = folder / kind.replace(" ", "_")
        planted.mkdir(parents=True)
        plant(planted, value)
        if where not in {finding.where for finding in scan(planted, {"planted": value})}:
            missed.append(kind)
    if missed:
        raise LeakScanError(f"the scan does not find a value planted in: {', '.join(missed)}")

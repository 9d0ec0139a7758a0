"""Foreign text does nothing where it is shown: judged by parsers that know nothing of `escaping`."""

import csv
import email
import email.policy
import io
import re
import time
import unicodedata
from collections.abc import Callable
from email.message import EmailMessage
from html.parser import HTMLParser

import duckdb
import polars as pl
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from domotic_assets import escaping

SIGNS = (
    "`|\\*_~<>[](){}!&#;:/.,-+=@\"'$% \n\r\t\x00\x1b\x85\u2028\u202e\u200b\ufeff\ufe0f\U000e0041\ud800"
    "＝＠aB1é"
)
HOSTILE = st.one_of(st.text(max_size=40), st.text(st.sampled_from(SIGNS), max_size=30))
UNSEEN = (
    "\xad\u034f\u061c\u115f\u180e\u200b\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\u2800\u3164\ufe0f\ufeff"
    "\uffa0\U000e0041\U00016fe4\U0001d159\U00013430\U00013438\u0600\u08e2\U000110bd"
)
CALM = st.text(st.characters(codec="utf-8"), max_size=30)
"""Texts that a file can hold: without lone surrogates."""


@given(HOSTILE)
@example("\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\")
@example("line\nerror: all is well\r\x0b\x0c\x85\u2028\u2029")
def test_a_line_stays_a_line_of_signs_that_can_be_seen(text: str) -> None:
    line = escaping.visible_line(text)
    assert len(line.splitlines()) <= 1
    assert {unicodedata.category(sign) for sign in line}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert not set(line) & set(UNSEEN)
    if text.isprintable() and text.isascii():
        assert line == text


@pytest.mark.parametrize("sign", UNSEEN)
def test_a_sign_without_width_is_told_by_its_number(sign: str) -> None:
    assert f"{ord(sign):x}" in escaping.visible_line(f"a{sign}b")
    assert escaping.without_unseen(f"a{sign}b") == "ab"


@given(st.characters(categories=["L", "N", "P", "S", "Zs"]))
def test_what_can_be_seen_stays(sign: str) -> None:
    if sign not in UNSEEN and not unicodedata.name(sign, "").startswith("HANGUL"):
        assert escaping.visible_line(f"a{sign}") == f"a{sign}"


MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def _texts(markdown: str) -> tuple[set[str], list[str]]:
    """The kinds of all that a Markdown text holds but text, code and table, and the texts themselves."""
    kinds: set[str] = set()
    texts: list[str] = []
    for block in MARKDOWN.parse(markdown):
        if block.type != "inline":
            kinds.add(block.type)
            continue
        texts.append("".join(part.content for part in block.children or ()))
        kinds |= {part.type for part in block.children or ()}
    allowed = {"text", "code_inline", "paragraph_open", "paragraph_close"} | {
        f"{part}_{end}" for part in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")
    }
    return kinds - allowed, texts


@given(HOSTILE)
@example("![x](/graphql?query=mutation{x})")
@example("\\|![x](/graphql)")
@example("`` ` ```")
@example("1. one")
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    foreign, texts = _texts(escaping.markdown_text("It says {}; no more", text))
    assert foreign == set()
    assert texts == [f"It says {escaping.visible_line(text)}; no more"]
    alone, texts = _texts(escaping.markdown(text))
    assert alone == set()
    assert "".join(texts) == escaping.visible_line(text).strip(" ") or "".join(
        texts
    ) == escaping.visible_line(text)


@given(st.lists(st.tuples(HOSTILE, HOSTILE), max_size=4))
def test_a_table_keeps_its_cells(rows: list[tuple[str, str]]) -> None:
    foreign, texts = _texts(escaping.markdown_table(["a", "b"], rows))
    assert foreign == set()
    assert texts == ["a", "b", *(escaping.visible_line(cell) for row in rows for cell in row)]


@pytest.mark.parametrize(
    "text", ["kitchen", "Séjour 2", "removed_field", "12 min", "no plug, no meter (2 homes)"]
)
def test_plain_words_stay_plain(text: str) -> None:
    assert escaping.markdown(text) == text


@pytest.mark.parametrize("text", ["http://a.ch", "www.a.ch", "a@b.ch", "https\\://a.ch", "a.ch/b"])
def test_an_address_is_code_in_which_gfm_looks_for_none(text: str) -> None:
    assert escaping.markdown(text) == f"`{text}`"


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(f"<{tag} {dict(attrs)}>")

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.seen.append(data)

    def handle_comment(self, data: str) -> None:
        self.seen.append(f"comment {data}")


@given(HOSTILE)
@example('"><img src=x onerror=alert(1)>')
@example("' autofocus onfocus='x")
def test_html_has_no_element_and_no_attribute_more(text: str) -> None:
    seen = _Seen()
    written = escaping.html_text(text)
    seen.feed(f"<p title=\"{written}\" id='{written}'>x{written}</p>")
    seen.close()
    line = escaping.visible_line(text)
    assert seen.seen[0] == f"<p { {'title': line, 'id': line} }>"
    assert "".join(seen.seen[1:-1]) == f"x{line}"
    assert seen.seen[-1] == "</p>"


LINKS = re.compile(
    r"https?://|www\.|\w\.[a-z]{2,}|mailto:|javascript:|@|<|>|`|\*|~|\||\[|\]|&", re.IGNORECASE
)


@given(HOSTILE)
@example("<!channel> @here <@U123> @everyone :boom:")
@example("<http://evil.example|sites.yaml> [x](http://evil.example)")
@example("see evil.example/login or mailto:x@evil.example or javascript:alert(1)")
@example("line\n.\nQUIT\n")
def test_a_message_holds_no_link_mention_or_markup(text: str) -> None:
    said = escaping.message("Found: {}", text)
    assert LINKS.search(said.removeprefix("Found: ")) is None
    assert len(said.splitlines()) == 1


def test_a_message_of_ours_is_not_written_twice() -> None:
    part = escaping.message("`domotic status` of {}", "a@b")
    assert escaping.message("{}, {}", part, "c@d") == "`domotic status` of a＠b, c＠d"


@given(HOSTILE)
@example("hello\r\nBcc: everybody@example.org\r\n\r\nbody")
def test_a_mail_has_the_headers_that_we_gave_it(text: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = escaping.mail_header(f"domotic: {text}")
    mail["To"] = "operator@example.org"
    mail.set_content(escaping.message("{}", text))
    read = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    assert set(read.keys()) == {"Subject", "To", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"}
    assert read["To"] == "operator@example.org"
    assert len(str(read["Subject"])) <= 200


VALUES = st.recursive(
    CALM | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(CALM, inner),
    max_leaves=8,
)


@given(VALUES)
@example({"a\u202eb: c": "x\n- y", "# no": "\u200b"})
def test_yaml_reads_back_what_was_written_and_shows_it(value: object) -> None:
    for text in (escaping.yaml_text({"key": value}), f"key: {escaping.yaml_value(value)}\n"):
        assert yaml.safe_load(text) == {"key": value}
        assert not set(text) & set(UNSEEN)


@given(CALM.filter(lambda text: "\0" not in text))
@example("x'; DROP TABLE y; --")
@example('x"; DROP TABLE y; --')
def test_sql_names_and_texts_are_one_name_and_one_text(text: str) -> None:
    with duckdb.connect() as connection:
        cursor = connection.execute(f"SELECT {escaping.literal(text)} AS {escaping.identifier('x' + text)}")
        assert cursor.description is not None
        assert [cursor.description[0][0], cursor.fetchall()] == ["x" + text, [(text,)]]


@pytest.mark.parametrize("write", [escaping.identifier, escaping.literal])
def test_a_nul_has_no_form_in_sql(write: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="NUL"):
        write("a\0b")


def _is_formula(cell: str) -> bool:
    """Whether a spreadsheet could take a cell for a formula, by its first sign that can be seen."""
    for sign in cell:
        if sign.isspace() or sign in UNSEEN or unicodedata.category(sign) in ("Cc", "Cf"):
            continue
        return unicodedata.normalize("NFKC", sign)[0] in "=+-@\u2212"
    return False


@given(st.lists(st.tuples(CALM | HOSTILE, CALM | HOSTILE), min_size=1, max_size=3))
@example([("=1+1", "x;=1+1")])
@example([('";=1+1;"', "x\n=1+1")])
@example([("x\t＝1", "\ufeff@SUM(1)")])
def test_no_cell_of_a_csv_is_a_formula_however_it_is_cut(rows: list[tuple[str, str]]) -> None:
    rows = [tuple(cell.encode("utf-8", "replace").decode() for cell in row) for row in rows]  # type: ignore[misc]
    frame = pl.DataFrame(rows, schema=["a", "b"], orient="row")
    written = frame.select(escaping.spreadsheet_column(pl.all()))
    assert written.rows() == [tuple(map(escaping.spreadsheet_cell, row)) for row in rows]
    text = written.write_csv(quote_style="non_numeric")
    for separator in ",;\t":
        cells = [
            cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) for cell in row
        ]
        assert [cell for cell in cells if _is_formula(cell)] == []
    assert not any(cell.startswith(("\t", "\r", "\n")) for row in written.rows() for cell in row)


@pytest.mark.parametrize("text", ["Office", "a=b", "1-2", "'", "", "x, y", "12 °C", "jimmy/office/plugs/1"])
def test_other_texts_stay_as_they_are_in_a_csv(text: str) -> None:
    assert escaping.spreadsheet_cell(text) == text


LONG = 300_000
WRITERS: list[Callable[[str], str]] = [
    escaping.visible_line, escaping.markdown, escaping.html_text, escaping.message_text, escaping.mail_header,
    escaping.yaml_text, escaping.yaml_value, escaping.identifier, escaping.literal, escaping.spreadsheet_cell,
    escaping.without_unseen,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_each_takes_time_linear_in_the_text(write: Callable[[str], str]) -> None:
    for unit in (
        "`",
        "` ",
        "``a",
        "|",
        " ",
        "a ",
        ", ",
        "=",
        ",=",
        ", =",
        "\t",
        "\u202e",
        ".a",
        "1.",
        "a-",
        "(",
        "é_",
        ":/",
    ):
        text = "a" + unit * (LONG // len(unit)) + "`"
        began = time.process_time()
        write(text)
        assert time.process_time() - began < 2, unit

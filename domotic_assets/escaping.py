r"""Writes foreign text into what renders it: Markdown, HTML, terminals, mail, chat, YAML, SQL, spreadsheets.

Foreign text comes from a feed, a register, a forecast, a share's file names or sites.yaml. Whatever it holds,
it is shown as text and does nothing: no link, image, mention, formula, second line or sign that cannot be
seen. Each function takes time linear in the text.

Why: docs/decisions/0038-foreign-text.md
"""

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import polars as pl

_BLANK_FOR_EYES = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f"
)
"""Direction signs, joiners, fillers, selectors, tags, format characters: without width, or turning others."""

_INVISIBLE = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_BLANK_FOR_EYES}]")
"""Also control characters, ends of lines and lone surrogates."""

_UNSEEN_IN_NAMES = re.compile(f"[{_BLANK_FOR_EYES}]")


class Markdown(str):
    """Text of which only what this module wrote is markup. Nothing else makes one."""

    __slots__ = ()


class PlainMessage(str):
    """Text for mail and chat, in which nothing foreign is a link, a mention or markup."""

    __slots__ = ()


def visible_line(text: str) -> str:
    r"""Write a text as one line in which every character can be seen: `\x1b`, `\n`, `\u202e` for others."""
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub(_as_escape, text)


def visible_lines(text: str) -> str:
    """Write a text as `visible_line` does, but keep its line ends."""
    return "\n".join(map(visible_line, text.split("\n")))


def _as_escape(found: re.Match[str]) -> str:
    """Write one character as Python escapes it."""
    code = ord(found[0])
    short = {0x09: r"\t", 0x0A: r"\n", 0x0D: r"\r"}.get(code)
    if short is not None:
        return short
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def without_unseen(name: str) -> str:
    """Drop what has no width or sets a direction: two names that look alike are one."""
    return name if name.isascii() else _UNSEEN_IN_NAMES.sub("", name)


# What no Markdown reads as markup: words of letters and digits, single blanks, and signs that neither begin a
# block nor make a link where they stand.
_PROSE = re.compile(
    r"(?!\d+[.)](?: |$))[^\W_](?:[^\W_]|(?<! ) (?=\S)|[,;()%'’–\"](?! *$)|(?<=[^\W_])[-_/](?=[^\W_])"
    r"|[.:](?= )|(?<=\d)[.:,/](?=\d))*[.:)%]?|–"
)
_BACKTICKS = re.compile("`+")


def markdown(value: object) -> Markdown:
    """Write a value into Markdown: plain words as they are, any other text as code, where nothing is markup.

    A `|`, which would end a table's cell within code, too, stands escaped between two pieces of code. Escapes
    alone are not enough: GFM finds addresses of the web and of mail after it has resolved them.
    """
    if isinstance(value, Markdown):
        return value
    text = visible_line("" if value is None else str(value))
    if _PROSE.fullmatch(text):
        return Markdown(text)
    return Markdown(r"\|".join(map(_code, text.split("|"))))


def _code(text: str) -> str:
    """Write a line as code: between more backticks than any run in it, apart from these by blanks."""
    if not text:
        return ""
    fence = "`" * (max(map(len, _BACKTICKS.findall(text)), default=0) + 1)
    # Markdown drops one blank at each end, unless there are only blanks.
    apart = " " if text.strip(" ") and (text[0] in " `" or text[-1] in " `") else ""
    return f"{fence}{apart}{text}{apart}{fence}"


def markdown_text(template: str, *values: object) -> Markdown:
    """Fill the `{}` of a template of ours with foreign values. Two of them never touch in a template."""
    return Markdown(template.format(*map(markdown, values)))


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Markdown:
    """Write a table; every cell is foreign."""
    first, *others = (f"| {' | '.join(line)} |" for line in (headings, *(map(markdown, row) for row in rows)))
    return Markdown("\n".join([first, "|---" * len(headings) + "|", *others]))


def html_text(text: str) -> str:
    """Write a text into HTML, between tags or within a quoted attribute."""
    return html.escape(visible_line(text), quote=True)


# Characters that mail programs and chat services read as markup, mentions or links, and what looks like them.
_LIKENESS = str.maketrans("<>@&`*~|[]#\\", "＜＞＠＆｀＊～｜［］＃＼")
_LINK = re.compile(r"(?<=[\w\-])\.(?=[^\W\d_]{2})|:(?=[^\W\d_]|/)|(?<![^\W_])_|_(?![^\W_])")
_INERT = {".": "\u2024", ":": "\u2236", "_": "\uff3f"}


def message_text(text: str) -> PlainMessage:
    """Write a foreign text into a message of mail or chat, in one line.

    Services differ in their markup, and one escapes what the next one shows. So signs that any of them
    reads become others that look like them: `@` is `＠`, and the dot of a domain a dot that makes no link.
    """
    return PlainMessage(_LINK.sub(lambda found: _INERT[found[0]], visible_line(text).translate(_LIKENESS)))


def message(template: str, *values: object) -> PlainMessage:
    """Fill the `{}` of a template of ours with foreign values, for mail and chat."""
    return PlainMessage(template.format(*map(_in_message, values)))


def _in_message(value: object) -> PlainMessage:
    """Write one value into a message."""
    return value if isinstance(value, PlainMessage) else message_text(str(value))


def own_path(path: str) -> PlainMessage:
    """Pass the path of a page of ours into a message as it is: it must be found by it."""
    return PlainMessage(visible_line(path))


_LONGEST_HEADER = 200


def mail_header(text: str) -> str:
    """Write a text into a header of a mail: one line, of bounded length."""
    return visible_line(text)[:_LONGEST_HEADER]


def yaml_text(content: Any, *, width: int = 200) -> str:
    """Write values as YAML. What cannot be seen is escaped, so that a reviewer sees what a program reads."""
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=width)
    if _INVISIBLE.search(text.replace("\n", "")) is None:
        return text
    return yaml.safe_dump(content, allow_unicode=False, sort_keys=False, width=width)


def yaml_value(value: Any) -> str:
    """Write texts, numbers, lists and maps of them as YAML in one line, in JSON's notation."""
    return _INVISIBLE.sub(_as_yaml_escape, json.dumps(value, ensure_ascii=False))


def _as_yaml_escape(found: re.Match[str]) -> str:
    """Write a character that JSON leaves as it is within the quotes of YAML."""
    code = ord(found[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def identifier(name: str) -> str:
    """Quote a name for SQL; raises ValueError for one with a NUL, at which a server would end it."""
    return _quoted(name, '"')


def literal(value: str) -> str:
    """Quote a text for SQL statements that take no bound parameter (ATTACH, COMMENT).

    Raises ValueError for a text with a NUL.
    """
    return _quoted(value, "'")


def _quoted(text: str, quote: str) -> str:
    """Put a text between quotes, with each quote in it doubled."""
    if "\0" in text:
        raise ValueError("a text with a NUL has no form in SQL")
    return quote + text.replace(quote, quote + quote) + quote


# A cell that begins so is a formula somewhere. Some spreadsheets split at other separators than the file's:
# what follows a separator within a text counts as the beginning of a cell, too.
_FORMULA = "=+\\-@＝＋－＠﹦﹢﹣﹫⁼₌⁺₊⁻₋−"
_BEFORE = (
    r"[ \"'\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    rf"{_BLANK_FOR_EYES}]*"
)
_CELL_BEGINS = rf"\A(?:[\t\r\n]|{_BEFORE}[{_FORMULA}])"
_CELL_WITHIN = rf"([,;\t\r\n]{_BEFORE})([{_FORMULA}])"


def spreadsheet_cell(text: str) -> str:
    """Write a text so that no spreadsheet takes it, or a part of it, for a formula: an apostrophe leads."""
    text = re.sub(_CELL_BEGINS, r"'\g<0>", text)
    return re.sub(_CELL_WITHIN, r"\1'\2", text)


def spreadsheet_column(column: "pl.Expr") -> "pl.Expr":
    """Write a column of texts as `spreadsheet_cell` does."""
    return column.str.replace(_CELL_BEGINS, "'${0}").str.replace_all(_CELL_WITHIN, "${1}'${2}")

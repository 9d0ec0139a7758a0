"""The questions of docs/questions.md, as a test or drill asks them."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parents[2] / "docs" / "questions.md"
_QUESTION = re.compile(r"^## (\d+)\. ([^\n]+)\n(?:(?!^## ).)*?^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Question(NamedTuple):
    """A question in words and as SQL."""

    number: int
    words: str
    sql: str


def questions() -> list[Question]:
    """All of them, in order."""
    found = _QUESTION.findall(PAGE.read_text(encoding="utf-8"))
    return [Question(int(number), words, sql) for number, words, sql in found]

"""Renders the page about who sees what, from the access matrix.

`python -m domotic_assets.pages.access` writes `docs/access.md`.
"""

from pathlib import Path

from domotic_assets.serve.people.matrix import DATED, MATRIX, WITHHELD, Role

ACCESS_PAGE = Path(__file__).parents[2] / "docs" / "access.md"

_HEAD = """\
<!-- Written by `python -m domotic_assets.pages.access` from the matrix: change that. -->
# Who sees what

An admin opens `serve/domotic-admin.duckdb`, which holds everything. Every other person of `sites.yaml` has a
file of their own, `serve/domotic-<user>.duckdb`, with only the tables, rows and columns that they may see:
DuckDB knows neither users nor row security, so what must not be seen is not in the file. Hand on that file
and no other. Only the account that builds the files can read them (mode 0600).

- `from` is the first local date of the home that a person sees, `to` the first that they do not. Who moves
  out and who moves in have the same date there, and neither sees a minute of the other.
- A person's entries add up: the owner of one home may rent another.
- What lies in a file is as it was at the end of a person's dates in each home, as far as the readings of
  their own dates show it. What is known as of today alone is left out once they are over: the table below
  says what that is. A file tells nothing of the days of others and of other homes, its `meta` included.
- A room or a device shows, with its health, to whom it gave a reading on their dates: others may be those of
  the people before or after.
- A mart holds what its query says of the rows within its reach, so a month in which people moved is two
  figures, each of one's own days. A month or day is over once a later one has data, or one's own dates
  are over.
- An owner who does not live there sees presence and days only for dates on which everybody who lives there
  says so by a consent (`consents` of their entry); nobody's yes speaks for somebody else.
- "24 h of the data" end with the newest minute of all homes, so a home that fell silent shows nothing.

Files follow the admin's within five minutes, and at the end of `domotic build`. They are always built from
nothing, as a block that a deletion freed would keep its bytes. One that would hold the same as before is left
as it is, so neither its version nor its time tells that somebody else has new data.

## When rights are withdrawn

A consent, a date, a home, a role or a person goes from `sites.yaml`: `domotic live` reads it three times a
minute, removes **all versions** of the files that were made with more rights than the person has now, and
says so in one line. `domotic build` does it first of all. Only then new files are built, at the end of a
build or by live within five minutes; until then the person has none. A file that cannot be removed (a program
holds it open on Windows, or the folder may not be written) is told in one line, and tried again each time. No
date and no clock of the machine decides this. A right that is added removes nothing.

Not promised: a program that has a file open keeps what it reads until it closes it, as the system keeps a
removed file for it. What somebody has copied, nobody can take back. Nothing is withdrawn while `sites.yaml`
cannot be read, or while neither `domotic live` nor `domotic build` runs.

Also not promised: a counter's first reading on one's own dates may hold the energy of a gap before them, and
for `presence_hold_minutes` after midnight presence may come from a motion before it. The last day's energy is
settled by the readings of `counter_settles_hours` after it. A home has one provider in `sites.yaml` for all
time: days that are built again cost what that one asks.
"""

_DATED = """\
## What lies in a file, and when

While a person's dates in a home go on, that is until the newest data. "Over" is what remains of a home once
their last date there has passed. Dates that begin later show nothing yet.
"""

_TAIL = """
## A new table or mart

Add its line to `MATRIX` in `domotic_assets/serve/people/matrix.py`, for every role; then write this page
again. Without a line `domotic build` publishes nothing, and a test fails.
Where rows are somebody's, the table needs `apartment_key`, and `date_key` if they are of a date. Say in
`DATED` what of it lies in a file; a column that is known as of today alone needs a line in `_PAST` of
`domotic_assets/serve/people/dated.py`.
"""


def page() -> str:
    """Return the text of docs/access.md."""
    roles = list(Role)
    lines = [f"| table | {' | '.join(['admin', *roles])} |", f"|---|{'---|' * (len(roles) + 1)}"]
    lines += [
        f"| `{name}` | all | {' | '.join(rule.reach(role) for role in roles)} |"
        for name, rule in MATRIX.items()
    ]
    withheld = [
        f"- `{table}.{column}` is null for: {', '.join(denied)}. Any other role sees its own login there."
        for (table, column), denied in WITHHELD.items()
    ]
    dated = [f"| `{name}` | {words} |" for name, words in DATED.items()]
    lines += ["", *withheld, "", _DATED, "| table | what lies in the file |", "|---|---|", *dated]
    return "\n".join([_HEAD, "## The matrix\n", *lines]) + "\n" + _TAIL


if __name__ == "__main__":
    ACCESS_PAGE.write_text(page(), encoding="utf-8")

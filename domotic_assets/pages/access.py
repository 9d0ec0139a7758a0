"""Renders the page about who sees what, from the access matrix.

`python -m domotic_assets.pages.access` writes `docs/access.md`.
"""

from pathlib import Path

from domotic_assets.serve.people.matrix import MATRIX, WITHHELD, Role

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
- A device shows, with its health, to whom it gave a reading on their dates: others may be those of the people
  before or after. Names of homes, rooms and devices are those of today.
- A mart holds what its query says of the rows within its reach, so a month in which people moved is two
  figures, each of one's own days. A month or day is over once a later one has data.
- An owner who does not live there sees presence and days only for dates on which everybody who lives there
  says so by a consent (`consents` of their entry); nobody's yes speaks for somebody else.
- "24 h of the data" end with the newest minute of all homes, so a home that fell silent shows nothing.
- Weather is that of the homes' sites, tariffs are those of the homes' providers, on all dates.

Files follow the admin's within five minutes, and at the end of `domotic build`. They are always built from
nothing, as a block that a deletion freed would keep its bytes. `sites.yaml` is read anew each time: a
changed date or consent counts from the next file on, and who is no longer named loses theirs. What somebody
has copied, nobody can take back.
"""

_TAIL = """
## A new table or mart

Add its line to `MATRIX` in `domotic_assets/serve/people/matrix.py`, for every role; then write this page
again. Without a line `domotic build` publishes nothing, and a test fails.
Where rows are somebody's, the table needs `apartment_key`, and `date_key` if they are of a date.
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
        f"- `{table}.{column}` is null for: {', '.join(denied)}."
        for (table, column), denied in WITHHELD.items()
    ]
    return "\n".join([_HEAD, "## The matrix\n", *lines, "", *withheld]) + "\n" + _TAIL


if __name__ == "__main__":
    ACCESS_PAGE.write_text(page(), encoding="utf-8")

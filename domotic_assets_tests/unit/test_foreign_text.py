"""No way around `escaping`: every place of the code that writes Markdown, a terminal, mail, YAML, SQL or CSV.

A source is walked for what makes such a text. Outside the module that may, each must be of our own constants;
those few are listed with their reason. A way that is planted is found.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "domotic_assets"

ESCAPING = "escaping.py"
RESULTS = "orchestration/check_results.py"
TERMINAL = "cli/terminal.py"
CHANNELS = "alerts/channels.py"

MAY_CALL = {
    # What makes Markdown of Dagster's pages: types see to it that the text comes from `escaping`.
    "dg.MetadataValue.md": {RESULTS},
    "MetadataValue.md": {RESULTS},
    "dg.MarkdownMetadataValue": {RESULTS},
    "Markdown": {ESCAPING},
    "PlainMessage": {ESCAPING},
    # A link in metadata opens what it says.
    "dg.MetadataValue.url": set(),
    # The terminal.
    "print": set(),
    "click.echo": {TERMINAL},
    "click.secho": set(),
    "click.confirm": {TERMINAL},
    "click.prompt": {"cli/sign_in.py"},  # words of ours
    "Console": {TERMINAL},
    "sys.stdout.write": set(),
    "sys.stderr.write": set(),
    "sys.stdout.buffer.write": set(),
    "os.write": {"owner_only.py"},  # the mark of a closed folder
    "rich.print": set(),
    "rich.get_console": set(),
    "Text.from_markup": set(),
    "Text.from_ansi": set(),
    # Mail and chat.
    "EmailMessage": {CHANNELS},
    "smtplib.SMTP": {CHANNELS},
    "smtplib.SMTP_SSL": {CHANNELS},
    "requests.post": set(),
    "requests.request": set(),
    "urlopen": set(),
    "urllib.request.urlopen": set(),
    "requests.Session": {CHANNELS},
    "apprise.Apprise": {CHANNELS},
    # YAML: written in one place; built only after `refuse_bombs`, or from files of this repository.
    "yaml.safe_dump": {ESCAPING},
    "yaml.dump": set(),
    "yaml.safe_dump_all": set(),
    "yaml.load": {"quality/contract.py"},
    "yaml.safe_load": {"pages/marts.py"},
    "yaml.load_all": set(),
    "yaml.compose": set(),
    "yaml.unsafe_load": set(),
    "yaml.CSafeLoader": set(),
    # HTML.
    "html.escape": {ESCAPING},
    # Spreadsheets. The simulator writes its own truth.
    "csv.writer": {"simulator/truth.py"},
    "csv.DictWriter": {"simulator/truth.py"},
}
MAY_CALL_METHODS = {
    "md": {RESULTS},
    "from_markup": set(),
    "from_ansi": set(),
    "sink_csv": {"operate/export.py"},
    "write_csv": {"serve/postgres/transfer.py"},  # what PostgreSQL's COPY reads
    "write_excel": set(),
    "set_content": {CHANNELS},
}
RESULTS_OF_RUNS = {
    "AssetCheckResult", "AssetCheckEvaluation", "AssetMaterialization", "AssetObservation",
    "MaterializeResult", "ObserveResult", "Output", "Failure", "ExpectationResult",
}  # fmt: skip
"""What is reported while a feed is read; its `description` is Markdown to Dagster's pages."""

OUR_WORDS = {
    # Texts of flows, tables, columns and checks, which stand in the code.
    "description", "check.rule", "check.severities", "GRAIN_RULE", "REACHABLE_RULE", "flow.about", "about",
    "column.description", "column.unit", "table.grain[0].upper()", "table.grain[1:]", "table.grain",
    "', '.join(table.primary_key)",
}  # fmt: skip
OUR_TEMPLATES = {
    "between.join(['{}'] * len(parts))",  # separators of ours
    "template",  # of `say`, which is called with constants
    "'No readings from your home' if news.started else 'Readings from your home'",
}
OUR_HTML = {("web/answers.py", "body"), ("web/answers.py", "_STYLE")}
FILLERS = {"markdown_text", "message", "write"}
HTML_TAG = re.compile(r"<(?:a|b|div|p|td|th|li|img|input|html|h\d|span|script|text)\b")


def ways(source: str, file: str) -> Iterator[str]:
    """Everything in a module that writes a text into something that renders it, and may not there."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call():
                yield from _calls(node, file)
            case ast.ImportFrom(module="click" | "rich" | "rich.console" | "html" | "yaml", names=names):
                yield from (
                    f"import {name.name} as {name.asname}"
                    for name in names
                    if name.asname or name.name in ("echo", "secho", "print", "escape", "safe_dump", "dump")
                )
            case ast.ClassDef(bases=bases) if file != ESCAPING and any(
                ast.unparse(base).endswith(("Markdown", "PlainMessage")) for base in bases
            ):
                yield f"class {node.name}"
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id="mail"))], value=value) if (
                not _is_safe_header(value)
            ):
                yield f"header {ast.unparse(value)}"
            case ast.JoinedStr(values=values) if file != "pages/counters.py":
                texts = "".join(str(v.value) for v in values if isinstance(v, ast.Constant))
                filled = [v.value for v in values if isinstance(v, ast.FormattedValue)]
                if HTML_TAG.search(texts):
                    yield from (
                        f"HTML {ast.unparse(one)}"
                        for one in filled
                        if not _is_html_text(one) and (file, ast.unparse(one)) not in OUR_HTML
                    )


def _calls(node: ast.Call, file: str) -> Iterator[str]:
    name = ast.unparse(node.func)
    short = name.rpartition(".")[2]
    if file not in MAY_CALL.get(name, {file}):
        yield name
    elif isinstance(node.func, ast.Attribute) and file not in MAY_CALL_METHODS.get(short, {file}):
        yield f".{short}"
    if short == "cast" and any(
        "Markdown" in text or "PlainMessage" in text for text in map(ast.unparse, node.args)
    ):
        yield "cast"
    for keyword in node.keywords:
        if keyword.arg == "description" and file != RESULTS:
            if short in RESULTS_OF_RUNS:
                yield f"{short} description={ast.unparse(keyword.value)}"
            elif name.startswith("dg.") and (strange := _foreign(keyword.value)):
                yield f"{name} description={strange}"
        if keyword.arg == "markup" and ast.unparse(keyword.value) != "False":
            yield "markup"
    if short in FILLERS and file != ESCAPING and isinstance(node.func, ast.Name) and node.args:
        template = node.args[0]
        if not isinstance(template, ast.Constant) and ast.unparse(template) not in OUR_TEMPLATES:
            yield f"{short} {ast.unparse(template)}"
    if short == "replace" and file != ESCAPING and len(node.args) == 2:
        before, after = (arg.value if isinstance(arg, ast.Constant) else None for arg in node.args)
        if before in ("'", '"') and after == str(before) * 2:
            yield f"quotes {ast.unparse(node)}"


def _is_safe_header(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) or any(
        isinstance(part, ast.Name) and part.id in ("mail_header", "formatdate") for part in ast.walk(value)
    )


def _is_html_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) == "html_text"


def _foreign(value: ast.expr) -> str:
    """What of a description is no constant and none of our words; empty if there is nothing."""
    match value:
        case ast.Constant():
            return ""
        case ast.JoinedStr(values=values):
            return "".join(_foreign(v.value) for v in values if isinstance(v, ast.FormattedValue))
        case ast.IfExp(body=body, orelse=orelse):
            return _foreign(body) + _foreign(orelse)
        case _:
            text = ast.unparse(value)
            return "" if text in OUR_WORDS else text


def test_nothing_is_written_past_escaping() -> None:
    found = {
        (file.relative_to(PACKAGE).as_posix(), way)
        for file in PACKAGE.rglob("*.py")
        for way in ways(file.read_text(), file.relative_to(PACKAGE).as_posix())
    }
    assert found == set()


def test_all_that_may_write_does() -> None:
    """A name in the lists above that nobody calls would hide that the walk finds nothing."""
    called: dict[str, set[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                called.setdefault(ast.unparse(node.func), set()).add(file.relative_to(PACKAGE).as_posix())
    assert called["dg.MetadataValue.md"] == {RESULTS}
    for name in ("click.echo", "Console", "click.confirm"):
        assert called[name] == {TERMINAL}
    assert called["yaml.safe_dump"] == {ESCAPING}
    assert {ESCAPING} == called["Markdown"] == called["PlainMessage"]
    assert {"serve/tables.py", "serve/publish.py"} <= called["identifier"]


@pytest.mark.parametrize(
    "source",
    [
        "dg.MetadataValue.md(f'| {name} |')",
        "dg.MarkdownMetadataValue(name)",
        "dg.AssetCheckResult(passed=False, description=str(error))",
        "dg.AssetMaterialization(key, description=name)",
        "dg.AssetSpec(key, description=f'of {home.name}')",
        "dg.MetadataValue.url(address)",
        "text = Markdown(name)",
        "text = cast(Markdown, name)",
        "M.md(name)",
        "rich.print(name)",
        "smtplib.SMTP(host).sendmail(a, b, name)",
        "class Own(Markdown): pass",
        "markdown_text(f'{name}: {{}}', 1)",
        "message('Found: ' + detail)",
        "PlainMessage(detail)",
        "print(name)",
        "click.echo(f'name {name}')",
        "from click import echo",
        "from rich.console import Console as C",
        "Console().print(name)",
        "sys.stdout.write(name)",
        "TextColumn(name, markup=True)",
        "mail['Subject'] = message.title",
        "EmailMessage()",
        "requests.post(url, json={'text': name})",
        "yaml.safe_dump(names, allow_unicode=True)",
        "yaml.load(text, yaml.CSafeLoader)",
        "yaml.safe_load(file.read_text())",
        "html.escape(name)",
        "page = f'<div title={name}>'",
        "frame.write_csv(file)",
        "csv.writer(file).writerow([name])",
        "sql = name.replace('\"', '\"\"')",
        'sql = value.replace("\'", "\'\'")',
    ],
)
def test_a_way_past_it_is_found(source: str) -> None:
    assert list(ways(source, "operate/planted.py"))

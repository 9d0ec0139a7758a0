"""Where lines live: what the import contracts of setup.cfg cannot say."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from domotic_assets.schemas.table import Table
from domotic_assets_tests.support.shared_data import REPOSITORY

PACKAGE = REPOSITORY / "domotic_assets"
ORCHESTRATION = [file for file in (PACKAGE / "orchestration").rglob("*.py") if file.name != "__init__.py"]
DAGSTER = ("dagster", "dagster_dbt", "dagster_duckdb", "dagster_webserver", "dbt")
MOST_FILES = 20

SCHEMAS, MATRIX = PACKAGE / "schemas", PACKAGE / "serve/people/matrix.py"
"""Tables are listed here and nowhere else; beside, a domain's flows and checks name the domain's own."""


def module_of(file: Path) -> ModuleType:
    return import_module(".".join(file.relative_to(REPOSITORY).with_suffix("").parts))


def imported(file: Path) -> set[str]:
    """The first names of what a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("file", ORCHESTRATION, ids=lambda file: file.name)
def test_what_stands_in_orchestration_speaks_to_dagster(file: Path) -> None:
    assert imported(file) & set(DAGSTER), "it knows no Dagster: flow, operate or a domain is its room"


def test_orchestration_stays_small() -> None:
    assert 10 < len(ORCHESTRATION) <= MOST_FILES


def tables_listed(source: str, names: dict[str, object]) -> Iterator[int]:
    """Lines on which a tuple, list, set or dictionary holds two tables or more."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            members: list[ast.expr | None] = list(node.elts)
        elif isinstance(node, ast.Dict):
            members = [*node.keys, *node.values]
        else:
            continue
        if sum(isinstance(resolved(member, names), Table) for member in members) > 1:
            yield node.lineno


def resolved(node: ast.expr | None, names: dict[str, object]) -> object:
    """What a name, an attribute of a module or a member of a dictionary stands for; None of others."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(resolved(node.value, names), node.attr, None)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        held = resolved(node.value, names)
        return held.get(node.slice.value) if isinstance(held, dict) else None
    return None


def test_no_list_of_tables_stands_outside_schemas_and_the_access_matrix() -> None:
    """A new table is declared once; what is done with tables is asked of the table."""
    found = [
        f"{file.relative_to(PACKAGE)}:{line}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if SCHEMAS not in file.parents and file != MATRIX and PACKAGE / "domains" not in file.parents
        for line in tables_listed(file.read_text(), vars(module_of(file)))
    ]
    assert found == []


def test_a_list_of_tables_is_found() -> None:
    from domotic_assets.schemas import gold

    tables = dict(zip("AB", gold.DIMS, strict=False))
    for source in (
        "X = (A, B)",
        "def f():\n    return [g.A, g.B]",
        "X = {A: 1, B: 2}",
        "X = (d['A'], d['B'])",
    ):
        names = {**tables, "g": type("Module", (), tables), "d": tables}
        assert list(tables_listed(source, names)), source
    assert not list(tables_listed("X = (A, 1)", dict(tables)))


FRAMEWORKS = ("dg", "dbt_assets", "click", "cli")
"""Whose decorators may show a function's docstring to users: there its description is an argument."""


def without_docstring(source: str) -> Iterator[str]:
    """Functions and methods that say nothing; those within a function are read with it."""
    places: list[ast.Module | ast.ClassDef] = [ast.parse(source)]
    while places:
        for node in places.pop().body:
            if isinstance(node, ast.ClassDef):
                places.append(node)
            elif isinstance(node, ast.FunctionDef) and not (
                node.name.startswith("__")
                or any(ast.unparse(name).startswith(FRAMEWORKS) for name in node.decorator_list)
                or ast.get_docstring(node)
            ):
                yield node.name


def test_every_function_says_what_it_does() -> None:
    silent = {
        str(file.relative_to(PACKAGE)): names
        for file in sorted(PACKAGE.rglob("*.py"))
        if (names := list(without_docstring(file.read_text())))
    }
    assert not silent


def test_a_function_that_says_nothing_is_found() -> None:
    one, two = "class A:\n    def one(self): ...", "def two():\n    'Says.'"
    three = "@property\ndef three():\n    def four(): ..."
    assert sorted(without_docstring("\n".join((one, two, three)))) == ["one", "three"]

"""Small changes of a module's code, as a source text each: the mutants that `drills.mutation` tries.

Not changed: texts (names of columns, messages, patterns), annotations, decorators and what `strict=` guards;
nor what only stops everything, such as leaving out the assignment of a name.
"""

import ast
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""The same with its edge moved, and its opposite."""

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_SWAPS = {
    "min": "max",
    "first": "last",
    "any": "all",
    "any_horizontal": "all_horizontal",
    "is_null": "is_not_null",
}
_SWAPS |= {right: left for left, right in _SWAPS.items()}
_CHOICES = {"first": "last", "last": "first", "left": "inner", "anti": "semi", "semi": "anti"}
"""Texts that choose how a call works."""

_LEFT_OUT = {
    "filter",
    "sort",
    "unique",
    "fill_null",
    "drop_nulls",
    "otherwise",
    "over",
    "shift",
    "cast",
    "abs",
}
"""Calls of a chain without which the chain still runs."""

_LEFT_ALONE = {"decorator_list", "annotation", "returns"}
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: where, in words and as the whole module's source."""

    line: int
    what: str
    source: str


@dataclass(frozen=True, slots=True)
class _Site:
    """A node that may be changed, and where it hangs."""

    scope: str
    parent: ast.AST
    field: str
    place: int | None
    node: Any

    def put(self, node: ast.AST) -> None:
        """Hang another node there."""
        if self.place is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.place] = node


def mutants(source: str, only: Collection[str] | None = None) -> list[Mutant]:
    """All mutants of a module, or of its definitions of these names, in the order of its lines."""
    tree = ast.parse(source)
    found = []
    for site in list(_sites(tree, "module")):
        if only is not None and site.scope.split(".")[0] not in only:
            continue
        for changed, what in _changes(site):
            site.put(changed)
            found.append(Mutant(site.node.lineno, f"{site.scope}: {what}", ast.unparse(tree)))
            site.put(site.node)
    return _numbered(sorted(found, key=lambda mutant: mutant.line))


def _numbered(found: Iterable[Mutant]) -> list[Mutant]:
    """The same with a number where the same words were said before."""
    said: Counter[str] = Counter()
    numbered = []
    for mutant in found:
        said[mutant.what] += 1
        number = said[mutant.what]
        numbered.append(replace(mutant, what=f"{mutant.what} #{number}") if number > 1 else mutant)
    return numbered


def _sites(parent: ast.AST, scope: str) -> Iterator[_Site]:
    """Every expression and statement below a node that is not left alone."""
    if isinstance(parent, ast.FunctionDef | ast.ClassDef):
        scope = parent.name if scope == "module" else f"{scope}.{parent.name}"
    for field, value in ast.iter_fields(parent):
        if field in _LEFT_ALONE:
            continue
        for place, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(node, ast.AST) and not (isinstance(node, ast.keyword) and node.arg == "strict"):
                if isinstance(node, ast.expr | ast.stmt):
                    yield _Site(scope, parent, field, place, node)
                yield from _sites(node, scope)


def _changes(site: _Site) -> Iterator[tuple[ast.AST, str]]:
    """What may stand in the place of a node, and how to say so."""
    node = site.node
    if isinstance(node, ast.stmt):
        if _may_go(site):
            yield ast.Pass(), f"`{_shown(node)}` left out"
        if isinstance(node, ast.AugAssign):
            for operator in _other(node.op):
                changed = ast.AugAssign(node.target, operator, node.value)
                yield changed, f"`{_shown(node)}` → `{_shown(changed)}`"
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LEFT_OUT:
        call = ast.Call(ast.Name(""), node.args, node.keywords)
        yield node.func.value, f"`.{node.func.attr}{_shown(call)}` left out"
    # A number alone says little: it is shown with what it is part of.
    seen = site.parent if isinstance(node, ast.Constant) else node
    for changed in _instead(site):
        before = _shown(seen)
        site.put(changed)
        after = _shown(changed if seen is node else seen)
        site.put(node)
        yield changed, f"`{before}` → `{after}`"


def _instead(site: _Site) -> Iterator[ast.expr]:
    """Other expressions for an expression."""
    if site.field == "test" and isinstance(site.parent, ast.If | ast.IfExp):
        yield from (ast.Constant(True), ast.Constant(False))
    if site.field == "ifs":
        yield ast.Constant(True)
    match site.node:
        case ast.Compare(left, operators, others):
            for place, operator in enumerate(operators):
                for other in _COMPARISONS[type(operator)]:
                    changed = [*operators[:place], other(), *operators[place + 1 :]]
                    yield ast.Compare(left, changed, others)
        case ast.BinOp(left, operator, right):
            yield from (ast.BinOp(left, other, right) for other in _other(operator))
        case ast.UnaryOp(ast.Not() | ast.Invert() | ast.USub(), operand):
            yield operand
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
            for place in range(len(values)):
                rest = [*values[:place], *values[place + 1 :]]
                yield ast.BoolOp(operator, rest) if len(rest) > 1 else rest[0]
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Constant(str(value)) if value in _CHOICES:
            yield ast.Constant(_CHOICES[value])
        case ast.Attribute(value, name) if site.field == "func" and name in _SWAPS:
            yield ast.Attribute(value, _SWAPS[name])
        case ast.Name(name) if site.field == "func" and name in _SWAPS:
            yield ast.Name(_SWAPS[name])
        case ast.Call(ast.Name("sorted"), [argument, *_]):
            yield argument


def _other(operator: ast.operator) -> list[ast.operator]:
    return [_OPERATORS[type(operator)]()] if type(operator) in _OPERATORS else []


def _may_go(site: _Site) -> bool:
    """Whether a statement may be left out: a call, a change of what is there, a way out of a branch."""
    match site.node:
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Continue():
            return True
        case ast.Assign([ast.Subscript() | ast.Attribute()]):
            return True
        case ast.Return():
            return not isinstance(site.parent, ast.FunctionDef)
        case ast.Assign([ast.Name(name)], value):
            has_one = any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(value))
            return has_one or isinstance(site.parent, ast.If)
    return False


def _shown(node: ast.AST) -> str:
    """A node's text, cut where it is long."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

"""Judges GraphQL before the application reads it: what it holds, and whether a person may send that.

What is let through is written anew from what was read, so that nobody reads it in another way than we did.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
)

MOST_BYTES = 4 * 2**20
"""Of a request; a backfill names each of its partitions."""
MOST_TOKENS, MOST_LETTERS = 20_000, 200_000
"""Of a document; the longest that the pages send has a tenth of either. Partitions are in variables."""
_KEYS = frozenset({"query", "variables", "operationName", "extensions"})
QUERY, MUTATION, SUBSCRIPTION = OperationType.QUERY, OperationType.MUTATION, OperationType.SUBSCRIPTION


class Refused(ValueError):
    """GraphQL that nobody may send, or not this person. Its text tells why, in one line."""


@dataclass(frozen=True)
class Allowed:
    """What a person may send: kinds of operations, and no field of these names, wherever it is."""

    kinds: frozenset[OperationType]
    no_fields: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Document:
    """What a document holds: the kinds of all its operations, and the names of all its fields."""

    kinds: frozenset[OperationType]
    fields: frozenset[str]


def admitted(body: bytes, allowed: Allowed) -> bytes:
    """Return a request in JSON, written anew; raises Refused unless all that it holds is allowed."""
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused("the body is no JSON") from None
    return orjson.dumps(admitted_request(sent, allowed))


def admitted_request(sent: object, allowed: Allowed) -> dict[str, Any]:
    """Return a request with the keys that GraphQL knows; raises Refused unless all it holds is allowed.

    Every operation counts, whichever of them `operationName` names.
    """
    if not isinstance(sent, dict) or not isinstance(sent.get("query"), str):
        raise Refused("one object with a query is expected")
    if len(sent["query"]) > MOST_LETTERS:
        raise Refused("the query is too long")
    found = read_document(sent["query"])
    if not found.kinds or not found.kinds <= allowed.kinds:
        raise Refused(f"allowed here: {', '.join(sorted(kind.value for kind in allowed.kinds))}")
    if acting := sorted(found.fields & allowed.no_fields):
        raise Refused(f"this acts: {', '.join(acting)}")
    return {key: value for key, value in sent.items() if key in _KEYS}


@lru_cache(maxsize=256)
def read_document(query: str) -> Document:
    """Read a document of GraphQL; raises Refused if it cannot be read."""
    try:
        document = parse(query, no_location=True, max_tokens=MOST_TOKENS)
    except (GraphQLError, RecursionError):
        raise Refused("this GraphQL cannot be read") from None
    kinds: set[OperationType] = set()
    fields: set[str] = set()
    left: list[Node] = []
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            kinds.add(definition.operation)
        elif not isinstance(definition, FragmentDefinitionNode):
            raise Refused("a document holds operations and fragments")
        left.append(definition.selection_set)
    while left:
        node = left.pop()
        if isinstance(node, SelectionSetNode):
            left += node.selections
            continue
        if isinstance(node, FieldNode):
            fields.add(node.name.value)
        if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
            left.append(node.selection_set)
    return Document(frozenset(kinds), frozenset(fields))

"""Judges GraphQL before the application reads it: which operations it holds, and whether a person may ask.

What is let through is written anew from what was read, so that nobody reads it in another way than we did.
"""

from functools import lru_cache
from typing import Any

import orjson
from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from graphql.language import FragmentDefinitionNode

MOST_BYTES = 4 * 2**20
"""Of a request; a backfill names each of its partitions."""
MOST_TOKENS, MOST_LETTERS = 20_000, 200_000
"""Of a document; the longest that the pages send has a tenth of either. Partitions are in variables."""
_KEYS = frozenset({"query", "variables", "operationName", "extensions"})
QUERY, MUTATION, SUBSCRIPTION = OperationType.QUERY, OperationType.MUTATION, OperationType.SUBSCRIPTION


class Refused(ValueError):
    """GraphQL that nobody may send, or not this person. Its text tells why, in one line."""


def admitted(body: bytes, allowed: frozenset[OperationType]) -> bytes:
    """Return a request in JSON, written anew; raises Refused unless all its operations are allowed."""
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused("the body is no JSON") from None
    return orjson.dumps(admitted_request(sent, allowed))


def admitted_request(sent: object, allowed: frozenset[OperationType]) -> dict[str, Any]:
    """Return a request with the keys that GraphQL knows; raises Refused unless its operations are allowed."""
    if not isinstance(sent, dict) or not isinstance(sent.get("query"), str):
        raise Refused("one object with a query is expected")
    if len(sent["query"]) > MOST_LETTERS:
        raise Refused("the query is too long")
    found = operations(sent["query"])
    if not found or not found <= allowed:
        names = ", ".join(sorted(kind.value for kind in allowed))
        raise Refused(f"allowed here: {names}")
    return {key: value for key, value in sent.items() if key in _KEYS}


@lru_cache(maxsize=256)
def operations(query: str) -> frozenset[OperationType]:
    """Return the kinds of all operations of a document; raises Refused if it cannot be read.

    All of them count, whichever of them `operationName` names.
    """
    try:
        document = parse(query, no_location=True, max_tokens=MOST_TOKENS)
    except (GraphQLError, RecursionError):
        raise Refused("this GraphQL cannot be read") from None
    kinds = set()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            kinds.add(definition.operation)
        elif not isinstance(definition, FragmentDefinitionNode):
            raise Refused("a document holds operations and fragments")
    return frozenset(kinds)

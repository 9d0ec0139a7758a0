"""Keeps readers from filling the server's table of locks, over a connection that is open beforehand.

A role without any right to change something can still begin thousands of transactions in one (a GRANT to
itself of what it has, after each SAVEPOINT). Each takes a place in the table of locks, and once it is full
the server lets nobody in. A connection that is open before can still end the session, if it asks no catalog.
"""

from collections.abc import Callable
from datetime import timedelta
from threading import Event

import psycopg

from domotic_assets.errors import PublishError
from domotic_assets.serve.postgres import sessions
from domotic_assets.serve.postgres.roles import mark
from domotic_assets.serve.postgres.server import Server, dialled

LOOK_SECONDS = 0.25
_AGAIN_SECONDS = 10.0
"""How long to wait after a connection was lost or refused."""
_ROLES_EVERY = timedelta(minutes=1) // timedelta(seconds=LOOK_SECONDS)


def guard(server: Server, say: Callable[[str], None], ended: Event) -> None:
    """End sessions of our roles that write, until the event is set; never raises an error of the server.

    say: is called with a line for each look that ended some.
    """
    while not ended.is_set():
        try:
            _guard(server, say, ended)
        except (psycopg.Error, PublishError):
            ended.wait(_AGAIN_SECONDS)


def _guard(server: Server, say: Callable[[str], None], ended: Event) -> None:
    """Do so over one connection, until it is lost."""
    with dialled(server, autocommit=True) as connection:
        looks, roles = 0, sessions.oids_of(connection, mark(server.database))
        while not ended.wait(LOOK_SECONDS):
            looks += 1
            if number := sessions.end_writing(connection, roles):
                say(f"{server.address}: ended {number} sessions of readers that went on writing")
            elif looks % _ROLES_EVERY == 0:
                roles = sessions.oids_of(connection, mark(server.database))

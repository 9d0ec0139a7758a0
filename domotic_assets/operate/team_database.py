"""Publishes to the PostgreSQL server that sites.yaml names, looks whether it is current, and guards it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate.background import in_background
from domotic_assets.operate.people import admin_is_present, scopes_now, scopes_to_hand_out
from domotic_assets.registry.channels import PostgresqlServer
from domotic_assets.serve.postgres.guard import guard
from domotic_assets.serve.postgres.publication import (
    Published,
    is_behind,
    publish_to,
    remove,
    rights_are_behind,
)
from domotic_assets.serve.postgres.server import Server


def database_is_behind(work: Workspace, *, rights_only: bool = False) -> bool:
    """Return whether a database differs from the admin's file or people's rights; connects to the server.

    rights_only: people's rights alone are compared. False if sites.yaml names none, nothing is to be
    published, or the admin's file is not current itself. Raises PublishError if the server cannot be used.
    """
    entry = work.registry.postgresql
    if entry is None or not work.publishes:
        return False
    server, scopes = _server(work, entry), scopes_now(work)
    if rights_only:
        return admin_is_present(work) and rights_are_behind(server, scopes)
    return admin_is_present(work) and is_behind(server, work.serve, scopes)


def publish_database(work: Workspace) -> Published | None:
    """Update the databases to the admin's file and people's rights, and return what was changed.

    None if they are current, or sites.yaml names none. Raises PublishError.
    """
    entry = work.registry.postgresql
    if entry is None:
        return None
    return publish_to(_server(work, entry), work.serve, scopes_to_hand_out(work))


def forget_database(work: Workspace) -> None:
    """Remove all that was published and publish again, so that no freed byte of old rows is left."""
    entry = work.registry.postgresql
    if entry is None:
        return
    server, scopes = _server(work, entry), scopes_to_hand_out(work)
    remove(server)
    if admin_is_present(work):
        publish_to(server, work.serve, scopes)


def guarding(work: Workspace, say: Callable[[str], None]) -> AbstractContextManager[None]:
    """Keep readers from filling the server, in a thread, until the block ends; does nothing without a server.

    say: is called with each line to tell. Raises ConfigurationError if a credential is not set.
    """
    entry = work.registry.postgresql
    return nullcontext() if entry is None else in_background(partial(guard, _server(work, entry), say))


def _server(work: Workspace, entry: PostgresqlServer) -> Server:
    """Return the server; raises ConfigurationError if a credential is not set in the environment."""
    return Server(
        entry.address,
        work.settings.secret(entry.user_env),
        work.settings.secret(entry.password_env),
        work.sites.path(entry.ca_file) if entry.ca_file else None,
    )

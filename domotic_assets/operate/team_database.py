"""Publishes to the PostgreSQL server that sites.yaml names, and finds out whether it is current."""

from collections.abc import Sequence
from pathlib import Path

from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate.people import admin_is_present, scopes_now
from domotic_assets.registry.channels import PostgresqlServer
from domotic_assets.serve.people.scopes import Scope
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
    server, serve, scopes = _arguments(work, entry)
    if rights_only:
        return admin_is_present(work) and rights_are_behind(server, scopes)
    return admin_is_present(work) and is_behind(server, serve, scopes)


def publish_database(work: Workspace) -> Published | None:
    """Update the databases to the admin's file and people's rights, and return what was changed.

    None if they are current, or sites.yaml names none. Raises PublishError.
    """
    entry = work.registry.postgresql
    return None if entry is None else publish_to(*_arguments(work, entry))


def forget_database(work: Workspace) -> None:
    """Remove all that was published and publish again, so that no freed byte of old rows is left."""
    entry = work.registry.postgresql
    if entry is None:
        return
    server, serve, scopes = _arguments(work, entry)
    remove(server)
    if admin_is_present(work):
        publish_to(server, serve, scopes)


def _arguments(work: Workspace, entry: PostgresqlServer) -> tuple[Server, Path, Sequence[Scope]]:
    """Return the server, the folder of published files, and the scopes of people by the present sites.yaml.

    Raises ConfigurationError if a credential is not set in the environment or sites.yaml is invalid.
    """
    server = Server(
        entry.address,
        work.settings.secret(entry.user_env),
        work.settings.secret(entry.password_env),
        work.sites.path(entry.ca_file) if entry.ca_file else None,
    )
    return server, work.serve, scopes_now(work)

"""Publishes the files of people who are not admins, and finds out whether these files are current."""

from domotic_assets.flow.workspace import DBT_PROJECT, Workspace
from domotic_assets.registry import settled
from domotic_assets.registry.loading import parse_registry
from domotic_assets.schemas import gold
from domotic_assets.serve import publish
from domotic_assets.serve.catalog import fingerprint_of
from domotic_assets.serve.people import files, rights
from domotic_assets.serve.people.matrix import refuse_unruled
from domotic_assets.serve.people.scopes import Scope, scopes_of


def refuse_tables_without_rule() -> None:
    """Raise ContractError unless the access matrix has a rule for each Gold table and mart, and no others."""
    marts = (file.stem for file in DBT_PROJECT.glob("models/*/*.sql"))
    refuse_unruled((table.name for table in gold.TABLES), marts)


def are_behind(work: Workspace) -> bool:
    """Return whether people's files must be rebuilt and can be.

    They must if one is missing, older than the admin's, built for other rights, or belongs to no scope. They
    can if files are published at all and the admin's file was built with the present schemas and marts.
    """
    return work.publishes and not files.are_current(work.serve, scopes_now(work)) and admin_is_present(work)


def admin_is_present(work: Workspace) -> bool:
    """Return whether the source of people's files is proved and was built with present schemas and marts."""
    return publish.is_of(publish.source_file(work.serve), fingerprint_of(DBT_PROJECT))


def publish_scopes(work: Workspace) -> files.PublishedScopes:
    """Rebuild the DuckDB files of people that are missing, older than the admin's, or built for other rights.

    A scope is what one person who is not an admin may see, by sites.yaml as it is now. Files of login ids
    that have no scope any more are removed. Returns the files built, and how many others were current or
    removed.
    """
    return files.publish_scopes(
        work.serve, scopes_now(work), lambda: scopes_now(work), lambda: scopes_to_hand_out(work)
    )


def withdraw(work: Workspace) -> rights.Looked:
    """Remove the files of people who may see less than these were made with, by sites.yaml as it is now.

    All versions go, at once; a program that has one open keeps it. `publish_scopes` builds new ones. The
    result names the files that could not be removed.
    """
    return rights.withdraw(work.serve, lambda: scopes_now(work))


def scopes_now(work: Workspace) -> tuple[Scope, ...]:
    """Return what each person except the admins may see, by sites.yaml as it is now.

    It may be half saved: what it withdraws is withdrawn, but what it gives is not handed out.
    """
    # Read sites.yaml again, so that a withdrawn right ends now and not when a process restarts.
    return _scopes(work, settled.look(work.settings.sites_file))


def scopes_to_hand_out(work: Workspace) -> tuple[Scope, ...]:
    """Return what each person except the admins may be given, files or rows.

    As `scopes_now` if nobody gets more than is noted; else waits until sites.yaml is settled.
    """
    scopes = scopes_now(work)
    if rights.are_noted(work.serve, scopes):
        return scopes
    return _scopes(work, settled.wait_until_settled(work.settings.sites_file))


def _scopes(work: Workspace, text: str) -> tuple[Scope, ...]:
    """Build the scopes of a text of sites.yaml; raises ConfigurationError."""
    return scopes_of(parse_registry(text, str(work.settings.sites_file)))

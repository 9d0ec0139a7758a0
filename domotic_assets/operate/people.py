"""The files of people who are no admins: what sites.yaml says of them now, and whether their files say it."""

from domotic_assets.flow.workspace import DBT_PROJECT, Workspace
from domotic_assets.registry.loading import load_sites
from domotic_assets.schemas import gold
from domotic_assets.serve import publish
from domotic_assets.serve.catalog import fingerprint_of
from domotic_assets.serve.people import files
from domotic_assets.serve.people.matrix import refuse_unruled
from domotic_assets.serve.people.scopes import Scope, scopes_of


def refuse_tables_without_rule() -> None:
    """Raise ContractError for a Gold table or mart of which the matrix does not say who may see it."""
    marts = (file.stem for file in DBT_PROJECT.glob("models/*/*.sql"))
    refuse_unruled((table.name for table in gold.TABLES), marts)


def are_behind(work: Workspace) -> bool:
    """Whether a person's file is missing, older than the admin's, of other rights, or nobody's."""
    return work.publishes and not files.are_current(work.serve, scopes_now(work)) and admin_is_present(work)


def admin_is_present(work: Workspace) -> bool:
    """Whether the admin's file, of which the others are made, is of the present tables and marts."""
    return publish.is_of(publish.published_file(work.serve), fingerprint_of(DBT_PROJECT))


def publish_scopes(work: Workspace) -> files.PublishedScopes:
    """Build the files that are behind, and remove those of nobody."""
    return files.publish_scopes(work.serve, scopes_now(work))


def scopes_now(work: Workspace) -> tuple[Scope, ...]:
    """What each person but the admins sees by sites.yaml as it is now."""
    # Read again: who loses a right loses it at once, not when some process is started again.
    return scopes_of(load_sites(work.settings.sites_file).registry)

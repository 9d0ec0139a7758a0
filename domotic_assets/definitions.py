"""Gives Dagster the definitions of the feed, for the installation that the environment names."""

from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration.definitions import feed_definitions, workspace_resource
from domotic_assets.owner_only import restrict_new_files
from domotic_assets.settings import Settings

restrict_new_files()
_work = Workspace.open(Settings.from_environment())
defs = feed_definitions(_work, workspace_resource(_work))

"""Gives Dagster the definitions of dbt's marts and tests, loaded separately from the runs of every minute."""

from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration.definitions import workspace_resource
from domotic_assets.orchestration.marts import models_definitions
from domotic_assets.owner_only import restrict_new_files
from domotic_assets.settings import Settings

restrict_new_files()
_work = Workspace.open(Settings.from_environment())
defs = models_definitions(_work, workspace_resource(_work))

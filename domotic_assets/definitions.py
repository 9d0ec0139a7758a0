"""Dagster's entry point: the definitions of the installation that the environment names."""

from domotic_assets.orchestration.definitions import build_definitions
from domotic_assets.orchestration.workspace import Workspace
from domotic_assets.settings import Settings

defs = build_definitions(Workspace.open(Settings.from_environment()))

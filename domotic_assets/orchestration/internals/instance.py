"""Opens Dagster's records of a lake."""

import dagster as dg

from domotic_assets.flow.closing import close_installation
from domotic_assets.flow.dagster_home import prepare_home
from domotic_assets.flow.workspace import Workspace


def open_instance(work: Workspace) -> dg.DagsterInstance:
    """Open Dagster's records of this lake; new records start with the shipped dagster.yaml."""
    home = work.settings.dagster_home
    prepare_home(home)
    # A folder that was empty has become a lake.
    close_installation(work.settings)
    work.settings.name_dagster_home()
    return dg.DagsterInstance.from_config(str(home))

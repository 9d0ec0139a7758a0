"""Reads the environment variables that configure a process, and sets DAGSTER_HOME.

They name the registry and the lake that it works on, and hold the credentials that sites.yaml names by
variable. What the homes are is the registry's business.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from domotic_assets.errors import ConfigurationError

SITES_VARIABLE = "DOMOTIC_SITES"
LAKE_VARIABLE = "DOMOTIC_LAKE"
DAGSTER_VARIABLE = "DAGSTER_HOME"
SERVE_VARIABLE = "DOMOTIC_SERVE"


def is_remote(address: str) -> bool:
    """Tell whether a lake root is in an object store and not in a folder."""
    return "://" in address and not address.startswith("file://")


@dataclass(frozen=True)
class Settings:
    """Where the registry, the lake, Dagster's records and the published files are."""

    sites_file: Path
    lake_root: str
    dagster_home: Path
    serve: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, sites_file: Path, lake_root: str, environment: Mapping[str, str] | None = None) -> "Settings":
        """Make the settings for a registry and a lake; environment: None for that of the process.

        Dagster's records and the published files are in the lake, unless it is remote: then in the folder
        that DAGSTER_HOME names. DOMOTIC_SERVE names another for the published files. Raises
        ConfigurationError if the lake is remote and DAGSTER_HOME is not set.
        """
        variables = dict(os.environ if environment is None else environment)
        if is_remote(lake_root):
            home = variables.get(DAGSTER_VARIABLE)
            if not home:
                raise ConfigurationError(
                    f"the lake {lake_root} is remote and {DAGSTER_VARIABLE} is not set",
                    where="environment",
                    expected=f"a local folder for Dagster's records in {DAGSTER_VARIABLE}",
                    remedy=f"set {DAGSTER_VARIABLE} to a folder that stays",
                )
            root, records = lake_root.rstrip("/"), Path(home)
        else:
            folder = Path(lake_root.removeprefix("file://")).resolve()
            root, records = str(folder), folder / "dagster"
        beside = records if is_remote(root) else records.parent
        serve = Path(variables.get(SERVE_VARIABLE) or beside / "serve").resolve()
        return cls(sites_file.resolve(), root, records, serve, variables)

    def secret(self, variable: str) -> str:
        """Return a credential that sites.yaml names; raises ConfigurationError if its variable is not set."""
        value = self.environment.get(variable)
        if not value:
            raise ConfigurationError(
                f"{variable} is not set",
                where="environment",
                expected="the credential that sites.yaml names so",
                remedy=f"set {variable} where the command or Dagster is started",
            )
        return value

    def name_dagster_home(self) -> None:
        """Set DAGSTER_HOME in this process to the folder of Dagster's records: dagster.yaml refers to it."""
        os.environ[DAGSTER_VARIABLE] = str(self.dagster_home)

    @classmethod
    def from_environment(cls) -> "Settings":
        """Make the settings of a process that Dagster started, from DOMOTIC_SITES and DOMOTIC_LAKE.

        Their defaults are `sites.yaml` and `data` in the working folder.
        """
        return cls.of(
            Path(os.environ.get(SITES_VARIABLE, "sites.yaml")),
            os.environ.get(LAKE_VARIABLE, "data"),
        )

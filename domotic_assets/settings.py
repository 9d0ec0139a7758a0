"""The sole reader, and writer, of the environment.

Which registry and which lake a process works on, and the credentials that sites.yaml names by
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
    """Whether a lake root lives in an object store and not in a folder."""
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
        """Settings for a registry and a lake.

        Dagster's records and the published files live in the lake, unless it is remote: then in the folder
        that DAGSTER_HOME names. DOMOTIC_SERVE names another for the published files.
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
        """A credential that sites.yaml names; raises ConfigurationError while the variable is not set."""
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
        """Tell Dagster in this process where its records are: dagster.yaml refers to it."""
        os.environ[DAGSTER_VARIABLE] = str(self.dagster_home)

    @classmethod
    def from_environment(cls) -> "Settings":
        """Settings of a process that Dagster started: two variables, else the working folder's files."""
        return cls.of(
            Path(os.environ.get(SITES_VARIABLE, "sites.yaml")),
            os.environ.get(LAKE_VARIABLE, "data"),
        )

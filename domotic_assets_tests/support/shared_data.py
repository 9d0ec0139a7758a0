"""Where the data shared beside the repository lie."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_VARIABLE = "DOMOTIC_SHARED"


def shared_folder() -> Path:
    """The folder of shared data, whether or not it is there: beside the repository, or where it is said."""
    return Path(os.environ.get(SHARED_VARIABLE, REPOSITORY.parent / "shared")).resolve()

"""Checks the building register: whether its tables and columns agree with the contract."""

from domotic_assets.errors import SourceError
from domotic_assets.quality import installed_contract
from domotic_assets.quality.check import WARN_ERROR, Check
from domotic_assets.quality.round import Round
from domotic_assets.quality.verdict import Verdict
from domotic_assets.schemas.register import REGISTER_ROWS


def register_as_agreed(judged: Round) -> Verdict:
    """Compare the register's columns with the contract; `reachable` reports one that cannot be read."""
    try:
        return installed_contract.register_drift(judged.work)
    except SourceError:
        return Verdict((), {"register": "could not be read"})


CHECKS = (
    Check(
        "columns",
        REGISTER_ROWS,
        WARN_ERROR,
        "The register differs from `contract.yaml` in its tables, columns or their types.",
        register_as_agreed,
    ),
)

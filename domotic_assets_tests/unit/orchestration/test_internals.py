"""The versions that `internals` was read against are those that are installed."""

from importlib.metadata import version

import pytest

from domotic_assets.orchestration.internals import PROVEN_WITH


@pytest.mark.parametrize("package", PROVEN_WITH)
def test_internals_leans_on_the_installed_version(package: str) -> None:
    installed, proven = version(package), PROVEN_WITH[package]
    assert installed == proven, (
        f"{package} is now {installed}, and orchestration/internals was read against {proven}: "
        f"compare its modules with the source of {installed}, mend them, then write it into PROVEN_WITH"
    )

"""The short form of the drill of masks: secrets at random in files, and none right of Bronze."""

from pathlib import Path

import pytest

from domotic_assets_tests.drills import masks
from domotic_assets_tests.support import leaks

pytestmark = [pytest.mark.rule(11), pytest.mark.untraced]


def test_secrets_at_random_places_are_not_right_of_bronze() -> None:
    outcome = masks.drill(400, seed=7)
    assert outcome.leaked == []
    assert outcome.rejects > 200
    assert {kind.partition(": ")[2] for kind in outcome.kinds} >= masks.PLACES.keys() | masks.FORMS.keys()


def test_the_drills_scan_finds_what_bronze_holds(tmp_path: Path) -> None:
    """The same search over all of the lake finds the secrets: in Bronze alone."""
    found: masks.Outcome = masks.Outcome()
    masks.lake_of(0, 7, 60, found, tmp_path)
    secrets = masks.secrets_of(masks.Random("7 0"))
    everywhere = leaks.scan(tmp_path / "lake", masks.forbidden(secrets))
    assert len({finding.label for finding in everywhere}) > 20
    assert {finding.path.split("/")[0] for finding in everywhere} == {"bronze"}

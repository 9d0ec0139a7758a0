"""An error says what, where, what was expected and what to do, and whether a retry can help."""

import pytest

from domotic_assets import errors


def test_text_names_place_finding_expectation_and_remedy_in_this_order() -> None:
    error = errors.SourceError(
        "no such folder", where="sensor_files", expected="a readable folder", remedy="mount the share"
    )
    assert str(error) == "sensor_files: no such folder; expected a readable folder; mount the share"


def test_what_is_not_given_leaves_no_trace() -> None:
    assert str(errors.LakeError("cannot be written")) == "cannot be written"
    assert str(errors.LakeError("cannot be written", remedy="free some space")) == (
        "cannot be written; free some space"
    )


@pytest.mark.parametrize(
    ("kind", "retryable"),
    [
        (errors.ConfigurationError, False),
        (errors.SourceError, True),
        (errors.ContractError, False),
        (errors.LakeError, False),
        (errors.PartitionError, False),
    ],
)
def test_only_a_source_may_recover_by_itself(kind: type[errors.DomoticError], retryable: bool) -> None:
    error = kind("x")
    assert isinstance(error, errors.DomoticError)
    assert error.retryable is retryable

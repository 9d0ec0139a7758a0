"""The gate that `make test` ends with."""

import pytest

from domotic_assets_tests.support.coverage_gate import verdict


@pytest.mark.parametrize(
    ("lines", "branches", "all_tests_ran", "code"),
    [
        (90.0, 90.0, True, 0),
        (89.9, 99.0, True, 1),
        (99.0, 89.9, True, 1),
        # Without servers the tests of sources are skipped: said, not failed.
        (50.0, 50.0, False, 0),
    ],
)
def test_too_few_lines_or_branches_fail_where_all_tests_ran(
    lines: float, branches: float, all_tests_ran: bool, code: int
) -> None:
    line, found = verdict({"lines": lines, "branches": branches}, all_tests_ran=all_tests_ran)
    assert found == code
    assert f"{lines:.1f} % of lines, {branches:.1f} % of branches" in line

"""The journal: an unfinished plan outlives its build, and one lake has one build at a time."""

from datetime import date
from pathlib import Path

import pytest

from domotic_assets.errors import LakeError
from domotic_assets.orchestration.journal import Journal, Plan

PLAN = Plan(("2023-09-04", "2023-09-05T03", "2023-09-05T04:05"), (date(2023, 9, 4), date(2023, 9, 5)))


def test_a_plan_is_unfinished_until_finish(tmp_path: Path) -> None:
    Journal(tmp_path).begin(PLAN)
    assert Journal(tmp_path).unfinished() == PLAN
    Journal(tmp_path).finish()
    assert Journal(tmp_path).unfinished() == Plan()


def test_a_new_lake_has_nothing_unfinished_and_finishing_nothing_is_harmless(tmp_path: Path) -> None:
    Journal(tmp_path).finish()
    assert Journal(tmp_path).unfinished() == Plan()


def test_a_plan_cut_off_while_it_is_written_leaves_the_one_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(PLAN)
    (tmp_path / "unfinished.tmp").write_text('{"windows": ["2023-')
    assert journal.unfinished() == PLAN


def test_a_second_build_of_one_lake_is_refused_in_one_line(tmp_path: Path) -> None:
    with Journal(tmp_path).alone():
        with pytest.raises(LakeError) as caught, Journal(tmp_path).alone():
            pytest.fail("two builds at once")
        assert "another build is at work" in str(caught.value)
        assert "wait" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_lake_is_free_after_a_build_that_failed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Journal(tmp_path).alone():
        raise ZeroDivisionError
    with Journal(tmp_path).alone():
        pass


def test_the_lock_file_that_a_killed_build_left_hinders_nobody(tmp_path: Path) -> None:
    (tmp_path / "build.lock").touch()
    with Journal(tmp_path).alone():
        pass

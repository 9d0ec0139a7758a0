"""Good files written otherwise: the short form of `make drill-forms`."""

import pytest

from domotic_assets_tests.drills import forms
from domotic_assets_tests.fuzzing.forms import CATEGORIES, FILES, REPEATS, ROOMS, VALUES


@pytest.mark.rule(5)
@pytest.mark.rule(9)
def test_each_reading_of_a_mutated_file_is_in_silver_at_its_value_or_refused() -> None:
    outcome = forms.drill(400, seed=23)
    assert not outcome.wrong, outcome.example
    assert outcome.mutations.keys() == {
        mutation.__name__ for mutation in (*VALUES, *REPEATS, *ROOMS, *CATEGORIES, *FILES)
    }


def test_a_lost_reading_a_wrong_value_and_a_wrong_count_are_found() -> None:
    draft = forms.batch_of(0, 23, 400, 4)[0]
    outcome = forms.Outcome()
    key = next(iter(draft.values))
    for values, refused in (
        (draft.values | {key: 7.25}, {}),
        ({other: value for other, value in draft.values.items() if other != key}, {}),
        (draft.values | {("jimmy/attic/plugs/1", "plugs.power"): 1.0}, {}),
        (draft.values, {(*key, "duplicate_reading"): 1}),
    ):
        draft.values = dict(values)
        draft.refused.clear()
        draft.refused.update(refused)
        forms.judge([draft], outcome)
    assert outcome.wrong == {"good": 4}

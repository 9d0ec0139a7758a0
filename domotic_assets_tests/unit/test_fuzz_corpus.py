"""Cases that once went wrong, found by fuzzing or thought out: each is accounted for, and harms no other."""

from pathlib import Path

import pytest

from domotic_assets_tests.fuzzing import samples
from domotic_assets_tests.fuzzing.judge import FORECASTS, LONGEST_SECONDS, SENSOR, judge

CORPUS = Path(__file__).parents[1] / "fuzz_corpus"
PATHS = {path.suffix: path for path in (SENSOR, FORECASTS)}

BECAME = {
    "brackets-in-a-room.json": ("partial", None),
    "long-room-many-fields.json": ("partial", None),
    "many-tokens.json": ("partial", None),
    "many-values.json": ("quarantined", "too_large"),
    "nulls-and-odd-values.json": ("partial", None),
    "rooms-named-by-users.json": ("partial", None),
    "user-across-a-cut.json": ("partial", None),
    "user-across-a-cut-as-text.json": ("partial", None),
}
"""What a case is: status and reason, as its name lets expect."""

CASES = sorted(path for path in CORPUS.iterdir() if path.suffix in PATHS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.rule(9)
@pytest.mark.untraced
def test_a_case_is_accounted_for_alone_and_among_good_files(case: Path) -> None:
    path = PATHS[case.suffix]
    files = [samples.named(path, 0, case.read_bytes()), *(samples.good(path, number) for number in (1, 2, 3))]
    found, seconds = judge(path, files)
    assert [finding.what for finding in found] == []
    assert seconds < LONGEST_SECONDS


@pytest.mark.parametrize(("name", "became"), BECAME.items())
def test_a_case_is_what_its_name_says(name: str, became: tuple[str, str | None]) -> None:
    files = SENSOR.carry([samples.named(SENSOR, 0, (CORPUS / name).read_bytes())]).frames["files"]
    assert files.select("status", "reason").rows() == [became]


def test_every_case_thought_out_is_there() -> None:
    assert BECAME.keys() <= {case.name for case in CASES}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_seed_makes_the_same_files_again(path) -> None:
    first, again = ([samples.mutated(path, number, 7) for number in range(40)] for _ in range(2))
    assert first == again
    assert len({file.content for file in first}) > 30
    assert samples.mutated(path, 0, 8).content != first[0].content

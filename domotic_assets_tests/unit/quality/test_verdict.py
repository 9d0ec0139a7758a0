"""Verdicts of several homes as one."""

from domotic_assets.quality.verdict import Breach, Verdict, together

WARNING, ERROR = Breach("a", "odd", "WARN"), Breach("b", "wrong", "ERROR")


def test_the_worst_breach_decides() -> None:
    assert Verdict().passed
    assert (Verdict([WARNING]).passed, Verdict([WARNING]).severity) == (False, "WARN")
    assert Verdict([WARNING, ERROR]).severity == "ERROR"


def test_breaches_are_joined_and_counts_added() -> None:
    joined = together([Verdict([WARNING], {"rows": 3}), Verdict([ERROR], {"rows": 4, "homes": 1}), Verdict()])
    assert list(joined.breaches) == [WARNING, ERROR]
    assert joined.figures == {"rows": 7, "homes": 1}

"""Which failed runs count: the newest of what carried the same time."""

from datetime import UTC, datetime, timedelta

from domotic_assets.alerts.runs import EndedRun, FailedRun, Span, overlap, still_failed, without_carried

EIGHT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def span(first: int, end: int) -> Span:
    """Hours after eight."""
    return EIGHT + first * HOUR, EIGHT + end * HOUR


def run(job: str, part: Span | None, minute: int, succeeded: bool = False, detail: str = "") -> EndedRun:
    return EndedRun(job, str(part), part, EIGHT + timedelta(minutes=minute), succeeded, detail, f"/{minute}")


def failed(*ended: EndedRun, before: tuple[FailedRun, ...] = ()) -> list[tuple[str, Span | None, str, str]]:
    return [(one.job, one.span, one.problem.detail, one.problem.link) for one in still_failed(before, ended)]


def test_a_failure_counts_until_its_job_succeeds() -> None:
    assert failed(run("dims", None, 1, detail="x")) == [("dims", None, "x", "/1")]
    assert failed(run("dims", None, 1), run("dims", None, 2, True)) == []
    assert failed(run("dims", None, 1), run("register", None, 2, True)) == [("dims", None, "", "/1")]


def test_the_order_is_that_of_the_ends_and_not_of_the_records() -> None:
    assert failed(run("dims", None, 2, True), run("dims", None, 1)) == []
    assert failed(run("dims", None, 2), run("dims", None, 1, True)) == [("dims", None, "", "/2")]


def test_a_success_makes_good_what_it_carried_again_alone() -> None:
    both = run("refresh", span(0, 2), 1), run("refresh", span(5, 6), 2)
    assert failed(*both, run("refresh", span(1, 3), 3, True)) == [("refresh", span(5, 6), "", "/2")]
    assert len(failed(*both, run("refresh", span(2, 5), 3, True))) == 2


def test_a_further_failure_of_the_same_time_is_the_same_problem_with_its_newest_error() -> None:
    held = still_failed((), [run("windows", span(0, 3), 1, detail="old")])
    ((again),) = still_failed(held, [run("windows", span(1, 2), 9, detail="new")])
    assert (again.problem.key, again.problem.since) == (held[0].problem.key, held[0].problem.since)
    assert (again.problem.detail, again.problem.link, again.span) == ("new", "/9", span(0, 3))


def test_a_failed_window_counts_while_the_work_list_has_it() -> None:
    held = still_failed(
        (), [run("windows", span(0, 1), 1), run("windows", span(2, 3), 2), run("dims", None, 3)]
    )
    left = without_carried(held, ["windows"], lambda one: overlap(one, span(2, 3)))
    assert [(one.job, one.span) for one in left] == [("windows", span(2, 3)), ("dims", None)]


def test_spans_that_touch_do_not_overlap() -> None:
    assert not overlap(span(0, 1), span(1, 2))
    assert overlap(span(0, 2), span(1, 3))
    assert overlap(None, span(1, 3))

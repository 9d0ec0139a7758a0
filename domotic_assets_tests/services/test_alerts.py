"""Alerts reach a real SMTP server with TLS and a real web server: start, end, groups, and what is refused.

Problems are those of Dagster's own records; time is the test's.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned

from domotic_assets.alerts.channels import send
from domotic_assets.alerts.memory import FILE
from domotic_assets.cli.main import main
from domotic_assets.errors import LakeError
from domotic_assets.flow.worklist import Task
from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration import alerting, tags
from domotic_assets.orchestration.alerting import alerts_tick
from domotic_assets.orchestration.definitions import feed_definitions, workspace_resource
from domotic_assets.orchestration.sensors import REACHABLE
from domotic_assets.registry.channels import AlertChannel
from domotic_assets.settings import Settings
from domotic_assets_tests.services.mailbox import Hook, Mailbox, mailbox, make_certificate, webhook
from domotic_assets_tests.services.servers import HOST, free_port
from domotic_assets_tests.support import builders

NOON = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
"""Noon in Sion."""

EVENTS, FILES = dg.AssetKey(["silver", "sensor_events"]), dg.AssetKey(["bronze", "sensor_files"])
OUTLIERS = dg.AssetCheckKey(EVENTS, "outliers")
FRESHNESS = dg.AssetCheckKey(FILES, "freshness")
SHARE = dg.AssetCheckKey(FILES, REACHABLE)
CHECKS = (OUTLIERS, FRESHNESS, SHARE)

HOOK_TOKEN = "planted-hook-token"
LOGIN = "u:planted-hook-token"
APPRISE_PASSWORD = "planted-apprise-password"  # pragma: allowlist secret


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def mail(certificate: tuple[Path, Path]) -> Iterator[Mailbox]:
    with mailbox(*certificate) as box:
        yield box


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook() as started:
        yield started


def email(box: Mailbox, ca_file: Path | None, more: str = "") -> str:
    """A channel `mail` to that server, as a line of sites.yaml."""
    trust = "" if ca_file is None else f", ca_file: {ca_file}"
    return (
        f"{{name: mail, kind: email, host: {HOST}, port: {box.port}, sender: alerts@example.org, "
        f"recipients: [ops@example.org, night@example.org], user_env: MAIL_USER, "
        f"password_env: MAIL_PASSWORD{trust}{more}}}"
    )


HOOK = "{name: hook, kind: webhook, url_env: HOOK_URL}"
TENANT = "{name: jimmy-s, kind: webhook, url_env: HOOK_URL, audience: tenant, homes: [jimmy]}"
CHAT = "{name: chat, kind: apprise, url_env: CHAT_URL}"


class Installation:
    """An installation with channels; its ticks happen when the test says."""

    def __init__(self, folder: Path, channels: list[str], environment: Mapping[str, str]) -> None:
        lines = "".join(f"    - {channel}\n" for channel in channels)
        text = builders.REGISTRY + (f"alerts:\n  channels:\n{lines}" if channels else "")
        self.sites = builders.write_sites(folder, text)
        self.lake = folder / "lake"
        self.instance = dg.DagsterInstance.ephemeral()
        self.reports: list[str] = []
        self.now = NOON
        self.start_again(environment)

    def start_again(self, environment: Mapping[str, str]) -> None:
        """What a new process knows: the files, and its environment."""
        self.work = Workspace.open(Settings.of(self.sites, str(self.lake), environment))

    def tick(self, *seconds: int) -> None:
        """A tick after each of these pauses."""
        for pause in seconds:
            self.now += timedelta(seconds=pause)
            alerts_tick(self.work, self.instance, CHECKS, self.now, self.reports.append)

    def evaluate(
        self, check: dg.AssetCheckKey, passed: bool, severity: str = "ERROR", **metadata: Any
    ) -> None:
        """What a check reports."""
        self.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=passed,
                severity=dg.AssetCheckSeverity[severity],
                description=metadata.pop("description", None),
                metadata=metadata,
            )
        )

    def run(self, job: str, error: Exception | None = None, **run_tags: str) -> str:
        """A run of a job of that name, which fails with that error; its id."""

        @dg.op
        def step() -> None:
            if error is not None:
                raise error

        @dg.job(name=job)
        def definition() -> None:
            step()

        return definition.execute_in_process(
            instance=self.instance, raise_on_error=False, tags=run_tags
        ).run_id

    @property
    def state(self) -> str:
        return (self.work.settings.dagster_home / FILE).read_text()


def credentials(box: Mailbox | None = None, hook: Hook | None = None, **more: str) -> dict[str, str]:
    """The environment that lets every channel in."""
    found = dict(more)
    if box is not None:
        found |= {"MAIL_USER": box.user, "MAIL_PASSWORD": box.password} | more
    if hook is not None:
        found |= {"HOOK_URL": f"http://{HOST}:{hook.port}/in?token={HOOK_TOKEN}"} | more
    return found


def texts(box: Mailbox) -> list[tuple[str, list[str]]]:
    """Subject and lines of each mail."""
    return [(one["Subject"], one.get_content().strip().splitlines()) for one in box.mails]


# What is told -------------------------------------------------------------------------------------------


def test_a_failed_check_is_told_by_mail_and_webhook_when_it_starts_and_when_it_ends(
    tmp_path: Path, mail: Mailbox, hook: Hook, certificate: tuple[Path, Path]
) -> None:
    here = Installation(tmp_path, [email(mail, certificate[0]), HOOK], credentials(mail, hook))
    here.evaluate(
        OUTLIERS,
        False,
        homes=dg.MetadataValue.json({"jimmy": 7, "jeremie": 2}),
        since=dg.MetadataValue.json(
            {"jimmy": "2026-11-22T10:05:00+00:00", "jeremie": "2026-11-21T10:00:00Z"}
        ),
        description="jimmy/office/plugs/1: 31 % of power out of bounds\nsecond line",
    )
    here.tick(30, 30, 30, 30)
    started = (
        "domotic: 2 problems started",
        [
            "Check outliers of silver/sensor_events fails for jeremie, jimmy, since 2026-11-21 11:00.",
            "  Found: jimmy/office/plugs/1: 31 % of power out of bounds",
            "  Look: Dagster UI, /assets/silver/sensor_events?view=checks&checkDetail=outliers",
            "  Do: the check's page shows the figures and a sample; `domotic status` shows each home's feed.",
            "Times are of Europe/Zurich.",
        ],
    )
    assert texts(mail) == [started]
    assert mail.mails[0]["To"] == "ops@example.org, night@example.org"
    here.evaluate(OUTLIERS, True)
    here.tick(600, 60, 60)
    ended = (
        "domotic: 2 problems ended",
        [
            "Over: Check outliers of silver/sensor_events fails for jeremie, jimmy"
            " (2026-11-21 11:00 to 12:12).",
            "Times are of Europe/Zurich.",
        ],
    )
    assert texts(mail) == [started, ended]
    assert [post for _, _, post in hook.posts] == [
        {"title": title, "text": "\n".join([title, *lines]), "started": counts[0], "ended": counts[1]}
        for (title, lines), counts in zip([started, ended], [(2, 0), (0, 2)], strict=True)
    ]
    here.tick(*[600] * 10)
    assert len(mail.mails) == len(hook.posts) == 2
    assert here.reports == []


def test_a_hundred_failed_runs_are_one_message_with_the_count_and_the_first_ones(
    tmp_path: Path, mail: Mailbox, hook: Hook, certificate: tuple[Path, Path]
) -> None:
    here = Installation(tmp_path, [email(mail, certificate[0]), HOOK], credentials(mail, hook))
    first = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    keys = [f"{first + n * timedelta(minutes=1):%Y-%m-%dT%H:%M}" for n in range(100)]
    here.work.worklist.change(lambda held: held.add("windows", {key: Task(1) for key in keys}))
    runs = [here.run(tags.WINDOWS_JOB, OSError("disk full of JimmyLoup"), **_range(key)) for key in keys]
    here.now = datetime.now(UTC)
    here.tick(30, 60)
    ((title, lines),) = texts(mail)
    assert title == "domotic: 100 problems started"
    assert lines[0].startswith(
        "Job windows fails for 2026-11-22T08:00, 2026-11-22T08:01, 2026-11-22T08:02 and 97 more, since "
    )
    assert lines[1:3] == ["  Found: unexpected OSError", f"  Look: Dagster UI, /runs/{runs[0]}"]
    assert len(lines) <= 10
    assert [post["started"] for _, _, post in hook.posts] == [100]
    # The work list asked again, one by one, and all was carried in the end.
    here.work.worklist.change(lambda held: held.done("windows", keys))
    here.tick(600, 60, 60)
    assert [title for title, _ in texts(mail)][1:] == ["domotic: 100 problems ended"]
    assert [post["ended"] for _, _, post in hook.posts] == [0, 100]


def _range(first: str, last: str = "") -> dict[str, str]:
    return {tags.RANGE_START: first, tags.RANGE_END: last or first}


def test_a_tenant_reads_what_is_wrong_at_home_and_what_to_do_in_plain_words(
    tmp_path: Path, hook: Hook
) -> None:
    here = Installation(tmp_path, [TENANT], credentials(hook=hook))
    here.evaluate(OUTLIERS, False, homes=dg.MetadataValue.json({"jimmy": 7}))
    here.evaluate(
        FRESHNESS,
        False,
        homes=dg.MetadataValue.json({"jeremie": 1, "jimmy": 1}),
        since=dg.MetadataValue.json({"jimmy": "2026-11-22T10:05:00+00:00"}),
    )
    here.tick(30, 60)
    here.evaluate(FRESHNESS, False, homes=dg.MetadataValue.json({"jeremie": 1}))
    here.tick(600, 60, 60)
    assert [post["text"].splitlines() for _, _, post in hook.posts] == [
        [
            "No readings from your home",
            "No readings from Apartment Jimmy since 11:05.",
            "Please check that the box has power and that the network works, then wait ten minutes.",
        ],
        ["Readings from your home", "Apartment Jimmy sends readings again, since 12:11."],
    ]


@pytest.mark.parametrize("severity", ["WARN", "ERROR"])
def test_only_errors_alert(tmp_path: Path, hook: Hook, severity: str) -> None:
    here = Installation(tmp_path, [HOOK], credentials(hook=hook))
    here.evaluate(OUTLIERS, False, severity)
    here.tick(30, 60)
    assert len(hook.posts) == {"WARN": 0, "ERROR": 1}[severity]


def test_a_source_that_cannot_be_read_is_told_with_the_errors_line(tmp_path: Path, hook: Hook) -> None:
    here = Installation(tmp_path, [HOOK], credentials(hook=hook))
    here.evaluate(
        SHARE, False, description="//nas/feed: no answer; expected an SMB 3 share; check the server"
    )
    here.tick(30, 60)
    ((_, _, post),) = hook.posts
    lines = post["text"].splitlines()
    assert lines[1].startswith("The source of bronze/sensor_files cannot be read (check reachable), since ")
    assert lines[2] == "  Found: //nas/feed: no answer; expected an SMB 3 share; check the server"


def test_a_run_that_failed_with_an_error_of_ours_is_told_in_its_words(tmp_path: Path, hook: Hook) -> None:
    here = Installation(tmp_path, [HOOK], credentials(hook=hook))
    here.run("dims", LakeError("no room", where="/lake of JimmyLoup", expected="1 GB", remedy="make room"))
    here.now = datetime.now(UTC)
    here.tick(30, 60, 600)
    ((_, _, post),) = hook.posts
    assert "\n  Found: /lake of ＊＊＊: no room; expected 1 GB; make room\n" in post["text"]


def test_a_check_at_work_again_is_still_failed(tmp_path: Path, hook: Hook) -> None:
    here = Installation(tmp_path, [HOOK], credentials(hook=hook))
    here.evaluate(OUTLIERS, False)
    here.tick(30, 60)
    planned = AssetCheckEvaluationPlanned(asset_key=OUTLIERS.asset_key, check_name=OUTLIERS.name)
    here.instance.report_dagster_event(
        DagsterEvent(
            DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED.value, "job", event_specific_data=planned
        ),
        run_id="another",
    )
    here.tick(600, 60, 60)
    assert len(hook.posts) == 1


def test_a_run_that_a_later_one_made_good_is_no_problem(tmp_path: Path, hook: Hook) -> None:
    here = Installation(tmp_path, [HOOK], credentials(hook=hook))
    here.run("dims", ValueError("x"))
    here.run("dims")
    here.run("refresh", ValueError("x"), **_range("2026-11-20", "2026-11-21"))
    here.run("refresh", **_range("2026-11-19", "2026-11-22"))
    here.run("forecasts", ValueError("x"), **{"dagster/will_retry": "true"})
    here.now = datetime.now(UTC)
    here.tick(30, 60)
    assert hook.posts == []


def test_the_success_of_other_days_makes_nothing_good(tmp_path: Path, hook: Hook) -> None:
    here = Installation(tmp_path, [HOOK], credentials(hook=hook))
    here.run("refresh", ValueError("x"), **_range("2026-11-20", "2026-11-21"))
    here.run("refresh", **_range("2026-11-22"))
    here.now = datetime.now(UTC)
    here.tick(30, 60)
    ((_, _, post),) = hook.posts
    assert "Job refresh fails for 2026-11-20 to 2026-11-21, since " in post["text"]


def test_a_tag_put_on_an_old_failed_run_does_not_bring_it_back(
    tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Installation(tmp_path, [HOOK], credentials(hook=hook))
    monkeypatch.setattr(alerting, "OVERLAP", timedelta(0))
    failed = here.run("dims", ValueError("x"))
    here.run("dims")
    here.now = datetime.now(UTC)
    here.tick(0)
    here.instance.add_run_tags(failed, {"note": "looked at"})
    here.tick(30, 60)
    assert hook.posts == []


# What is refused ----------------------------------------------------------------------------------------


def only_report(here: Installation) -> str:
    """The one thing that went wrong: one line, with what, where, what was expected and what to do."""
    (report,) = here.reports
    assert "\n" not in report
    assert "; expected " in report
    return report


def test_a_wrong_password_is_said_without_it_and_the_message_comes_once_it_is_right(
    tmp_path: Path, mail: Mailbox, hook: Hook, certificate: tuple[Path, Path]
) -> None:
    wrong = credentials(mail, hook, MAIL_PASSWORD="planted-wrong-password")
    here = Installation(tmp_path, [email(mail, certificate[0]), HOOK], wrong)
    here.evaluate(OUTLIERS, False)
    here.tick(30, 60)
    report = only_report(here)
    assert report.startswith("alert channel mail: the server refused the user and password (535); ")
    assert "planted-wrong-password" not in report + here.state
    assert mail.user not in report + here.state
    assert (mail.mails, len(hook.posts)) == ([], 1)
    here.start_again(credentials(mail, hook))
    here.tick(10, 30)
    assert (len(mail.mails), len(hook.posts)) == (1, 1)


def test_an_untrusted_certificate_is_refused_before_the_password_is_sent(
    tmp_path: Path, mail: Mailbox
) -> None:
    here = Installation(tmp_path, [email(mail, None)], credentials(mail))
    here.evaluate(OUTLIERS, False)
    here.tick(30, 60)
    report = only_report(here)
    assert report.startswith("alert channel mail: the server's certificate is not trusted (self-signed ")
    assert mail.password not in report + here.state
    assert mail.mails == []


def test_implicit_tls_works_and_needs_trust_as_well(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    with mailbox(*certificate, implicit=True) as box:
        for trusted, number in ((None, 0), (certificate[0], 1)):
            channel = email(box, trusted, ", tls: implicit")
            here = Installation(tmp_path / str(number), [channel], credentials(box))
            here.evaluate(OUTLIERS, False)
            here.tick(30, 60)
            assert (len(box.mails), len(here.reports)) == (number, 1 - number)


def test_a_server_without_encryption_gets_nothing(tmp_path: Path, hook: Hook) -> None:
    """Any server that is no SMTP server, or one whose STARTTLS somebody took away."""
    from aiosmtpd.controller import Controller

    box = Mailbox(free_port(), "alerts-user", "planted-smtp-password")
    plain = Controller(box, hostname=HOST, port=box.port)
    plain.start()
    try:
        here = Installation(tmp_path, [email(box, None), HOOK], credentials(box, hook))
        here.evaluate(OUTLIERS, False)
        here.tick(30, 60)
    finally:
        plain.stop()
    assert "the server offers no encryption" in only_report(here)
    assert (box.mails, len(hook.posts)) == ([], 1)


def test_who_is_refused_among_the_recipients_is_counted_and_the_others_get_it_once(
    tmp_path: Path, mail: Mailbox, certificate: tuple[Path, Path]
) -> None:
    mail.refuse = {"night@example.org"}
    here = Installation(tmp_path, [email(mail, certificate[0])], credentials(mail))
    here.evaluate(OUTLIERS, False)
    here.tick(30, 60, 600)
    assert len(mail.mails) == 1
    assert here.reports == ["alert channel mail: refused: 1 of 2 recipients"]


def test_no_recipient_at_all_is_no_delivery(
    tmp_path: Path, mail: Mailbox, certificate: tuple[Path, Path]
) -> None:
    mail.refuse = {"night@example.org", "ops@example.org"}
    here = Installation(tmp_path, [email(mail, certificate[0])], credentials(mail))
    here.evaluate(OUTLIERS, False)
    here.tick(30, 60)
    assert only_report(here).startswith("alert channel mail: the server refused every recipient (550); ")
    mail.refuse = set()
    here.tick(30)
    assert len(mail.mails) == 1


@pytest.mark.parametrize("status", [301, 404, 500])
def test_an_answer_that_is_no_success_is_no_delivery(tmp_path: Path, hook: Hook, status: int) -> None:
    hook.status = status
    here = Installation(tmp_path, [HOOK], credentials(hook=hook))
    here.evaluate(OUTLIERS, False)
    here.tick(30, 60)
    assert only_report(here).startswith(f"alert channel hook: the server answered {status}; ")
    hook.status = 204
    here.tick(30)
    # The second post is the same message again: redirects were not followed.
    assert [path for path, _, _ in hook.posts] == [f"/in?token={HOOK_TOKEN}"] * 2


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "HOOK_URL is not set"),
        (f"ftp://{LOGIN}@host/", "not an address that can be used"),
        (f"https://{LOGIN}@host:port/", "not an address that can be used"),
        (f"http://{LOGIN}@{HOST}:1/", "not delivered (ConnectionRefusedError)"),
        (f"http://{HOST}:1/planted-hook-token\r\nX: 1", "not delivered"),
        (f"http://{HOST}:1/planted-hook-tokenü", "not delivered (ConnectionRefusedError)"),
    ],
    ids=["not set", "no web address", "no port", "nobody there", "line breaks", "not ASCII"],
)
def test_a_webhook_that_cannot_work_is_said_without_its_address(
    tmp_path: Path, hook: Hook, url: str | None, said: str
) -> None:
    environment = {"OTHER_URL": f"http://{HOST}:{hook.port}/"} | ({"HOOK_URL": url} if url else {})
    other = "{name: other, kind: webhook, url_env: OTHER_URL}"
    here = Installation(tmp_path, [HOOK, other], environment)
    here.evaluate(OUTLIERS, False)
    here.tick(30, 60)
    report = only_report(here)
    assert said in report
    assert HOOK_TOKEN not in report
    assert len(hook.posts) == 1


def test_basic_credentials_of_a_webhook_go_into_the_header(tmp_path: Path, hook: Hook) -> None:
    here = Installation(tmp_path, [HOOK], {"HOOK_URL": f"http://me:p%40ss@{HOST}:{hook.port}/x"})
    here.evaluate(OUTLIERS, False)
    here.tick(30, 60)
    ((path, headers, _),) = hook.posts
    # "me:p@ss" in Base64.
    assert (path, headers["Authorization"]) == ("/x", "Basic bWU6cEBzcw==")


def test_a_killed_process_repeats_at_most_its_last_message(
    tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Installation(tmp_path, [HOOK], credentials(hook=hook))
    here.evaluate(OUTLIERS, False)
    here.tick(30)
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", _killed)
        with pytest.raises(KeyboardInterrupt):
            here.tick(60)
    here.start_again(credentials(hook=hook))
    here.tick(30, 30, 600, 600)
    assert len(hook.posts) == 2


def test_who_was_told_before_the_kill_is_not_told_again(
    tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = HOOK.replace("name: hook", "name: second")
    here = Installation(tmp_path, [HOOK, second], credentials(hook=hook))
    here.evaluate(OUTLIERS, False)
    here.tick(30)

    def only_the_first(channel: AlertChannel, *rest: Any) -> str | None:
        if channel.name == "second":
            raise KeyboardInterrupt
        return send(channel, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(alerting, "send", only_the_first)
        with pytest.raises(KeyboardInterrupt):
            here.tick(60)
    here.start_again(credentials(hook=hook))
    here.tick(30, 600)
    assert len(hook.posts) == 2


def test_a_channel_that_breaks_in_a_way_nobody_thought_of_stops_nothing(
    tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Installation(tmp_path, [CHAT, HOOK], credentials(hook=hook))
    here.evaluate(OUTLIERS, False)

    def broken(channel: AlertChannel, *rest: Any) -> str | None:
        if channel.name == "chat":
            raise RuntimeError(f"https://{HOOK_TOKEN}@host")
        return send(channel, *rest)

    monkeypatch.setattr(alerting, "send", broken)
    here.tick(30, 60)
    assert (here.reports, len(hook.posts)) == (["alert channel chat: RuntimeError"], 1)


def _killed(_handle: int) -> None:
    raise KeyboardInterrupt


# Other services, the command, the sensor ----------------------------------------------------------------


def test_other_services_are_reached_through_apprise(tmp_path: Path, hook: Hook) -> None:
    url = f"json://me:{APPRISE_PASSWORD}@{HOST}:{hook.port}/chat"
    here = Installation(tmp_path, [CHAT], {"CHAT_URL": url})
    here.evaluate(OUTLIERS, False)
    here.tick(30, 60)
    ((path, _, post),) = hook.posts
    assert (path, post["title"]) == ("/chat", "domotic: 1 problem started")
    hook.status = 500
    here.evaluate(OUTLIERS, True)
    here.tick(600, 60, 60)
    assert only_report(here).startswith("alert channel chat: the service did not take the message; ")


def test_secrets_stand_in_no_log_no_report_no_message_and_not_in_the_file(
    tmp_path: Path,
    mail: Mailbox,
    hook: Hook,
    certificate: tuple[Path, Path],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Logs at their most talkative, with channels that work and channels that do not."""
    secrets = [mail.password, mail.user, HOOK_TOKEN, APPRISE_PASSWORD, "JimmyLoup", "planted-api-token"]
    caplog.set_level(1)
    logging.getLogger("apprise").setLevel(1)
    url = f"json://me:{APPRISE_PASSWORD}@{HOST}:{hook.port}/chat?-token={HOOK_TOKEN}"
    here = Installation(
        tmp_path, [email(mail, certificate[0]), HOOK, CHAT], credentials(mail, hook, CHAT_URL=url)
    )
    found = f"JimmyLoup: api_token=planted-api-token refused, see http://u:{APPRISE_PASSWORD}@h"
    here.evaluate(OUTLIERS, False, description="token: planted-api-token of JimmyLoup")
    here.run("dims", RuntimeError(found))
    here.now = datetime.now(UTC)
    here.tick(30, 60)
    assert (len(mail.mails), len(hook.posts)) == (1, 2)
    for environment in (
        credentials(mail, hook, MAIL_PASSWORD=APPRISE_PASSWORD, CHAT_URL=f"nosuch://{APPRISE_PASSWORD}"),
        credentials(mail, hook, CHAT_URL=f"json://me:{APPRISE_PASSWORD}@{HOST}:1/{HOOK_TOKEN}"),
    ):
        hook.status = 500
        here.start_again(environment)
        here.evaluate(OUTLIERS, True)
        here.tick(3600, 60, 60)
    assert len(here.reports) >= 4
    # What Dagster logs of a run's error is its own record, which holds no alert's secret.
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("dagster")]
    printed = capfd.readouterr()
    places = {
        "logs": "\n".join(logged),
        "reports": "\n".join(here.reports),
        "file": here.state,
        "mails": "\n".join(f"{one}" for one in mail.mails),
        "posts": json.dumps([post for _, _, post in hook.posts]),
        "output": printed.out,
    }
    assert _leaks(places, secrets) == []
    # The search is able to find: what is planted in each place, and what apprise writes if it is let.
    for place in places:
        assert _leaks({**places, place: places[place] + f" {mail.password}"}, secrets) == [
            (place, mail.password)
        ]
    import apprise

    service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    service.add(f"json://{HOST}:1/{HOOK_TOKEN}")
    service.notify(body="x")
    assert HOOK_TOKEN in caplog.text


def _leaks(places: Mapping[str, str], secrets: list[str]) -> list[tuple[str, str]]:
    return [(place, secret) for place, text in places.items() for secret in secrets if secret in text]


def test_the_command_says_of_each_channel_whether_it_took_a_test_message(
    tmp_path: Path,
    mail: Mailbox,
    hook: Hook,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = Installation(tmp_path, [email(mail, certificate[0]), HOOK], {})
    wrong = {"MAIL_PASSWORD": "planted-wrong-password"}  # pragma: allowlist secret
    for name, value in credentials(mail, hook, **wrong).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["domotic", "alerts", "test", "--sites", str(here.sites)])
    with pytest.raises(SystemExit, match="1"):
        main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("mail: not accepted: alert channel mail: the server refused the user")
    assert lines[1:] == ["hook: accepted"]
    assert (mail.mails, hook.posts[0][2]["title"]) == ([], "domotic: test")
    monkeypatch.setenv("MAIL_PASSWORD", mail.password)
    with pytest.raises(SystemExit, match="0"):
        main()
    assert capsys.readouterr().out.splitlines() == ["mail: accepted", "hook: accepted"]


def test_the_command_says_that_there_are_no_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Installation(tmp_path, [], {})
    monkeypatch.setattr(sys, "argv", ["domotic", "alerts", "test", "--sites", str(here.sites)])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "no alert channels" in capsys.readouterr().err


def test_without_channels_a_tick_looks_at_nothing(tmp_path: Path) -> None:
    here = Installation(tmp_path, [], {})
    nothing: Any = None
    alerts_tick(here.work, nothing, CHECKS, NOON, here.reports.append)
    assert not here.work.settings.dagster_home.exists()


def test_the_sensor_stands_looks_at_all_checks_and_survives_a_broken_channel(
    tmp_path: Path, hook: Hook
) -> None:
    here = Installation(tmp_path, [CHAT, HOOK], credentials(hook=hook))
    now = [datetime.now(UTC)]
    work = replace(here.work, clock=lambda: now[0])
    repository = feed_definitions(work, workspace_resource(work)).get_repository_def()
    sensor = repository.get_sensor_def("alerts")
    assert (sensor.minimum_interval_seconds, sensor.default_status) == (30, dg.DefaultSensorStatus.RUNNING)
    here.evaluate(SHARE, False)
    for pause in (timedelta(0), timedelta(seconds=61)):
        now[0] += pause
        with dg.build_sensor_context(here.instance, repository_def=repository) as context:
            found = sensor.evaluate_tick(context)
        assert (found.run_requests, found.skip_message is not None) == ([], True)
    assert len(hook.posts) == 1

"""`domotic rejects list` and `show`: counts, the file behind an id, and nothing secret unless asked for."""

import hashlib
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domotic_assets.cli.main import main
from domotic_assets.flow.windows import read_key
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.refusals import REJECT_REASONS
from domotic_assets.settings import Settings
from domotic_assets_tests.support.builders import (
    API_TOKENS,
    FEED_USERS,
    SAMPLE_TIME,
    ShareFile,
    plug,
    share_file,
    write_share,
    write_sites,
)
from domotic_assets_tests.support.carry import FORECASTS, TO_SILVER, carry

LATER = SAMPLE_TIME + timedelta(minutes=1)
TOKEN, USER = API_TOKENS["jimmy"], FEED_USERS["jimmy"]
ESCAPED_TOKEN = "".join(f"\\u{ord(sign):04x}" for sign in "open sesame please")

PARTLY = share_file(
    plugs={"Office": plug(power="21,5", total=f"owned by {USER}")}, note=f"of {TOKEN.upper()} and {USER}"
)
CUT_OFF = share_file(
    at=LATER, content=f'{{"user": "{USER}", "api_token": "{ESCAPED_TOKEN}", "plugs": {{"Of'.encode()
)
FORECAST = ShareFile(
    "Pred_2023-08-31.csv",
    b"Time,Value,Prediction,Site,Measurement,Unit\n"
    b"2023-08-31 06:00:00+00:00,warm,00,Sion,PRED_T_2M_ctrl,K\n"
    b"2023-08-31 06:00:00+00:00,12.5,00,Visp,PRED_T_2M_ctrl,K\n",
    datetime(2023, 8, 31, 7, tzinfo=UTC),
)


def file_id(file: ShareFile, source: str = "sensor_files") -> str:
    """As the design defines it: of source, name and bytes."""
    return hashlib.sha256(f"{source}\0{file.name}\0".encode() + file.content).hexdigest()[:32]


class Command:
    """Runs `domotic rejects …` over the lake of a test, in this process."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._capfd = capfdbinary

    def raw(self, *arguments: str) -> bytes:
        """The bytes it printed; it must end well."""
        place = ["--sites", str(self._folder / "sites.yaml"), "--lake", str(self._folder / "lake")]
        self._monkeypatch.setattr(sys, "argv", ["domotic", "rejects", arguments[0], *place, *arguments[1:]])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capfd.readouterr()
        assert (ended.value.code, printed.err) == (0, b"")
        return printed.out

    def complaint(self, *arguments: str) -> str:
        """What it complained of; it must end with code 1 and print nothing else."""
        place = ["--sites", str(self._folder / "sites.yaml"), "--lake", str(self._folder / "lake")]
        self._monkeypatch.setattr(sys, "argv", ["domotic", "rejects", arguments[0], *place, *arguments[1:]])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capfd.readouterr()
        assert (ended.value.code, printed.out) == (1, b"")
        return printed.err.decode()

    def __call__(self, *arguments: str) -> list[str]:
        return self.raw(*arguments).decode().splitlines()


@pytest.fixture
def rejects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Command:
    """A lake with a partly loaded file, one cut off, a clean one of the other home, and a forecast."""
    sites = write_sites(tmp_path)
    write_share(tmp_path / "share", [PARTLY, CUT_OFF, share_file("jeremie")])
    write_share(tmp_path / "weather", [FORECAST])
    work = Workspace.open(Settings.of(sites, str(tmp_path / "lake"), {}))
    window = read_key("2023-08-31")
    carry(work, [window], [window.start.date()], flows=(*TO_SILVER, *FORECASTS[:2]))
    return Command(tmp_path, monkeypatch, capfdbinary)


ALL = [
    ["jimmy", "2023-08-31", "not_a_number", "2", "1", "$.plugs.Office.power", file_id(PARTLY)],
    ["jimmy", "2023-08-31", "not_json", "1", "1", "(whole file)", file_id(CUT_OFF)],
    ["jimmy", "2023-08-31", "withheld", "1", "1", "$.note", file_id(PARTLY)],
    ["", "2023-08-31", "not_a_number", "1", "1", "line 2: Value", file_id(FORECAST, "weather_files")],
]


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ([], ALL),
        (["--reason", "not_json"], ALL[1:2]),
        (["--home", "jimmy"], ALL[:3]),
        (["--home", "jimmy", "--reason", "not_a_number", "--day", "2023-08-31"], ALL[:1]),
    ],
)
@pytest.mark.rule(5)
def test_refusals_are_counted_by_home_day_and_reason(
    rejects: Command, arguments: list[str], rows: list[list[str]]
) -> None:
    printed = [line.split("\t") for line in rejects("list", *arguments)]
    assert printed[0] == ["home", "day", "reason", "refused", "files", "for example", "in file"]
    assert printed[1:] == rows


@pytest.mark.parametrize(
    "arguments", [["--home", "jeremie"], ["--day", "2023-09-01"], ["--reason", "not_csv"]]
)
def test_where_nothing_was_refused_it_says_so(rejects: Command, arguments: list[str]) -> None:
    assert rejects("list", *arguments) == ["Nothing was refused"]


@pytest.mark.rule(11)
def test_a_file_is_shown_with_its_name_and_refusals_and_without_its_secrets(rejects: Command) -> None:
    name, _arrived, refused, *values = rejects("show", file_id(PARTLY))
    text = "\n".join(values[4:])
    # The name, asked for, is the one place where the user stands.
    assert name == f"name     '31.08.2023 2144_{USER}_received.json'"
    assert refused == "refused  3"
    meaning = "not_a_number, text or a flag where a number belongs"
    assert values[:4] == [
        f"  $.note '***': withheld, {REJECT_REASONS['withheld']}",
        f"  $.plugs.Office.power '21,5': {meaning}",
        f"  $.plugs.Office.total '***': {meaning}",
        "",
    ]
    assert '"user": "***", "api_token": "***"' in text
    assert '"note": "***"' in text
    assert not re.search(f"{USER}|{TOKEN}", text, re.IGNORECASE)


@pytest.mark.rule(11)
def test_a_file_cut_off_shows_no_secret_however_spelled(rejects: Command) -> None:
    *_, text = rejects("show", file_id(CUT_OFF))
    assert text == '{"user": "***", "api_token": "***", "plugs": {"Of'


def test_a_forecast_is_shown_line_by_line(rejects: Command) -> None:
    shown = rejects("show", file_id(FORECAST, "weather_files"))
    assert shown[0] == "name     'Pred_2023-08-31.csv'"
    assert shown[-4:] == [*FORECAST.content.decode().splitlines(), ""]


def test_raw_is_the_exact_bytes_on_the_screen_and_in_a_file(rejects: Command, tmp_path: Path) -> None:
    assert rejects.raw("show", file_id(CUT_OFF), "--raw") == CUT_OFF.content
    assert rejects.raw("show", file_id(CUT_OFF), "--raw", "--output", str(tmp_path / "it")) == b""
    assert (tmp_path / "it").read_bytes() == CUT_OFF.content


def test_an_unknown_id_is_one_line_with_the_remedy(rejects: Command) -> None:
    assert rejects.complaint("show", "abc") == (
        "error: abc: no file of bronze has this id; expected a file_id of 32 hex digits, whole; "
        "take one that `domotic rejects list` shows\n"
    )


def test_a_long_file_is_cut_on_the_screen(rejects: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any("--raw" in line for line in rejects("show", file_id(PARTLY)))
    monkeypatch.setattr("domotic_assets.cli.rejects.SHOWN_CHARACTERS", 20)
    *_, text, rest = rejects("show", file_id(CUT_OFF))
    # 16 + 20 + 13 characters are left of it without user and token.
    assert (text, rest) == ('{"user": "***", "api', "… 29 characters more: --raw writes all")

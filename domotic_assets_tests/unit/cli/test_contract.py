"""`domotic contract` as a person types it: what it shows, writes and ends with."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domotic_assets.cli.main import main
from domotic_assets.flow.windows import day_window
from domotic_assets.simulator.register import write_register
from domotic_assets_tests.support.builders import HOMES, motion, share_file, write_share, write_sites
from domotic_assets_tests.support.carry import TO_SILVER, carry
from domotic_assets_tests.support.lakes import open_lake

DAY = datetime(2023, 9, 4, 12, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)


class Command:
    """Runs `domotic contract …` on an installation, in this process."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, command: str, *arguments: str | Path) -> tuple[int, list[str], str]:
        """Exit code, the lines it printed, and what it complained of."""
        given = ["--sites", self.folder / "sites.yaml", "--lake", self.folder / "lake", *arguments]
        self._monkeypatch.setattr(sys, "argv", ["domotic", "contract", command, *map(str, given)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.out.splitlines(), printed.err


@pytest.fixture
def contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """An installation of two days; on the second the motion sensors tell no light, but the sound."""
    work = open_lake(write_sites(tmp_path), tmp_path / "lake")
    write_register(tmp_path / "register.sqlite", 1, work.registry.homes, DAY)
    dark = motion(sound=31.5)
    del dark["light"]
    files = [share_file(home, DAY) for home in HOMES]
    files += [share_file(home, NEXT, motions={"Office": dark}) for home in HOMES]
    write_share(tmp_path / "share", files)
    carry(work, [day_window(DAY), day_window(NEXT)], flows=TO_SILVER)
    return Command(tmp_path, monkeypatch, capsys)


CHANGES = [
    "ERROR removed field motions.light (number), perhaps renamed to sound",
    "WARN  added field motions.sound (number), perhaps light renamed",
]


def test_without_a_contract_the_remedy_is_said(contract: Command) -> None:
    code, printed, complaint = contract("diff")
    assert (code, printed) == (1, [])
    assert "contract.yaml: no such file" in complaint
    assert "`domotic contract accept`" in complaint


def test_accept_writes_and_diff_shows_what_the_newest_day_changed(contract: Command) -> None:
    code, printed, complaint = contract("accept", "--day", "2023-09-04")
    assert (code, complaint) == (0, "")
    assert "WARN  added category motions (light, motion, temperature)" in printed
    assert printed[-1] == f"Wrote {contract.folder / 'contract.yaml'}: review the change and commit it"

    code, printed, _ = contract("diff", "--day", "2023-09-04")
    assert (code, len(printed)) == (0, 1)
    assert printed[0].endswith("contract.yaml: as agreed")

    code, printed, _ = contract("diff")
    assert (code, printed[1:]) == (1, CHANGES)
    assert printed[0].startswith("2023-09-05, ")
    assert printed[0].endswith(": 2 differences")

    code, printed, _ = contract("accept")
    assert (code, printed[1:-1]) == (0, CHANGES)
    code, printed, _ = contract("diff")
    assert (code, len(printed)) == (0, 1)


def test_additions_alone_end_with_code_0(contract: Command) -> None:
    contract("accept", "--day", "2023-09-04")
    file = contract.folder / "contract.yaml"
    file.write_text(file.read_text().replace("    light: number\n", "").replace("    CO2: number\n", ""))
    code, printed, _ = contract("diff", "--day", "2023-09-04")
    assert (code, printed[1:]) == (
        0,
        ["WARN  added field meteos.CO2 (number)", "WARN  added field motions.light (number)"],
    )


def test_what_is_kept_is_said(contract: Command) -> None:
    contract("accept", "--day", "2023-09-04")
    file = contract.folder / "contract.yaml"
    file.write_text(file.read_text().replace("    light: number\n", "    light: optional number\n"))
    code, printed, _ = contract("accept")
    assert (code, printed[1:-1]) == (
        0,
        [
            "WARN  added field motions.sound (number)",
            "kept, though not seen: field motions.light (optional number)",
        ],
    )


def test_the_registers_of_two_registries_are_compared(contract: Command) -> None:
    other = contract.folder / "staging"
    sites = write_sites(other)
    write_register(other / "register.sqlite", 1, open_lake(sites, other).registry.homes, DAY)
    code, printed, _ = contract("diff", "--with", sites)
    assert (code, len(printed)) == (0, 1)
    sites.write_text(sites.read_text().replace("register.sqlite", "none.sqlite"))
    code, _, complaint = contract("diff", "--with", sites)
    assert code == 1
    assert "none.sqlite: no such file" in complaint
    lines = [line for line in sites.read_text().splitlines() if "register_rows" not in line]
    sites.write_text("\n".join(lines))
    code, _, complaint = contract("diff", "--with", sites)
    assert code == 1
    assert "names no register" in complaint


@pytest.mark.parametrize("command", ["diff", "accept"])
def test_a_day_without_readings_is_refused(contract: Command, command: str) -> None:
    contract("accept")
    before = (contract.folder / "contract.yaml").read_bytes()
    code, printed, complaint = contract(command, "--day", "2023-09-06")
    assert (code, printed) == (1, [])
    assert "no readings of 2023-09-06" in complaint
    assert (contract.folder / "contract.yaml").read_bytes() == before


def test_a_lake_without_a_whole_day_is_refused(contract: Command) -> None:
    code, _, complaint = contract("accept", "--lake", contract.folder / "none")
    assert code == 1
    assert "no whole day of readings" in complaint


def test_a_damaged_contract_is_one_line(contract: Command) -> None:
    (contract.folder / "contract.yaml").write_text("feed: {plugs: [power]}")
    code, _, complaint = contract("diff")
    assert code == 1
    assert "contract.yaml: feed.plugs: " in complaint
    assert len(complaint.splitlines()) == 1


def test_a_contract_that_cannot_be_read_or_written_is_one_line(contract: Command) -> None:
    (contract.folder / "contract.yaml").mkdir()
    code, _, complaint = contract("diff")
    assert code == 1
    assert "contract.yaml: cannot be read (IsADirectoryError)" in complaint
    (contract.folder / "contract.yaml").rmdir()
    (contract.folder / "contract.yaml.tmp").mkdir()
    code, _, complaint = contract("accept")
    assert code == 1
    assert "contract.yaml: cannot be written (Is a directory)" in complaint

"""What a text holds, a terminal does not obey: judged by the bytes that reach it."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from domotic_assets.cli import main
from domotic_assets_tests.support.shared_data import REPOSITORY

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil\x1b\\x\x1b]8;;\x1b\\\x9b31m \u202egnp.exe\u200b"
    " [red]r[/red] :boom: \r\x08\x0b"
)
PRINTS = """
from rich.table import Table
from rich.text import Text
from domotic_assets.cli.terminal import echo, echo_lines, echo_rows, open_console
hostile = HOSTILE
console = open_console()
console.print(hostile, style="red", soft_wrap=True)
console.print(Text(hostile))
table = Table(hostile, "b", caption=hostile)
table.add_row(Text(hostile), hostile)
console.print(table)
with console.status("working"):
    console.print(hostile)
echo(hostile)
echo_lines(hostile + "\\n" + hostile)
echo_rows([[hostile, 1], [None, -5]])
"""
OURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What rich tells a terminal: colours, and where to write a moment's state."""


def on_a_pipe(command: list[str]) -> str:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "300"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
    return done.stdout.decode()


def on_a_terminal(command: list[str]) -> str:
    main, other = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm-256color", "COLUMNS": "300"}
    process = subprocess.Popen(command, env=environment, stdin=other, stdout=other, stderr=other)
    os.close(other)
    said = b""
    while True:
        try:
            part = os.read(main, 65_536)
        except OSError:
            break
        if not part:
            break
        said += part
    assert process.wait(60) == 0, said
    os.close(main)
    return said.decode()


@pytest.mark.parametrize("where", [on_a_pipe, on_a_terminal])
def test_no_text_tells_a_terminal_what_to_do(where: Callable[[list[str]], str]) -> None:
    said = where([sys.executable, "-c", PRINTS.replace("HOSTILE", ascii(HOSTILE))])
    rest = OURS.sub("", said)
    assert set(re.sub(r"[\n\r\t]", "", rest)) & {chr(n) for n in (*range(32), *range(127, 160))} == set()
    assert not set("\u202e\u200b") & set(said)
    assert "\x1b[2J" not in said
    # Everything is there, as text: markup of rich and names of its pictures as well.
    assert rest.count("\\x1b]0;owned") >= 8
    assert rest.count("[red]r[/red] :boom:") >= 8
    assert "\t-5" in said


def test_an_error_of_a_library_tells_a_terminal_nothing_either(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr(main, "cli", fail)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "\\x1b]0;owned" in said
    assert said.replace("\n", "").isprintable()

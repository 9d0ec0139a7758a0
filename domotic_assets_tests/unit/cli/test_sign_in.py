"""`domotic link` and `domotic password`: what they refuse, and what a password is typed into."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from domotic_assets.cli.main import cli
from domotic_assets.errors import ConfigurationError
from domotic_assets.web.passwords import Passwords
from domotic_assets_tests.services.servers import free_port
from domotic_assets_tests.support import builders

GOOD = "correct horse battery staple"  # pragma: allowlist secret
PEOPLE = "people: [{user: u-viewer, role: viewer}]\n"
PAGES = "pages: {address: 'https://lake.example', proxies: [10.0.0.1]}\n"


def run(folder: Path, *words: str, typed: str = "", pages: str = "") -> Result:
    """The command over a lake in the folder."""
    text = builders.REGISTRY.partition("people:")[0] + PEOPLE + pages
    place = ["--sites", str(builders.write_sites(folder, text)), "--lake", str(folder / "lake")]
    return CliRunner().invoke(cli, [*words, *place], input=typed)


def test_a_password_is_typed_twice_and_shown_never(tmp_path: Path) -> None:
    done = run(tmp_path, "password", "u-viewer", typed=f"{GOOD}\n{GOOD}\n")
    assert done.exit_code == 0
    assert GOOD not in done.output
    passwords = Passwords(tmp_path / "lake/dagster")
    assert passwords.verify("u-viewer", GOOD)
    assert not passwords.verify("u-viewer", f"{GOOD} ")
    assert run(tmp_path, "password", "u-viewer", "--remove").exit_code == 0
    assert not passwords.verify("u-viewer", GOOD)


@pytest.mark.parametrize(
    ("user", "typed", "told"),
    [
        ("u-viewer", "short\nshort\n", "the password has 5 letters; expected 12 to 1024"),
        ("u-viewer", "x" * 1025 + "\n" + "x" * 1025 + "\n", "the password has 1025 letters"),
        ("u-nobody", "", "nobody has this login id"),
    ],
)
def test_a_password_that_is_refused_is_not_repeated(tmp_path: Path, user: str, typed: str, told: str) -> None:
    refused = run(tmp_path, "password", user, typed=typed)
    assert isinstance(refused.exception, ConfigurationError)
    assert told in str(refused.exception)
    assert not typed or typed.split()[0] not in str(refused.exception)
    assert Passwords(tmp_path / "lake/dagster").users() == frozenset()


def test_a_link_is_shown_for_a_web_server_of_ours_alone(tmp_path: Path) -> None:
    refused = run(tmp_path, "link", "--port", str(free_port()))
    assert "no web server of this account listens there" in str(refused.exception)
    refused = run(tmp_path, "link", pages=PAGES)
    assert "people sign in by password" in str(refused.exception)
    assert not (tmp_path / "lake/dagster/sign_in").exists()

"""Lets people sign in to the pages: `domotic link` on this machine, `domotic password` beyond it."""

import os
from contextlib import suppress
from pathlib import Path

import click

from domotic_assets.cli.options import lake_option, sites_option
from domotic_assets.cli.terminal import echo
from domotic_assets.errors import ConfigurationError
from domotic_assets.registry.loading import load_sites
from domotic_assets.settings import Settings

WEB_SERVER = "domotic_assets.cli.web_server"
port_option = click.option(
    "--port", type=click.IntRange(1024, 65535), default=3000, show_default=True, help="Port on this machine."
)


@click.command()
@sites_option
@lake_option
@port_option
def link(sites: Path, lake: str, port: int) -> None:
    """Show a link that opens the pages of `domotic live` once, within ten minutes."""
    settings = Settings.of(sites, lake)
    if load_sites(sites).registry.pages is not None:
        raise ConfigurationError(
            "the pages answer other machines, so people sign in by password",
            where="sites.yaml: pages",
            expected="no such entry, for links",
            remedy="set a password: domotic password USER",
        )
    if not _web_server_listens(port):
        raise ConfigurationError(
            "no web server of this account listens there",
            where=f"port {port}",
            expected="that of `domotic live`",
            remedy="start `domotic live`, or name its port: --port",
        )
    echo(one_time_link(settings, port))


def listens(process_id: int, port: int) -> bool:
    """Tell whether a process listens on a port: another account may, while ours is down."""
    import psutil

    with suppress(psutil.Error):
        found = psutil.Process(process_id).net_connections("tcp")
        return any(held.status == psutil.CONN_LISTEN and held.laddr.port == port for held in found)
    return False


def _web_server_listens(port: int) -> bool:
    """Tell whether a web server of this account listens on a port; nobody else must be shown a link."""
    import psutil

    for process in psutil.process_iter(["uids", "cmdline"]):
        uids, command = process.info["uids"], process.info["cmdline"] or ()
        ours = uids is not None and uids.effective == os.geteuid() and WEB_SERVER in command
        if ours and listens(process.pid, port):
            return True
    return False


def one_time_link(settings: Settings, port: int) -> str:
    """Make a link that signs in once as the lake's operator; raises LakeError."""
    from domotic_assets.web.one_time_links import OneTimeLinks
    from domotic_assets.web.reached import Reached

    token = OneTimeLinks.of(settings.dagster_home).issue()
    return f"{Reached(port, None).address}/sign-in?{token}"


@click.command()
@click.argument("user")
@click.option("--remove", is_flag=True, help="Remove the password; sessions begun with it end.")
@sites_option
@lake_option
def password(user: str, remove: bool, sites: Path, lake: str) -> None:
    """Set the password with which a person of sites.yaml signs in to the pages; asks for it."""
    from domotic_assets.web.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD, Passwords

    people = {person.user for person in load_sites(sites).registry.people}
    if user not in people and not remove:
        raise ConfigurationError(
            "nobody has this login id",
            where="sites.yaml: people",
            expected="a login id of sites.yaml",
            remedy="add the person first",
        )
    chosen: str | None = None
    if not remove:
        chosen = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        if not SHORTEST_PASSWORD <= len(chosen) <= LONGEST_PASSWORD:
            raise ConfigurationError(
                f"the password has {len(chosen)} letters",
                where="password",
                expected=f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD}",
                remedy="choose a longer one, such as four words",
            )
    Passwords(Settings.of(sites, lake).dagster_home).set(user, chosen, people)
    echo(f"password {'removed' if remove else 'set'}")

"""The web server of `domotic live`, in a process of its own: Dagster's pages behind sign-in.

`domotic live` starts it as `python -m domotic_assets.cli.web_server`; what it works on is in the environment.
"""

import sys
from pathlib import Path
from typing import cast

import click
import uvicorn
from starlette.types import ASGIApp, Scope

from domotic_assets.errors import DomoticError
from domotic_assets.orchestration.internals.pages import open_pages
from domotic_assets.owner_only import restrict_new_files
from domotic_assets.registry.loading import Sites, load_sites
from domotic_assets.settings import Settings
from domotic_assets.web.connections import BoundedListener, PromptProtocol, raise_descriptors
from domotic_assets.web.front import RIGHTS, Front
from domotic_assets.web.graphql_guard import MOST_BYTES_OF_A_MESSAGE, GraphQLGuard
from domotic_assets.web.one_time_links import OneTimeLinks
from domotic_assets.web.passwords import Passwords
from domotic_assets.web.people import People, Rights
from domotic_assets.web.proxies import BehindProxies
from domotic_assets.web.reached import BACKLOG, Reached
from domotic_assets.web.sign_in import SignIn

_ACTING = frozenset({"evaluationResult"})
"""Of a tick to come: Dagster runs the sensor to tell it, and ours put down what they have asked for."""
_CLOSED = ("/notebook", "/dagit", "/download_debug")
"""Paths of Dagster that nothing of ours needs, and that read files, run code or fail."""
_SECONDS_TO_END = 5


@click.command()
@click.option("--workspace", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--port", type=int, required=True)
@click.option("--listener", type=int, required=True)
def serve(workspace: Path, port: int, listener: int) -> None:
    """Serve Dagster's pages to people who sign in.

    listener: descriptor of the socket that `domotic live` listens with, so that the port stays its own when
    this process ends.
    """
    restrict_new_files()
    listening = BoundedListener(listener, raise_descriptors())
    listening.set_inheritable(False)
    settings = Settings.from_environment()
    settings.name_dagster_home()
    sites = load_sites(settings.sites_file)
    pages, home = sites.registry.pages, settings.dagster_home
    reached = Reached(port, pages)
    prefix = reached.prefix(home)
    sign_in = SignIn(
        People(settings.sites_file),
        OneTimeLinks.of(home),
        reached.cookie(prefix),
        f"{prefix}/asset-groups",
        None if pages is None else Passwords(home),
    )
    with open_pages(workspace, prefix, _may_act) as dagster:
        app: ASGIApp = GraphQLGuard(dagster, prefix, _ACTING, _CLOSED)
        app = Front(app, sign_in, reached.served(), prefix=prefix, kept="/_next/")
        if pages is not None and pages.proxies:
            app = BehindProxies(app, [str(address) for address in pages.proxies])
        config = uvicorn.Config(
            app,
            loop="asyncio",  # it accepts by the socket, which bounds what is open
            http=PromptProtocol,  # h11, which bounds the head of a request; httptools does not
            backlog=BACKLOG,
            log_level="error",  # nothing that a stranger sends fills the log
            access_log=False,  # a link's token is in the address
            proxy_headers=False,
            server_header=False,
            ws_max_size=MOST_BYTES_OF_A_MESSAGE,
            timeout_graceful_shutdown=_SECONDS_TO_END,
            ssl_certfile=_path(sites, pages.certificate if pages else None),
            ssl_keyfile=_path(sites, pages.key if pages else None),
        )
        uvicorn.Server(config).run(sockets=[listening])


def _path(sites: Sites, address: str | None) -> Path | None:
    """Return the path of a file that sites.yaml may name."""
    return None if address is None else sites.path(address)


def _may_act(scope: Scope) -> bool:
    """Tell whether the person of a request may change something."""
    return cast(Rights, scope[RIGHTS]).acts


if __name__ == "__main__":
    try:
        serve()
    except DomoticError as error:
        sys.exit(f"error: {error}")

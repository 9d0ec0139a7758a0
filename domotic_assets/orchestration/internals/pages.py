"""Opens Dagster's own pages as an ASGI application, in which each request is read-only unless it may act."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Scope

MayAct = Callable[[Scope], bool]
_MILLISECONDS_TO_POLL = 2000
_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_S, _POOL_OVERFLOW = 15_000, 3600, 20  # as dagster-webserver does


@contextmanager
def open_pages(workspace: Path, prefix: str, may_act: MayAct) -> Iterator[ASGIApp]:
    """Yield Dagster's pages over the code servers that a workspace file names.

    prefix: the path below which they are; may be empty. may_act: tells of a request's ASGI scope whether
    its person may change anything. Dagster refuses every mutation else, and shows no buttons for them.
    """
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(
            instance, WorkspaceFileTarget([str(workspace)]), version=__version__, read_only=True
        ) as context,
    ):
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_S, _POOL_OVERFLOW)
        logging.getLogger("dagster-webserver").setLevel(logging.WARNING)
        yield _Pages(context, may_act, prefix).create_asgi_app()


class _Pages(DagsterWebserver[WorkspaceProcessContext, WorkspaceRequestContext]):
    """Dagster's web server, whose requests act only for whoever may."""

    def __init__(self, context: WorkspaceProcessContext, may_act: MayAct, prefix: str) -> None:
        self._may_act = may_act
        super().__init__(context, prefix, _MILLISECONDS_TO_POLL)

    def _make_request_context(self, conn: HTTPConnection) -> WorkspaceRequestContext:
        """Return what a request works with."""
        context = self._process_context
        return WorkspaceRequestContext(
            instance=context.instance,
            current_workspace=context.get_current_workspace(),
            process_context=context,
            version=context.version,
            source=conn,
            read_only=not self._may_act(conn.scope),
        )

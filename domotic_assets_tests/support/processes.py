"""Processes of their own, for what is killed: each is forked from one that has imported and done nothing.

Starting Python and importing Dagster takes four seconds, of which a trial of ten kills would spend forty.
No process that has used Polars is forked, as its threads would be missing in the child.
"""

import multiprocessing
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess

_IMPORTED = (
    "pytest",
    "domotic_assets.cli.main",
    "domotic_assets.orchestration.build",
    "domotic_assets.operate.forget",
    "domotic_assets_tests.support.erasure",
)


def begin(work: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Begin a function of a module in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_IMPORTED))
    process = context.Process(target=work, args=arguments)
    process.start()
    return process


def run(work: Callable[..., None], *arguments: object) -> int | None:
    """Run a function of a module in a process of its own; how it ended, None after a minute."""
    process = begin(work, *arguments)
    process.join(60)
    return process.exitcode

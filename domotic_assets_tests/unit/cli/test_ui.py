"""`domotic ui`: what it refuses before it starts anything."""

import socket
from pathlib import Path

import pytest
from rich.console import Console

from domotic_assets.cli.ui import run_ui
from domotic_assets.errors import ConfigurationError
from domotic_assets.settings import Settings


def test_a_port_in_use_is_named_with_a_remedy_and_nothing_is_started(tmp_path: Path) -> None:
    settings = Settings.of(tmp_path / "sites.yaml", str(tmp_path / "lake"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError) as refused:
            run_ui(settings, port, Console(stderr=True))
    assert str(refused.value) == (
        f"port {port}: another program listens there; expected a free port; name another: --port {port + 1}"
    )
    assert not (tmp_path / "lake").exists()

"""A real Samba server on loopback that shares one folder, with a user and a password of its own.

How it is set up belongs here; what is asked of it belongs in the tests. It runs as the user of the tests,
and everything that it writes lies in its private folder.
"""

import os
import pwd
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from domotic_assets_tests.services.servers import HOST, Server, free_port, program

SHARE = "feed"
USER = "feed-reader"
_PACKAGE = "samba"


class SambaServer(Server):
    """A running Samba: where it is and who may read it. start, stop and kill are the server's."""

    def __init__(self, configuration: Path, port: int, password: str) -> None:
        command = [program("smbd", _PACKAGE), "--foreground", "--no-process-group", "-s", str(configuration)]
        super().__init__(command, port, configuration.with_name("smbd.log"))
        self.configuration = configuration
        self.user = USER
        self.password = password

    @property
    def address(self) -> str:
        """The share's address as sites.yaml has it."""
        return f"//{HOST}:{self.port}/{SHARE}"

    def administer(self, tool: str, *arguments: str) -> str:
        """What one of Samba's own tools says of this server, or does to it."""
        return _run(tool, self.configuration, *arguments)

    def set_password(self, password: str) -> None:
        """Make the account anew with this password; connections that stand go on."""
        owner = pwd.getpwuid(os.geteuid()).pw_name
        _run("pdbedit", self.configuration, "-x", "-u", owner)
        _add_account(self.configuration, password)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """It keeps its connections and accepts more, and answers nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)


@contextmanager
def samba(
    folder: Path, share: Path, *, encrypt: str = "required", options: Mapping[str, str] | None = None
) -> Iterator[SambaServer]:
    """A started server that keeps its state in `folder` and shares `share`; ended on leaving.

    encrypt: Samba's `server smb encrypt`. options: further global options, or others for the same names.
    """
    port, password = free_port(), secrets.token_urlsafe(16)
    owner = pwd.getpwuid(os.geteuid()).pw_name
    folder.mkdir(parents=True, exist_ok=True)
    # The share is read as the user who wrote it, under a name that no other text can hold by chance.
    users = folder / "users.map"
    users.write_text(f"{owner} = {USER}\n")
    configuration = folder / "smb.conf"
    configuration.write_text(
        _configuration(
            folder,
            share,
            {
                "smb ports": str(port),
                "server smb encrypt": encrypt,
                "username map": str(users),
                **(options or {}),
            },
        )
    )
    _add_account(configuration, password)
    server = SambaServer(configuration, port, password)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _add_account(configuration: Path, password: str) -> None:
    """Let the user of the tests in with this password."""
    owner = pwd.getpwuid(os.geteuid()).pw_name
    # Unlike smbpasswd, it needs no root.
    _run("pdbedit", configuration, "-a", "-t", "-u", owner, typed=f"{password}\n{password}\n")


def _run(tool: str, configuration: Path, *arguments: str, typed: str = "") -> str:
    return subprocess.run(
        [program(tool, _PACKAGE), "-s", str(configuration), *arguments],
        input=typed,
        text=True,
        capture_output=True,
        check=True,
    ).stdout


def _configuration(folder: Path, share: Path, options: Mapping[str, str]) -> str:
    """Samba's configuration file: loopback only, all state below the folder, one read-only share."""
    places = {}
    for name in ("private dir", "state directory", "cache directory", "lock directory", "pid directory"):
        place = folder / name.split()[0]
        place.mkdir(exist_ok=True)
        places[name] = str(place)
    settings = {
        "interfaces": f"{HOST}/8",
        "bind interfaces only": "yes",
        "server role": "standalone server",
        "server min protocol": "SMB3",
        "server signing": "mandatory",
        "passdb backend": f"tdbsam:{folder}/private/passdb.tdb",
        "ncalrpc dir": f"{folder}/ncalrpc",
        "log file": f"{folder}/log.%m",
        "disable spoolss": "yes",
        "load printers": "no",
        "read only": "yes",
        **places,
        **options,
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    return "\n".join(["[global]", *lines, f"[{SHARE}]", f"path = {share}", ""])

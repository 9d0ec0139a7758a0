"""A real OpenSSH server on loopback that serves a folder by sFTP, signed in to with a private key.

How it is set up belongs here; what is asked of it belongs in the tests. It runs as the user of the tests,
and everything that it writes lies in its private folder.
"""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from domotic_assets_tests.services.servers import HOST, Server, free_port, program

_PACKAGE = "openssh-server"


class SshServer(Server):
    """A running sshd. start, stop and kill are the server's; what it serves stays."""

    def __init__(self, command: list[str], port: int, folder: Path, root: Path) -> None:
        super().__init__(command, port, folder / "sshd.log")
        self.root = root
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.key_file = folder / "key"
        self.known_hosts = folder / "known_hosts"
        self._host_key = folder / "host_key"

    @property
    def address(self) -> str:
        """The folder's address as sites.yaml has it."""
        return f"sftp://{HOST}:{self.port}{self.root}"

    @property
    def host_name(self) -> str:
        """The server as known hosts spell it."""
        return f"[{HOST}]:{self.port}"

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """It keeps its connections, accepts new ones and answers nothing."""
        held = self._family()
        for process in held:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in held:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def kill_sessions(self) -> None:
        """End every connection as a power cut would; the server itself goes on."""
        for process in self._family()[1:]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        # sshd gives each connection a process group of its own, which would outlive the server.
        sessions = self._family()[1:]
        super()._end(how)
        for process in sessions:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _family(self) -> list[int]:
        """The server's process and those of its connections."""
        found = [] if self._process is None else [self._process.pid]
        for process in found:
            with suppress(FileNotFoundError):
                children = Path(f"/proc/{process}/task/{process}/children").read_text()
                found += map(int, children.split())
        return found

    def new_host_key(self) -> None:
        """Another host key, shown from the next start on; the known hosts stay as they are."""
        self._host_key.unlink(missing_ok=True)
        make_key(self._host_key)

    def accept_host_key(self) -> None:
        """Make the known hosts name the present host key."""
        kind, key, *_ = self._host_key.with_suffix(".pub").read_text().split()
        self.known_hosts.write_text(f"{self.host_name} {kind} {key}\n")


@contextmanager
def openssh(folder: Path, root: Path) -> Iterator[SshServer]:
    """A started server that keeps its state in `folder` and serves `root`; ended on leaving."""
    sshd, port = program("sshd", _PACKAGE), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "sshd_config"
    server = SshServer([sshd, "-D", "-e", "-f", str(configuration)], port, folder, root)
    make_key(server.key_file)
    authorized = folder / "authorized_keys"
    shutil.copy(server.key_file.with_suffix(".pub"), authorized)
    server.new_host_key()
    server.accept_host_key()
    options = {
        "ListenAddress": HOST,
        "Port": port,
        "HostKey": folder / "host_key",
        "PidFile": folder / "sshd.pid",
        "AuthorizedKeysFile": authorized,
        # The folder lies under /tmp, which everybody may write to.
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "yes",
        "PasswordAuthentication": "yes",  # pragma: allowlist secret
        "MaxStartups": 100,
        "Subsystem": "sftp internal-sftp",
        "ForceCommand": "internal-sftp",
    }
    configuration.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    if os.geteuid() == 0:
        # sshd insists on this folder when it runs as root.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def make_key(file: Path) -> None:
    """A new private key without passphrase, its public half beside it."""
    subprocess.run(
        [
            program("ssh-keygen", "openssh-client"),
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "test",
            "-f",
            str(file),
        ],
        check=True,
        capture_output=True,
    )

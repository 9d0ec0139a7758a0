"""Issues links that sign in once: whoever can write into the lake's folder of Dagster can make one.

A link holds a random token; the folder holds a file named by the token's hash, and never the token. So no
process is told the token before it is used, and neither a backup of the folder nor a log gives one away.
"""

import hashlib
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from domotic_assets.files_on_disk import write_whole
from domotic_assets.owner_only import make_private, refuse_another_account

SECONDS_OF_A_LINK = 600.0
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class OneTimeLinks:
    """The links of a lake that were not used yet. folder: it belongs to the lake's account alone."""

    folder: Path

    @classmethod
    def of(cls, dagster_home: Path) -> "OneTimeLinks":
        """Return the links of a lake by the folder of Dagster's records."""
        return cls(dagster_home / "sign_in")

    def issue(self) -> str:
        """Make a token of 256 bits that is good once, for ten minutes; raises LakeError."""
        private_folder(self.folder)
        self._remove_old()
        token = secrets.token_urlsafe(32)
        write_whole(self._file(token), b"", mode=0o600)
        return token

    def redeem(self, token: str) -> bool:
        """Use up a token; return whether it was good. Of several who use it at once one succeeds."""
        if not _TOKEN.fullmatch(token):
            return False
        file = self._file(token)
        with suppress(OSError):
            age = time.time() - file.stat().st_mtime
            file.unlink()
            return -1.0 <= age <= SECONDS_OF_A_LINK
        return False

    def _file(self, token: str) -> Path:
        """Return the file that stands for a token."""
        return self.folder / f"{hashlib.sha256(token.encode()).hexdigest()}.link"

    def _remove_old(self) -> None:
        """Remove the links whose time is over."""
        for file in self.folder.glob("*.link"):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > SECONDS_OF_A_LINK:
                    file.unlink()


def private_folder(folder: Path) -> None:
    """Create a folder that only this account can enter; raises LakeError if it is another's."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_another_account(folder)
    make_private(folder)

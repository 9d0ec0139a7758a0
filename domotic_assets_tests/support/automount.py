"""A script for a test: a mount that the kernel asks for only when somebody opens the folder (autofs).

Run in a mount namespace of its own (`unshare -m`), by root: `python automount.py FOLDER PATH`. It lists PATH
as the product does and prints the names. What is mounted on FOLDER holds `share/a.json` and `b.json`.
"""

import ctypes
import fcntl
import os
import signal
import struct
import sys
from pathlib import Path

from domotic_assets.sources.files.local import LocalFolder

_PRIVATE = 1 << 18 | 1 << 14
_READY = 0x9360
"""Request that tells the kernel that the mount is there (AUTOFS_IOC_READY)."""
_LIBC = ctypes.CDLL(None, use_errno=True)


def mount(what: str, where: str, kind: str, flags: int = 0, options: str = "") -> None:
    """Mount something; raises OSError if the kernel does not let us."""
    if _LIBC.mount(what.encode(), where.encode(), kind.encode(), flags, options.encode()):
        raise OSError(ctypes.get_errno(), f"cannot mount {kind}")


def serve(folder: str, answered: int) -> None:
    """Mount what belongs there each time the kernel asks; says on `answered` when it can."""
    os.setpgid(0, 0)
    asks, asked = os.pipe()
    mount("a", folder, "autofs", 0, f"fd={asked},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct")
    os.close(asked)
    control = os.open(folder, os.O_RDONLY)
    os.write(answered, b"x")
    while packet := os.read(asks, 4096):
        mount("tmpfs", folder, "tmpfs")
        Path(folder, "share").mkdir()
        for name in ("share/a.json", "b.json"):
            Path(folder, name).write_text("{}")
        fcntl.ioctl(control, _READY, struct.unpack_from("I", packet, 8)[0])


if __name__ == "__main__":
    ready, answered = os.pipe()
    server = os.fork()
    if server == 0:
        try:
            mount("none", "/", "none", _PRIVATE)
            serve(sys.argv[1], answered)
        finally:
            os._exit(1)
    os.close(answered)
    if os.read(ready, 1):
        signal.alarm(20)
        print(*(entry.name for entry in LocalFolder(Path(sys.argv[2])).entries()))
        os.kill(server, signal.SIGKILL)
    else:
        print("no automounts here")

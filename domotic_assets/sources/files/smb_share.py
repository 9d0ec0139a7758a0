"""Asks a connected SMB share for a folder's listing and a file's bytes.

The form of requests and answers belongs here; connecting and reconnecting do not.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from smbprotocol.exceptions import (
    EndOfFile,
    NoMoreFiles,
    NoSuchFile,
    ObjectPathNotFound,
    SMBResponseException,
)
from smbprotocol.file_info import FileInformationClass
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    DirectoryAccessMask,
    FileAttributes,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
    SMB2QueryDirectoryResponse,
)

from domotic_assets.errors import SourceError
from domotic_assets.localtime import EPOCH, MICROSECOND, moment_of
from domotic_assets.sources.base import Entry
from domotic_assets.sources.files.folders import MAX_FILE_BYTES
from domotic_assets.sources.files.smb_session import SmbSession, status_name

_BLOCK_BYTES = 1024 * 1024
_SMALL_FILE_BYTES = 64 * 1024
# The sender may go on writing, replace the file or remove it while we have it open.
_WITH_OTHERS = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE
_NO_FILE = FileAttributes.FILE_ATTRIBUTE_DIRECTORY | FileAttributes.FILE_ATTRIBUTE_REPARSE_POINT
# A row of a listing: offset of the next, index, times (made, read, written, changed), size, allocation,
# attributes, length of the name that follows.
_ROW = struct.Struct("<IIqqqqqqII")
_FIRST_TIME_US = (EPOCH - datetime(1601, 1, 1, tzinfo=UTC)) // MICROSECOND
"""Microseconds from the year 1601, in which a server's times begin, to 1970."""
_READING = (
    ImpersonationLevel.Impersonation,
    FilePipePrinterAccessMask.FILE_READ_DATA,
    0,
    _WITH_OTHERS,
    CreateDisposition.FILE_OPEN,
    CreateOptions.FILE_NON_DIRECTORY_FILE,
)
_WIDENED = re.compile(r"\[.*|\?")


def listing(session: SmbSession, pattern: str) -> list[Entry]:
    """List the files that the server finds for a pattern: all that match, and maybe some that do not."""
    found: list[Entry] = []
    with session.answering():
        folder = Open(session.tree, session.place.path())
        try:
            folder.create(
                ImpersonationLevel.Impersonation,
                DirectoryAccessMask.FILE_LIST_DIRECTORY | DirectoryAccessMask.FILE_READ_ATTRIBUTES,
                0,
                _WITH_OTHERS,
                CreateDisposition.FILE_OPEN,
                CreateOptions.FILE_DIRECTORY_FILE,
            )
            while True:
                found += _files(_block(session, folder, _for_the_server(pattern)))
        except (NoMoreFiles, NoSuchFile):
            folder.close()
            return found
        except SMBResponseException as refusal:
            raise _not_listed(session, refusal) from None


def read(session: SmbSession, entry: Entry) -> bytes | None:
    """Read the present bytes of a file; None if it vanished, is locked or is larger than MAX_FILE_BYTES."""
    path = session.place.path(entry.name)
    with session.answering():
        try:
            if entry.size_bytes < _SMALL_FILE_BYTES:
                content = _read_small(session, path)
                if len(content) < _SMALL_FILE_BYTES:
                    return content
            return _read_large(session, path)
        except ObjectPathNotFound as refusal:
            raise _not_listed(session, refusal) from None
        except SMBResponseException:
            return None


def _for_the_server(pattern: str) -> str:
    """Widen a pattern, so that a server finds at least the names that match it.

    To some servers `?` is half of a character beyond 16 bits, and to all of them `[…]` is plain text.
    """
    return _WIDENED.sub("*", pattern)


def _block(session: SmbSession, folder: Open, pattern: str) -> bytes:
    """Return the next rows of a listing as raw bytes: the client's own decoding takes 0.2 ms per name."""
    size = min(_BLOCK_BYTES, session.connection.max_transact_size)
    query, _ = folder.query_directory(
        pattern, FileInformationClass.FILE_DIRECTORY_INFORMATION, flags=0, max_output=size, send=False
    )
    tree = session.tree
    request = session.connection.send(query, tree.session.session_id, tree.tree_connect_id)
    answer = SMB2QueryDirectoryResponse()
    answer.unpack(session.connection.receive(request)["data"].get_value())
    return bytes(answer["buffer"].get_value())


def _files(block: bytes) -> Iterator[Entry]:
    """Yield the regular files among the rows of a block."""
    start, step = 0, 1
    while step:
        step, _, _, _, written, _, size, _, attributes, length = _ROW.unpack_from(block, start)
        if not attributes & _NO_FILE:
            name = block[start + _ROW.size : start + _ROW.size + length]
            # Tenths of microseconds, cut to whole microseconds: the same file must always look the same.
            written_us = written // 10 - _FIRST_TIME_US
            # An invalid name is listed with a replacement character, and then cannot be opened.
            yield Entry(name.decode("utf-16-le", "replace"), size, moment_of(written_us))
        start += step


def _not_listed(session: SmbSession, refusal: SMBResponseException) -> SourceError:
    """Make the error for a folder that the server does not let us open or list. refusal: its answer."""
    return SourceError(
        f"the folder cannot be listed ({status_name(refusal)})",
        where=session.place.address,
        expected="a folder that exists and that the account may read",
        remedy="create it, or correct the address in sites.yaml",
    )


def _read_small(session: SmbSession, path: str) -> bytes:
    """Open, read and close a file in one round trip; return at most _SMALL_FILE_BYTES."""
    file = Open(session.tree, path)
    opening, opened = file.create(*_READING, send=False)
    reading, content = file.read(0, _SMALL_FILE_BYTES, send=False)
    closing, closed = file.close(send=False)
    tree, connection = session.tree, session.connection
    requests = connection.send_compound(
        [opening, reading, closing], tree.session.session_id, tree.tree_connect_id, related=True
    )
    try:
        opened(requests[0])
        data: bytes = content(requests[1])
    except SMBResponseException as refusal:
        for request in requests[1:]:
            with suppress(SMBResponseException):
                connection.receive(request)
        # With some servers a failed read makes the close fail as well, so close again.
        file.close()
        if isinstance(refusal, EndOfFile):
            return b""
        raise
    closed(requests[2])
    return data


def _read_large(session: SmbSession, path: str) -> bytes | None:
    """Read a whole file block by block; None if it is larger than MAX_FILE_BYTES."""
    file = Open(session.tree, path)
    file.create(*_READING)
    content = bytearray()
    try:
        while len(content) <= MAX_FILE_BYTES:
            content += file.read(len(content), min(_BLOCK_BYTES, session.connection.max_read_size))
    except EndOfFile:
        file.close()
        return bytes(content)
    except SMBResponseException:
        file.close()
        raise
    file.close()
    return None

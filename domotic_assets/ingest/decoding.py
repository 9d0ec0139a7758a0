"""Decodes the bytes of a text file, in the encodings that programs on Windows and Linux write."""

import re

_UTF_8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_OF_CODE_PAGE = frozenset(chr(code) for code in range(0xC0, 0x100) if code not in (0xD7, 0xF7)) | frozenset(
    "œŒ°²³µ·«»’‘–€"
)
"""Signs outside ASCII that names and units have in the Windows code page."""


def decode(content: bytes) -> str:
    """Decode UTF-8 or UTF-16, with or without byte-order mark, or the Windows code page.

    In any other text a damaged byte becomes U+FFFD.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    if content[:1] == b"\0":
        return content.decode("utf-16-be", "replace")
    if content[1:2] == b"\0":
        return content.decode("utf-16-le", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = in_code_page(content)
    return content.decode("utf-8-sig", "replace") if text is None else text


def in_code_page(content: bytes, more: str = "") -> str | None:
    """Decode bytes that are no UTF-8 in the Windows code page; None if they are in no such page.

    They are if each byte outside ASCII is a sign that names or units have in it, and none of them are a
    letter in UTF-8. more: further signs that the texts may have.
    """
    text = content.decode("cp1252", "replace")
    odd = {sign for sign in set(text) if not sign.isascii()}
    return text if odd <= _OF_CODE_PAGE.union(more) and not _UTF_8_LETTER.search(content) else None

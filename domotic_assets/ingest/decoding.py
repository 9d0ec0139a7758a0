"""Decodes the bytes of a text file, in the encodings that programs on Windows and Linux write."""

import re

_UTF_8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_OF_CODE_PAGE = frozenset(chr(code) for code in range(0xC0, 0x100) if code not in (0xD7, 0xF7)) | frozenset(
    "œŒ°²³µ·«»’‘–€"
)
"""Signs outside ASCII that names and units have in the Windows code page."""


def decode(content: bytes) -> str:
    """Decode UTF-8 or UTF-16, with or without byte-order mark, or the Windows code page.

    The code page is assumed if each byte outside ASCII is a sign that names or units have in it, and none of
    them are a letter in UTF-8. In any other text a damaged byte becomes U+FFFD.
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
        text = content.decode("cp1252", "replace")
    is_known = _OF_CODE_PAGE.issuperset(sign for sign in set(text) if not sign.isascii())
    if is_known and not _UTF_8_LETTER.search(content):
        return text
    return content.decode("utf-8-sig", "replace")

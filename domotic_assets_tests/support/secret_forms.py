"""The forms in which a secret may be written: each makes a text that tells it, or half of it."""

import base64
import html
import json
import unicodedata
from collections.abc import Callable, Mapping
from urllib.parse import quote

Form = Callable[[str], str]


def _at(offset: int, encode: Callable[[bytes], bytes]) -> Form:
    """Base64 of a text in which the secret begins at one of the three places."""
    return lambda secret: encode(b"x" * offset + secret.encode()).decode()


FORMS: Mapping[str, Form] = {
    "as it is": lambda secret: secret,
    "capital letters": str.upper,
    "small letters": str.lower,
    "swapped case": str.swapcase,
    "first half": lambda secret: secret[: (len(secret) + 1) // 2],
    "second half": lambda secret: secret[len(secret) // 2 :],
    "all but one": lambda secret: secret[1:],
    "amid words": lambda secret: f"open {secret} closed",
    "Base64": _at(0, base64.b64encode),
    "Base64 at 1": _at(1, base64.b64encode),
    "Base64 at 2": _at(2, base64.b64encode),
    "Base64 unpadded": lambda secret: base64.b64encode(secret.encode()).decode().rstrip("="),
    "Base64 for URLs": _at(0, base64.urlsafe_b64encode),
    "Base32": _at(0, base64.b32encode),
    "hex": lambda secret: secret.encode().hex(),
    "percent": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()),
    "URL": lambda secret: quote(secret, safe=""),
    "HTML, decimal": lambda secret: "".join(f"&#{ord(sign)};" for sign in secret),
    "HTML, hex": lambda secret: "".join(f"&#x{ord(sign):x};" for sign in secret),
    "HTML, named": html.escape,
    "escapes": lambda secret: "".join(f"\\u{ord(sign):04x}" for sign in secret),
    "JSON": lambda secret: json.dumps(secret),
    "reversed": lambda secret: secret[::-1],
    "composed": lambda secret: unicodedata.normalize("NFC", secret),
    "decomposed": lambda secret: unicodedata.normalize("NFD", secret),
    "full width": lambda secret: "".join(
        chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in secret
    ),
    "no width between": lambda secret: "\u200b".join(secret),
    "spaced": lambda secret: " ".join(secret),
    "hyphens": lambda secret: "-".join(secret),
    "nested JSON": lambda secret: json.dumps({"value": [secret]}),
}

KEYS = (
    "token", "apiToken", "API-TOKEN", "api_token ", "Api Key", "password", "pw", "PassWord", "passwort",
    "mot de passe", "secret", "auth", "Authorization", "bearer", "session_id", "Set-Cookie", "username",
    "userName", "login", "e-mail", "eMail", "phone", "telefonNummer", "tél", "mobile", "Natel", "adresse",
    "Street", "Strasse", "firstName", "Nachname", "prénom", "cognome", "indirizzo",
)  # fmt: skip
"""Keys that say what their value is, in several spellings and languages."""

"""Knows what a source calls secret by the meaning of its keys, and which texts overlap with a secret."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import groupby

from domotic_assets.ingest.harmless import is_harmless, plain_form, words_of
from domotic_assets.ingest.masking import MASK

SHORTEST_SECRET = 3
"""Length from which a secret is looked for: a shorter one tells nothing, and would spoil every other text."""
SHORTEST_PIECE = 4
"""Length from which a piece of a secret is looked for."""
MOST_SECRETS, MOST_CHARACTERS = 200, 20_000
"""Most secrets of one file, and most characters of all: with more, each unknown text of it is held back."""
MOST_RUNS, _LONGEST_MESSAGE = 40, 1_000
"""Most words and characters of a message that are shown."""
_LONGEST_KEY = 200
"""A longer key is a secret: no feed has such a name."""

_WORDS = frozenset(
    """
    passcode passphrase passport wlan psk besitzer eigentümer kunde customer token tokens pass password
    passwords passwort passwd pwd pw pin pins code codes secret secrets geheim segreto auth oauth bearer jwt
    otp key keys apikey session sid cookie cookies credential credentials user users usr login benutzer
    utilisateur utente usuario usuário utilizator mail mails email courriel correo posta tel telefon
    telefono teléfono telefone téléphone phone phones mobile handy natel gsm sms fax cellulare móvil address
    adresse adressen adresa indirizzo dirección endereço street strasse straße rue via calle rua chemin city
    town ort ville plz zip npa iban ahv ssn mac imei iccid ssid wifi owner tenant renter resident bewohner
    mieter inquilino locataire propriétaire surname vorname nachname prénom cognome apellido sobrenome
    prenume nom latitude longitude lat lng lon gps coords konto account dob plate puk cvv cvc pincode
    birthday geburtstag
    """.split()  # noqa: SIM905
)
"""Words of which one says that a key's value is a secret or personal, in any of the feed's languages."""
_ROOTS = (
    "token", "passw", "kennwort", "motdepasse", "contrasena", "geheim", "credential", "bearer", "authori",
    "authenti", "cookie", "session", "username", "apikey", "accesskey", "privatekey", "email", "telefon",
    "telephone", "login", "userid", "phonenu", "mobilenu", "handynu", "adress", "strasse", "secret",
    "firstname", "lastname", "fullname", "surname", "vorname", "nachname", "nickname", "ownername",
    "benutzername", "pincode", "postcode", "zipcode", "postleit", "postalcode", "hausn", "housen", "kundennu",
    "kontonu", "account", "birth", "geburt", "rufnummer", "imsi", "msisdn", "coordinat", "coords", "geoloc",
    "licenseplate", "licenceplate", "numberplate", "kennzeichen", "doorcode", "alarmcode", "accesscode",
    "gatecode", "unlockcode", "setupcode", "installcode", "zugangscode", "turcode", "tuercode",
)  # fmt: skip
"""Parts of a key, in its plain form, that say so wherever they are."""
_SPELLS = re.compile(r"\d|\b[^\W\d_]\b")
_NAME_OF = frozenset(
    {"first", "last", "full", "family", "given", "owner", "nick", "person", "real", "display"}
)
_CODES = frozenset({"error", "weather", "status", "fault", "warning", "state"})
"""What a code may be of without being a secret."""
_HUMP = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])")


_MEASURED = frozenset(
    map(
        plain_form,
        """
        count counts counter lock locks locked state states status energy power rssi signal strength light
        lights lamp temperature temperatures temp humidity pressure voltage current battery level present
        presence duration time heater heating gas water load enabled active online connected open closed
        button relay pump fan noise co2 percent quality failures errors energie leistung temperatur zustand
        anzahl licht lumière température énergie energia potenza luce temperatura stato estado
        """.split(),  # noqa: SIM905
    )
)
"""Last words of a key that say that it measures: `street_light`, `user_count`, `sessionEnergy`."""
_REGISTERS = frozenset({"modbus", "register", "bus", "knx", "dali"})
"""What has addresses that are nobody's."""


class Secrecy(IntEnum):
    """What a key says of its value: nothing, that its texts are secret or personal, or that all of it is."""

    NONE = 0
    TEXTS = 1
    ALL = 2


@lru_cache(maxsize=16_384)
def secrecy_of(name: str) -> Secrecy:
    """Return what a key says of its value, in any spelling: only texts are secret of what is measured.

    The last word of a key is what it is about: `key_lock` is a lock, and `lock_code` a code.
    """
    if not is_secret_name(name):
        return Secrecy.NONE
    if len(name) > _LONGEST_KEY:
        return Secrecy.ALL
    words = words_of(_HUMP.sub(" ", name))
    measures = len(words) > 1 and (words[-1] in _MEASURED or not _REGISTERS.isdisjoint(words))
    return Secrecy.TEXTS if measures else Secrecy.ALL


@lru_cache(maxsize=16_384)
def is_secret_name(name: str) -> bool:
    """Return whether a key says that its value is a secret or personal: in any spelling, part of any name."""
    if len(name) > _LONGEST_KEY:
        return True
    joined = plain_form(name)
    words = {*words_of(_HUMP.sub(" ", name)), joined}
    if not words.isdisjoint(_CODES):
        words -= {"code", "codes"}
    return (
        not words.isdisjoint(_PLAIN_WORDS)
        or any(root in joined for root in _ROOTS)
        or ("name" in words and not words.isdisjoint(_NAME_OF))
        or joined.endswith(("user", "pwd"))
    )


_PLAIN_WORDS = frozenset(map(plain_form, _WORDS))


@dataclass(frozen=True)
class Secrets:
    """The secrets of one file, as plain forms; a text that overlaps with one is held back.

    plain: each secret, and its reverse. everything: there were too many to look for, so that each text of
    unknown origin counts as one. shared: those of all files, apart, as what they tell of a text is kept.
    """

    plain: frozenset[str] = frozenset()
    everything: bool = False
    shared: "Secrets | None" = None

    @classmethod
    def of(cls, texts: Collection[str]) -> "Secrets":
        """Prepare secrets for the search. Those shorter than SHORTEST_SECRET are none."""
        if len(texts) > MOST_SECRETS or sum(map(len, texts)) > MOST_CHARACTERS:
            return cls(everything=True)
        forms = {form for form in map(plain_form, texts) if len(form) >= SHORTEST_SECRET}
        return cls(frozenset(forms | {form[::-1] for form in forms}))

    def beside(self, shared: "Secrets") -> "Secrets":
        """Add those that all files share."""
        return replace(self, shared=shared)

    def overlap(self, text: str) -> bool:
        """Return whether a short text holds a secret, or it or one of its words is a piece of one."""
        return (
            self.everything
            or _overlap(self.plain, text)
            or (self.shared is not None and self.shared.overlap(text))
        )

    @cached_property
    def figures(self) -> bool:
        """Whether a secret is a number, so that numbers have to be compared with it."""
        return self.everything or any(map(_is_number, self.plain))

    def overlap_number(self, number: float, shortest: int, *, is_declared: bool = False) -> bool:
        """Return whether the figures of a number hold a secret, or are a piece of one.

        shortest: figures that both must have, as short ones are alike by chance. is_declared: it is of a
        declared measure, of which only a whole number is compared.
        """
        if is_declared and not number.is_integer():
            return False
        figures = "".join(filter(str.isdecimal, f"{number:.15g}"))
        return len(figures) >= shortest and any(
            len(form) >= shortest and (form in figures or figures in form)
            for form in self.plain
            if _is_number(form)
        )


def _is_number(form: str) -> bool:
    """Return whether a secret is a number, long enough to be looked for in others."""
    return len(form) >= SHORTEST_PIECE and form.isdecimal()


NO_SECRETS = Secrets()


@lru_cache(maxsize=65_536)
def _overlap(plain: frozenset[str], text: str) -> bool:
    """Apply `Secrets.overlap`; results are kept, as the texts and secrets of a home repeat."""
    whole = plain_form(text)
    pieces = [piece for piece in {whole, *words_of(text)} if len(piece) >= SHORTEST_PIECE]
    return any(form in whole or any(piece in form for piece in pieces) for form in plain)


def is_one_word(text: str) -> bool:
    """Return whether a text is one word that passes by its form: none to look for, it tells nothing."""
    return is_harmless(text) and len(words_of(text)) == 1 and not any(map(str.isnumeric, text))


def passes(text: str, secrets: Secrets) -> bool:
    """Return whether a text of unknown origin may leave Bronze: by its form, and beside these secrets."""
    return is_harmless(text) and not secrets.overlap(text)


def masked_words(text: str, secrets: Secrets) -> str:
    """Mask each run of a message that is no word which passes by itself; the first MOST_RUNS are shown.

    Of runs side by side that are masked one mask stays: their number would tell that of the words of a name.
    """
    runs = text[:_LONGEST_MESSAGE].split()[:MOST_RUNS]
    # Figures and single letters would be put together again.
    shown = [_SPELLS.search(run) is None and passes(run, secrets) for run in runs]
    masked = (run if may_pass else MASK for run, may_pass in zip(runs, shown, strict=True))
    return " ".join(word for word, _ in groupby(masked))

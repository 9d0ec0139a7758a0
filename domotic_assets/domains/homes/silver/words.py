"""Reads the words with which a feed says what an opening is, whether it is open, and what a flag is.

Letter case, blanks and accents make no difference. The words are English, French, Spanish, Romanian and
Portuguese ones, and those of the other languages of Switzerland (German, Italian, Romansh). A word belongs
here only if it means one thing in all of them.
"""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

_Meaning = TypeVar("_Meaning")

DOOR, WINDOW = "Door", "Window"
OPEN, CLOSED = 1.0, 0.0

_KINDS = {
    DOOR: "door doors doorsensor doorcontact tür tuer türe türen porte portes porta porte-fenêtre balkontür "
    "fenstertür terrassentür haustür wohnungstür puerta puertas portas ușă uși ușa",
    WINDOW: "window windows windowsensor windowcontact fenster fensterkontakt dachfenster fenêtre fenêtres "
    "finestra finestre fanestra fanestras ventana ventanas janela janelas "
    "fereastră ferestre fereastra geam",
}
_STATES = {
    OPEN: "on open opened true yes 1 offen geöffnet geoeffnet auf ein an gekippt tilted ouvert ouverte "
    "aperto aperta avert averta abierto abierta aberto aberta deschis deschisă oui sí sim da",
    CLOSED: "off closed close shut false no 0 zu geschlossen aus fermé fermée chiuso chiusa serrà serrada "
    "cerrado cerrada fechado fechada închis închisă non não nu",
}
_FLAGS = {
    True: "true yes on 1 wahr ja ein vrai oui vero sì verdadero sí verdadeiro sim adevărat da",
    False: "false no off 0 falsch nein aus faux non falso não fals nu",
}
_LONGEST = 40
"""A longer text is no word."""


def opening_kind(text: str) -> str | None:
    """Read a word for a door or a window: DOOR or WINDOW, as the feed writes them; None for any other."""
    return text if text in _KINDS else _meaning(text, _KIND_OF)


def opening_state(value: Any) -> float | None:
    """Read whether an opening is open: OPEN or CLOSED, from a word, true or false, 1 or 0; None otherwise."""
    if type(value) is str:
        return _meaning(value, _STATE_OF)
    return float(value) if type(value) in (bool, int, float) and value in (OPEN, CLOSED) else None


def flag(value: Any) -> bool | None:
    """Read a flag that is no JSON flag: a word for true or false, 1 or 0; None for anything else."""
    if type(value) is str:
        return _meaning(value, _FLAG_OF)
    return bool(value) if type(value) in (bool, int, float) and value in (1, 0) else None


def _meaning(text: str, meanings: Mapping[str, _Meaning]) -> _Meaning | None:
    """Look a word up by its plain form."""
    return meanings.get(_plain(text)) if len(text) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _plain(word: str) -> str:
    """Return what all spellings of a word have in common: no accents, blanks, hyphens or capital letters."""
    signs = unicodedata.normalize("NFKD", word.casefold())
    return "".join(sign for sign in signs if sign.isalnum())


def _by_word(words: Mapping[_Meaning, str]) -> dict[str, _Meaning]:
    """Turn words by meaning into meanings by plain word."""
    return {_plain(word): meaning for meaning, listed in words.items() for word in listed.split()}


_KIND_OF, _STATE_OF, _FLAG_OF = _by_word(_KINDS), _by_word(_STATES), _by_word(_FLAGS)

"""Words of openings, in the languages of the dashboards and of Switzerland."""

import pytest

from domotic_assets.domains.homes.silver.words import CLOSED, DOOR, OPEN, WINDOW, opening_kind, opening_state


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (DOOR, ["Door", "DOOR ", "porte", "Porte-fenêtre", "puerta", "ușă", "usa", "porta", "Tür", "Tuer"]),
        (
            WINDOW,
            [
                "Window",
                "window",
                " WINDOW",
                "fenetre",
                "FENÊTRE",
                "ventana",
                "Fereastră",
                "janela",
                "Fenster",
            ],
        ),
        (None, ["", "Gate", "WindowDoor", "Windo", "x" * 10_000]),
    ],
)
def test_what_an_opening_is(kind: str | None, words: list[str]) -> None:
    assert [opening_kind(word) for word in words] == [kind] * len(words)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (OPEN, ["on", "ON", "open", "ouvert", "abierto", "deschis", "aberta", "offen", True, 1, 1.0]),
        (CLOSED, ["off", "Off ", "closed", "fermé", "cerrado", "Închis", "fechado", "geschlossen", False, 0]),
        (None, ["", "ajar", "maybe", 2, -1, 0.5, None, [], float("nan")]),
    ],
)
def test_whether_an_opening_is_open(state: float | None, said: list[object]) -> None:
    assert [opening_state(value) for value in said] == [state] * len(said)

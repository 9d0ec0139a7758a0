"""Masking: secrets in any letter case, overlapping ones, control characters, and log lines."""

import time

import pytest

from domotic_assets.ingest.masking import mask, mask_log_text

pytestmark = pytest.mark.rule(11)


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("JimmyLoup left", ["JimmyLoup"], "*** left"),
        ("jimmyLOUP and JIMMYLOUP", ["JimmyLoup"], "*** and ***"),
        ("31.08.2023 2144_JimmyLoup_received.json", ["JimmyLoup"], "31.08.2023 2144_***_received.json"),
        ("JimmyLoup", ["Jimmy", "JimmyLoup"], "***"),
        ("a.c abc", ["a.c"], "*** abc"),
        ("Je\u0301ro\u0302me left", ["J\u00e9r\u00f4me"], "*** left"),
        ("J\u00e9r\u00f4me, JE\u0301R\u00d4ME", ["Je\u0301ro\u0302me"], "***, ***"),
        ("Vie\u0323\u0302t, Vi\u00ea\u0323t, Vi\u1ec7t", ["Vi\u1ec7t"], "***, ***, ***"),
        ("JimmyLoup\u0301 left", ["JimmyLoup"], "***\u0301 left"),
        ("Jerome is another", ["J\u00e9r\u00f4me"], "Jerome is another"),
        ("nothing secret", [], "nothing secret"),
        ("an empty secret hides nothing", [""], "an empty secret hides nothing"),
    ],
)
def test_each_secret_is_replaced(text: str, secrets: list[str], expected: str) -> None:
    assert mask(text, secrets) == expected


@pytest.mark.rule(9)
@pytest.mark.parametrize("sign", ["\0", "\n", "\x1b", "\x7f", "\x85", "\ud800"])
def test_control_characters_become_the_replacement_character(sign: str) -> None:
    assert mask(f"Off{sign}ice", []) == "Off\ufffdice"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("31.08.2023 2144_SomebodyElse_received.json", "31.08.2023 2144_***_received.json"),
        ('{"api_token": "abc-1", "n": 2}', '{"api_token": "***", "n": 2}'),
        ("bad token=abc;", "bad token=***;"),
        ("token 7f refused", "token *** refused"),
        ("got tok-5f1c9be07a2d from the box", "got *** from the box"),
        ("mail a.b@example.ch or ring +41 79 123 45 67", "mail *** or ring ***"),
        ("ring 079 123 45 67", "ring ***"),
    ],
)
def test_a_log_line_loses_what_looks_like_a_user_token_or_contact(text: str, expected: str) -> None:
    assert mask_log_text(text, []) == expected


@pytest.mark.parametrize(
    "text",
    [
        "token refused",
        "the keyboard of 192.168.1.12 timed out after 3000 ms",
        "temperature_sensor_2 offline since 2023-09-04 00:01:02",
    ],
)
def test_a_harmless_log_line_stays_readable(text: str) -> None:
    assert mask_log_text(text, ["JimmyLoup"]) == text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 80_000,
        "1a" * 500_000,
        "a." * 500_000,
        "01.01.2023 0000_" * 60_000,
        "token " * 200_000,
        "+1 " * 300_000,
        "key" + " " * 1_000_000,
        "a@" * 500_000,
    ],
    ids=lambda text: text[:16],
)
def test_a_long_line_takes_time_in_proportion(text: str) -> None:
    """80 kB without a blank took 35 seconds."""
    began = time.process_time()
    mask_log_text(text, ["JimmyLoup"])
    assert time.process_time() - began < 3

"""What a person sees of a received file: its measures and harmless words, whatever its bytes are."""

import json
import time

import pytest

from domotic_assets.operate.masked_file import MOST_CHARACTERS, masked_text
from domotic_assets_tests.support.builders import API_TOKENS, FEED_USERS, payload, plug, to_bytes
from domotic_assets_tests.support.secret_forms import FORMS, KEYS

pytestmark = pytest.mark.rule(11)

USERS = tuple(FEED_USERS.values())
SECRET = "tok-9c41e7b0d85f2a63"  # pragma: allowlist secret


def test_the_measures_of_a_file_are_shown() -> None:
    shown = masked_text(to_bytes(payload()), USERS)
    expected = payload() | {"user": "***", "api_token": "***"}
    assert json.loads(shown) == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", ["note", "api_token", "Token", "x"])
def test_no_form_of_a_secret_is_shown_at_any_place(form: str, key: str) -> None:
    told = FORMS[form](SECRET)
    document = payload() | {
        key: [told, {"a": [told]}], "log": [{key: told}, told], told: told, "plugs": {told: plug(power=told)},
    }  # fmt: skip
    whole = to_bytes(document)
    for content in (
        whole,
        whole[:-40],
        whole.decode().replace('"', "'").encode(),
        b"[" + whole + b"," + whole,
    ):
        shown = masked_text(content, USERS)
        assert told not in shown
        assert SECRET[10:] not in shown
        assert API_TOKENS["jimmy"][4:] not in shown


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "value", ['"garden"', '["garden"]', '{"a": {"b": "garden"}}', "'garden'", "garden", '"gar']
)
def test_what_a_key_calls_secret_is_not_shown_in_other_places_either(key: str, value: str) -> None:
    text = f'{{"mode": "garden", "{key}": {value}, "state": "open"}} {{"mode": "garden 2"'
    shown = masked_text(text.encode(), USERS)
    assert "gar" not in shown
    if value.count('"') != 1:
        assert '"state": "open"' in shown


def test_the_first_of_two_keys_is_masked_as_well() -> None:
    shown = masked_text(b'{"token": "kitchen", "token": "attic", "mode": "attic", "state": "kitchen"}', USERS)
    assert "kitchen" not in shown
    assert "attic" not in shown


@pytest.mark.rule(9)
@pytest.mark.parametrize(
    "content",
    [
        b"a" * 60_000_000,
        b'"\\"' * 700_000,
        b"'" * 2_000_000,
        b'{"a":' * 400_000,
        b" " * 2_000_000,
        b"1" * 2_000_000,
    ],
    ids=["letters", "quotes", "apostrophes", "brackets", "blanks", "figures"],
)
def test_any_bytes_take_bounded_time(content: bytes) -> None:
    began = time.process_time()
    shown = masked_text(content, USERS)
    assert len(shown) <= 4 * MOST_CHARACTERS
    assert time.process_time() - began < 8

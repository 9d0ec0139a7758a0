"""From bytes to one JSON object: lenient where nothing is lost, and one reason where it cannot be read."""

import json
import math
from typing import Any

import pytest

from domotic_assets.domains.homes.silver.document import MAX_DEPTH, Unreadable, read_document

pytestmark = pytest.mark.rule(9)

TEXT = '{"room": "Küche €", "power": 17.62, "list": [1, true, null]}'
DOCUMENT = {"room": "Küche €", "power": 17.62, "list": [1, True, None]}


def nested(depth: int, opening: str = '{"a":', closing: str = "}") -> str:
    """A document of that many levels, its own included."""
    return '{"x": ' + opening * (depth - 1) + "1" + closing * (depth - 1) + "}"


def refusal(content: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        read_document(content)
    return caught.value.reason


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
def test_every_unicode_encoding_is_read_with_and_without_a_byte_order_mark(encoding: str) -> None:
    assert read_document(TEXT.encode(encoding)) == DOCUMENT


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_with_either_byte_order_mark_is_read(mark: bytes) -> None:
    encoding = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    assert read_document(mark + TEXT.encode(encoding)) == DOCUMENT


def test_a_byte_order_mark_that_stands_twice_is_read() -> None:
    assert read_document(b"\xef\xbb\xbf" * 2 + TEXT.encode()) == DOCUMENT


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_letters_of_the_windows_code_page_are_read(encoding: str) -> None:
    text = (
        '{"room": "Séjour Küche ça œuvre"}' if encoding == "cp1252" else '{"room": "Wärme", "x": "21,5 °C"}'
    )
    assert read_document(text.encode(encoding)) == json.loads(text)


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "content",
    [
        '{"room": "Küche", "x": "'.encode() + b'\xe9"}',
        '{"room": "Séjour"}'.encode("mac-roman"),
        '{"room": "Séjour"}'.encode("cp850"),
        b'{"room": "S\x81jour"}',
        b'{"room": "S\xd7jour"}',
    ],
    ids=["both", "Mac", "DOS", "none", "no letter"],
)
def test_letters_that_cannot_be_told_are_refused_as_such(content: bytes) -> None:
    assert refusal(content) == "not_utf8"


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 4096, b"\n\0\0", b"\0\n\0"])
def test_nuls_after_the_end_cost_nothing(padding: bytes) -> None:
    assert read_document(TEXT.encode() + padding) == DOCUMENT
    assert read_document(TEXT.encode("utf-16") + b"\0" * 4) == DOCUMENT


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "content",
    [
        b"\0",
        b"\0" * 4096,
        TEXT.encode()[:-9] + b"\0" * 100,
        TEXT.encode()[:1] + b"\0" * 64 + TEXT.encode()[1:],
        b"\0" * 8 + TEXT.encode()[:-9] + b"\0",
    ],
)
def test_nuls_in_place_of_an_object_are_told(content: bytes) -> None:
    assert refusal(content) == "nul_padding"


@pytest.mark.parametrize("nuls", [1, 2, 3, 4096])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_nuls_in_front_are_padding(nuls: int, mark: bytes) -> None:
    assert read_document(b"\0" * nuls + mark + TEXT.encode()) == DOCUMENT


@pytest.mark.parametrize("between", ["", "\n", "\r\n", "\0\0", " "])
def test_one_object_twice_is_read(between: str) -> None:
    assert read_document(f"{TEXT}{between}{TEXT}".encode()) == DOCUMENT
    assert read_document(f"{TEXT}{between}{TEXT}{between}{TEXT}\n".encode()) == DOCUMENT


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1}{"a": 2}',
        '{"a": 1}\n{"a": 1}\n{"b": 1}',
        '{"a": 1}{"a": true}',
        '{"a": 1}\n{"a": 1',
        '[{"a": 1}, {"a": 2}]',
        '[{"a": 1}, {"a": true}]',
    ],
)
def test_two_objects_that_differ_are_refused_as_such(content: str) -> None:
    assert refusal(content.encode()) == "two_documents"


def test_a_list_of_one_object_is_that_object() -> None:
    assert read_document(f"[{TEXT}]".encode()) == DOCUMENT
    assert read_document(f"[{TEXT}, {TEXT}]".encode()) == DOCUMENT


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("1e999", math.inf),
        ("9" * 10_000, math.inf),
        ("-" + "9" * 10_000, -math.inf),
        ("1" + "0" * 25, 1e25),
        ("1" + "0" * 280, 1e280),
    ],
)
def test_a_number_beyond_all_bounds_costs_no_other(written: str, value: float) -> None:
    document = read_document(f'{{"bad": {written}, "good": 17.62}}'.encode())
    assert float(document["bad"]) == pytest.approx(value)
    assert document["good"] == 17.62


def test_nan_costs_no_other() -> None:
    document = read_document(b'{"bad": NaN, "good": 17.62}')
    assert math.isnan(document["bad"])
    assert document["good"] == 17.62


@pytest.mark.parametrize("written", ["a\\u0000b", "a\0b", "a\nb", "\\ud800", "\\udc00\\ud800"])
def test_odd_signs_in_a_name_are_read(written: str) -> None:
    document = read_document(f'{{"{written}": 1, "good": 2}}'.encode())
    assert document["good"] == 2
    assert len(document) == 2


def test_of_a_name_that_stands_twice_the_last_counts() -> None:
    assert read_document(b'{"power": 1, "power": 2}') == {"power": 2}
    assert read_document(b'{"power": 1, "power": 2, "x": Infinity}')["power"] == 2


def test_five_megabytes_are_read() -> None:
    assert len(read_document(b'{"trace": "' + b"x" * 5_000_000 + b'"}')["trace"]) == 5_000_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not_json"),
        (b"   \n", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"\xef\xbb\xbf", "not_json"),
        (b"\x89PNG\r\n", "not_json"),
        (TEXT.encode()[:-1], "not_json"),
        (TEXT.encode() + b"}", "not_json"),
        (b"null", "not_an_object"),
        (b"[]", "not_an_object"),
        (b"[7]", "not_an_object"),
        (b'[7, {"user": "x"}]', "not_an_object"),
        (b'[{"user": "x"}, 7]', "not_an_object"),
        (b"7 7", "not_json"),
        (b"17.62", "not_an_object"),
        (b"NaN", "not_an_object"),
        (b'"text"', "not_an_object"),
    ],
)
@pytest.mark.rule(5)
def test_what_is_no_object_has_one_reason(content: bytes, reason: str) -> None:
    assert refusal(content) == reason


def test_a_file_cut_off_anywhere_is_refused() -> None:
    content = TEXT.encode()
    assert {refusal(content[:length]) for length in range(len(content))} == {"not_json"}


@pytest.mark.parametrize("extra", ["", ', "y": NaN'])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
@pytest.mark.parametrize(
    ("depth", "reason"),
    [
        (MAX_DEPTH, None),
        (MAX_DEPTH + 1, "too_deep"),
        (600, "too_deep"),
        (1_020, "too_deep"),
        (100_000, "too_deep"),
    ],
)
def test_the_limit_of_depth_is_one_for_every_parser(
    depth: int, reason: str | None, opening: str, closing: str, extra: str
) -> None:
    content = (nested(depth, opening, closing)[:-1] + extra + "}").encode()
    if reason is None:
        assert set(read_document(content)) >= {"x"}
    else:
        assert refusal(content) == reason


def test_the_limit_of_depth_does_not_hang_on_the_caller() -> None:
    """A call from far down the stack reads what one from its top reads."""

    def call_from(depth: int) -> Any:
        return (
            call_from(depth - 1) if depth else read_document(nested(MAX_DEPTH)[:-1].encode() + b', "y": NaN}')
        )

    assert json.dumps(call_from(0)) == json.dumps(call_from(300))


def test_many_brackets_that_are_not_deep_are_read() -> None:
    assert len(read_document(json.dumps({"x": [{} for _ in range(5_000)]}).encode())["x"]) == 5_000

"""What a server's rows of a listing say, whatever time it states."""

from datetime import UTC, datetime

import pytest

from domotic_assets.localtime import unix_us_of
from domotic_assets.sources.files import smb_share

SECONDS_FROM_1601 = 11_644_473_600


@pytest.mark.rule(4)
@pytest.mark.parametrize("written", [0, 1, (SECONDS_FROM_1601 + 253_402_300_800) * 10**7, 2**63 - 1])
def test_a_last_write_of_any_year_is_listed(written: int) -> None:
    """In tenths of microseconds since 1601: also 1601 itself, the year 10000, and the greatest number."""
    name = "a.json".encode("utf-16-le")
    block = smb_share._ROW.pack(0, 0, 0, 0, written, 0, 2, 8, 0, len(name)) + name
    [entry] = smb_share._files(block)
    assert (entry.name, entry.size_bytes) == ("a.json", 2)
    assert unix_us_of(entry.modified_at) == written // 10 - SECONDS_FROM_1601 * 10**6
    if written < 10:
        assert entry.modified_at == datetime(1601, 1, 1, tzinfo=UTC)

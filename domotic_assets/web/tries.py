"""Limits failed sign-ins, so that passwords cannot be guessed: by person, by address, and by both."""

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable

TRIES_OF_A_PERSON_FROM_AN_ADDRESS = 5
TRIES_FROM_AN_ADDRESS = 20
TRIES_FOR_A_PERSON = 50
WINDOW_SECONDS = 900.0
_MOST_KEYS = 20_000
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Tries:
    """Counts tries of the last quarter of an hour, in memory. A try counts when it begins."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._proved: OrderedDict[tuple[str, str], None] = OrderedDict()

    def take(self, user: str, address: str) -> bool:
        """Count a try; return whether it may be made.

        The limit of a person alone does not hold for an address from which they signed in before: tries
        from elsewhere do not keep them out.
        """
        network = _network(address)
        # An address beyond its limit adds no further keys, which would push the counts of others out.
        if self._count(("address", network)) > TRIES_FROM_AN_ADDRESS:
            return False
        if self._count(("both", f"{network} {user}")) > TRIES_OF_A_PERSON_FROM_AN_ADDRESS:
            return False
        return (network, user) in self._proved or self._count(("person", user)) <= TRIES_FOR_A_PERSON

    def succeeded(self, user: str, address: str) -> None:
        """Take back the try of a person who has signed in, and remember their address.

        Other tries from that address still count: whoever has a password could else guess those of others.
        """
        network = _network(address)
        self._tries.pop(("both", f"{network} {user}"), None)
        for key in (("address", network), ("person", user)):
            if times := self._tries.get(key):
                times.pop()
        self._proved[network, user] = None
        if len(self._proved) > _MOST_KEYS:
            self._proved.popitem(last=False)

    def _count(self, key: tuple[str, str]) -> int:
        """Add a try to those of a key; return how many there are in the window."""
        now = self._clock()
        times = self._tries.setdefault(key, deque(maxlen=TRIES_FOR_A_PERSON + 1))
        self._tries.move_to_end(key)
        while times and now - times[0] > WINDOW_SECONDS:
            times.popleft()
        times.append(now)
        if len(self._tries) > _MOST_KEYS:
            self._tries.popitem(last=False)
        return len(times)


def _network(address: str) -> str:
    """Return what one person has of addresses: an IPv4 address, or the /64 network of an IPv6 address.

    IPv4 addresses written as IPv6, or translated (NAT64), share one such network: each counts.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        if found in _NAT64:
            return str(found)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)

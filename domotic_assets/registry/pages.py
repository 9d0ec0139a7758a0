"""Defines how the pages are reached from other machines: under which address, and who ends TLS."""

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Self

from pydantic import Field, model_validator

from domotic_assets.registry.entry import Entry

HttpsAddress = Annotated[str, Field(pattern=r"^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?$")]


class Pages(Entry):
    """Pages that answer other machines, at one address with TLS. Without this entry only this machine is.

    address: what people type; listen: the address of this machine that is listened on.
    certificate, key: files in PEM form, with which the web server itself speaks TLS.
    proxies: addresses of reverse proxies that end TLS; nobody else may connect then.
    """

    address: HttpsAddress
    listen: IPv4Address | IPv6Address = IPv4Address("127.0.0.1")
    certificate: str | None = None
    key: str | None = None
    proxies: tuple[IPv4Address | IPv6Address, ...] = ()

    @model_validator(mode="after")
    def _somebody_ends_tls(self) -> Self:
        """Raise ValueError unless there is either a certificate with its key, or a proxy."""
        both, none = self.certificate and self.key, not (self.certificate or self.key)
        if not ((both and not self.proxies) or (none and self.proxies)):
            raise ValueError("allowed is certificate with key, or proxies: passwords need TLS")
        return self

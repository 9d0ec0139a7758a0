"""Defines entries for what the product sends to: alert channels, and the database that teams read from."""

from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    model_validator,
)

from domotic_assets.registry.entry import EmailAddress, Entry, EnvironmentVariable, Identifier


class Channel(Entry):
    """A channel for alerts. A tenant gets those of their homes, an engineer gets all."""

    name: Identifier
    audience: Literal["engineer", "tenant"] = "engineer"
    homes: tuple[str, ...] = ()
    at_most_every_minutes: Annotated[int, Field(ge=1, le=1440)] = 10

    @model_validator(mode="after")
    def _homes_are_a_tenants(self) -> Self:
        """Raise ValueError unless a tenant's channel names homes and an engineer's names none."""
        if (self.audience == "tenant") != bool(self.homes):
            raise ValueError("allowed are homes for the audience tenant, and none for engineer")
        return self


class EmailChannel(Channel):
    """E-mail by SMTP; always encrypted, the server's certificate always verified."""

    kind: Literal["email"]
    host: Annotated[str, Field(pattern=r"^[^/:@\s]+$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Literal["starttls", "implicit"] = "starttls"
    ca_file: str | None = None
    sender: EmailAddress
    recipients: Annotated[tuple[EmailAddress, ...], Field(min_length=1)]
    user_env: EnvironmentVariable | None = None
    password_env: EnvironmentVariable | None = None

    @model_validator(mode="after")
    def _has_user_and_password_or_neither(self) -> Self:
        """Raise ValueError if only one of user_env and password_env is given."""
        if (self.user_env is None) != (self.password_env is None):
            raise ValueError("allowed are user_env and password_env together, or neither")
        return self


class WebhookChannel(Channel):
    """A web address that takes JSON. It may hold a credential, so all of it is an environment variable."""

    kind: Literal["webhook"]
    url_env: EnvironmentVariable


class AppriseChannel(Channel):
    """Any service that apprise supports; all of its address is an environment variable."""

    kind: Literal["apprise"]
    url_env: EnvironmentVariable


AlertChannel = EmailChannel | WebhookChannel | AppriseChannel


class Alerts(Entry):
    """The alert channels; none by default."""

    channels: tuple[Annotated[AlertChannel, Field(discriminator="kind")], ...] = ()


class PostgresqlServer(Entry):
    """The PostgreSQL database that teams read from. With tls `required` certificate and host are verified."""

    address: Annotated[str, Field(pattern=r"^[^/:@\s]+(:\d{1,5})?/[^/\s]+$")]
    user_env: EnvironmentVariable
    password_env: EnvironmentVariable
    tls: Literal["required", "off"] = "required"
    ca_file: str | None = None

    @model_validator(mode="after")
    def _knows_whom_to_trust(self) -> Self:
        """Raise ValueError unless ca_file is given with tls `required` and not given with tls `off`."""
        if (self.tls == "required") != (self.ca_file is not None):
            raise ValueError("allowed is ca_file with tls: required, or tls: off")
        return self

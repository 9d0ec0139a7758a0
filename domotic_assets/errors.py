"""Defines error types that tell a person what happened, where, what was expected and what to do.

Only the types belong here, never a decision to raise one.
"""

from dataclasses import dataclass

from domotic_assets.escaping import visible_line


@dataclass(eq=False)
class DomoticError(Exception):
    """Base of every error the product raises on purpose.

    what: what happened, with the value received where it is not personal.
    where: file and line, table or address.
    expected: what is allowed.
    remedy: what the reader can do now.
    more: further findings of the same kind, each a line of its own.
    retryable: whether the same call may succeed later without anybody changing anything.
    """

    what: str
    where: str = ""
    expected: str = ""
    remedy: str = ""
    more: tuple[str, ...] = ()
    retryable = False

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.remedy:
            parts.append(self.remedy)
        # A name or value in it may hold line ends, or signs that command a terminal: a line stays a line.
        return "\n".join(map(visible_line, ("; ".join(parts), *self.more)))


class ConfigurationError(DomoticError):
    """sites.yaml, a setting or an environment variable is wrong: a person has to change it."""


class SourceError(DomoticError):
    """A source cannot be read: its folder, server or register is missing or answers wrongly."""

    retryable = True


class ContractError(DomoticError):
    """A source or a frame lacks a table or column that the product needs."""


class LakeError(DomoticError):
    """The lake cannot be read or written."""


class PublishError(DomoticError):
    """A server that people read from cannot be published to."""

    retryable = True


class PartitionError(DomoticError):
    """A run was given no partition key, or one that is not a window."""


class QueryError(DomoticError):
    """A person's SQL cannot be run."""

"""Defines the sources of sites.yaml: where each feed comes from, with one entry type per kind."""

from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    model_validator,
)

from domotic_assets.registry.entry import Entry, EnvironmentVariable, Identifier


class FolderFiles(Entry):
    """Files in a folder of this machine; a relative address starts from the folder of sites.yaml.

    follow_links: whether links are followed that lead out of the folder.
    """

    kind: Literal["folder"]
    address: str
    follow_links: bool = False


class SmbFiles(Entry):
    """Files on an SMB 3 share. Credentials are in the environment variables named here."""

    kind: Literal["smb"]
    address: Annotated[str, Field(pattern=r"^//[^/:@]+(:\d{1,5})?/[^/]+(/.*)?$")]
    user_env: EnvironmentVariable
    password_env: EnvironmentVariable


class SftpFiles(Entry):
    """Files on an sFTP server, by password or private key; the server is always verified by known hosts.

    follow_links: whether links are followed that lead out of the folder.
    """

    kind: Literal["sftp"]
    address: Annotated[str, Field(pattern=r"^sftp://[^/:@]+(:\d{1,5})?/.*$")]
    user_env: EnvironmentVariable
    password_env: EnvironmentVariable | None = None
    key_file_env: EnvironmentVariable | None = None
    known_hosts: str = "~/.ssh/known_hosts"
    follow_links: bool = False

    @model_validator(mode="after")
    def _has_one_credential(self) -> Self:
        """Raise ValueError unless exactly one of password_env and key_file_env is given."""
        if (self.password_env is None) == (self.key_file_env is None):
            raise ValueError("allowed is one of password_env and key_file_env")
        return self


class SqliteDatabase(Entry):
    """A SQLite file; a relative address starts from the folder of sites.yaml.

    follow_links: whether the address may be a link.
    """

    kind: Literal["sqlite"]
    address: str
    follow_links: bool = False


class MysqlDatabase(Entry):
    """A database in MySQL or MariaDB. With tls `required` its certificate is verified."""

    kind: Literal["mysql"]
    address: Annotated[str, Field(pattern=r"^[^/:@]+(:\d{1,5})?/[^/]+$")]
    user_env: EnvironmentVariable
    password_env: EnvironmentVariable
    tls: Literal["required", "off"] = "required"
    ca_file: str | None = None


FileSource = FolderFiles | SmbFiles | SftpFiles
DatabaseSource = SqliteDatabase | MysqlDatabase


Sources = dict[Identifier, Annotated[FileSource | DatabaseSource, Field(discriminator="kind")]]
"""Each feed's source, by the name under which a flow reads it."""

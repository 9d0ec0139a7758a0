"""Opens the source that an entry of `sources` in sites.yaml describes. No reading belongs here."""

from collections.abc import Mapping

from domotic_assets.registry.loading import Sites
from domotic_assets.registry.sources import (
    DatabaseSource,
    FileSource,
    FolderFiles,
    MysqlDatabase,
    SftpFiles,
    SmbFiles,
)
from domotic_assets.schemas.records import RecordTable
from domotic_assets.settings import Settings
from domotic_assets.sources.files.folders import FileFolder
from domotic_assets.sources.files.local import LocalFolder
from domotic_assets.sources.sql.snapshots import RelationalSource
from domotic_assets.sources.sql.sqlite import sqlite_source


def open_folder(source: FileSource, sites: Sites, settings: Settings) -> FileFolder:
    """Return the folder of a file source, without connecting to it yet.

    Credentials are read from the environment now; raises ConfigurationError if one is not set.
    """
    match source:
        case FolderFiles():
            return LocalFolder(sites.path(source.address), follow_links=source.follow_links)
        case SmbFiles():
            # Protocol clients are imported only where they are used: each takes half a second.
            from domotic_assets.sources.files.smb import SmbFolder

            return SmbFolder(
                source.address, settings.secret(source.user_env), settings.secret(source.password_env)
            )
        case SftpFiles():
            from domotic_assets.sources.files.sftp import SftpFolder

            return SftpFolder(
                source.address,
                settings.secret(source.user_env),
                password=settings.secret(source.password_env) if source.password_env else None,
                key_file=sites.path(settings.secret(source.key_file_env)) if source.key_file_env else None,
                known_hosts=sites.path(source.known_hosts),
                follow_links=source.follow_links,
            )


def open_database(
    source: DatabaseSource, sites: Sites, settings: Settings, tables: Mapping[str, RecordTable]
) -> RelationalSource:
    """Return the readable tables of a source's database; raise SourceError if its file is missing."""
    if isinstance(source, MysqlDatabase):
        from domotic_assets.sources.sql.mysql import mysql_source

        return mysql_source(
            source.address,
            settings.secret(source.user_env),
            settings.secret(source.password_env),
            tables,
            tls=source.tls == "required",
            ca_file=sites.path(source.ca_file) if source.ca_file else None,
        )
    return sqlite_source(sites.path(source.address), tables, follow_links=source.follow_links)

"""Declares columns and references that several tables of the star schema share."""

import polars as pl

from domotic_assets.schemas.table import Column, ForeignKey


def key_column(name: str, description: str) -> Column:
    """Declare a surrogate key: the first 52 bits of a natural id's hash, -1 for none."""
    return Column(name, pl.Int64(), description, nullable=False)


def date_key_column(description: str = "local date of the home, YYYYMMDD") -> Column:
    """Declare a date key: a date as a whole number, YYYYMMDD."""
    return Column("date_key", pl.Int32(), description, nullable=False)


def small_whole(name: str, description: str) -> Column:
    """Declare a small whole number that is never null: an hour, a month, a step."""
    return Column(name, pl.Int32(), description, nullable=False)


DATETIME_KEY = Column("datetime_key", pl.Int64(), "UTC minute, YYYYMMDDHHMM", nullable=False)
APARTMENT_KEY = key_column("apartment_key", "home")
ROOM_KEY = key_column("room_key", "room")

TO_DATETIME = ForeignKey("datetime_key", "dim_datetime", "datetime_key")
TO_DATE = ForeignKey("date_key", "dim_date", "date_key")
TO_APARTMENT = ForeignKey("apartment_key", "dim_apartment", "apartment_key")
TO_ROOM = ForeignKey("room_key", "dim_room", "room_key")
TO_DEVICE = ForeignKey("device_key", "dim_device", "device_key")
TO_SITE = ForeignKey("site_key", "dim_weather_site", "site_key")

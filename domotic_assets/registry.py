"""The registry: which homes, sources, tariffs and people exist, read from sites.yaml and validated.

A new home is one entry there and no code. Types and their rules belong here; what is done with
them does not. A wrong file is refused as a whole, with line, key, value found and what is allowed.
"""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domotic_assets.errors import ConfigurationError
from domotic_assets.localtime import zone

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_DAY = 1440

# Their values are personal or secret: an error names the key and never what stood there.
UNSPOKEN_KEYS = frozenset({"feed_user", "user", "sender", "recipients"})


def _known_zone(name: str) -> str:
    try:
        zone(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("no such time zone; allowed are IANA names such as Europe/Zurich") from None
    return name


def _minute_of_day(value: object) -> object:
    """`24:00` closes a day, which `datetime.time` cannot say."""
    if isinstance(value, str) and value.count(":") == 1:
        hours, minutes = value.split(":")
        if hours.isdigit() and minutes.isdigit() and int(minutes) < 60:
            total = int(hours) * 60 + int(minutes)
            if total <= MINUTES_PER_DAY:
                return total
    raise ValueError("allowed is a local time from 00:00 to 24:00")


ZoneName = Annotated[str, AfterValidator(_known_zone)]
MinuteOfDay = Annotated[int, BeforeValidator(_minute_of_day)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
EnvironmentVariable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
EmailAddress = Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")]


class Entry(BaseModel):
    """Base of all registry entries: unknown keys are refused, entries never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Room(Entry):
    """A room: the id that ids of devices contain, its name for people, and its type."""

    id: Identifier
    name: str
    type: str


class Home(Entry):
    """A home that sends files ("apartment" in Gold's names)."""

    id: Identifier
    name: str
    building_name: str = ""
    floor: int | None = None
    feed_user: Annotated[str, Field(min_length=1, pattern=r"^[^_/\\\s]+$")]
    time_zone: ZoneName = "Europe/Zurich"
    clock_zone: ZoneName = "Europe/Zurich"
    register_building: int | None = None
    weather_site: str | None = None
    tariff: str | None = None
    rooms: dict[str, Room] = Field(default_factory=dict)


class Band(Entry):
    """A time-of-use band: local minutes [from, to) of its days; with `to` first, each day's two ends."""

    name: str
    days: tuple[Weekday, ...] = WEEKDAYS
    start: MinuteOfDay = Field(alias="from")
    end: MinuteOfDay = Field(alias="to")
    chf_per_kwh: Annotated[float, Field(ge=0, lt=10)]

    def covers(self, weekday: Weekday, minute: int) -> bool:
        """Whether the band holds at that minute of that weekday."""
        if weekday not in self.days:
            return False
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


class Tariff(Entry):
    """A provider's prices from `valid_from` until the day before `valid_to`, local dates."""

    provider: str
    valid_from: date
    valid_to: date | None = None
    bands: Annotated[tuple[Band, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _bands_do_not_overlap(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to is exclusive and must lie after valid_from")
        edges = sorted({0} | {band.start for band in self.bands} | {band.end for band in self.bands})
        for day in WEEKDAYS:
            for minute in edges:
                names = [band.name for band in self.bands if band.covers(day, minute)]
                if len(names) > 1:
                    raise ValueError(f"bands {names} overlap on {day}; each minute may have one price")
        return self


class FolderFiles(Entry):
    """Files in a folder of this machine; a relative address starts from the folder of sites.yaml."""

    kind: Literal["folder"]
    address: str


class SmbFiles(Entry):
    """Files on an SMB 3 share. Credentials stand in the environment, under the names given here."""

    kind: Literal["smb"]
    address: Annotated[str, Field(pattern=r"^//[^/:@]+(:\d{1,5})?/[^/]+(/.*)?$")]
    user_env: EnvironmentVariable
    password_env: EnvironmentVariable


class SftpFiles(Entry):
    """Files in a folder of an sFTP server: a password or a private key, and known hosts, always verified."""

    kind: Literal["sftp"]
    address: Annotated[str, Field(pattern=r"^sftp://[^/:@]+(:\d{1,5})?/.*$")]
    user_env: EnvironmentVariable
    password_env: EnvironmentVariable | None = None
    key_file_env: EnvironmentVariable | None = None
    known_hosts: str = "~/.ssh/known_hosts"

    @model_validator(mode="after")
    def _has_one_credential(self) -> Self:
        if (self.password_env is None) == (self.key_file_env is None):
            raise ValueError("allowed is one of password_env and key_file_env")
        return self


class SqliteRegister(Entry):
    """The building register in a SQLite file; a relative address starts from the folder of sites.yaml."""

    kind: Literal["sqlite"]
    address: str


class MysqlRegister(Entry):
    """The building register in MySQL or MariaDB. With tls `required` its certificate is verified."""

    kind: Literal["mysql"]
    address: Annotated[str, Field(pattern=r"^[^/:@]+(:\d{1,5})?/[^/]+$")]
    user_env: EnvironmentVariable
    password_env: EnvironmentVariable
    tls: Literal["required", "off"] = "required"
    ca_file: str | None = None


FileSource = FolderFiles | SmbFiles | SftpFiles
RegisterSource = SqliteRegister | MysqlRegister


class Sources(Entry):
    """Where each feed comes from."""

    sensor_files: Annotated[FileSource, Field(discriminator="kind")]
    weather_files: Annotated[FileSource, Field(discriminator="kind")]
    register_rows: Annotated[RegisterSource, Field(discriminator="kind")] | None = None


class WeatherSite(Entry):
    """What the forecasts do not say of a site: its code and place."""

    name: str
    code: Identifier
    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]


class Consents(Entry):
    """What a resident lets a non-resident owner see; nothing by default."""

    presence_to_owner: bool = False
    daily_energy_to_owner: bool = False


class Person(Entry):
    """Somebody who may see data. `user` is an opaque login id, never a name."""

    user: Identifier
    role: Literal["admin", "owner", "renter", "technician"]
    homes: tuple[str, ...] = ()
    since: date | None = Field(default=None, alias="from")
    until: date | None = Field(default=None, alias="to")
    lives_there: bool = False
    consents: Consents = Consents()


class Channel(Entry):
    """Where messages of problems go. A tenant is told of their homes, an engineer of everything."""

    name: Identifier
    audience: Literal["engineer", "tenant"] = "engineer"
    homes: tuple[str, ...] = ()
    at_most_every_minutes: Annotated[int, Field(ge=1, le=1440)] = 10

    @model_validator(mode="after")
    def _homes_are_a_tenants(self) -> Self:
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
        if (self.user_env is None) != (self.password_env is None):
            raise ValueError("allowed are user_env and password_env together, or neither")
        return self


class WebhookChannel(Channel):
    """A web address that takes JSON. It may hold a credential, so it stands in the environment whole."""

    kind: Literal["webhook"]
    url_env: EnvironmentVariable


class AppriseChannel(Channel):
    """Any service that apprise knows; its address stands in the environment whole."""

    kind: Literal["apprise"]
    url_env: EnvironmentVariable


AlertChannel = EmailChannel | WebhookChannel | AppriseChannel


class Alerts(Entry):
    """Who is told of problems; nobody by default."""

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
        if (self.tls == "required") != (self.ca_file is not None):
            raise ValueError("allowed is ca_file with tls: required, or tls: off")
        return self


class Tunables(Entry):
    """Figures a site may want to change."""

    presence_hold_minutes: Annotated[int, Field(ge=1, le=240)] = 10
    active_days: Annotated[int, Field(ge=1, le=365)] = 7
    plug_power_bound_w: Annotated[float, Field(gt=0, le=100_000)] = 10_000
    forecasts_at: MinuteOfDay = 7 * 60
    list_every_minutes: Annotated[int, Field(ge=5, le=1440)] = 60
    seal_after_hours: Annotated[int, Field(ge=1, le=72)] = 6
    seal_quiet_minutes: Annotated[int, Field(ge=0, le=1440)] = 60
    silent_after_minutes: Annotated[int, Field(ge=2, le=1440)] = 15


class Registry(Entry):
    """Everything about which homes, sources, tariffs and people exist."""

    calendar_time_zone: ZoneName = "Europe/Zurich"
    history_start: date
    settings: Tunables = Tunables()
    sources: Sources
    weather_sites: tuple[WeatherSite, ...] = ()
    tariffs: tuple[Tariff, ...] = ()
    homes: Annotated[tuple[Home, ...], Field(min_length=1)]
    people: tuple[Person, ...] = ()
    alerts: Alerts = Alerts()
    postgresql: PostgresqlServer | None = None

    @model_validator(mode="after")
    def _entries_agree(self) -> Self:
        _refuse_twice(("homes",), "id", [home.id for home in self.homes])
        _refuse_twice(("homes",), "feed_user", [home.feed_user for home in self.homes])
        _refuse_twice(("weather_sites",), "code", [site.code for site in self.weather_sites])
        providers = sorted({tariff.provider for tariff in self.tariffs})
        homes = sorted(home.id for home in self.homes)
        for place, home in enumerate(self.homes):
            if home.tariff is not None and home.tariff not in providers:
                raise _finding(
                    ("homes", place, "tariff"), f"found {home.tariff!r}; providers are {providers}"
                )
        for place, person in enumerate(self.people):
            if unknown := sorted(set(person.homes) - set(homes)):
                raise _finding(("people", place, "homes"), f"found {unknown}; known homes are {homes}")
        names = [channel.name for channel in self.alerts.channels]
        _refuse_twice(("alerts", "channels"), "name", names)
        for place, channel in enumerate(self.alerts.channels):
            if unknown := sorted(set(channel.homes) - set(homes)):
                raise _finding(
                    ("alerts", "channels", place, "homes"), f"found {unknown}; known homes are {homes}"
                )
        _refuse_overlapping_tariffs(self.tariffs)
        return self

    def home_of_user(self) -> dict[str, Home]:
        """Feed user to home."""
        return {home.feed_user: home for home in self.homes}

    def time_zones(self) -> dict[str, str]:
        """Home id to the zone of its calendar."""
        return {home.id: home.time_zone for home in self.homes}

    def owner_of(self, home_id: str) -> str | None:
        """The login id of a home's owner, where people name one."""
        owners = [p.user for p in self.people if p.role == "owner" and home_id in p.homes]
        return owners[0] if owners else None


def _finding(path: tuple[str | int, ...], message: str) -> PydanticCustomError:
    """An error between entries, placed at the key where a person should look."""
    return PydanticCustomError("registry", "{message}", {"message": message, "path": path})


def _refuse_twice(section: tuple[str, ...], key: str, values: list[str]) -> None:
    for place, value in enumerate(values):
        if value in values[:place]:
            found = "" if key in UNSPOKEN_KEYS else f"found {value!r} a second time; "
            raise _finding((*section, place, key), f"{found}each {key} may stand once")


def _refuse_overlapping_tariffs(tariffs: tuple[Tariff, ...]) -> None:
    ordered = sorted(enumerate(tariffs), key=lambda item: (item[1].provider, item[1].valid_from))
    for (_, earlier), (place, later) in pairwise(ordered):
        if earlier.provider == later.provider and (
            earlier.valid_to is None or later.valid_from < earlier.valid_to
        ):
            raise _finding(
                ("tariffs", place, "valid_from"),
                f"found {later.valid_from}, inside the tariff of {later.provider!r} from "
                f"{earlier.valid_from}; end that one by valid_to (exclusive) first",
            )


class _Loader(yaml.CSafeLoader):
    """Every scalar is text (or null); the types above decide.

    YAML 1.1 would read 22:00 as the number 1320 and `on` as true. The parser in C reads a thousand homes
    many times as fast, and the file is read again each time a person's rights could have changed.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As usual, but a key that stands twice is refused: YAML would keep the later one in silence."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class Sites:
    """A registry and the folder that its relative addresses start from."""

    registry: Registry
    folder: Path

    def path(self, address: str) -> Path:
        """The absolute path of a folder or file that sites.yaml names."""
        return (self.folder / Path(address).expanduser()).resolve()


def load_sites(file: Path) -> Sites:
    """Read and validate sites.yaml.

    Raises ConfigurationError that names the file, the line, the key, what was found and what is allowed;
    a value that is personal is not repeated.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            "no such file",
            where=str(file),
            expected="a registry of homes and sources",
            remedy="name one with --sites, or start from the shipped sites.yaml",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(file, error) from None
    return Sites(parse_registry(text, str(file)), file.resolve().parent)


def unreadable(file: Path, error: Exception) -> ConfigurationError:
    """What to raise where a configuration file is there and cannot be read."""
    return ConfigurationError(
        f"cannot be read ({type(error).__name__})",
        where=str(file),
        expected="readable UTF-8 text",
        remedy="check the file's permissions and encoding",
    )


def parse_registry(text: str, name: str = "sites.yaml") -> Registry:
    """The registry that a text of sites.yaml describes; errors as in `load_sites`."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else {}
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _no_yaml(f"{name}:{line}", f"the character U+{error.character:04X}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _no_yaml(f"{name}:{mark.line + 1}" if mark else name, str(error.problem)) from None
    try:
        return Registry.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_explain(e, node, name) for e in error.errors())) from None


def _no_yaml(where: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"not valid YAML: {what}",
        where=where,
        expected="YAML as in the shipped sites.yaml",
        remedy="mend that line",
    )


_KIND_AT = {"sources": 2, "alerts": 3}
"""Where in a finding's path the kind of an entry of several kinds stands, by section."""


def _explain(error: Any, node: yaml.Node | None, name: str) -> str:
    """One line for one finding: file:line, key, found, allowed."""
    loc = list(error["loc"])
    allowed, found = error["msg"].removeprefix("Value error, "), error["input"]
    known_keys = _allowed_keys(loc)
    # The kind of an entry of several kinds stands in the path of its keys, and not in the file.
    kind_at = _KIND_AT.get(str(loc[0])) if loc else None
    named = [part for place, part in enumerate(loc) if place != kind_at] + (
        ["kind"] if error["type"].startswith("union_tag") else []
    )
    path = list(error.get("ctx", {}).get("path", named))
    line, key = _locate(node, path)
    dotted = ".".join(str(part) for part in path) or "(the whole file)"
    if error["type"] in ("missing", "union_tag_not_found"):
        return f"{name}:{line}: {dotted}: nothing found; this key is required"
    if error["type"] == "extra_forbidden":
        return f"{name}:{line}: {dotted}: unknown key; allowed here are {known_keys}"
    if error["type"] == "union_tag_invalid":
        found, allowed = error["ctx"]["tag"], f"allowed are {error['ctx']['expected_tags']}"
    # What has an @ in it may be an address with a password, or somebody's.
    unspoken = key in UNSPOKEN_KEYS or "@" in str(found)
    if unspoken or not isinstance(found, str | int | float | bool | None):
        return f"{name}:{line}: {dotted}: {allowed}"
    return f"{name}:{line}: {dotted}: found {found!r}; {allowed}"


def _locate(node: yaml.Node | None, path: list[str | int]) -> tuple[int, str]:
    """The line of the deepest part of the path that stands in the file, and the last key of the path."""
    line = node.start_mark.line + 1 if node is not None else 1
    key = ""
    for part in path:
        if isinstance(node, yaml.MappingNode):
            key = str(part)
            for key_node, value_node in node.value:
                if key_node.value == part:
                    line, node = key_node.start_mark.line + 1, value_node
                    break
            else:
                break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line, key


def _allowed_keys(path: list[str | int]) -> str:
    """The keys that the entry holding the last part of the path may have."""
    model: Any = Registry
    annotation: Any = None
    for part in path[:-1]:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if isinstance(part, str) and part in fields:
            annotation = fields[part].annotation
            model = next(iter(_entry_types(annotation)), model)
        else:
            kinds = {_kind(entry): entry for entry in _entry_types(annotation)}
            model = kinds.get(str(part), model)
    names = sorted(field.alias or name for name, field in model.model_fields.items())
    return ", ".join(names)


def _entry_types(annotation: Any) -> list[Any]:
    """The registry entries inside `tuple[Home, ...]`, `dict[str, Room]` or `Home | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Entry):
        return [annotation]
    return [entry for part in getattr(annotation, "__args__", ()) for entry in _entry_types(part)]


def _kind(entry: Any) -> str | None:
    """The kind of a source's entry; None for others."""
    kind = entry.model_fields.get("kind")
    return kind.annotation.__args__[0] if kind is not None else None

"""sites.yaml: the shipped one loads; a wrong one is refused with line, key, value and what is allowed."""

from datetime import date
from pathlib import Path

import pytest

from domotic_assets.errors import ConfigurationError
from domotic_assets.registry.channels import EmailChannel
from domotic_assets.registry.homes import Band
from domotic_assets.registry.loading import load_sites, parse_registry
from domotic_assets_tests.support.builders import FEED_USERS, REGISTRY, registry, sites

REPOSITORY = Path(__file__).resolve().parents[3]


def refusal(old: str, new: str, text: str = REGISTRY) -> tuple[str, int]:
    """The message for the registry with `old` replaced once by `new`, and the line where `new` starts."""
    assert old in text
    place = text.index(old)
    with pytest.raises(ConfigurationError) as caught:
        parse_registry(text.replace(old, new, 1))
    return str(caught.value), text[:place].count("\n") + 1


def test_the_shipped_registry_loads() -> None:
    shipped = load_sites(REPOSITORY / "sites.yaml")
    assert [home.id for home in shipped.registry.homes] == ["jimmy", "jeremie"]
    assert shipped.folder == REPOSITORY
    assert shipped.path(shipped.registry.sources["sensor_files"].address) == REPOSITORY / "data/sources/share"


def test_values_arrive_as_their_types() -> None:
    loaded = registry()
    jimmy = loaded.homes[0]
    assert (jimmy.floor, jimmy.clock_zone, jimmy.weather_site) == (2, "Europe/Zurich", "Sion")
    assert jimmy.rooms["Livingroom"].id == "livingroom"
    assert loaded.history_start == date(2023, 1, 1)
    assert loaded.tariffs[0].bands[1].chf_per_kwh == 0.20
    assert (loaded.settings.presence_hold_minutes, loaded.settings.active_days) == (10, 7)


def test_times_of_day_are_minutes_and_not_yaml_numbers() -> None:
    # YAML 1.1 reads an unquoted 22:00 as the number 1320, which would pass unseen.
    text = REGISTRY.replace('from: "06:00", to: "22:00"', "from: 06:00, to: 22:00")
    high = parse_registry(text).tariffs[0].bands[0]
    assert (high.start, high.end) == (360, 1320)
    assert parse_registry(text).tariffs[0].bands[2].end == 1440


def test_relative_addresses_start_from_the_registrys_folder(tmp_path: Path) -> None:
    found = sites(tmp_path)
    assert found.path(found.registry.sources["weather_files"].address) == tmp_path / "weather"


def test_homes_are_found_by_feed_user_and_owners_by_home() -> None:
    loaded = registry()
    assert {user: home.id for user, home in loaded.home_of_user().items()} == {
        "jimmyloup": "jimmy",
        "jeremievianin": "jeremie",
    }
    assert loaded.owner_of("jimmy") == "u-1001"
    assert loaded.owner_of("nobody") is None


def test_a_home_more_is_an_entry_and_no_code() -> None:
    text = REGISTRY.replace("people:\n", "  - {id: third, name: Third, feed_user: Third1}\npeople:\n")
    assert [home.id for home in parse_registry(text).homes] == ["jimmy", "jeremie", "third"]


# What is written instead of what; then key, value found and what is allowed, as the message says them.
WRONG = [
    ("floor: 2", "floor: two", "homes.0.floor", "found 'two'", "integer"),
    ("id: jeremie", "id: Jérémie", "homes.1.id", "found 'Jérémie'", "pattern"),
    ("weather_site: Visp", "time_zone: CET2", "homes.1.time_zone", "found 'CET2'", "IANA names"),
    ("weather_site: Visp", "clock_zone: CET2", "homes.1.clock_zone", "found 'CET2'", "IANA names"),
    ("weather_site: Visp", "colour: red", "homes.1.colour", "unknown key", "feed_user, floor, id"),
    ("history_start: 2023-01-01", "history_start: soon", "history_start", "found 'soon'", "date"),
    ("calendar_time_zone: Europe/Zurich", "calendar: x", "calendar", "unknown key", "calendar_time_zone"),
    ("valid_from: 2023-01-01", "valid_from: 1.1.23", "tariffs.0.valid_from", "found '1.1.23'", "date"),
    ("kind: folder, address: sh", "kind: ftp, address: sh", "sources.sensor_files.kind", "'ftp'", "folder"),
    ("kind: folder, address: sh", "address: sh", "sources.sensor_files.kind", "nothing found", "required"),
    ("kind: folder, address: share", "kind: folder, colour: x, address: s", "sources.sensor_files.colour",
     "unknown key", "here are address, follow_links, kind"),
    ("kind: folder, address: share", "kind: smb, address: //nas/share/feed, user_env: A, password_env: b",
     "sources.sensor_files.password_env", "found 'b'", "pattern"),
    ("kind: folder, address: share", "kind: smb, address: //u:p@nas/s, user_env: A, password_env: B",
     "sources.sensor_files.address", "", "pattern"),
    ("kind: folder, address: weather", "kind: sftp, address: sftp://h/Meteo2, user_env: A",
     "sources.weather_files", "", "one of password_env and key_file_env"),
    ("kind: folder, address: weather", "kind: sftp, address: sftp://h/M, user_env: A, key_file_env: B, u: A",
     "sources.weather_files.u", "unknown key",
     "address, follow_links, key_file_env, kind, known_hosts, password_env"),
    ("lat: 46.2187", "lat: 462187", "weather_sites.0.lat", "found '462187'", "90"),
    ("role: admin", "role: king", "people.0.role", "found 'king'", "'owner', 'renter' or 'technician'"),
    ("homes: [jeremie]}", "homes: [jeremy]}", "people.2.homes", "found ['jeremy']", "['jeremie', 'jimmy']"),
    ("id: office,", "id: Office 1,", "homes.0.rooms.Office.id", "found 'Office 1'", "pattern"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "found", "allowed"), WRONG, ids=[case[2] for case in WRONG])
def test_a_wrong_value_is_named_with_line_key_found_and_allowed(
    old: str, new: str, key: str, found: str, allowed: str
) -> None:
    message, line = refusal(old, new)
    assert message.startswith(f"sites.yaml:{line}: {key}: ")
    assert found in message
    assert allowed in message


def test_an_address_that_may_hold_a_password_is_not_repeated() -> None:
    message, _ = refusal(
        "kind: folder, address: share",
        "kind: smb, address: //u:hunter2@nas/s, user_env: A, password_env: B",
    )
    assert "hunter2" not in message


def test_a_tariff_that_nobody_offers_names_the_providers() -> None:
    message, line = refusal("tariff: oiken", "tariff: romande")
    assert message == f"sites.yaml:{line}: homes.0.tariff: found 'romande'; providers are ['oiken']"


@pytest.mark.parametrize(
    ("old", "new", "key", "found"),
    [
        ('from: "06:00", to: "22:00"', 'from: "06:00", to: "25:00"', "bands.0.to", "found '25:00'"),
        ('from: "06:00", to: "22:00"', 'from: "6 am", to: "22:00"', "bands.0.from", "found '6 am'"),
        ('from: "06:00", to: "22:00"', 'from: "06:60", to: "22:00"', "bands.0.from", "found '06:60'"),
    ],
)
def test_a_wrong_time_of_day_names_what_is_allowed(old: str, new: str, key: str, found: str) -> None:
    message, line = refusal(old, new)
    assert (
        message == f"sites.yaml:{line}: tariffs.0.{key}: {found}; allowed is a local time from 00:00 to 24:00"
    )


def test_a_missing_key_names_the_entry_it_belongs_to() -> None:
    message, line = refusal("  - id: jeremie\n    name: Apartment Jeremie\n", "  - id: jeremie\n")
    assert message == f"sites.yaml:{line}: homes.1.name: nothing found; this key is required"


def test_every_finding_has_a_line_of_its_own() -> None:
    text = REGISTRY.replace("floor: 2", "floor: two").replace("role: admin", "role: king")
    message, _ = refusal("lat: 46.2187", "lat: north", text)
    keys = [line.split(": ")[1] for line in message.splitlines()]
    assert keys == ["weather_sites.0.lat", "homes.0.floor", "people.0.role"]


def test_a_second_home_of_one_id_is_refused() -> None:
    message, line = refusal("  - id: jeremie\n", "  - id: jimmy\n")
    assert message == (f"sites.yaml:{line}: homes.1.id: found 'jimmy' a second time; each id may stand once")


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    ("old", "new", "secret"),
    [
        ("feed_user: JeremieVianin", "feed_user: JimmyLoup", "JimmyLoup"),
        ("feed_user: JeremieVianin", "feed_user: Jeremie Vianin", "Vianin"),
        ("feed_user: JeremieVianin", "feed_user: Jeremie_Vianin", "Vianin"),
        ("user: u-1002", "user: Jeremie Vianin", "Vianin"),
    ],
    ids=["twice", "with a space", "with an underscore", "a name as login"],
)
def test_a_refused_user_is_never_repeated(old: str, new: str, secret: str) -> None:
    message, line = refusal(old, new)
    assert message.startswith(f"sites.yaml:{line}: ")
    assert "user" in message
    assert secret not in message


@pytest.mark.rule(11)
def test_no_refusal_names_a_feed_user() -> None:
    for old, new, *_ in WRONG:
        message, _ = refusal(old, new)
        for user in FEED_USERS.values():
            assert user not in message


LATER_TARIFF = """\
  - provider: oiken
    valid_from: {valid_from}
    bands:
      - {{name: flat, from: "00:00", to: "24:00", chf_per_kwh: 0.25}}
homes:
"""


def test_tariffs_that_meet_at_midnight_are_accepted() -> None:
    text = REGISTRY.replace("homes:\n", LATER_TARIFF.format(valid_from="2024-01-01"), 1)
    assert [tariff.valid_from.year for tariff in parse_registry(text).tariffs] == [2023, 2024]


def test_tariffs_of_one_provider_may_not_overlap() -> None:
    message, line = refusal("homes:\n", LATER_TARIFF.format(valid_from="2023-12-31"))
    assert message.startswith(
        f"sites.yaml:{line + 1}: tariffs.1.valid_from: found 2023-12-31, inside the tariff"
    )
    assert "from 2023-01-01; end that one by valid_to (exclusive) first" in message


def test_a_tariff_without_an_end_admits_no_later_one() -> None:
    text = REGISTRY.replace("    valid_to: 2024-01-01\n", "", 1)
    message, _ = refusal("homes:\n", LATER_TARIFF.format(valid_from="2030-01-01"), text)
    assert "tariffs.1.valid_from: found 2030-01-01" in message


def test_tariffs_of_two_providers_may_overlap() -> None:
    later = LATER_TARIFF.format(valid_from="2023-06-01").replace("oiken", "romande")
    assert len(parse_registry(REGISTRY.replace("homes:\n", later, 1)).tariffs) == 2


def test_a_tariff_ends_after_it_starts() -> None:
    message, line = refusal("valid_to: 2024-01-01", "valid_to: 2023-01-01")
    assert "valid_to is exclusive and must lie after valid_from" in message
    assert message.startswith(f"sites.yaml:{line - 2}: tariffs.0: ")


def test_bands_may_not_overlap() -> None:
    message, _ = refusal('from: "22:00", to: "06:00"', 'from: "21:00", to: "06:00"')
    assert "tariffs.0: bands ['high', 'low'] overlap on mon; each minute may have one price" in message


@pytest.mark.parametrize(
    ("start", "end", "weekday", "minute", "covered"),
    [
        ("06:00", "22:00", "mon", 359, False),
        ("06:00", "22:00", "mon", 360, True),
        ("06:00", "22:00", "mon", 1319, True),
        ("06:00", "22:00", "mon", 1320, False),
        ("06:00", "22:00", "sun", 720, False),
        ("22:00", "06:00", "mon", 1439, True),
        ("22:00", "06:00", "mon", 0, True),
        ("22:00", "06:00", "mon", 359, True),
        ("22:00", "06:00", "mon", 360, False),
        ("00:00", "24:00", "mon", 0, True),
        ("00:00", "24:00", "mon", 1439, True),
    ],
)
def test_a_band_holds_from_its_start_until_before_its_end(
    start: str, end: str, weekday: str, minute: int, covered: bool
) -> None:
    band = Band.model_validate(
        {"name": "b", "days": ["mon", "tue"], "from": start, "to": end, "chf_per_kwh": "0.2"}
    )
    assert band.covers(weekday, minute) is covered


def test_broken_yaml_names_its_line() -> None:
    message, line = refusal("    floor: 2\n", "    floor: [2\n")
    named = int(message.split(":")[1])
    assert message.startswith("sites.yaml:")
    assert line <= named <= line + 1
    assert "not valid YAML" in message


def test_a_character_that_yaml_forbids_names_its_line() -> None:
    message, line = refusal("    floor: 2\n", "    floor: \x07\n")
    assert message.startswith(f"sites.yaml:{line}: not valid YAML: the character U+0007")


def test_a_key_that_stands_twice_is_refused() -> None:
    message, line = refusal("weather_site: Visp\n", "weather_site: Visp\n    floor: 3\n")
    assert message.startswith(f"sites.yaml:{line + 1}: not valid YAML: the key 'floor' stands twice")


def test_an_empty_file_says_what_is_required() -> None:
    with pytest.raises(
        ConfigurationError, match=r"sites\.yaml:1: homes: nothing found; this key is required"
    ):
        parse_registry("")


def test_a_missing_file_says_which_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml: no such file; .*--sites"):
        load_sites(tmp_path / "absent.yaml")


def test_an_unreadable_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "sites.yaml"
    file.write_bytes(REGISTRY.encode("utf-16"))
    with pytest.raises(
        ConfigurationError, match=r"cannot be read \(UnicodeDecodeError\); expected readable UTF-8"
    ):
        load_sites(file)


# Alert channels ------------------------------------------------------------------------------------

EMAIL = (
    "{name: mail, kind: email, host: mail.example.org, sender: alerts@example.org, "
    "recipients: [ops@example.org, night@example.org], user_env: MAIL_USER, password_env: MAIL_PASSWORD}"
)
HOOK = "{name: hook, kind: webhook, url_env: HOOK_URL}"
TENANT = "{name: jimmy-s, kind: apprise, url_env: CHAT, audience: tenant, homes: [jimmy]}"
WITH_CHANNELS = REGISTRY + f"alerts:\n  channels:\n    - {EMAIL}\n    - {HOOK}\n    - {TENANT}\n"


def test_nobody_is_alerted_by_default() -> None:
    assert registry().alerts.channels == ()


def test_channels_of_each_kind_load_with_encryption_and_a_rate() -> None:
    mail, hook, chat = registry(WITH_CHANNELS).alerts.channels
    assert isinstance(mail, EmailChannel)
    assert (mail.port, mail.tls, mail.ca_file) == (587, "starttls", None)
    assert mail.recipients == ("ops@example.org", "night@example.org")
    assert (hook.kind, hook.audience, hook.at_most_every_minutes) == ("webhook", "engineer", 10)
    assert (chat.kind, chat.audience, chat.homes) == ("apprise", "tenant", ("jimmy",))


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        (
            "kind: webhook",
            "kind: pager",
            "1.kind",
            "found 'pager'; allowed are 'email', 'webhook', 'apprise'",
        ),
        ("kind: webhook, ", "", "1.kind", "nothing found; this key is required"),
        ("url_env: HOOK_URL", "url_env: https", "1.url_env", "found 'https'; "),
        ("url_env: HOOK_URL", "url: x", "1.url_env", "nothing found; this key is required"),
        (
            "url_env: HOOK_URL",
            "url_env: A, host: x",
            "1.host",
            "at_most_every_minutes, audience, homes, kind",
        ),
        ("kind: email", "kind: email, tls: none", "0.tls", "found 'none'; "),
        ("kind: email", "kind: email, port: 99999", "0.port", "found '99999'; "),
        (", password_env: MAIL_PASSWORD", "", "0", "user_env and password_env together, or neither"),
        (
            "homes: [jimmy]}",
            "homes: [jim]}",
            "2.homes",
            "found ['jim']; known homes are ['jeremie', 'jimmy']",
        ),
        (
            "audience: tenant, homes: [jimmy]",
            "audience: tenant",
            "2",
            "homes for the audience tenant, and none for engineer",
        ),
        ("audience: tenant, ", "", "2", "homes for the audience tenant, and none for engineer"),
        ("name: hook", "name: mail", "1.name", "found 'mail' a second time; each name may stand once"),
        ("name: hook", "at_most_every_minutes: 0, name: hook", "1.at_most_every_minutes", "found '0'; "),
    ],
)
def test_a_wrong_channel_is_named_with_key_found_and_allowed(
    old: str, new: str, key: str, words: str
) -> None:
    message, _ = refusal(old, new, WITH_CHANNELS)
    assert f": alerts.channels.{key}: " in message
    assert words in message


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    ("old", "new", "secret"),
    [
        ("sender: alerts@example.org", "sender: Jimmy Loup", "Loup"),
        ("night@example.org", "jimmy.loup", "loup"),
        ("night@example.org", "a@b@jimmy.loup", "loup"),
        ("url_env: HOOK_URL", "url_env: https://u:hunter2@host", "hunter2"),  # pragma: allowlist secret
        ("host: mail.example.org", "host: hunter2@mail", "hunter2"),
    ],
)
def test_a_refused_address_of_a_channel_is_never_repeated(old: str, new: str, secret: str) -> None:
    message, _ = refusal(old, new, WITH_CHANNELS)
    assert "alerts.channels." in message
    assert secret not in message


def test_the_channels_that_the_documentation_shows_load() -> None:
    text = (REPOSITORY / "docs" / "alerts.md").read_text(encoding="utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    kinds = [channel.kind for channel in registry(REGISTRY + example).alerts.channels]
    assert kinds == ["email", "webhook", "apprise", "apprise"]


def test_the_channels_that_the_shipped_registry_has_commented_out_load() -> None:
    text = (REPOSITORY / "sites.yaml").read_text(encoding="utf-8")
    before, example = text.split("# alerts:\n")
    shown = "alerts:\n" + "".join(f"{line[2:]}\n" for line in example.splitlines())
    assert [channel.name for channel in registry(before + shown).alerts.channels] == ["mail", "jimmy"]


def test_spellings_of_one_room_lead_to_one_room() -> None:
    office = "      Office: {id: office, name: Office, type: office}\n"
    other = '      "OFFICE ": {id: bureau, name: Bureau, type: office}\n'
    assert registry(REGISTRY.replace(office, office + other.replace("bureau", "office"))).homes
    with pytest.raises(ConfigurationError, match="another spelling of this name has 'office'"):
        registry(REGISTRY.replace(office, office + other))

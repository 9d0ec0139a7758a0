"""Which texts of unknown origin may leave Bronze: by their form, and beside the secrets of their file."""

import re
import time
from datetime import UTC, datetime

import pytest

from domotic_assets.ingest.harmless import hidden_name, is_harmless, is_measure, is_site
from domotic_assets.ingest.secrets import (
    NO_SECRETS,
    Secrecy,
    Secrets,
    is_secret_name,
    masked_words,
    passes,
    secrecy_of,
)
from domotic_assets.schemas.homes.variables import CATEGORIES, VARIABLES
from domotic_assets_tests.support.secret_forms import FORMS, KEYS

pytestmark = pytest.mark.rule(11)

SECRETS = (
    "tok-5f1c9be07a2d", "hunter2hunter2", "Zoé Müller", "Jimmy", "Jean-Pierre Favre", "079 123 45 67",
    "+41791234567", "0791234567", "a.b@example.ch", "Rue du Lac 5", "Bahnhofstrasse 12", "1950 Sion", "Sion",
    "Sommer2019", "correcthorsebatterystaple", "eyJhbGciOiJIUzI1NiJ9", "JimmyLoup", "1234", "Keller",
    "12.03.1984", "CH93 0076 2011 6238 5295 7",
)  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_no_form_of_a_secret_or_of_half_of_it_passes(secret: str) -> None:
    # Half of four signs tells nothing: "12" and "on" are what devices say.
    told = {name: form(secret) for name, form in FORMS.items() if len(secret) > 4 or "half" not in name}
    told.pop("all but one" if len(secret) <= 4 else "", None)
    assert {name for name, text in told.items() if is_harmless(text)} == set()


@pytest.mark.parametrize(
    "text",
    [
        "", "on", "OFF", "Open", "gekippt", "fermé", "ferme\u0301", "auto", "heat", "n/a", "21,5", "2.1",
        "X", "m³", "µg/m³", "W/m²", "1.14.0", "partlycloudy", "fan_only", "closing", "NE", "OG", "Bad OG",
        "Chambre d'amis", "Salle de bains", "Camera da letto", "Sala da pranzo", "Casa de banho", "Suíte",
        "Quarto principal", "Master Bedroom", "1er étage", "aenergy", "rssi", "linkquality", "dew_point",
        "WC 2",
        "co2", "pm2_5", "21 W", "5kWh", "voltage L1",
        "Wohnzimmer", "Living room 2", "Wintergarden", "chambre enfants",
        "battery_percent", "totalPower", "kWh", "m/s", "°C", "[1, 2]", '{"mode": "eco"}', "low battery",
        "Waschküche",
    ],
)  # fmt: skip
def test_what_devices_say_passes(text: str) -> None:
    assert is_harmless(text)


NAMES = """
Anna Andrea Andreas Alexander Alessandro Alice Ana Antonio Antonia Beatrice Bruno Carla Carlos Carmen
Catarina Charlotte Christian Christine Claudia Clara Claude Daniel Daniela David Diana Diego Elena
Elisabeth Emma Eric Eva Fabio Felix Florian Francesca Francesco Franz Gabriel Gastone Giorgio Giulia
Giovanni Gerard Hans Heidi Helena Henri Ion Ioana Jacques Jan Jean Jonas Jose Joao Julia Julien Karin
Karl Katharina Laura Lea Leon Lena Lisa Louis Luca Lucia Luis Manuel Manuela Marc Marco Maria Marie Mario
Marion Markus Marta Martin Matteo Max Michael Michel Miguel Mihai Miles Mohamed Monica Monika Nadia
Nicolas Nicole Nina Noah Olivia Oscar Paolo Paul Paula Pedro Peter Petra Philippe Pierre Rafael Ramon
Renate Robert Roberto Rosa Rui Sabine Samuel Sandra Sara Sebastian Silvia Simon Simona Simone Sofia
Sophie Stefan Stefania Susanne Sven Teresa Thomas Tiago Tim Tom Ursula Valentina Vera Verena Victor
Vincent Walter Werner Xavier Yves Yvonne Dursun Ayse Mehmet Mustafa Fatma Müller Meier Schmid Keller
Weber Huber Schneider Meyer Steiner Fischer Gerber Brunner Baumann Frei Moser Wagner Becker Schulz
Hoffmann Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann Schwarz Braun Hofmann Zimmermann Martin
Bernard Dubois Durand Moreau Laurent Lefebvre Leroy Roux Fournier Girard Bonnet Dupont Lambert Fontaine
Favre Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Conti Costa Mancini Barone
Cardone Carone Garcia Gonzalez Rodriguez Fernandez Lopez Martinez Sanchez Perez Gomez Ruiz Vargas Bargas
Torrez Casarez Silva Santos Ferreira Pereira Oliveira Rodrigues Martins Sousa Fernandes Gonçalves Popescu
Ionescu Popa Dumitru Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Robinson Wright
Thompson Evans Walker Roberts Green Hall Clarke Jackson Wood Turner Carter Barlow Hill Cooper Ward Morris
Moore Lee King Baker Harrison Lightfoot Rainwater Newhouse Waterhouse Bridgewater Bainbridge Carlock
Hobgood Goodnight Casagrande Watts Winter Sommer Frost West North Major Rose Page Grant Dean Marsh Brooks
Rivers Fields Banks
""".split()  # noqa: SIM905


def test_no_common_name_of_people_passes() -> None:
    assert {name for name in NAMES if is_harmless(name) or is_harmless(f"{name} Zimmer")} == set()


@pytest.mark.parametrize(
    "text",
    [
        "B-DA-666",
        "BAD-PH-41",
        "BAD-S-7",
        "MA913OF",
        "KM140PF",
        "N8 3HZ",
        "M3 3WH",
        "PA39 5JA",
        "GB-374 N",
        "OK-120-MB",
        "KW-70-KG",
        "AUF-1E36",
        "DA82 RUN",
        "5-KWH-62",
        "KWH-4D09",
        "E-722 GB",
        "S-769 NO",
    ],
)
def test_no_number_plate_or_postcode_passes(text: str) -> None:
    assert not is_harmless(text)


@pytest.mark.parametrize(
    "key",
    [
        "lat",
        "lng",
        "lon",
        "pincode",
        "PINCODE",
        "hausnummer",
        "houseNumber",
        "kundennummer",
        "Postleitzahl",
        "geburtsdatum",
        "birthDate",
        "zipcode",
        "konto",
        "rufnummer",
        "puk",
        "imsi",
        "door_code",
        "alarmcode",
    ],
)
def test_a_key_of_a_personal_number_is_that_of_a_secret(key: str) -> None:
    assert secrecy_of(key) is Secrecy.ALL


def test_every_declared_name_would_pass_or_needs_not() -> None:
    odd = {
        name for name in (*CATEGORIES, *(spec.field for spec in VARIABLES.values())) if not is_harmless(name)
    }
    assert odd == set()


def test_a_town_alone_is_no_site_of_weather_but_a_station_is() -> None:
    assert is_site("Basel / Binningen")
    assert is_site("Sion")
    assert not is_site("Lausanne")
    assert not is_harmless("Sion")


@pytest.mark.parametrize("text", ["x" * 60_000_000, "open " * 12_000_000, "1" * 80_000, "(" * 80_000])
def test_a_text_of_any_length_costs_nothing(text: str) -> None:
    began = time.process_time()
    assert not passes(text, Secrets.of({"Jimmy", "tok-5f1c9be07a2d"}))
    assert masked_words(text, NO_SECRETS) is not None
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("key", KEYS)
def test_a_key_says_by_its_meaning_that_it_holds_a_secret(key: str) -> None:
    assert is_secret_name(key)
    assert is_secret_name(f"my_{key}")


def test_no_declared_name_is_that_of_a_secret_nor_is_what_devices_say() -> None:
    names = (
        *CATEGORIES,
        *(spec.field for spec in VARIABLES.values()),
        "error_code",
        "serial",
        "model",
        "mode",
        "state",
    )
    assert [name for name in names if is_secret_name(name)] == []


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("kitchen", "Kitchen"), ("Kitchen 2", "kitchen"), ("kitchen", "kitchen-door-open"),
        ("nehctik", "kitchen"),
        ("open kitchen", "Kitchen2019"), ("küche", "KUCHE"), ("ku\u0308che", "Küche"),
    ],
)  # fmt: skip
def test_what_passes_by_its_form_is_held_back_beside_a_secret_that_it_is_or_is_part_of(
    text: str, secret: str
) -> None:
    assert not passes(text, Secrets.of({secret}))
    assert passes("attic", Secrets.of({secret}))


def test_more_secrets_than_can_be_looked_for_hold_back_all() -> None:
    assert not passes("open", Secrets.of({f"secret {number}" for number in range(1_000)}))
    assert not passes("open", Secrets.of({"x" * 1_000_000}))


@pytest.mark.parametrize(
    ("number", "is_one"),
    [
        (21.5, True),
        (-3e7, True),
        (41791234567, False),
        (791234567, False),
        (1.7e9, True),
        (1.6e9, False),
        (2125551234, False),
    ],
)
def test_a_number_as_large_as_one_of_a_phone_is_no_measure(number: float, is_one: bool) -> None:
    assert is_measure(number, datetime(2023, 9, 1, tzinfo=UTC)) == is_one


def test_a_number_that_is_a_secret_or_part_of_one_is_found() -> None:
    secrets = Secrets.of({"0791234", "tok-99"})
    assert secrets.figures
    assert all(secrets.overlap_number(number, 4) for number in (791234, 79.1234, 1234, 1234.0))
    assert not any(secrets.overlap_number(number, 4) for number in (79, 99, 1235))
    assert not Secrets.of({"tok-99"}).figures


def test_a_hidden_name_tells_nothing_and_is_one_for_all_spellings() -> None:
    names = {hidden_name(name, "JimmyLoup") for name in ("Zoé", " zoé ", "ZOE\u0301", "Zo\u200bé")}
    assert len(names) == 1
    assert re.fullmatch("hidden-[0-9a-f]{12}", *names)
    assert hidden_name("Zoé", "JeremieVianin") not in names
    assert hidden_name("\ud800", "") != hidden_name("\ud801", "")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("cannot parse 04.09.2023 1000_JimmyLoup_received.json", "cannot parse ***"),
        ("token Kitchen refused", "*** refused"),
        ("J i m m y 0 7 9 is open", "*** is open"),
        ("no answer from the gateway of Jimmy Loup Favre", "no answer from the gateway of ***"),
    ],
)
def test_a_message_keeps_its_harmless_words(message: str, shown: str) -> None:
    assert masked_words(message, Secrets.of({"Kitchen"})) == shown

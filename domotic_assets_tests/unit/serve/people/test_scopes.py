"""Who sees what, decided by hand from the design: the matrix, people, dates and consents."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domotic_assets.errors import ConfigurationError, ContractError
from domotic_assets.pages import access
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.serve.people import matrix, scopes
from domotic_assets.serve.people.matrix import Reach, Role
from domotic_assets.serve.people.scopes import RowFilter, Scope, Span
from domotic_assets_tests.support import builders

MARTS = Path(__file__).resolve().parents[4] / "dbt" / "models"
JIMMY, JEREMIE = surrogate_key("jimmy"), surrogate_key("jeremie")
NEWEST = datetime(2023, 10, 5, 12, 0, tzinfo=UTC)
ALWAYS = (101_01, 9999_12_31)


def scope(people: str, user: str = "u-1") -> Scope:
    """The scope of a person in a registry of two homes with these people."""
    homes = builders.REGISTRY.partition("people:")[0]
    registry = builders.registry(f"{homes}people:\n{people}")
    return next(found for found in scopes.scopes_of(registry) if found.user == user)


def windows(found: Scope, name: str, newest: datetime = NEWEST) -> list[RowFilter] | None:
    cut = found.cut(name, newest)
    return None if cut is None else list(cut.windows)


class TestMatrix:
    def test_it_rules_every_gold_table_and_every_mart(self) -> None:
        marts = {file.stem for file in MARTS.glob("*/*.sql")}
        assert matrix.MATRIX.keys() == {table.name for table in gold.TABLES} | marts

    @pytest.mark.parametrize("tables", [["fact_new"], ["dim_room", "mart_new"]])
    def test_a_table_without_a_rule_is_refused_by_name(self, tables: list[str]) -> None:
        with pytest.raises(ContractError, match=tables[-1]):
            matrix.refuse_unruled([*matrix.MATRIX, *tables], [])

    def test_a_rule_for_no_table_is_refused_by_name(self) -> None:
        with pytest.raises(ContractError, match="mart_gold_tables"):
            matrix.refuse_unruled(set(matrix.MATRIX) - {"mart_gold_tables"}, [])

    def test_a_non_resident_owner_sees_what_the_design_says(self) -> None:
        """Monthly energy and comfort, device health, dimensions, weather; no presence and no minutes."""
        seen = {
            name
            for name, rule in matrix.MATRIX.items()
            if rule.owner not in (Reach.NOTHING, Reach.PRESENCE_IF_CONSENTED, Reach.DAYS_IF_CONSENTED)
        }
        assert {name for name in seen if not name.startswith("dim_")} == {
            "fact_device_health_day", "fact_weather_hour", "fact_weather_day", "mart_energy_monthly",
            "mart_comfort_monthly", "mart_device_health", "mart_daily_weather_summary", "mart_gold_tables",
            "mart_feed_freshness",
        }  # fmt: skip
        assert {n for n, rule in matrix.MATRIX.items() if rule.owner is Reach.PRESENCE_IF_CONSENTED} == {
            "fact_presence_minute",
            "mart_occupancy_hourly",
        }

    def test_a_technician_sees_what_the_design_says(self) -> None:
        seen = {name for name, rule in matrix.MATRIX.items() if rule.technician is not Reach.NOTHING}
        assert {name for name in seen if not name.startswith("dim_")} == {
            "fact_device_health_day", "fact_environment_minute", "fact_weather_hour", "fact_weather_day",
            "mart_environment_hourly", "mart_device_health", "mart_daily_weather_summary", "mart_gold_tables",
            "mart_feed_freshness",
        }  # fmt: skip

    def test_who_lives_there_sees_the_same_as_owner_or_renter(self) -> None:
        assert all(rule.resident_owner is rule.renter for rule in matrix.MATRIX.values())

    def test_the_committed_page_is_as_rendered(self) -> None:
        page = access.ACCESS_PAGE.read_text(encoding="utf-8")
        assert page == access.page()
        ruled, _, dated = page.partition("## What lies in a file")
        assert re.findall(r"^\| `(\w+)`", ruled, flags=re.MULTILINE) == list(matrix.MATRIX)
        assert re.findall(r"^\| `([\w.*]+)`", dated, flags=re.MULTILINE) == list(matrix.DATED)

    def test_of_every_table_it_is_said_what_lies_in_a_file(self) -> None:
        metas = {"meta.published", "meta.keys", "meta.failing_checks"}
        assert matrix.DATED.keys() == {table.name for table in gold.TABLES} | {"mart_*"} | metas


class TestPeople:
    def test_an_admin_has_no_scope_whatever_else_they_are(self) -> None:
        registry = builders.registry(builders.REGISTRY.replace("u-1001, role: owner", "u-admin, role: owner"))
        assert [found.user for found in scopes.scopes_of(registry)] == ["u-1002"]

    def test_entries_of_one_person_add_up(self) -> None:
        found = scope(
            "  - {user: u-1, role: owner, homes: [jimmy]}\n"
            "  - {user: u-1, role: renter, homes: [jeremie], from: 2023-09-15}\n"
        )
        assert windows(found, "fact_energy_minute") == [RowFilter(JEREMIE, 2023_09_15, 9999_12_31)]
        assert windows(found, "dim_room") == sorted(
            [RowFilter(JIMMY, *ALWAYS), RowFilter(JEREMIE, 2023_09_15, 9999_12_31)]
        )
        assert set(windows(found, "mart_energy_monthly") or []) == {
            RowFilter(JIMMY, 101_01, 2023_10_01),
            RowFilter(JEREMIE, 2023_09_15, 9999_12_31),
        }
        assert found.homes_shown("dim_apartment", "owner_user_id") == (JIMMY,)
        assert found.homes_shown("dim_apartment", "name") is None

    def test_an_owner_of_the_same_home_twice_sees_all_of_both_entries(self) -> None:
        found = scope(
            "  - {user: u-1, role: renter, homes: [jimmy], to: 2023-02-01}\n"
            "  - {user: u-1, role: renter, homes: [jimmy], from: 2023-08-01}\n"
        )
        assert windows(found, "fact_presence_minute") == [
            RowFilter(JIMMY, 101_01, 2023_02_01),
            RowFilter(JIMMY, 2023_08_01, 9999_12_31),
        ]

    @pytest.mark.parametrize("user", ["admin", "u-1-000001", "u-1234567"])
    def test_an_id_that_would_name_the_file_of_another_is_refused_unspoken(self, user: str) -> None:
        with pytest.raises(ConfigurationError, match=r"people\.0\.user") as refused:
            scope(f"  - {{user: {user}, role: renter, homes: [jimmy]}}\n")
        assert user not in str(refused.value).replace("'admin'", "")


class TestDates:
    def test_to_is_the_first_date_not_seen_and_from_the_first_one_seen(self) -> None:
        people = (
            "  - {user: u-1, role: renter, homes: [jeremie], from: 2023-01-01, to: 2023-09-15}\n"
            "  - {user: u-2, role: renter, homes: [jeremie], from: 2023-09-15}\n"
        )
        assert windows(scope(people), "fact_energy_minute") == [RowFilter(JEREMIE, 2023_01_01, 2023_09_15)]
        assert windows(scope(people, "u-2"), "mart_energy_monthly") == [
            RowFilter(JEREMIE, 2023_09_15, 9999_12_31)
        ]

    def test_a_technician_sees_the_last_24_hours_of_the_data_within_their_dates(self) -> None:
        found = scope("  - {user: u-1, role: technician, homes: [jimmy], to: 2023-10-05}\n")
        last = RowFilter(JIMMY, 101_01, 2023_10_05, 2023_10_04_12_00)
        assert windows(found, "fact_environment_minute") == [last]
        assert windows(found, "mart_environment_hourly") == [last]
        assert windows(found, "fact_energy_minute") is None
        assert windows(found, "fact_device_health_day") == [RowFilter(JIMMY, 101_01, 2023_10_05)]

    @pytest.mark.parametrize(
        ("newest", "end"),
        [
            (datetime(2023, 9, 30, 21, 59, tzinfo=UTC), 2023_09_01),  # 23:59 in Zurich
            (datetime(2023, 9, 30, 22, 0, tzinfo=UTC), 2023_10_01),  # midnight in Zurich
        ],
    )
    def test_a_month_is_over_at_the_homes_midnight(self, newest: datetime, end: int) -> None:
        found = scope("  - {user: u-1, role: owner, homes: [jimmy]}\n")
        assert windows(found, "mart_energy_monthly", newest) == [RowFilter(JIMMY, 101_01, end)]


class TestConsents:
    OWNER = "  - {user: u-1, role: owner, homes: [jeremie], from: 2023-03-01}\n"

    def test_without_one_there_is_no_presence_and_no_day(self) -> None:
        found = scope(self.OWNER + "  - {user: u-2, role: renter, homes: [jeremie]}\n")
        for name in ("fact_presence_minute", "mart_occupancy_hourly", "mart_energy_daily"):
            assert found.cut(name, NEWEST) is None

    def test_each_consent_opens_its_own_tables_on_the_dates_of_both(self) -> None:
        renter = "  - {user: u-2, role: renter, homes: [jeremie], to: 2023-10-09, consents: {%s: true}}\n"
        presence = scope(self.OWNER + renter % "presence_to_owner")
        daily = scope(self.OWNER + renter % "daily_energy_to_owner")
        assert windows(presence, "fact_presence_minute") == [RowFilter(JEREMIE, 2023_03_01, 2023_10_09)]
        assert windows(presence, "mart_energy_daily") is None
        # The present day is left out: it grows by the minute.
        assert windows(daily, "mart_energy_daily") == [RowFilter(JEREMIE, 2023_03_01, 2023_10_05)]
        assert windows(daily, "fact_presence_minute") is None
        assert windows(daily, "fact_energy_minute") is None

    def test_one_resident_cannot_consent_for_another(self) -> None:
        """u-2 agrees for the year; u-3, who does not, lives there from April to June."""
        found = scope(
            self.OWNER
            + "  - {user: u-2, role: renter, homes: [jeremie], to: 2024-01-01,"
            + " consents: {presence_to_owner: true}}\n"
            + "  - {user: u-3, role: renter, homes: [jeremie], from: 2023-04-01, to: 2023-07-01}\n"
        )
        assert windows(found, "fact_presence_minute") == [
            RowFilter(JEREMIE, 2023_03_01, 2023_04_01),
            RowFilter(JEREMIE, 2023_07_01, 2024_01_01),
        ]

    def test_the_consent_of_another_home_or_of_no_resident_opens_nothing(self) -> None:
        found = scope(
            self.OWNER
            + "  - {user: u-2, role: renter, homes: [jimmy], consents: {presence_to_owner: true}}\n"
            + "  - {user: u-3, role: technician, homes: [jeremie], consents: {presence_to_owner: true}}\n"
            + "  - {user: u-4, role: owner, homes: [jeremie], consents: {presence_to_owner: true}}\n"
        )
        assert found.cut("fact_presence_minute", NEWEST) is None


def test_what_is_left_of_a_span_by_another() -> None:
    days = [datetime(2023, 1, n, tzinfo=UTC).date() for n in range(1, 6)]
    whole = Span(days[0], days[4])
    assert whole.without(Span(days[1], days[2])) == (Span(days[0], days[1]), Span(days[2], days[4]))
    assert whole.without(Span()) == ()
    assert Span(days[0], days[1]).without(Span(days[2], days[3])) == (Span(days[0], days[1]),)


class TestDefinition:
    def test_a_date_a_consent_and_the_marts_change_it(self) -> None:
        owner = "  - {user: u-1, role: owner, homes: [jeremie]}\n"
        renter = "  - {user: u-2, role: renter, homes: [jeremie]%s}\n"
        found = {
            scope(owner + renter % more).definition("as published")
            for more in ("", ", to: 2023-09-01, consents: {presence_to_owner: true}")
        } | {scope(owner.replace("jeremie]", "jeremie], to: 2024-01-01")).definition("as published")}
        assert len(found) == 3
        assert scope(owner).definition("other marts") not in found

    def test_it_is_the_same_in_every_process(self) -> None:
        code = (
            "from domotic_assets_tests.unit.serve.people.test_scopes import scope;"
            "print(scope('  - {user: u-1, role: owner, homes: [jimmy]}\\n').definition('x'))"
        )
        run = [sys.executable, "-c", code]
        found = {
            subprocess.run(
                run, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
            ).stdout
            for seed in ("1", "2")
        }
        assert len(found) == 1


def test_every_role_has_a_reach_for_every_table() -> None:
    for rule in matrix.MATRIX.values():
        assert all(isinstance(rule.reach(role), Reach) for role in Role)


def test_viewers_are_cut_nothing_and_get_no_file() -> None:
    """They see the pages, where everything is; taken for a technician they would get a file of no home."""
    people = "[{user: u-1, role: viewer}, {user: u-2, role: technician, homes: [jimmy]}]"
    registry = builders.registry(builders.REGISTRY.partition("people:")[0] + f"people: {people}\n")
    assert [found.user for found in scopes.scopes_of(registry)] == ["u-2"]

"""The folder of Dagster's records: made once, a person's own dagster.yaml kept, an older one corrected."""

from pathlib import Path

from domotic_assets.flow.dagster_home import prepare_home
from domotic_assets_tests.support.shared_data import REPOSITORY

SHIPPED = (REPOSITORY / "dagster.yaml").read_text(encoding="utf-8")


def test_a_new_lake_gets_the_shipped_file(tmp_path: Path) -> None:
    prepare_home(tmp_path / "dagster")
    assert (tmp_path / "dagster/dagster.yaml").read_text(encoding="utf-8") == SHIPPED


def test_what_a_person_changed_stays(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    prepare_home(tmp_path)
    assert (tmp_path / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_the_file_of_a_lake_of_version_0_1_names_the_event_log_where_it_is_now(tmp_path: Path) -> None:
    older = SHIPPED.replace("orchestration.internals.event_log", "orchestration.event_log") + "# mine\n"
    assert older != SHIPPED + "# mine\n"
    (tmp_path / "dagster.yaml").write_text(older, encoding="utf-8")
    prepare_home(tmp_path)
    prepare_home(tmp_path)
    assert (tmp_path / "dagster.yaml").read_text(encoding="utf-8") == SHIPPED + "# mine\n"
    assert [file.name for file in tmp_path.iterdir()] == ["dagster.yaml"]

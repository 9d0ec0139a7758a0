"""Which registry and lake a process works on."""

from pathlib import Path

import pytest

from domotic_assets.errors import ConfigurationError
from domotic_assets.settings import Settings, is_remote


@pytest.mark.parametrize(
    ("address", "remote"),
    [("data", False), ("/srv/lake", False), ("file:///srv/lake", False), ("s3://bucket/lake", True)],
)
def test_an_address_with_a_scheme_is_remote(address: str, remote: bool) -> None:
    assert is_remote(address) is remote


def test_a_local_lake_keeps_dagsters_records(tmp_path: Path) -> None:
    settings = Settings.of(tmp_path / "sites.yaml", str(tmp_path / "lake"), {})
    assert settings.lake_root == str(tmp_path / "lake")
    assert settings.dagster_home == tmp_path / "lake" / "dagster"


def test_published_files_lie_in_the_lake_beside_the_records_of_a_remote_one_or_where_told(
    tmp_path: Path,
) -> None:
    sites, told = Path("sites.yaml"), {"DOMOTIC_SERVE": str(tmp_path / "published")}
    remote = {"DAGSTER_HOME": str(tmp_path / "records")}
    assert Settings.of(sites, str(tmp_path / "lake"), {}).serve == tmp_path / "lake/serve"
    assert Settings.of(sites, "s3://bucket/lake", remote).serve == tmp_path / "records/serve"
    assert Settings.of(sites, str(tmp_path / "lake"), told).serve == tmp_path / "published"
    assert Settings.of(sites, "s3://bucket/lake", remote | told).serve == tmp_path / "published"


def test_a_file_address_is_a_local_folder(tmp_path: Path) -> None:
    assert Settings.of(tmp_path / "sites.yaml", f"file://{tmp_path}/lake", {}).lake_root == f"{tmp_path}/lake"


def test_a_remote_lake_keeps_them_where_told() -> None:
    settings = Settings.of(Path("sites.yaml"), "s3://bucket/lake/", {"DAGSTER_HOME": "/var/dagster"})
    assert settings.lake_root == "s3://bucket/lake"
    assert settings.dagster_home == Path("/var/dagster")


def test_a_remote_lake_without_a_place_for_them_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match=r"DAGSTER_HOME is not set.*set DAGSTER_HOME to a folder"):
        Settings.of(Path("sites.yaml"), "s3://bucket/lake", {})


def test_the_environment_names_registry_and_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOMOTIC_SITES", str(tmp_path / "homes.yaml"))
    monkeypatch.setenv("DOMOTIC_LAKE", str(tmp_path / "lake"))
    settings = Settings.from_environment()
    assert settings.sites_file == tmp_path / "homes.yaml"
    assert settings.lake_root == str(tmp_path / "lake")


def test_without_an_environment_the_working_folder_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOMOTIC_SITES", raising=False)
    monkeypatch.delenv("DOMOTIC_LAKE", raising=False)
    settings = Settings.from_environment()
    assert settings.sites_file == tmp_path / "sites.yaml"
    assert settings.lake_root == str(tmp_path / "data")


@pytest.mark.rule(11)
def test_the_representation_shows_no_variable() -> None:
    settings = Settings.of(Path("sites.yaml"), "/lake", {"REGISTER_PASSWORD": "hunter2-hunter2"})
    assert settings.environment["REGISTER_PASSWORD"] == "hunter2-hunter2"  # pragma: allowlist secret
    assert "hunter2" not in repr(settings)

"""What people may open is no source: people's files and the database are made of the base."""

from pathlib import Path

import pytest

from domotic_assets.serve import people, postgres

MODULES = [file for package in (people, postgres) for file in Path(package.__path__[0]).glob("*.py")]


@pytest.mark.parametrize("module", MODULES, ids=lambda file: file.stem)
def test_no_published_file_is_read_from_to_make_another(module: Path) -> None:
    code = module.read_text()
    for call in ("opened(", "read_manifest(", "ATTACH "):
        assert f"{call}publish.published_file(serve)" not in code

"""Rules about the repository itself that nobody should have to remember."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import shared

ADDRESS = re.compile(r"https?://[^\s\"']+")


def test_the_lock_file_names_no_index_but_pypi() -> None:
    text = Path("uv.lock").read_text(encoding="utf-8")
    addresses = ADDRESS.findall(text)
    assert addresses
    foreign = [
        one for one in addresses if not one.startswith(("https://pypi.org/simple", "https://files.pythonhosted.org/"))
    ]
    assert foreign == []


def test_the_project_names_pypi_as_its_only_index() -> None:
    uv = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    assert [index["url"] for index in uv["index"]] == ["https://pypi.org/simple"]
    assert uv["python-downloads"] == "never"


def test_the_pure_files_import_nothing_that_touches_the_world() -> None:
    """Rules are decided without a database, a network, a clock or a file."""
    pure = [
        *(
            Path(shared.__path__[0]) / f"{name}.py"
            for name in (
                "best",
                "errors",
                "events",
                "figures",
                "financial_year",
                "money",
                "partnership",
                "principal",
            )
        ),
        Path("services/intake/submission.py"),
        Path("services/tracker/ledger.py"),
        *(
            Path(f"services/reporting/{name}.py")
            for name in (
                *("table", "rows", "notes", "proof", "changes", "movement", "charts", "plots", "narrative"),
                *("exports/csv_table", "exports/csvw", "exports/fragment", "exports/pdf_tags"),
            )
        ),
    ]
    forbidden = re.compile(
        r"^(?:from|import) (?:asyncio|sqlalchemy|httpx|fastapi|starlette|os|pathlib|time|random|structlog"
        r"|shared\.(?:database|bus|outbox|positions|consuming|web|access|settings|clock|telemetry))\b",
        re.MULTILINE,
    )
    impure = {str(path): forbidden.findall(path.read_text(encoding="utf-8")) for path in pure}
    assert {path: found for path, found in impure.items() if found} == {}


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_every_file_that_a_document_points_to_is_there(name: str) -> None:
    text = Path(name).read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not Path(link).exists()] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", Path("Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", Path("README.md").read_text(encoding="utf-8")))
    assert named
    assert named <= targets


def test_no_tracked_file_names_a_home_folder() -> None:
    """The project speaks of itself alone."""
    tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout.decode().split("\0")
    paths = [
        path for path in tracked if path.endswith((".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sh", "Makefile"))
    ]
    home = re.compile(r"/(?:home|root|Users)/\w+")
    named = [path for path in paths if Path(path).exists() and home.search(Path(path).read_text(encoding="utf-8"))]
    assert named == []

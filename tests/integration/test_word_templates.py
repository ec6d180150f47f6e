"""Councils' own Word templates: whose is used, and that a wrong tag is named before serving and over HTTP."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import docx
import httpx
import pytest
from typer.testing import CliRunner, Result

from savings.commands import app
from services.reporting.word_templates import WordTemplates
from tests.reporting_figures import EAST_SUSSEX, SE7
from tests.reporting_service import Service, Streams, line, served

KENT = "E10000016"


def give(folder: Path, name: str, *paragraphs: str) -> Path:
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    folder.mkdir(exist_ok=True)
    document.save(str(folder / name))
    return folder / name


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, word_templates=tmp_path / "templates") as service:
        await service.send(Streams().posting("ict", line("2011/12", "£1m")))
        yield service


async def taken(service: Service, council: str) -> httpx.Response:
    return await service.get("/v1/tracker.docx", "office", council=council)


def first_line(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(docx.Document(io.BytesIO(answer.content)).paragraphs[0].text)


async def test_a_councils_own_template_is_used_else_the_partnerships_else_ours(
    service: Service, tmp_path: Path
) -> None:
    ours = first_line(await taken(service, KENT))
    give(tmp_path / "templates", "ESX.docx", "East Sussex's: {{ council }}")
    assert first_line(await taken(service, EAST_SUSSEX)) == "East Sussex's: East Sussex County Council"
    assert first_line(await taken(service, KENT)) == ours == "South East 7 savings tracker"
    give(tmp_path / "templates", "se7.docx", "The partnership's: {{ council }}")
    assert first_line(await taken(service, EAST_SUSSEX)) == "East Sussex's: East Sussex County Council"
    assert first_line(await taken(service, KENT)) == "The partnership's: Kent County Council"


async def test_a_template_replaced_while_the_product_runs_is_another_document(service: Service, tmp_path: Path) -> None:
    give(tmp_path / "templates", "ESX.docx", "One")
    before = await taken(service, EAST_SUSSEX)
    give(tmp_path / "templates", "ESX.docx", "Two, and longer")
    asked_again = await service.get(
        "/v1/tracker.docx", "office", [("If-None-Match", before.headers["etag"])], council=EAST_SUSSEX
    )
    assert first_line(asked_again) == "Two, and longer"


async def test_a_wrong_tag_is_named_with_its_paragraph_and_spoils_nothing_else(
    service: Service, tmp_path: Path
) -> None:
    give(tmp_path / "templates", "ESX.docx", "Appendix 1", "{{ tital }}")
    answer = await taken(service, EAST_SUSSEX)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"].endswith("wrong-template")
    assert [(each["given"], each["pointer"], each["fix"]) for each in problem["errors"]] == [
        ("{{ tital }}", "the body, paragraph 2", "Perhaps title was meant.")
    ]
    assert (await taken(service, KENT)).status_code == 200
    assert (await service.get("/v1/tracker.xlsx", "office", council=EAST_SUSSEX)).status_code == 200


def check(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Result:
    monkeypatch.setenv("SAVINGS_WORD_TEMPLATES", str(folder))
    monkeypatch.setenv("SAVINGS_DATA_DIRECTORY", str(tmp_path / "data"))
    return CliRunner().invoke(app, ["check"])


def test_before_serving_every_wrong_tag_of_every_template_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "templates"
    give(folder, "ESX.docx", "{{ tital }}", "{% for row in rows %}")
    give(folder, "KEN.docx", "{{ title }}")
    give(folder, "KNT.docx", "{{ title }}")
    (folder / "se7.docx").write_bytes(b"no document")
    told = check(folder, monkeypatch, tmp_path)
    assert told.exit_code == 1
    assert "ESX.docx: {{ tital }}: tital is not known here. It stands in the body, in paragraph 1" in told.stderr
    assert "ESX.docx: {% for row in rows %}: it is never closed by an endfor" in told.stderr
    assert "KNT.docx: it is for nobody." in told.stderr
    assert "se7.docx: The template is not a Word document (.docx)." in told.stderr
    assert "KEN.docx: {" not in told.stderr


def test_before_serving_a_folder_in_order_is_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    give(tmp_path / "templates", "ESX.docx", "{{ title }}")
    told = check(tmp_path / "templates", monkeypatch, tmp_path)
    assert (told.exit_code, told.stderr) == (0, "")
    assert "South East 7, 7 councils, 6 workstreams." in told.stdout
    assert "1 Word templates of councils' own: all can be filled in." in told.stdout


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert WordTemplates(tmp_path / "nowhere", SE7).faults() == [
        f"{tmp_path / 'nowhere'}: there is no such folder of Word templates."
    ]
    assert WordTemplates(None, SE7).faults() == []

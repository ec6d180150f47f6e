"""Opening a file in another program: LibreOffice recalculates and prints what we wrote."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOFFICE = shutil.which("soffice")


def converted(content: bytes, suffix: str, to: str, folder: Path) -> Path:
    """What LibreOffice makes of a file. Without LibreOffice the test is skipped; in CI it fails."""
    if SOFFICE is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI opens our files in LibreOffice, and there is no soffice")
        pytest.skip("no soffice on this machine: apt-get install libreoffice-writer libreoffice-calc")
    source = folder / f"source{suffix}"
    source.write_bytes(content)
    made = folder / "made"
    subprocess.run(
        [
            SOFFICE,
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            "--headless",
            "--convert-to",
            to,
            "--outdir",
            str(made),
            str(source),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (result,) = made.iterdir()
    return result


def text_of_pdf(path: Path) -> str:
    """The text of a PDF as it stands on the pages."""
    if (pdftotext := shutil.which("pdftotext")) is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI reads PDF files by pdftotext, and there is none")
        pytest.skip("no pdftotext on this machine: apt-get install poppler-utils")
    return subprocess.run([pdftotext, "-layout", str(path), "-"], check=True, capture_output=True, text=True).stdout

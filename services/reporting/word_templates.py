"""The Word templates of their own that councils have given: files of one folder, named for whom they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.partnership import Partnership


class WordTemplates:
    """``ESX.docx`` is East Sussex's, by its register code; ``se7.docx`` that of the partnership, by its code.

    A table is drawn by its home council's; else by the partnership's; else by ours. They are looked for anew each
    time, so that one may be replaced while the product runs.
    """

    def __init__(self, folder: Path | None, partnership: Partnership) -> None:
        self._folder = folder
        self._partnership = partnership

    def of(self, home: str | None) -> Path | None:
        """The template for a home council's table; ``None`` where it is ours."""
        council = self._partnership.council_by_gss.get(home) if home is not None else None
        codes = [*([council.register_code] if council else []), self._partnership.code]
        return next((path for code in codes if (path := self._path(code)) is not None and path.is_file()), None)

    def stamp(self, home: str | None) -> tuple[str, int, int] | None:
        """Changes whenever the template for a home council does."""
        path = self.of(home)
        if path is None:
            return None
        kept = path.stat()
        return path.name, kept.st_mtime_ns, kept.st_size

    def given(self) -> Sequence[Path]:
        """Every template that is used by somebody."""
        return sorted(path for code in self._codes() if (path := self._path(code)) is not None and path.is_file())

    def faults(self) -> Sequence[str]:
        """Everything wrong with the folder and with the templates in it, a sentence each: file, tag and paragraph."""
        # Loaded here: a process that draws no document starts without what draws one.
        from services.reporting.exports.word import check_template, read_template
        from services.reporting.exports.word_faults import WrongTemplate

        if self._folder is None:
            return []
        if not self._folder.is_dir():
            return [f"{self._folder}: there is no such folder of Word templates."]
        given = self.given()
        found = [
            f"{path}: it is for nobody. Name it for a council's register code or for the partnership: "
            f"{', '.join(f'{code}.docx' for code in self._codes())}."
            for path in sorted(set(self._folder.glob("*.docx")) - set(given))
        ]
        for path in given:
            try:
                check_template(read_template(path))
            except WrongTemplate as wrong:
                details = [fault.detail for fault in wrong.faults] or [wrong.detail]
                found += [f"{path}: {detail}" for detail in details]
        return found

    def _codes(self) -> Iterator[str]:
        yield self._partnership.code
        yield from (council.register_code for council in self._partnership.councils)

    def _path(self, code: str) -> Path | None:
        return self._folder / f"{code}.docx" if self._folder is not None else None

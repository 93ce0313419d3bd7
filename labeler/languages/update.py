"""``python -m labeler.languages.update``: bring the catalogs up to date with the texts in the code.

New texts come into each catalog untranslated, those that are gone leave it, and what is translated stays.
"""

from __future__ import annotations

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from labeler.languages import FOLDER, LANGUAGES, SOURCE, read

ROOT = FOLDER.parent
METHODS = [
    ("app/components/**.js", "javascript"),
    ("templates/**.html", "jinja2"),
    ("**.py", "python"),
]
KEYWORDS: dict[str, tuple[int, ...] | None] = {"t": None, "tn": (1, 2), "mark": None}
COMMENTS = ("For translators:",)
WIDTH = 120


def texts_in(folder: Path = ROOT) -> Catalog:
    """Every text of the code that people read, with the files that it stands in."""
    found = Catalog()
    for name, _, text, comments, context in extract_from_dir(folder, METHODS, keywords=KEYWORDS, comment_tags=COMMENTS):
        found.add(text, locations=[(f"{folder.name}/{name}", 0)], auto_comments=comments, context=context)
    return found


def written(catalog: Catalog) -> bytes:
    """A catalog as its file has it: without line numbers, which would change with every edit."""
    for message in catalog:
        message.locations.sort()
    out = io.BytesIO()
    write_po(out, catalog, width=WIDTH, include_lineno=False, ignore_obsolete=True, sort_by_file=True)
    return out.getvalue()


def update(language: str, found: Catalog) -> None:
    """Bring one catalog up to date; a language that is new in `LANGUAGES` gets one."""
    path = FOLDER / f"{language}.po"
    catalog = read(language) if path.is_file() else Catalog(locale=language)
    found.creation_date = catalog.creation_date
    catalog.update(found, no_fuzzy_matching=True)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(written(catalog))
    temporary.replace(path)


def main() -> None:
    """Bring all catalogs up to date."""
    found = texts_in()
    for language in LANGUAGES:
        if language != SOURCE:
            update(language, found)


if __name__ == "__main__":
    main()

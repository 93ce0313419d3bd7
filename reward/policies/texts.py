"""Counting words, sentences and paragraphs of a text, and telling its language."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

# fmt: off
ABBREVIATIONS = frozenset((
    "mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "etc", "e.g", "i.e", "cf", "al", "fig", "vol",
    "pp", "approx", "dept", "est", "inc", "ltd", "corp", "ph.d",
))
# fmt: on
"""A full stop behind one of these (or behind a single letter) does not end a sentence."""
_END = re.compile(r"(?P<word>[\w.'’-]*)(?P<mark>[.!?…]+)[\"'”’)\]*_]*(?=\s+(?P<next>\S)|\s*$)|[。！？]+")


def words(text: str) -> list[str]:
    """Runs of letters, digits and underscores, as IFEval counts words: ``don't`` is two."""
    return re.findall(r"\w+", text)


def tokens(text: str) -> list[str]:
    """Words with their inner hyphens and apostrophes: ``well-known`` and ``don't`` are one each."""
    return re.findall(r"\w+(?:[-'’]\w+)*", text)


def sentences(text: str) -> list[str]:
    """Sentences by their closing marks.

    A sentence ends at ``!``, ``?``, ``…`` or full stops with white space behind, closing quotes and brackets going with
    it. A full stop does not end one behind an abbreviation or a single letter, nor does it (or ``…``) where a small
    letter follows. Line breaks alone end nothing, so a heading counts to what follows.
    """
    found, start = [], 0
    for match in _END.finditer(text):
        if not _ends(match):
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    rest = text[start:].strip()
    return [sentence for sentence in [*found, rest] if re.search(r"\w", sentence)]


def _ends(match: re.Match[str]) -> bool:
    if set(match["mark"] or "!") & {"!", "?"} or match["next"] is None:
        return True
    word = match["word"].strip(".'’-")
    short = word.casefold() in ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word != "I")
    return not (match["next"].islower() or (match["mark"] == "." and short))


def paragraphs(text: str) -> list[str]:
    """Parts between blank lines that hold anything."""
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def language(text: str) -> str | None:
    """The likeliest language (ISO 639-1), of the text in small letters; None for a text without letters."""
    if not re.search(r"[^\W\d_]", text):
        return None
    found: str = _classifier().classify(text.lower())[0]
    return found


@lru_cache(maxsize=1)
def _classifier() -> Any:
    import py3langid  # noqa: PLC0415  # its model takes a second to load, and few evaluations need it

    return py3langid

"""Figures of what was written, against Python's own statistics."""

from __future__ import annotations

import statistics

import pytest
from store_helpers import group, said

from labeler.entities import Edit, Written
from labeler.records import Group, Message, Ranking
from labeler.writing_report import lines, writing_report

TEXTS = {"ann": ["one", "one two", "  one two  three\n", "1 2 3 4"], "bea": ["漢字 漢字", "x " * 50]}
PROMPT = Group("g", (Message("user", "Why?"),), ())


def test_lengths_are_those_of_pythons_statistics():
    judged = [
        (PROMPT, (said(Written(text), annotator=name, seconds=10.0 * place or None),))
        for name in TEXTS
        for place, text in enumerate(TEXTS[name])
    ]
    report = writing_report(judged)
    words = [len(text.split()) for texts in TEXTS.values() for text in texts]
    assert report.answers == 6
    assert report.words
    assert report.characters
    tenths = statistics.quantiles(words, n=10, method="inclusive")
    assert (report.words.low, report.words.median, report.words.high) == pytest.approx(
        (tenths[0], statistics.median(words), tenths[8])
    )
    assert report.characters.median == statistics.median(len(text) for texts in TEXTS.values() for text in texts)
    ann, bea = report.people
    assert (ann.annotator, ann.answers, ann.words.median) == ("ann", 4, 2.5)
    assert ann.seconds
    assert ann.seconds.median == 20.0  # of those that are known
    assert bea.seconds
    assert report.edits is None
    assert any("ann: median 2 (" in line for line in lines(report))


def test_edits_are_counted_with_the_words_that_they_add():
    ranked = [Ranking(name, (1, 2, 3)) for name in ("ann", "bea", "cleo")]
    edits = [Edit("c0", "Answer 0 to 1, made longer."), Edit(None, "anew"), None]
    judged = [
        (
            group(1),
            tuple(
                said(ranking, edit, number) for number, (ranking, edit) in enumerate(zip(ranked, edits, strict=True))
            ),
        ),
        (group(2), (said(Ranking("ann", (2, 1, 3)), Edit("c1", "Short.")),)),
        (group(3), (said(None),)),
    ]
    report = writing_report(judged)
    assert report.edits
    assert (report.edits.rankings, report.edits.edited, report.edits.anew) == (4, 3, 1)
    assert report.edits.words_added
    assert report.edits.words_added.median == statistics.median([6 - 4, 1 - 4])
    assert lines(report)[0] == "better texts than the best: 3 of 4 rankings, 1 written anew"


def test_nothing_written_is_nothing_to_tell():
    report = writing_report([(group(1), (said(Ranking("ann", (1, 2, 3))),))])
    assert (report.answers, report.words, report.people, report.edits) == (0, None, (), None)
    assert lines(report) == []

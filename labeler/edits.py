"""The best completion improved by a labeler: what such an edit must be, and edits as completions of their group. Pure.

An edit is one more completion, written by an annotator (no model) and put above everything that this annotator ranked:
edited > chosen > rejected (Llama 3, arXiv 2407.21783, 4.1.2). Nobody else has seen it, so the others did not rank it.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from itertools import count

from labeler.entities import Edit, Judgment, Submission
from labeler.errors import DataError
from labeler.label_schema import LabelSchema
from labeler.records import EDITS, Completion, Group, Ranking, check_text

LONGEST = 50_000
"""Characters of a text that a labeler writes."""


def check_writing(text: str, field: str) -> str:
    """The text itself, if it says something and can be kept."""
    if not text.strip():
        raise DataError("is empty; write it first", field=field)
    if len(text) > LONGEST:
        raise DataError(f"has {len(text):,} characters; shorten it to {LONGEST:,}", field=field)
    return check_text(text, field)


def edit_of(submission: Submission, ranking: Ranking, group: Group, schema: LabelSchema) -> Edit | None:
    """The edit that comes with an answer, checked.

    Args:
        submission: the answer.
        ranking: what it says of the group.
        group: of the task.
        schema: under which it was made.

    Raises:
        DataError: it is missing, not asked for, made from a completion that is not among the best, or changes nothing.
    """
    edit = submission.edit
    if edit is None:
        if schema.edit == "required":
            raise DataError("is missing; improve the best completion, or skip the task", field="edit")
        return None
    if schema.edit is None:
        raise DataError("is not asked for in this project", field="edit")
    check_writing(edit.text, "edit.text")
    best = [c.id for c, rank in zip(group.completions, ranking.chosen, strict=True) if rank == 1]
    if edit.of not in (*best, *((None,) if submission.all_bad else ())):
        raise DataError("must be made from one of the best, or anew where all are bad", field="edit.of")
    same = next((c.id for c in group.completions if c.text == edit.text), None)
    if same is not None:
        raise DataError(f"is the same as {same!r}; change it, or leave it out", field="edit.text")
    return edit


def with_edits(group: Group, judgments: Sequence[Judgment]) -> Group:
    """The group with its annotators' edits among its completions, and with its rankings extended to them.

    An edit has the id ``edited-by-NAME``, no model, and an entry in the group's `meta`, see `labeler.records.EDITS`.
    Its annotator's ranks move down by one to make room above the best, tied or not; where all were bad and nothing was
    ranked, everything is left over below the edit (`Ranking.top_only`). In other rankings it is not ranked. It has no
    rating, no flags and no place in the order shown, and a strength stays one of the two that were shown.

    Args:
        group: without edits of these judgments.
        judgments: those of the group that stand, in the order of its rankings.
    """
    edited = [judgment for judgment in judgments if judgment.ranking and judgment.edit]
    if not edited:
        return group
    completions, notes = list(group.completions), dict(group.edits)
    for judgment in edited:
        if judgment.edit:
            name = free_name(f"edited-by-{judgment.annotator}", [completion.id for completion in completions])
            completions.append(Completion(name, judgment.edit.text))
            notes[name] = {"of": judgment.edit.of, "annotator": judgment.annotator}
    rankings = tuple(
        _extended(judgment.ranking, group, len(edited), edited.index(judgment) if judgment.edit else None)
        for judgment in judgments
        if judgment.ranking
    )
    return replace(group, completions=tuple(completions), rankings=rankings, meta={**group.meta, EDITS: notes})


def _extended(ranking: Ranking, group: Group, edits: int, own: int | None) -> Ranking:
    """The ranking over as many completions more as there are edits, of which it may have one of its own on top."""
    on_top = [None if place != own else 0 for place in range(edits)]
    anew = own is not None and ranking.last is None
    below = [1] * len(group.completions) if anew else ranking.ranks
    return replace(
        ranking,
        ranks=(*below, *on_top),
        top_only=ranking.top_only or anew,
        ratings=None if ranking.ratings is None else (*ranking.ratings, *(None,) * edits),
        flags=None if ranking.flags is None else (*ranking.flags, *((),) * edits),
        strength=ranking.strength if len(group.shown(ranking)) == 2 else None,
    )


def free_name(name: str, taken: Container[str]) -> str:
    """The name, with a number behind it if it is taken."""
    if name not in taken:
        return name
    return next(numbered for number in count(2) if (numbered := f"{name}-{number}") not in taken)

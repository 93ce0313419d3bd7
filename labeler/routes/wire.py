"""Between the page's JSON and the store's records. The page speaks in letters as shown; ids and models stay here.

A task on its way out (a draft looks the same in both directions)::

    {"id": 7, "prompt": [{"role": "user", "content": "…"}], "completions": [{"label": "A", "text": "…"}, …],
     "draft": {"ranks": {"B": 1, "A": 2}, "trail": ["B", "A"], "tie": false, "ratings": {"A": 5},
               "flags": {"A": ["hallucination"]}, "prompt_flags": [], "strength": null, "all_bad": false,
               "written": null, "edit": {"of": "A", "text": "…"}, "note": "", "reason": null, "seconds": 12.5},
     "draft_version": 3, "correction": null, "opening": null, "schema_version": 1,
     "guidelines_version": 1, "scenario": null, "offers": []}

A dialogue has no completions; its draft has ``dialogue`` beside the rest, see `labeler.chat.Unfinished`, and ``offers``
are the replies of models so far.

``correction`` is the id of the judgment that the answer will replace, ``opening`` says which time it was opened; a
draft is saved under the same two. An answer carries the versions of schema and guidelines that stood before the person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from labeler.api import typed
from labeler.chat import Offer, Unfinished, WrittenDialogue
from labeler.edits import LONGEST
from labeler.entities import Assignment, Edit, HistoryItem, Progress, Project, Shown, Submission
from labeler.errors import DataError
from labeler.label_schema import RATINGS, LabelSchema, in_words, schema_row

Json = dict[str, Any]
T = TypeVar("T")
LONGEST_NOTE = 10_000
LONGEST_OPT_OUT = 36 * 3600
"""Until the end of one's day, wherever one is."""


def field(body: Mapping[str, Any], name: str, kind: type, *, optional: bool = False) -> Any:
    """A field of the body, checked for its type; None where it may be missing."""
    value = body.get(name)
    if value is None and optional:
        return None
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise DataError(f"must be of type {kind.__name__}", field=name)
    return value


def text(body: Mapping[str, Any], name: str, longest: int = LONGEST_NOTE) -> str | None:
    """A text that may be missing; empty counts as missing."""
    value: str | None = field(body, name, str, optional=True)
    if value is not None and len(value) > longest:
        raise DataError(f"must be at most {longest} characters long", field=name)
    return value or None


def edit(body: Mapping[str, Any], shown: Sequence[Shown]) -> Edit | None:
    """A better text, made from the completion of a letter or from none; it may be missing."""
    given: Json | None = field(body, "edit", dict, optional=True)
    if given is None:
        return None
    of = field(given, "of", str, optional=True)
    ids = {item.label: item.completion_id for item in shown}
    if of is not None and of not in ids:
        raise DataError(f"there is no completion {of!r}", field="edit.of")
    return Edit(None if of is None else ids[of], text(given, "text", LONGEST) or "")


def seconds(body: Mapping[str, Any]) -> float:
    """Attention time: a number from 0 up."""
    value = body.get("seconds", 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise DataError("must be a number of seconds from 0 up", field="seconds")
    return float(value)


def moment(body: Mapping[str, Any], name: str, now: float) -> float | None:
    """A moment of the next day or so, in seconds since 1970; None where it may be missing."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value - now <= LONGEST_OPT_OUT:
        raise DataError("must be a moment of the next 36 hours, in seconds since 1970", field=name)
    return float(value)


def by_completion(body: Mapping[str, Any], name: str, shown: Sequence[Shown]) -> Json:
    """A field with values by letter as values by completion id; a missing field is empty."""
    ids = {item.label: item.completion_id for item in shown}
    given: Json = field(body, name, dict, optional=True) or {}
    for label in given:
        if label not in ids:
            raise DataError(f"there is no completion {label!r}", field=name)
    return {ids[label]: value for label, value in given.items()}


def numbers(body: Mapping[str, Any], name: str, shown: Sequence[Shown], allowed: range) -> dict[str, int | None]:
    """Ranks or ratings by letter as such by completion id."""
    found = by_completion(body, name, shown)
    for item in shown:
        value = found.get(item.completion_id, allowed[0])
        if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
            raise DataError(f"must be a whole number from 1 to {allowed[-1]}", field=f"{name}.{item.label}")
    return found


def names(value: object, where: str) -> list[str]:
    """A list of strings: names of flags, or texts."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DataError("must be a list of strings", field=where)
    return value


def marks_in(body: Mapping[str, Any], shown: Sequence[Shown]) -> Json:
    """All that was said of prompt and completions, under the names of `Submission`."""
    flags = by_completion(body, "flags", shown)
    return {
        "ranks": numbers(body, "ranks", shown, range(1, len(shown) + 1)),
        "ratings": numbers(body, "ratings", shown, RATINGS),
        "flags": {completion_id: names(value, "flags") for completion_id, value in flags.items()},
        "prompt_flags": names(body.get("prompt_flags") or [], "prompt_flags"),
        "strength": field(body, "strength", int, optional=True),
        "all_bad": field(body, "all_bad", bool),
        "written": text(body, "written", LONGEST),
    }


def draft_in(body: Mapping[str, Any], shown: Sequence[Shown]) -> Json:
    """A draft from the page as the store keeps it, under the names of `Submission`."""
    ids = {item.label: item.completion_id for item in shown}
    trail = field(body, "trail", list)
    dialogue = dialogue_in(body, Unfinished)
    better = edit(body, shown)
    return {
        **marks_in(body, shown),
        "edit": better and asdict(better),
        "trail": [ids[label] for label in trail if isinstance(label, str) and label in ids],
        "tie": field(body, "tie", bool),
        "note": text(body, "note"),
        "reason": text(body, "reason"),
        "seconds": seconds(body),
        **({} if dialogue is None else {"dialogue": typed.to_json(dialogue)}),
    }


def dialogue_in(body: Mapping[str, Any], kind: type[T]) -> T | None:
    """The dialogue of a body that has one."""
    given = body.get("dialogue")
    return None if given is None else typed.from_json(kind, given, where="dialogue")


def draft_out(draft: Mapping[str, Any] | None, shown: Sequence[Shown]) -> Json | None:
    """A kept draft, or a judgment that is being corrected, as the page reads it."""
    if draft is None:
        return None
    labels = {item.completion_id: item.label for item in shown}
    better = draft.get("edit")

    def by_label(name: str) -> Json:
        kept = draft.get(name) or {}
        return {labels[completion_id]: value for completion_id, value in kept.items() if value}

    return {
        "ranks": by_label("ranks"),
        "ratings": by_label("ratings"),
        "flags": by_label("flags"),
        "prompt_flags": draft.get("prompt_flags") or [],
        "strength": draft.get("strength"),
        "trail": [labels[name] for name in draft.get("trail") or ()],
        "tie": bool(draft.get("tie")),
        "all_bad": bool(draft.get("all_bad")),
        "written": draft.get("written"),
        "edit": better and {"of": labels.get(better["of"]), "text": better["text"]},
        "note": draft.get("note") or "",
        "reason": draft.get("reason"),
        "seconds": draft.get("seconds") or 0.0,
        **({"dialogue": draft["dialogue"]} if draft.get("dialogue") else {}),
    }


def submission_in(body: Mapping[str, Any], shown: Sequence[Shown]) -> Submission:
    """An answer from the page."""
    kind = field(body, "kind", str)
    return Submission(
        submission_id=field(body, "submission_id", str),
        task_id=field(body, "task", int),
        kind=kind,
        **(marks_in(body, shown) | {"edit": edit(body, shown)} if kind != "skip" else {}),
        note=text(body, "note"),
        reason=text(body, "reason") if kind == "skip" else None,
        seconds=seconds(body),
        schema_version=field(body, "schema_version", int, optional=True),
        guidelines_version=field(body, "guidelines_version", int, optional=True),
        dialogue=dialogue_in(body, WrittenDialogue),
    )


def task_out(assignment: Assignment | None) -> Json | None:
    """A task without anything that tells where its completions came from."""
    if assignment is None:
        return None
    return {
        "id": assignment.handle,
        "prompt": [{"role": message.role, "content": message.content} for message in assignment.prompt],
        "completions": [{"label": item.label, "text": item.text} for item in assignment.completions],
        "draft": draft_out(assignment.draft, assignment.completions),
        "draft_version": assignment.draft_version,
        "correction": assignment.correction_of,
        "opening": assignment.opening,
        "schema_version": assignment.project.schema_version,
        "guidelines_version": assignment.project.guidelines_version,
        "scenario": assignment.scenario,
        "offers": [offer_out(offer) for offer in assignment.offers],
    }


def offer_out(offer: Offer) -> Json:
    """Replies of a model, without a word on the model."""
    return {"id": offer.id, "replies": list(offer.replies)}


def progress_out(progress: Progress) -> Json:
    """How far this person is."""
    return {"done": progress.done, "total": progress.total, "seconds_today": progress.seconds_today}


def schema_out(schema: LabelSchema) -> Json:
    """What is asked, with usual flags in the reader's language; where suggestions come from is none of it."""
    row = schema_row(schema)
    for name in ("flags", "prompt_flags"):
        row[name] = [asdict(in_words(flag)) for flag in getattr(schema, name)]
    row["suggests"] = schema.offered
    del row["suggest"]
    return row


def project_out(project: Project, *, opted_out: bool) -> Json:
    """What the page needs of a project."""
    return {
        "id": project.id,
        "name": project.name,
        "guidelines": project.guidelines,
        "guidelines_version": project.guidelines_version,
        "dwell_seconds": project.dwell_seconds,
        "schema": schema_out(project.schema),
        "schema_version": project.schema_version,
        "opted_out": opted_out,
    }


def history_out(item: HistoryItem) -> Json:
    """One line of the history."""
    return {"judgment": item.judgment_id, "at": item.at, "prompt": item.prompt_preview, "summary": item.summary}

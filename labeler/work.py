"""The labeler's side: get a task, keep a draft, submit, look back, correct.

Every function runs inside one transaction of the caller and begins by locking the row of the user, so that two tabs or
a double click of one person take turns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from labeler import answers, claims, directory, draws, events, ledger, offers
from labeler.answers import Said
from labeler.chat import Turn, finished, messages_of
from labeler.claims import Seeker
from labeler.comparisons import GOLD
from labeler.content import last_words, scenario_of, task_group
from labeler.draws import Standing
from labeler.entities import Assignment, HistoryItem, Judgment, Progress, Shown, Submission
from labeler.errors import ConflictError, DataError, NotFoundError, PermissionDeniedError
from labeler.formats import parse_group
from labeler.label_schema import LabelSchema
from labeler.languages import t, tn
from labeler.queue import label, shown_order
from labeler.records import Group, Ranking, check_json, check_plain
from labeler.schema import drafts, hours, judgments, tallies, tasks
from labeler.tallies import recounted

PREVIEW = 120
"""Characters of a prompt, and of what was written to it, in the history."""

# Built once, since they run for every answer.
_CORRECTIONS = (
    sa.select(drafts)
    .join(tasks)
    .where(drafts.c.user_id == sa.bindparam("seeker"), tasks.c.project_id == sa.bindparam("project"))
    .where(drafts.c.correction_of.is_not(None), claims.BEARABLE)
    .order_by(drafts.c.correction_of)
)
_MINE = (tallies.c.project_id == sa.bindparam("project"), tallies.c.annotator == sa.bindparam("seeker_name"))
_TODAY = (
    sa.select(sa.func.sum(hours.c.seconds))
    .where(hours.c.project_id == sa.bindparam("project"), hours.c.annotator == sa.bindparam("seeker_name"))
    .where(hours.c.hour >= sa.bindparam("today"))
)
_OPEN_TASKS = sa.select(sa.func.sum(tallies.c.tasks - tallies.c.finished)).where(
    tallies.c.project_id == sa.bindparam("project")
)
_PROGRESS = sa.select(
    sa.select(tallies.c.judgments).where(*_MINE).scalar_subquery(),
    _OPEN_TASKS.scalar_subquery(),
    sa.select(tallies.c.answered).where(*_MINE).scalar_subquery(),
    _TODAY.scalar_subquery(),
)
_SUBMITTED = sa.select(judgments.c.id, judgments.c.user_id, judgments.c.fingerprint).where(
    judgments.c.submission_id == sa.bindparam("submission")
)
_DRAFT = sa.select(drafts).where(drafts.c.user_id == sa.bindparam("user"), drafts.c.task_id == sa.bindparam("task"))


def next_task(connection: sa.Connection, seeker: Seeker) -> Assignment | None:
    """A running correction first, then the task already held, then a new one; None when nothing is left."""
    standing = draws.standing(connection, seeker)
    for draft in _corrections(connection, seeker):
        slot_kept = ledger.by_id(connection, draft.correction_of).kind != "skip"
        # A taken-back skip whose slot others took is not in the way; looked at before it is locked, so that a
        # transaction does not hold one task while it waits for another.
        if slot_kept or (
            claims.is_free(connection, seeker, draft.task_id) and _reserve(connection, seeker, draft.task_id)
        ):
            return _assignment(connection, seeker, draft.task_id, standing)
    if standing.barred:
        return None
    found = claims.kept(connection, seeker)
    if found is None:
        found = draws.fresh(connection, seeker, standing)
    return None if found is None else _assignment(connection, seeker, found, standing)


def _corrections(connection: sa.Connection, seeker: Seeker) -> Any:
    return connection.execute(_CORRECTIONS, seeker.values).all()


def _reserve(connection: sa.Connection, seeker: Seeker, task_id: int) -> bool:
    claims.lock_task(connection, task_id)
    if not claims.is_free(connection, seeker, task_id):
        return False
    claims.hold(connection, seeker, task_id)
    return True


def _draft(connection: sa.Connection, user_id: int, task_id: int) -> Any:
    return connection.execute(_DRAFT, {"user": user_id, "task": task_id}).first()


def _assignment(connection: sa.Connection, seeker: Seeker, task_id: int, standing: Standing) -> Assignment:
    group, overlap = task_group(connection, task_id)
    draft = _draft(connection, seeker.user.id, task_id)
    corrected = ledger.by_id(connection, draft.correction_of) if draft and draft.correction_of else None
    chats = seeker.project.schema.task == "chat"
    return Assignment(
        task_id=task_id,
        lease=claims.lease(connection, seeker.user.id, task_id),
        project=seeker.project,
        group_id=group.id,
        prompt=group.prompt,
        completions=_shown(group, seeker),
        overlap=overlap,
        draft=draft.content if draft else None,
        draft_version=draft.version if draft else 0,
        correction_of=corrected.id if corrected else None,
        opening=draft.opening if draft else None,
        skip_of=corrected.id if corrected and corrected.kind == "skip" else None,
        handle=standing.handle(seeker.project.id, task_id),
        scenario=scenario_of(group) if chats else None,
        offers=tuple(offers.given(connection, seeker.user.id, task_id).values()) if chats else (),
    )


def _shown(group: Group, seeker: Seeker) -> tuple[Shown, ...]:
    order = shown_order(seeker.project.seed, group.id, seeker.user.name, len(group.completions))
    ordered = [group.completions[index] for index in order]
    return tuple(Shown(label(place), completion.id, completion.text) for place, completion in enumerate(ordered))


def shown(connection: sa.Connection, seeker: Seeker, task_id: int) -> tuple[Shown, ...]:
    """See `labeler.store.Store.shown`."""
    return _shown(task_group(connection, task_id)[0], seeker)


def save_draft(
    connection: sa.Connection,
    seeker: Seeker,
    task_id: int,
    content: Mapping[str, Any],
    version: int,
    *,
    correction_of: int | None,
    opening: str | None,
) -> int | None:
    """Keep a draft and prolong the lease, unless it is late; see `labeler.store.Store.save_draft`."""
    check_json(content, "draft")
    old = _draft(connection, seeker.user.id, task_id)
    held = claims.lease(connection, seeker.user.id, task_id) is not None
    if not (old or held):
        if ledger.latest(connection, seeker.user.name, task_id):
            return None
        raise PermissionDeniedError(f"task {task_id} was not given to {seeker.user.name}; ask for the next task")
    if (old.correction_of if old else None) != correction_of or (opening and old.opening != opening):
        return None
    if old and old.version >= version:
        return int(old.version)
    if held:
        _reserve(connection, seeker, task_id)
    _put_draft(connection, seeker, task_id, content, version)
    return version


def _put_draft(
    connection: sa.Connection, seeker: Seeker, task_id: int, content: Mapping[str, Any], version: int, **opened: Any
) -> None:
    mine = (drafts.c.user_id == seeker.user.id, drafts.c.task_id == task_id)
    values = {"content": dict(content), "version": version, "saved": seeker.now, **opened}
    if connection.execute(sa.update(drafts).where(*mine).values(**values)).rowcount == 0:
        connection.execute(sa.insert(drafts).values(user_id=seeker.user.id, task_id=task_id, **values))


def submit(connection: sa.Connection, seeker: Seeker, submission: Submission) -> Judgment:
    """Record an answer, once; see `labeler.store.Store.submit` for the rules."""
    fingerprint = _fingerprint(submission)
    repeated = _replayed(connection, seeker, submission, fingerprint)
    if repeated is not None:
        return repeated
    group, _ = task_group(connection, submission.task_id, lock=True)
    schema_version, guidelines_version, schema = _asked(connection, seeker, submission)
    order = tuple(shown.completion_id for shown in _shown(group, seeker))
    answer = _answer(submission, answers.said(submission, group, schema, order), order)
    if schema.task == "chat" and submission.kind != "skip":
        given = offers.given(connection, seeker.user.id, submission.task_id)
        answer = ledger.answer_of_dialogue(submission, finished(submission.dialogue, group.prompt, schema, given))
    elif submission.dialogue is not None:
        raise DataError("is not asked for in this project", field="dialogue")
    replaced = _replaced(connection, seeker, submission)
    _check_dwell(connection, seeker)
    claims.drop(connection, seeker.user.id, submission.task_id)
    before = claims.left(connection, submission.task_id)
    if before:
        events.lock_to_finish(connection, seeker.project)
    with recounted(connection, submission.task_id, by=seeker.user.name):
        judgment_id = ledger.append(
            connection,
            {
                "project_id": seeker.project.id,
                "task_id": submission.task_id,
                "user_id": seeker.user.id,
                "annotator": seeker.user.name,
                "origin": "app",
                "kind": submission.kind,
                "answer": answer,
                "seconds": submission.seconds,
                "at": ledger.rfc3339(seeker.now),
                "schema_version": schema_version,
                "guidelines_version": guidelines_version,
                "supersedes": replaced,
                "submission_id": submission.submission_id,
                "fingerprint": fingerprint,
                "created": seeker.now,
            },
        )
        if GOLD in group.meta:
            draws.check_gold(connection, seeker)
    judgment = ledger.by_id(connection, judgment_id)
    events.judged(connection, seeker.project, group, judgment, seeker.now)
    if before and not claims.left(connection, submission.task_id):
        events.task_done(connection, seeker.project, group, submission.task_id, seeker.now)
    return judgment


def begin_offer(connection: sa.Connection, seeker: Seeker, task_id: int, turns: Sequence[Turn]) -> offers.Request:
    """See `labeler.store.Store.begin_offer`."""
    group, _ = task_group(connection, task_id)
    said = messages_of(group.prompt, turns)
    if not said or said[-1].role != "user":
        raise DataError("must end with a turn of the user", field="turns")
    return offers.begin(connection, seeker, task_id, said)


def _answer(submission: Submission, said: Said, order: tuple[str, ...]) -> dict[str, Any]:
    if said.ranking:
        return ledger.answer_of_ranking(said.ranking, said.edit)
    if said.written:
        return ledger.answer_of_written(said.written, submission.note)
    return ledger.answer_of_skip(submission, order)


def _fingerprint(submission: Submission) -> str:
    return sha256(json.dumps(asdict(submission), sort_keys=True).encode()).hexdigest()


def _replayed(connection: sa.Connection, seeker: Seeker, submission: Submission, fingerprint: str) -> Judgment | None:
    if not submission.submission_id:
        raise DataError("the submission has no id", field="submission_id")
    check_plain(submission.submission_id, "submission_id")
    row = connection.execute(_SUBMITTED, {"submission": submission.submission_id}).first()
    if row is None:
        return None
    if (row.user_id, row.fingerprint) != (seeker.user.id, fingerprint):
        raise ConflictError("this submission id was used before with another answer; nothing was changed")
    return ledger.by_id(connection, row.id)


def _check_dwell(connection: sa.Connection, seeker: Seeker) -> None:
    _, before = ledger.last_answer(connection, seeker.project.id, seeker.user.id)
    passed = seeker.now - before
    if 0 <= passed < seeker.project.dwell_seconds:
        raise ConflictError(
            f"this came {passed:.2f} seconds after your last answer and was taken for a double click; submit again"
        )


def _asked(connection: sa.Connection, seeker: Seeker, submission: Submission) -> tuple[int, int, LabelSchema]:
    """What the person had before them when they answered: the versions of schema and guidelines, and the schema."""
    project = seeker.project
    newest = {"schema_version": project.schema_version, "guidelines_version": project.guidelines_version}
    seen = {name: getattr(submission, name) or version for name, version in newest.items()}
    for name, version in seen.items():
        if not 1 <= version <= newest[name]:
            raise DataError(f"is {version}; the newest is {newest[name]}", field=name)
    version = seen["schema_version"]
    schema = project.schema
    if version != project.schema_version:
        schema = directory.label_schemas(connection, project.id)[version]
    return version, seen["guidelines_version"], schema


def _replaced(connection: sa.Connection, seeker: Seeker, submission: Submission) -> int | None:
    """Check that the person may answer now; returns the judgment that the answer replaces, None for a first answer."""
    task_id = submission.task_id
    draft = _draft(connection, seeker.user.id, task_id)
    before = ledger.latest(connection, seeker.user.name, task_id)
    if before is not None and (draft is None or draft.correction_of != before.id):
        raise ConflictError("you have answered this task already; bring it back with undo to correct it")
    if before is None and claims.lease(connection, seeker.user.id, task_id) is None:
        raise PermissionDeniedError(f"task {task_id} was not given to {seeker.user.name}; ask for the next task")
    needs_slot = submission.kind != "skip" and (before is None or before.kind == "skip")
    if needs_slot and not claims.is_free(connection, seeker, task_id):
        raise ConflictError(
            "your reservation of this task ran out and others took it; the draft is kept, go on with the next task"
        )
    return before.id if before else None


def undo(connection: sa.Connection, seeker: Seeker, judgment_id: int | None) -> Assignment | None:
    """Open one of the person's own standing judgments for correction; see `labeler.store.Store.undo`."""
    mine = (judgments.c.user_id == seeker.user.id, judgments.c.project_id == seeker.project.id)
    running = sa.select(drafts.c.correction_of).where(
        drafts.c.user_id == seeker.user.id, drafts.c.correction_of.is_not(None)
    )
    wanted = judgments.c.id.not_in(running) if judgment_id is None else judgments.c.id == judgment_id
    row = connection.execute(
        ledger.select(ledger.STANDS, *mine, wanted).order_by(judgments.c.id.desc()).limit(1)
    ).first()
    if row is None and judgment_id is not None:
        raise NotFoundError(f"judgment {judgment_id} is not a standing judgment of {seeker.user.name} in this project")
    if row is None:
        return None
    judgment = ledger.to_judgment(row)
    if judgment.kind == "skip" and not _reserve(connection, seeker, judgment.task_id):
        raise ConflictError("others have finished the task that you skipped; it stays skipped")
    if _draft(connection, seeker.user.id, judgment.task_id) is None:
        group, _ = task_group(connection, judgment.task_id)
        content = judgment.as_draft(tuple(completion.id for completion in group.completions))
        opened = {"correction_of": judgment.id, "opening": uuid4().hex}
        _put_draft(connection, seeker, judgment.task_id, content, 1, **opened)
    return _assignment(connection, seeker, judgment.task_id, draws.standing(connection, seeker))


def cancel_correction(connection: sa.Connection, seeker: Seeker, task_id: int) -> None:
    """Forget a running correction; the judgment stands as it is."""
    draft = _draft(connection, seeker.user.id, task_id)
    if draft is None or draft.correction_of is None:
        raise NotFoundError(f"there is no running correction of task {task_id}")
    claims.drop(connection, seeker.user.id, task_id)


def progress(connection: sa.Connection, seeker: Seeker) -> Progress:
    """See `labeler.entities.Progress`."""
    today = ledger.rfc3339(seeker.now)[:10]
    done, wanted, answered, seconds = connection.execute(_PROGRESS, seeker.values | {"today": today}).one()
    left = (wanted or 0) - (answered or 0) - claims.left_out(connection, seeker)
    return Progress(*draws.outlook(connection, seeker, done or 0, left), seconds or 0.0)


def history(connection: sa.Connection, seeker: Seeker, limit: int, before: int | None) -> tuple[HistoryItem, ...]:
    """The person's own standing judgments, latest first; where asked those before a judgment's id."""
    mine = [judgments.c.user_id == seeker.user.id, judgments.c.project_id == seeker.project.id]
    if before is not None:
        mine.append(judgments.c.id < before)
    query = ledger.select(ledger.STANDS, *mine).add_columns(tasks.c.content)
    rows = connection.execute(query.order_by(judgments.c.id.desc()).limit(limit)).all()
    return tuple(_history_item(ledger.to_judgment(row), parse_group(row.content)) for row in rows)


def _history_item(judgment: Judgment, group: Group) -> HistoryItem:
    preview = _preview(last_words(group))
    return HistoryItem(judgment.id, judgment.task_id, judgment.at or "", preview, summary(judgment, group))


def _preview(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"


def summary(judgment: Judgment, group: Group) -> str:
    """The judgment in the letters that the person saw: ``B = D > A > C · A 5, B 7, C 2, D 7``; or what they wrote."""
    if judgment.written:
        return tn(
            "{count} word: {beginning}",
            "{count} words: {beginning}",
            len(judgment.written.text.split()),
            beginning=_preview(judgment.written.text),
        )
    ranking = judgment.ranking
    if judgment.dialogue:
        return tn("a dialogue of {count} turn", "a dialogue of {count} turns", len(judgment.dialogue.turns))
    if ranking is None:
        reason = judgment.reason or ""
        return t("skipped: {reason}", reason=t(reason))
    order = judgment.order or tuple(completion.id for completion in group.completions)
    letters = {completion_id: label(place) for place, completion_id in enumerate(order)}
    shown = [letters[completion.id] for completion in group.completions]
    rated = sorted(zip(shown, ranking.ratings or (), strict=False))
    parts = (
        _tiers(ranking, shown),
        t("strength {strength}", strength=ranking.strength) if ranking.strength else "",
        ", ".join(f"{letter} {rating}" for letter, rating in rated if rating),
        t("with a better text") if judgment.edit else "",
    )
    text = " · ".join(filter(None, parts))
    return " ".join(part for part in (text, t("(all bad)") if ranking.all_bad else "") if part)


def _tiers(ranking: Ranking, letters: list[str]) -> str:
    tiers: dict[int, list[str]] = {}
    for letter, rank in zip(letters, ranking.chosen, strict=True):
        if rank is not None:
            tiers.setdefault(rank, []).append(letter)
    return " > ".join(" = ".join(sorted(tiers[rank])) for rank in sorted(tiers))

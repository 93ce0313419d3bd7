"""An answer on its way in, checked against its task and against what the project asks. Pure."""

from __future__ import annotations

from dataclasses import replace

from labeler.entities import Submission
from labeler.errors import DataError
from labeler.label_schema import Flag, LabelSchema
from labeler.records import Group, Ranking, Ranks, check_text


def ranking_of(submission: Submission, group: Group, schema: LabelSchema, order: tuple[str, ...]) -> Ranking | None:
    """What the answer says of the group, None for a skip. The annotator stands as ``-``.

    Args:
        submission: the answer.
        group: of the task.
        schema: under which it was made.
        order: the completion ids as they were shown.

    Raises:
        DataError: it does not say all that is asked, or something that is not.
    """
    check_text(submission.note or "", "note")
    check_text(submission.reason or "", "reason")
    if submission.seconds is not None and not 0 <= submission.seconds < float("inf"):
        raise DataError("must be a number of seconds from 0 up", field="seconds")
    if submission.kind == "skip":
        if not (submission.reason or "").strip():
            raise DataError("say why the task is skipped", field="reason")
        return None
    if submission.kind != "rank":
        raise DataError(f"the kind is {submission.kind!r}; it must be rank or skip", field="kind")
    if submission.all_bad and not schema.all_bad:
        raise DataError("is not asked for in this project", field="all_bad")
    ids = [completion.id for completion in group.completions]
    ranks, left_over = _ranks(submission, ids, schema)
    ranking = Ranking(
        "-",
        ranks,
        _strength(submission, ranks, schema),
        ratings=_ratings(submission, ids, schema),
        flags=_flags(submission, ids, schema),
        prompt_flags=_known(submission.prompt_flags, schema.prompt_flags, "prompt_flags"),
        all_bad=submission.all_bad,
        note=submission.note,
        order=order,
        top_only=left_over,
    )
    return replace(group, rankings=(ranking,)).rankings[0]  # checked against each other


def _ranks(submission: Submission, ids: list[str], schema: LabelSchema) -> tuple[Ranks, bool]:
    """Ranks in the group's own order, and whether the last of them is of those that were left over."""
    wanted = schema.wants(len(ids))
    if not set(submission.ranks) <= set(ids):
        raise DataError("must hold each completion id of the task once", field="ranks")
    ranks = Ranking("-", tuple(submission.ranks.get(name) for name in ids)).ranks
    ranked = [rank for rank in ranks if rank is not None]
    if not schema.ranking and ranked:
        raise DataError("are not asked for in this project", field="ranks")
    if len(ranked) < wanted:
        if submission.all_bad:
            return ranks, False
        if wanted < len(ids):
            raise DataError(f"{len(ranked)} are ranked; rank the best {wanted}", field="ranks")
        missing = ids[ranks.index(None)]
        raise DataError(f"{missing!r} is not ranked; rank every completion", field="ranks")
    if wanted in (0, len(ids)):
        return ranks, False
    worst = max(ranked)
    if sum(rank < worst for rank in ranked) >= wanted:
        raise DataError(f"{len(ranked)} are ranked; rank only the best {wanted}", field="ranks")
    return tuple(worst + 1 if rank is None else rank for rank in ranks), None in ranks


def _strength(submission: Submission, ranks: Ranks, schema: LabelSchema) -> int | None:
    preferred = len({rank for rank in ranks if rank is not None}) > 1
    if schema.asks_strength(len(ranks)) and preferred and not submission.all_bad and submission.strength is None:
        raise DataError("say how much better it is, from 1 (negligibly) to 4 (significantly)", field="strength")
    if submission.strength is not None and not (schema.asks_strength(len(ranks)) and preferred):
        raise DataError("goes with a preference between two, where the project asks for it", field="strength")
    return submission.strength


def _ratings(submission: Submission, ids: list[str], schema: LabelSchema) -> Ranks | None:
    if not schema.rates:
        if submission.ratings:
            raise DataError("are not asked for in this project", field="ratings")
        return None
    if not set(submission.ratings) <= set(ids):
        raise DataError("must hold each completion id of the task once", field="ratings")
    ratings = tuple(submission.ratings.get(name) for name in ids)
    if None in ratings:
        raise DataError(f"{ids[ratings.index(None)]!r} is not rated; rate every completion", field="ratings")
    return ratings


def _flags(submission: Submission, ids: list[str], schema: LabelSchema) -> tuple[tuple[str, ...], ...] | None:
    if not set(submission.flags) <= set(ids):
        raise DataError("must be by completion ids of the task", field="flags")
    found = [_known(submission.flags.get(name, ()), schema.flags, "flags") for name in ids]
    return tuple(names for names in found if names is not None) if schema.flags else None


def _known(names: tuple[str, ...], asked: tuple[Flag, ...], where: str) -> tuple[str, ...] | None:
    """The names in the schema's order; None where no flags are asked for, so that "none set" can be told from that."""
    known = [flag.name for flag in asked]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(f"{unknown[0]!r} is no flag of this project", field=where)
    return tuple(name for name in known if name in names) if asked else None

"""What an import did, in lines for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labeler.importing import LOOKED, Report
from labeler.languages import mark

REASONS = {
    "repeated": mark("their prompt was there before"),
    "same start": mark("their prompt starts as an earlier one does"),
    "same meaning": mark("their prompt means the same as an earlier one"),
    "enough of the author": mark("their author has enough prompts"),
}
"""Why groups are left out."""
NAMED = 5


def lines(done: Report) -> list[str]:
    """Problems first, then what was cleaned."""
    problems = [problem_line(one) for one in done.problems]
    more = [f"… and {done.bad - len(done.problems):,} more"] if done.bad > len(done.problems) else []
    return [*problems, *more, *cleaning_lines(done)]


def cleaning_lines(done: Report) -> list[str]:
    """What was left out, masked and split, and what might have been."""
    left = [_left_out(done, reason, count) for reason, count in done.reasons.items()]
    kinds = ", ".join(f"{count:,} × {kind}" for kind, count in sorted(done.kinds.items()))
    masked = [f"masked: {kinds} ({_names([one['id'] for one in done.masked])})"] if kinds else []
    shares = ", ".join(f"{split} {count:,}" for split, count in sorted(done.splits.items()))
    splits = [f"split by author: {shares}"] if shares else []
    still = done.repeated if "repeated" not in done.reasons else 0
    hint = [f"{still:,} groups repeat an earlier prompt (--unique leaves them out)"] if still else []
    seen = ", ".join(f"{count:,} × {kind}" for kind, count in sorted(done.seen.items()))
    personal = [f"personal data in the first {LOOKED} groups: {seen} (--mask-pii masks it)"] if seen else []
    return [*left, *masked, *splits, *hint, *personal]


def _left_out(done: Report, reason: str, count: int) -> str:
    named = _names([f"{one['id']} for {one['because']}" for one in done.left_out if one["reason"] == reason])
    return f"left out {count:,} groups, since {REASONS[reason]}: {named}"


def _names(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def problem_line(one: Mapping[str, Any]) -> str:
    """A problem of a report with its place."""
    line = f"line {one['line']}" if one["line"] else ""
    return ": ".join(part for part in (line, one["field"] or "", one["problem"]) if part)

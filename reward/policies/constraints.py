"""Accuracy on prompts with constraints that code can check, strict and loose (Zhou et al. 2023, arXiv 2311.07911, 2.2).

A row has the format of IFEval::

    {"key": 7, "prompt": "Name three rivers in a list of three points, without commas.",
     "instruction_id_list": ["detectable_format:number_bullet_lists", "punctuation:no_comma"],
     "kwargs": [{"num_bullets": 3}, {}]}

Strict asks of the answer as it is; loose accepts it if it follows without its first line, its last line, or its
asterisks, or any of these together, which forgives an introduction, a farewell, and Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from labeler.errors import DataError
from labeler.formats import prompt_key
from labeler.formats.sources import open_rows
from labeler.records import Group, Message
from reward.bootstrap import Floats
from reward.policies.instructions import Instruction
from reward.policies.measures import Estimate, rate_of
from reward.policies.records import Answers


@dataclass(frozen=True)
class Constrained:
    """A prompt with its constraints."""

    key: str
    prompt: str
    instructions: tuple[Instruction, ...]

    def group(self) -> Group:
        """The prompt to be answered."""
        return Group(f"constraints-{self.key}", (Message("user", self.prompt),), (), meta={"slice": "constraints"})


@dataclass(frozen=True)
class ConstraintRates:
    """Accuracy of every policy, one estimate each.

    Attributes:
        prompt_strict, prompt_loose: all constraints of a prompt are followed.
        instruction_strict, instruction_loose: single constraints are.
        by_kind: strict, for each kind of constraint, such as ``keywords``.
        prompts: how many with constraints were answered. unanswered: rows whose prompt no policy answered.
    """

    prompt_strict: tuple[Estimate, ...]
    prompt_loose: tuple[Estimate, ...]
    instruction_strict: tuple[Estimate, ...]
    instruction_loose: tuple[Estimate, ...]
    by_kind: Mapping[str, tuple[Estimate, ...]]
    prompts: int
    unanswered: int


def read_constraints(path: Path) -> list[Constrained]:
    """The rows of a file in the format of IFEval.

    Raises:
        DataError: a field is missing, or an instruction or argument is unknown; names file, line and instruction.
    """
    found = []
    for row in open_rows(path):
        try:
            if isinstance(row.value, DataError):
                raise row.value
            found.append(_parse(row.value, str(row.line)))
        except DataError as error:
            raise error.at(file=row.file, line=row.line) from error
    return found


def _parse(row: Mapping[str, Any], number: str) -> Constrained:
    prompt, names, arguments = (row.get(field) for field in ("prompt", "instruction_id_list", "kwargs"))
    if not isinstance(prompt, str) or not prompt:
        raise DataError("must be a text", field="prompt")
    if not isinstance(names, list) or not names:
        raise DataError("must be a list of one instruction or more", field="instruction_id_list")
    if not isinstance(arguments, list) or len(arguments) != len(names):
        raise DataError("must be a list with one object for each instruction", field="kwargs")
    instructions = []
    for index, (name, given) in enumerate(zip(names, arguments, strict=True)):
        try:
            told = {key: _whole(value) for key, value in (given or {}).items() if value is not None}
            instructions.append(Instruction(str(name), told))
        except DataError as error:
            raise DataError(error.problem, field=f"instruction_id_list[{index}]") from error
    return Constrained(str(row.get("key", number)), prompt, tuple(instructions))


def _whole(value: object) -> object:
    """Numbers as tables keep them, 3.0, as whole ones."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def loosened(answer: str) -> Iterator[str]:
    """The answer and its seven variants."""
    lines = answer.split("\n")
    for first, last, plain in product((0, 1), (len(lines), -1), (False, True)):
        part = "\n".join(lines[first:last]).strip() if first or last == -1 else answer
        yield part.replace("*", "") if plain else part


def strictly(instruction: Instruction, answer: str) -> bool:
    """Whether the answer as it is follows an instruction."""
    return instruction.followed(answer)


def loosely(instruction: Instruction, answer: str) -> bool:
    """Whether any variant of the answer follows an instruction."""
    return any(instruction.followed(variant) for variant in loosened(answer))


def check_answers(rows: Sequence[Constrained], answers: Answers) -> tuple[ConstraintRates, Floats]:
    """Check every answer to a prompt that has constraints.

    Returns:
        The rates, and a measure (C, P): the share of answers to each prompt that follow all its constraints strictly.
    """
    number = {prompt_key(prompt.prompt): place for place, prompt in enumerate(answers.prompts)}
    known = [(row, number.get(prompt_key(row.group().prompt))) for row in rows]
    asked = [(row, place) for row, place in known if place is not None]
    policies = range(len(answers.names))
    verdicts = {
        rule: [[_verdicts(row, answers.texts[place][p], rule) for p in policies] for row, place in asked]
        for rule in (strictly, loosely)
    }
    strict, loose = verdicts[strictly], verdicts[loosely]
    measure = np.full(answers.shape, np.nan)
    for (_, place), row in zip(asked, strict, strict=True):
        measure[place] = [cell.all(axis=1).mean() if len(cell) else np.nan for cell in row]
    kinds = sorted({instruction.id.partition(":")[0] for row, _ in asked for instruction in row.instructions})
    rates = ConstraintRates(
        prompt_strict=tuple(_by_prompt(strict, p) for p in policies),
        prompt_loose=tuple(_by_prompt(loose, p) for p in policies),
        instruction_strict=tuple(_by_instruction(asked, strict, p) for p in policies),
        instruction_loose=tuple(_by_instruction(asked, loose, p) for p in policies),
        by_kind={kind: tuple(_by_instruction(asked, strict, p, kind) for p in policies) for kind in kinds},
        prompts=len(asked),
        unanswered=len(rows) - len(asked),
    )
    return rates, measure


Rule = Callable[[Instruction, str], bool]
Cells = Sequence[Sequence[Floats]]
"""``cells[row][policy]`` (answers, instructions) of 0 and 1."""


def _verdicts(row: Constrained, answers: Sequence[str], rule: Rule) -> Floats:
    found = [[rule(instruction, answer) for instruction in row.instructions] for answer in answers]
    return np.asarray(found, dtype=np.float64).reshape(len(answers), len(row.instructions))


def _by_prompt(cells: Cells, policy: int) -> Estimate:
    answered = [row[policy] for row in cells if len(row[policy])]
    hits = np.array([cell.all(axis=1).mean() for cell in answered])
    return rate_of(hits, np.ones(len(hits)))


def _by_instruction(
    asked: Sequence[tuple[Constrained, int]], cells: Cells, policy: int, kind: str | None = None
) -> Estimate:
    hits, counts = [], []
    for (row, _), cell in zip(asked, cells, strict=True):
        columns = [i for i, each in enumerate(row.instructions) if kind in (None, each.id.partition(":")[0])]
        if len(cell[policy]) and columns:
            hits.append(cell[policy][:, columns].mean(axis=0).sum())
            counts.append(float(len(columns)))
    return rate_of(np.array(hits), np.array(counts))

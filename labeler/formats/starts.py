"""Prompts alone, to write answers or whole dialogues for: a prompt, a system message, a scenario, or some of these.

{"id": "d1", "scenario": "You have lost a parcel and are in a hurry.", "system": "You work for a parcel service."}
{"id": "d2", "system": "Answer in one sentence.", "prompt": "Why is the sky blue?"}

The scenario is for the person who writes, and no part of the dialogue; it goes to ``meta``.
"""

from __future__ import annotations

from labeler.errors import DataError
from labeler.formats import fields
from labeler.formats.fields import Row
from labeler.formats.scored import find_prompt, is_prompt
from labeler.formats.spec import Place, build_group
from labeler.records import SCENARIO, Group, Message, Prompt

FIELDS = frozenset({"id", SCENARIO, "system", "source", "split", "meta"})


def is_start(row: Row) -> bool:
    """Whether a row is meant as a prompt and nothing that answers it."""
    described = any(row.get(name) is not None for name in (SCENARIO, "system"))
    return is_prompt(row) or (described and row.keys() <= FIELDS)


def parse_start(row: Row, place: Place) -> Group:
    """A group without completions: something to write for, or to generate from.

    Its prompt may be empty where there is a scenario.
    """
    name, prompt = find_prompt(row) if is_prompt(row) else ("prompt", ())
    system = fields.optional_text(row, "system")
    scenario = fields.optional_text(row, SCENARIO)
    if scenario is not None and not scenario.strip():
        raise DataError("is empty; say what is to be played, or leave it out", field=SCENARIO)
    used = frozenset({name, "system"})
    return build_group(row, place, prompt=_begun(system, prompt), answers=(), rankings=(), used=used)


def _begun(system: str | None, prompt: Prompt) -> Prompt:
    if system is None:
        return prompt
    if prompt and prompt[0].role == "system":
        raise DataError("is there beside a system message in the prompt; keep one of them", field="system")
    return (Message("system", system), *prompt)

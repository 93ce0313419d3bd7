"""What each policy answered to which prompt, and what people said of it, lined up by prompt.

The answers of a policy are a file of ``reward generate`` or ``reward rerank`` (whose best answer is then the policy's:
best of n), or what judged groups hold of it. Files are joined by prompt id, and an id must mean the same prompt
everywhere; judged groups are joined by the prompt itself, since labeling may have given them other ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labeler.errors import DataError, UsageError
from labeler.formats import parse_group, prompt_key
from labeler.formats.sources import open_rows
from labeler.records import Group
from reward.policies.records import Answers


@dataclass(frozen=True)
class Source:
    """One ``--policies`` entry: a policy's name, and its file of answers or the model that writes them, if any."""

    name: str
    place: str | None

    @property
    def is_file(self) -> bool:
        """Whether the place is a file of answers; else it is a model to be sampled."""
        return self.place is not None and Path(self.place).is_file()


def parse_source(text: str) -> Source:
    """``NAME=FILE``, ``NAME=MODEL``, or ``NAME`` of a policy that only judged groups know.

    Raises:
        UsageError: the name is missing.
    """
    name, equals, place = text.partition("=")
    if not name or (equals and not place):
        raise UsageError(f"--policies {text}: write NAME=FILE, NAME=MODEL, or the NAME of a judged model")
    return Source(name, place or None)


def read_answers(path: str) -> list[Group]:
    """The groups of a file of answers; of reranked ones only the best completion.

    Raises:
        DataError: a row is no group, or two rows have the same id; names file, line and field.
    """
    found: dict[str, Group] = {}
    for row in open_rows(path):
        try:
            if isinstance(row.value, DataError):
                raise row.value
            group = parse_group(row.value)
            if group.id in found:
                raise DataError(f"the prompt {group.id!r} is there twice; keep one line a prompt", field="id")
            found[group.id] = _best_only(group, row.value.get("best"))
        except DataError as error:
            raise error.at(file=row.file, line=row.line) from error
    return list(found.values())


def _best_only(group: Group, best: object) -> Group:
    """The group with the one completion that a row of `reward rerank` calls best; any other row's group as it is."""
    if best is None:
        return group
    name = best.get("id") if isinstance(best, Mapping) else None
    kept = tuple(completion for completion in group.completions if completion.id == name)
    if not kept:
        raise DataError(f"names {name!r}, which is none of its completions; rerank the file again", field="best")
    return replace(group, completions=kept)


def gather(sources: Sequence[Source], written: Mapping[str, Sequence[Group]], judged: Sequence[Group]) -> Answers:
    """Line everything up.

    Args:
        sources: the policies, in order; without any, the models of the judged groups as they first come.
        written: policy → its groups of answers, for the policies that have a file or were sampled.
        judged: groups that people judged.

    Raises:
        DataError: an id means two prompts, fewer than two policies, or a policy has no answers at all.
    """
    sources = sources or [Source(name, None) for name in dict.fromkeys(_models(judged))]
    names = tuple(source.name for source in sources)
    if len(names) < 2:
        raise DataError("fewer than two policies are there to compare; give two with --policies NAME=FILE")
    _check_ids(written)
    policy_of = owners(names, written)
    prompts: dict[str, Group] = {}
    texts: dict[str, list[list[str]]] = {}
    alone = [p for p, name in enumerate(names) if name not in written]
    for group, policy, text in _texts(names, written, judged, policy_of, frozenset(alone)):
        key = prompt_key(group.prompt)
        known = prompts.setdefault(key, replace(group, completions=(), rankings=()))
        prompts[key] = replace(known, meta=dict(group.meta) | dict(known.meta))
        row = texts.setdefault(key, [[] for _ in names])
        if policy is not None:
            row[policy].append(text)
    numbers = {key: number for number, key in enumerate(prompts)}
    answers = Answers(
        names,
        tuple(prompts.values()),
        tuple(tuple(tuple(answers) for answers in row) for row in texts.values()),
        tuple(judged),
        tuple(numbers[prompt_key(group.prompt)] for group in judged),
        policy_of,
    )
    for name, count in zip(names, answers.counts(), strict=True):
        if not count:
            raise DataError(f"the policy {name!r} has no answers; give NAME=FILE, or judged groups whose model it is")
    return answers


def owners(names: Sequence[str], written: Mapping[str, Sequence[Group]]) -> dict[str, int]:
    """Which policy a judged completion's model is: by its name, else by what that policy's file calls itself.

    A model that two files name, such as a base and best of n from it, is neither's.
    """
    claims: dict[str, set[int]] = {}
    for policy, name in enumerate(names):
        for model in {c.model for group in written.get(name, ()) for c in group.completions if c.model}:
            claims.setdefault(model, set()).add(policy)
    found = {model: min(policies) for model, policies in claims.items() if len(policies) == 1}
    return found | {name: policy for policy, name in enumerate(names)}


def _models(judged: Sequence[Group]) -> Iterator[str]:
    return (c.model for group in judged for c in group.completions if c.model)


def _check_ids(written: Mapping[str, Sequence[Group]]) -> None:
    """Raise `DataError` where two files mean different prompts by one id."""
    seen: dict[str, tuple[str, str]] = {}
    for name, groups in written.items():
        for group in groups:
            key = prompt_key(group.prompt)
            other, known = seen.setdefault(group.id, (name, key))
            if known != key:
                raise DataError(
                    f"the id {group.id!r} is another prompt for {other!r} than for {name!r}; "
                    "let both policies answer the same file of prompts",
                    field="id",
                )


def _texts(
    names: Sequence[str],
    written: Mapping[str, Sequence[Group]],
    judged: Sequence[Group],
    policy_of: Mapping[str, int],
    alone: frozenset[int],
) -> Iterator[tuple[Group, int | None, str]]:
    """(prompt, policy, text) of every answer; a judged group without one that counts comes once with policy None."""
    for policy, name in enumerate(names):
        for group in written.get(name, ()):
            yield from ((group, policy, completion.text) for completion in group.completions)
    for group in judged:
        yield group, None, ""
        for completion in group.completions:
            policy_number = policy_of.get(completion.model or "")
            if policy_number in alone:
                yield group, policy_number, completion.text

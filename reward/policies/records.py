"""The data of an evaluation of policies, named once: what each policy answered, and what people said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from labeler.records import Group, Ranking


@dataclass(frozen=True)
class Judgment:
    """One person's judgment of one group.

    Attributes:
        prompt: number of the prompt.
        policies: per completion the number of the policy that wrote it, None for a model that is not evaluated.
    """

    prompt: int
    policies: tuple[int | None, ...]
    ranking: Ranking


@dataclass(frozen=True)
class Answers:
    """C prompts, P policies.

    Attributes:
        names: of the policies, in the order in which they were given.
        prompts: C groups without completions, one for each different prompt.
        texts: ``texts[c][p]`` are the answers of policy p to prompt c, none, one or several.
        judged: the groups that people judged. prompt_of: number of the prompt of each of them.
        policy_of: model of a judged completion → number of the policy.
    """

    names: tuple[str, ...]
    prompts: tuple[Group, ...]
    texts: tuple[tuple[tuple[str, ...], ...], ...]
    judged: tuple[Group, ...] = ()
    prompt_of: tuple[int, ...] = ()
    policy_of: Mapping[str, int] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """(C, P)."""
        return len(self.prompts), len(self.names)

    def counts(self) -> tuple[int, ...]:
        """Number of answers of each policy."""
        return tuple(sum(len(row[p]) for row in self.texts) for p in range(len(self.names)))

    def judgments(self) -> Iterator[Judgment]:
        """Everything that people said."""
        for group, prompt in zip(self.judged, self.prompt_of, strict=True):
            policies = tuple(self.policy_of.get(completion.model or "") for completion in group.completions)
            for ranking in group.rankings:
                yield Judgment(prompt, policies, ranking)

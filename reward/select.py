"""``reward select``: which of the groups that nobody has ranked people should judge next.

The output is a group file in the order of urgency, ready for ``labeler import`` or ``labeler prioritize``. Each group
carries why it is there::

    "meta": {"priority": 98, "select": {"method": "fisher", "rank": 3, "score": 0.41, "model": "rm"}}
    "meta": {"priority": 97, "select": {"method": "random", "rank": 4, "probability": 0.02, "model": "rm"}}

A share is always drawn at random, before the method chooses among the rest: ``probability`` is the chance that a group
of the pool had to be drawn, so that these groups alone estimate anything about the pool without bias. They are spread
evenly over the ranks, so that this also holds where people get through only the first part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from labeler.errors import DataError
from labeler.formats import prompt_key, write_groups
from labeler.records import Group
from reward.artifact import Scorer
from reward.bootstrap import Floats
from reward.config.select import SelectConfig
from reward.design import choose_by, stack
from reward.encoder import TextEncoder, conversation
from reward.measure import score_all
from reward.progress import Progress, tell
from reward.prompts import unique_groups
from reward.splits import scored_only, select_completions
from reward.uncertainty import Laplace, training_information

MOST_URGENT = 100
"""The labeling queue's priorities go from 0, which is usual, to this."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What the model says of all groups.

    Attributes:
        groups: with the completions that fit the context only.
        scores: per group, one raw score per completion.
        features: per group, (K, d) of the completions.
    """

    groups: Sequence[Group]
    scores: Sequence[Sequence[float]]
    features: Sequence[Floats]

    def at(self, kept: Sequence[int]) -> Judged:
        """Only the groups at these places."""
        return Judged([self.groups[k] for k in kept], [self.scores[k] for k in kept], [self.features[k] for k in kept])

    def as_pairs(self) -> Judged:
        """Every pair of completions as a group of its own, whose meta says which group it comes from."""
        parts = [
            (pair_of(group, i, j), [scores[i], scores[j]], rows[[i, j]])
            for group, scores, rows in zip(self.groups, self.scores, self.features, strict=True)
            for i, j in combinations(range(len(scores)), 2)
        ]
        return Judged(*map(list, zip(*parts, strict=True)))


def pair_of(group: Group, i: int, j: int) -> Group:
    """The group with completions i and j alone, under an id of its own."""
    part = select_completions(group, [i, j])
    names = ":".join(completion.id for completion in part.completions)
    return replace(part, id=f"{group.id}:{names}", meta={**group.meta, "select": {"group": group.id}})


def run(config: SelectConfig) -> int:
    """The whole command; returns the number of groups that were chosen."""
    with Progress(config.progress) as progress:
        groups = unique_groups(config.data)
        scorer = Scorer.from_pretrained(config.model, device=None if config.device == "auto" else config.device)
        judged, notes = look_at(scorer, groups, progress)
        pool = judged.at([k for k, g in enumerate(judged.groups) if not g.rankings and len(g.completions) > 1])
        if not pool.groups:
            problem = "every group has rankings or fewer than two completions; give groups that nobody has ranked"
            raise DataError(problem, file=", ".join(config.data))
        if config.unit == "pair":
            pool = pool.as_pairs()
        labelled = judged.at([k for k, group in enumerate(judged.groups) if group.rankings])
        chosen = choose(pool, posterior(scorer, labelled), config, progress)
    write_groups(marked(pool.groups, chosen, config), config.output)
    drawn = sum(pick.probability is not None for pick in chosen)
    what = "groups" if config.unit == "group" else "pairs"
    tell(*notes, f"{len(chosen)} of {len(pool.groups)} {what} chosen, {drawn} of them at random: {config.output}")
    return len(chosen)


def look_at(scorer: Scorer, groups: Sequence[Group], progress: Progress) -> tuple[Judged, list[str]]:
    """Scores and features of all groups, and what a person must know about the reading."""
    reading = score_all(scorer, groups, progress, stage="select", digest=lambda rows: rows)
    return Judged(*scored_only(groups, reading.scores), reading.features), list(reading.report.lines())


def posterior(scorer: Scorer, labelled: Judged) -> Laplace:
    """What is known of the head: from its training, and from labelled groups whose prompts it was not trained on."""
    seen = frozenset(scorer.manifest.get("seen_prompts", ()))
    length = len(next(iter(seen), ""))
    width = scorer.model.classifier.config.get_text_config().hidden_size
    known = scorer.uncertainty or Laplace(np.zeros((width, width)), np.zeros(width), width + 1.0)
    fresh = labelled.at([k for k, g in enumerate(labelled.groups) if prompt_key(g.prompt)[:length] not in seen])
    more = training_information(fresh.groups, fresh.scores, fresh.features, total=len(fresh.groups))
    return known if more is None else replace(known, fisher=known.fisher + more.fisher)


@dataclass(frozen=True)
class Pick:
    """One chosen candidate: its index, and the method's score of it or, drawn at random, its probability."""

    index: int
    score: float | None = None
    probability: float | None = None


def choose(pool: Judged, known: Laplace, config: SelectConfig, progress: Progress) -> list[Pick]:
    """The chosen candidates, the most urgent first."""
    size = len(pool.groups)
    budget = min(config.budget, size)
    share = 1.0 if config.method == "random" else config.random
    count = round(share * budget)
    order = np.random.default_rng(config.seed).permutation(size)
    drawn = [Pick(int(k), probability=count / size) for k in order[:count]]
    if budget == count:
        return drawn
    rest = sorted(order[count:].tolist())
    others = pool.at(rest)
    near = prompt_embeddings(others.groups, config, progress) if config.method == "fisher-diverse" else None
    covariance = np.linalg.inv(known.fisher + known.prior * np.eye(len(known.fisher))).astype(np.float64)
    candidates = stack(others.features, others.scores)
    found = choose_by(config.method, candidates, covariance, budget - count, embeddings=near)
    picked = [Pick(rest[k], score=score) for k, score in found]
    return list(interleaved(drawn, picked))


def prompt_embeddings(groups: Sequence[Group], config: SelectConfig, progress: Progress) -> Floats:
    """(N, e) embedding of each group's prompt; groups that share a prompt share the reading of it."""
    texts = [conversation(group.prompt) for group in groups]
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    vectors = TextEncoder.load(config.embedder, device=config.device).embed(list(places), progress)
    return vectors[[places[text] for text in texts]].astype(np.float64)


def interleaved(drawn: Sequence[Pick], picked: Sequence[Pick]) -> Iterator[Pick]:
    """Both lists in one, each in its order and spread evenly over the ranks."""
    places = [((k + 0.5) / len(each), pick) for each in (drawn, picked) for k, pick in enumerate(each)]
    return (pick for _, pick in sorted(places, key=lambda place: place[0]))


def marked(groups: Sequence[Group], chosen: Sequence[Pick], config: SelectConfig) -> Iterator[Group]:
    """The chosen groups, each with its reason and its priority in meta."""
    for rank, pick in enumerate(chosen, start=1):
        group = groups[pick.index]
        reason = dict(group.meta["select"]) if config.unit == "pair" else {}
        reason |= told(pick, config.method, rank) | {"model": config.model.resolve().name}
        priority = MOST_URGENT - (rank - 1) * MOST_URGENT // len(chosen)
        yield replace(group, meta={**group.meta, "select": reason, "priority": priority})


def told(pick: Pick, method: str, rank: int) -> dict[str, str | int | float]:
    """Why and how urgently something was chosen."""
    if pick.probability is not None:
        return {"method": "random", "rank": rank, "probability": pick.probability}
    return {"method": method, "rank": rank, "score": pick.score or 0.0}

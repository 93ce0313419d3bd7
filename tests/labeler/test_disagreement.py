"""Pairs on which model and people part, against brute force over all pairs."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from store_helpers import group

from labeler.disagreement import verdicts
from labeler.formats import prompt_key
from labeler.records import Group, Ranking


def judged(number: int, k: int = 4) -> tuple[Group, list[float]]:
    rng = np.random.default_rng(number)
    said = tuple(Ranking(name, tuple(rng.integers(1, k + 1, k).tolist())) for name in ("x", "y", "z"))
    return group(number, k, said), rng.normal(size=k).tolist()


def by_hand(made: Group, scores: list[float]) -> list[tuple[str, str, float]]:
    found = []
    for i, j in combinations(range(len(scores)), 2):
        ahead = [r.ranks[j] - r.ranks[i] for r in made.rankings]
        wins, losses = sum(a > 0 for a in ahead), sum(a < 0 for a in ahead)
        if wins != losses and not math.isnan(scores[i] + scores[j]):
            best, worst = (i, j) if wins > losses else (j, i)
            found.append((made.completions[best].id, made.completions[worst].id, scores[worst] - scores[best]))
    return found


def test_every_decided_pair_is_there_the_worst_first():
    groups, scores = map(list, zip(*(judged(number) for number in range(20)), strict=True))
    scores[3][1] = math.nan
    found = verdicts(groups, scores, frozenset())
    expected = [(g.id, *row) for g, values in zip(groups, scores, strict=True) for row in by_hand(g, values)]
    assert sorted((v.group.id, v.preferred.id, v.other.id, v.margin) for v in found) == sorted(expected)
    margins = [v.margin for v in found]
    assert margins == sorted(margins, reverse=True)
    assert not any(v.learned for v in found)


def test_votes_are_of_the_preferred_one():
    made = group(0, 2, (Ranking("x", (2, 1)), Ranking("y", (2, 1)), Ranking("z", (1, 2)), Ranking("w", (1, 1))))
    (found,) = verdicts([made], [[3.0, 1.0]], frozenset())
    assert (found.preferred.id, found.other.id, found.margin) == ("c1", "c0", 2.0)
    assert (found.votes, found.against, found.ties) == (2, 1, 1)


def test_prompts_that_the_model_learned_from_are_marked():
    (first, one), (second, two) = judged(1), judged(2)
    seen = frozenset({prompt_key(first.prompt)[:16], "0" * 16})
    learned = {v.group.id: v.learned for v in verdicts([first, second], [one, two], seen)}
    assert learned == {first.id: True, second.id: False}

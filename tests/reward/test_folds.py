"""Who and what is held out of what, the figures from judgments, and nested training sets."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from builders import group

from labeler.errors import DataError
from labeler.formats import prompt_key
from labeler.records import Ranking
from reward.folds import Judgment, deal, judge_judgments, make_folds, summarise
from reward.learning_curve import learning_curve, nested_shares
from reward.pairs import strict_judgments


def crowd(prompts=20, people=6, per_prompt=3, seed=0):
    """Groups of two that a few of many people ranked."""
    rng = np.random.default_rng(seed)
    groups = []
    for i in range(prompts):
        judges = rng.choice(people, size=per_prompt, replace=False)
        rankings = tuple(Ranking(f"labeler-{n}", (1, 2) if rng.random() < 0.7 else (2, 1)) for n in judges)
        groups.append(replace(group(f"g{i}", f"prompt {i}", ["a", "b"]), rankings=rankings, split="test"))
    return groups


def people_of(groups):
    return {ranking.annotator for g in groups for ranking in g.rankings}


def prompts_of(groups):
    return {prompt_key(g.prompt) for g in groups}


def test_neither_person_nor_prompt_of_a_measured_judgment_was_trained_on():
    groups = crowd()
    folds, divided = make_folds(groups, 3)
    assert divided
    for fold in folds:
        assert not people_of(fold.train) & fold.annotators
        assert not prompts_of(fold.train) & prompts_of(fold.measured)
        assert all(g.split == "train" for g in fold.train)
    assert sorted(name for fold in folds for name in fold.annotators) == [f"labeler-{n}" for n in range(6)]
    assert set().union(*(prompts_of(fold.measured) for fold in folds)) == prompts_of(groups)
    assert sum(len(prompts_of(fold.measured)) for fold in folds) == 20


def test_with_fewer_prompts_than_folds_only_people_are_held_out_and_that_is_said():
    groups = crowd(prompts=2, people=4, per_prompt=4)
    folds, divided = make_folds(groups, 4)
    assert not divided
    for fold in folds:
        assert people_of(fold.measured) == fold.annotators
        assert prompts_of(fold.train) == prompts_of(groups)
    judged = [judge_judgments(fold.measured, [[1, 0]] * len(fold.measured), fold.annotators) for fold in folds]
    found = summarise(judged, divided=divided, people=4)
    assert found.training_accuracy is None
    assert "prompts were not held out" in found.method
    assert "too good to expect" in found.verdict


@pytest.mark.parametrize(
    ("groups", "folds", "message"),
    [
        (crowd(people=3), 5, "by 3 annotators, fewer than 5 folds; give --folds 3"),
        ([group("g", "p", ["a", "b"], (1, 2))], 2, "one annotator"),
    ],
)
def test_too_few_people_are_refused(groups, folds, message):
    with pytest.raises(DataError, match=message):
        make_folds(groups, folds)


def test_parts_weigh_about_the_same_and_hang_on_the_seed_alone():
    names = {f"p{i}": weight for i, weight in enumerate([50, 20, 20, 10, 5, 5, 5, 5])}
    parts = deal(names, 2, seed=0)
    load = Counter()
    for name, part in parts.items():
        load[part] += names[name]
    assert load[0] == load[1] == 60
    assert parts == deal(dict(reversed(names.items())), 2, seed=0)
    assert any(parts != deal(names, 2, seed=seed) for seed in range(1, 6))


def test_every_strict_judgment_is_judged():
    groups = [group("g", "p", ["a", "b", "c"], (1, 2, 2), (3, None, 1))]
    found = judge_judgments(groups, [[2.0, 1.0, 2.0]], {"p1"})
    assert [(j.annotator, j.right, j.held_out) for j in found] == [
        ("p0", 1.0, False), ("p0", 0.5, False), ("p1", 0.5, True),
    ]  # fmt: skip
    assert len(strict_judgments(groups)) == 3


def judgments(seed, people=12, prompts=25, known=0.8, other=0.65):
    rng = np.random.default_rng(seed)
    return [
        Judgment(f"q{q}", f"p{p}", float(rng.random() < (other if p < people // 2 else known)), p < people // 2)
        for q in range(prompts)
        for p in range(people)
    ]


def test_a_model_that_knows_its_own_people_better_is_found_out():
    every = judgments(0, prompts=60)
    found = summarise([every[:360], every[360:]], divided=True, people=12)
    held = [j.right for j in every if j.held_out]
    assert found.accuracy == pytest.approx(np.mean(held))
    assert found.judgments == len(held) == found.training_judgments
    assert found.difference == pytest.approx(found.accuracy - found.training_accuracy)
    assert found.difference_ci95[1] < 0
    assert "better than other people" in found.verdict
    equal = summarise([judgments(1, known=0.7, other=0.7)], divided=True, people=12)
    assert "not shown to be worse" in equal.verdict


def test_interval_is_as_wide_as_people_differ():
    """With few people who differ, resampling them widens the interval far beyond that of independent judgments."""
    rng = np.random.default_rng(0)
    people = [Judgment(f"q{q}", f"p{p}", float(rng.random() < (0.95, 0.95, 0.4, 0.4)[p]), True)
              for q in range(100) for p in range(4)]  # fmt: skip
    low, high = summarise([people], divided=True, people=4).accuracy_ci95
    assert high - low > 3 * 2 * 1.96 * np.sqrt(0.22 / 400)


def test_larger_training_sets_hold_the_smaller_ones():
    groups = crowd(prompts=40)
    small, middle, whole = nested_shares(groups, [0.1, 0.5, 1.0])
    assert (len(small), len(middle), len(whole)) == (4, 20, 40)
    assert prompts_of(small) < prompts_of(middle) < prompts_of(whole)
    assert nested_shares(list(reversed(groups)), [0.1])[0] == tuple(reversed(small))


def test_the_curve_by_hand():
    test = [group(f"t{i}", f"test {i}", ["a", "b"], (1, 2)) for i in range(4)]
    right, wrong = [1.0, 0.0], [0.0, 1.0]
    groups = crowd(prompts=10)
    parts = nested_shares(groups, [0.5, 1.0])
    found = learning_curve([0.5, 1.0], parts, test, [[right, right, wrong, wrong], [right] * 4])
    assert [(p.accuracy, p.prompts, p.labels) for p in found.points] == [(0.5, 5, 15), (1.0, 10, 30)]
    assert found.gain == 0.5
    assert "From 15 to 30 labels" in found.verdict

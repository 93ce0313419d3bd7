"""Who is asked about what in which round, and whose rankings train which model."""

from collections import Counter
from dataclasses import replace

from builders import group, ranked_groups

from labeler.formats import prompt_key, split_of
from labeler.records import Ranking
from reward.rounds.cycle import stretch
from reward.rounds.data import assign, by_people, distinct, divide, in_round, rankable, turn, without
from reward.splits import opening_key


def test_held_out_prompts_are_those_of_the_test_split():
    groups = [replace(g, split="test" if i < 3 else "train") for i, g in enumerate(ranked_groups(24))]
    found = divide([*groups, replace(groups[5], id="again")])
    assert [g.id for g in found.held_out] == ["g0", "g1", "g2"]
    assert len(found.watched) == 3  # a tenth of 21, rounded up
    assert sorted(g.id for g in [*found.asked, *found.watched]) == sorted(g.id for g in groups[3:])
    everything = [*found.asked, *found.watched, *found.held_out]
    assert all(not g.completions and not g.rankings and g.split is None for g in everything)


def test_without_splits_the_prompt_decides():
    groups = ranked_groups(80)
    found = divide(groups)
    assert {g.id for g in found.held_out} == {g.id for g in groups if split_of(prompt_key(g.prompt)) == "test"}
    assert found.held_out
    assert len(found.asked) + len(found.watched) + len(found.held_out) == 80
    assert {g.id for g in divide(groups[::-1]).watched} == {g.id for g in found.watched}


def test_rounds_take_turns_until_every_prompt_had_one():
    prompts = ranked_groups(10)
    first, second, third = (turn(prompts, start, 4, seed=0) for start in (0, 4, 8))
    assert not {g.id for g in first} & {g.id for g in second}
    counts = Counter(g.id for g in [*first, *second, *third])
    assert len(counts) == 10
    assert max(counts.values()) == 2
    assert len(turn(prompts, 40, 40, seed=0)) == 10
    assert turn(prompts, 0, 4, seed=1) != first
    assert in_round(first[0], 2).id == f"round-2/{first[0].id}"


def test_no_prompt_is_skipped_though_later_rounds_take_more():
    prompts = ranked_groups(25)
    taken = [g.id for number in (1, 2, 3) for g in turn(prompts, *stretch(number, ask=5), seed=0)]
    assert [len(taken), len(set(taken))] == [25, 25]


def test_prompts_that_a_demonstration_answers_are_not_compared_on():
    groups = [replace(g, split="test" if i < 3 else "train") for i, g in enumerate(ranked_groups(24))]
    found = divide(groups, {opening_key(groups[1].prompt), opening_key(groups[9].prompt)})
    assert [g.id for g in found.held_out] == ["g0", "g2"]
    assert [g.id for g in found.left_out] == ["g1"]
    assert "g9" in {g.id for g in [*found.asked, *found.watched]}


def test_rankings_of_held_out_prompts_train_nothing():
    groups = ranked_groups(6)
    renamed = replace(groups[2], id="another", completions=(), rankings=())
    assert [g.id for g in without(groups, [renamed])] == ["g0", "g1", "g3", "g4", "g5"]


def test_repeated_completions_are_asked_about_once():
    same = group("same", "Why?", ["a", "b", "a", "c"])
    assert [c.id for c in distinct(same).completions] == ["c0", "c1", "c3"]
    assert [g.id for g in rankable([same, group("only", "Why?", ["a", "a"])])] == ["same"]


def test_judges_and_others_are_kept_apart():
    both = replace(
        group("g", "Why?", ["a", "b"]), rankings=(Ranking("labeler-1", (1, 2)), Ranking("labeler-2", (2, 1)))
    )
    alone = replace(group("h", "How?", ["a", "b"]), rankings=(Ranking("labeler-1", (1, 2)),))
    trained, judged = by_people([both, alone], {"labeler-2"})
    assert [(g.id, [r.annotator for r in g.rankings]) for g in trained] == [("g", ["labeler-1"]), ("h", ["labeler-1"])]
    assert [(g.id, [r.annotator for r in g.rankings]) for g in judged] == [("g", ["labeler-2"])]


def test_everybody_gets_about_as_much_to_rank():
    names = [f"labeler-{i}" for i in range(1, 5)]
    work = Counter(name for i in range(400) for name in assign(group(f"g{i}", "?", ["a", "b"]), names, 2, seed=0))
    assert sum(work.values()) == 800
    assert all(160 < work[name] < 240 for name in names)

"""Prompts put together for programs: filters, searches, near-duplicates, clusters, categories; vectors made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from labeler import prompt_desk
from labeler.prompt_desk import CategoryInfo, DuplicateSet, Prompts
from labeler.prompt_map import PromptMap
from labeler.prompt_rows import PromptRow, TaskWork
from labeler.records import Completion, Group, Message, Ranking

TEXTS = ("red apple", "red apples", "blue sea", "blue sky", "green", "late")
"""Angles of the first five: the reds together, the blues together, green in no cluster; the last has no vector."""
ANGLES = (0.0, 0.1, 1.5, 1.7, 3.0)


@pytest.fixture
def prompts() -> Prompts:
    rows = [
        PromptRow(n + 1, f"g{n}", text, "qa" if n % 2 else "chat", "none" if n else "web")
        for n, text in enumerate(TEXTS)
    ]
    work = [TaskWork(0, 2, 2 - n % 3, n % 3) for n in range(len(rows))]  # waiting, started, finished, and again
    vectors = np.array([(np.cos(angle), np.sin(angle)) for angle in ANGLES], dtype=np.float32)
    found = PromptMap(
        tuple(f"g{n}" for n in range(5)),
        vectors,
        np.array([0, 0, 1, 1, -1]),
        ("g0", "g0", "g2", "g3", "g4"),
        ("fruit", "fruit", "water", None, "fruit"),
        (0.9, 0.7, 0.8, None, 0.5),
        {},
    )
    return Prompts(rows, work, np.array([0, 1, 2, 3, 4, -1]), found)


def groups(found: Prompts) -> list[str]:
    return [row.group_id for row in found.rows]


def test_filters_leave_what_fits_all_of_them(prompts: Prompts):
    assert prompt_desk.kept(prompts, (), (), ()) == [0, 1, 2, 3, 4, 5]
    assert prompt_desk.kept(prompts, ("chat",), (), ("waiting", "finished")) == [0, 2]
    assert prompt_desk.kept(prompts, ("chat", "qa"), ("web",), ()) == [0]


def test_a_prompt_tells_what_is_known_of_it(prompts: Prompts):
    first, loose, late = (prompt_desk.info(prompts, n) for n in (1, 4, 5))
    assert (first.cluster, first.first, first.category, first.probability) == (1, "g0", "fruit", 0.7)
    assert (first.state, first.judgments) == ("started", 1)
    assert (loose.cluster, loose.first) == (0, "g4")
    assert (late.cluster, late.first, late.category, late.probability) == (None, None, None, None)


def test_words_find_prompts_without_vectors_too(prompts: Prompts):
    assert groups(prompt_desk.by_words(prompts, "LATE")) == ["g5"]
    assert groups(prompt_desk.by_words(prompts, '"red apple"')) == ["g0", "g1"]


def test_a_cluster_begins_with_its_most_typical_prompt(prompts: Prompts):
    three = Prompts(prompts.rows, prompts.work, prompts.place, prompts.map)
    three.map.cluster[:] = [0, 0, 0, 1, -1]  # the mean of the three lies between g0, g1 and g2, nearest to g1
    assert groups(prompt_desk.in_cluster(three, 1))[0] == "g1"
    assert groups(prompt_desk.in_cluster(three, 0)) == ["g4"]
    assert groups(prompt_desk.in_cluster(three, 7)) == []


def test_near_duplicates_come_in_sets(prompts: Prompts):
    assert prompt_desk.duplicates(prompts) == [DuplicateSet("g0", "red apple", ("g0", "g1"))]
    assert prompt_desk.duplicates(prompts.at([1, 2])) == []


def test_clusters_tell_size_progress_names_and_agreement(prompts: Prompts):
    completions = (Completion("a", "x"), Completion("b", "y"))
    said = {"g0": ((1, 2), (1, 2)), "g1": ((1, 2), (2, 1)), "g2": ((1, 2), (1, 2))}
    judged = [
        Group(name, (Message("user", "?"),), completions, tuple(Ranking(f"p{n}", r) for n, r in enumerate(ranks)))
        for name, ranks in said.items()
    ]
    reds, blues, loose = prompt_desk.clusters(prompts, {"g0": "fruit", "g1": "food", "g5": "fruit"}, judged)
    assert (reds.cluster, reds.tasks, reds.waiting, reds.started, reds.finished) == (1, 2, 1, 1, 0)
    assert (reds.category, reds.judgments) == ("fruit", 1)
    assert set(reds.typical) == {"g0", "g1"}
    assert reds.agreement
    assert (reds.agreement.value, reds.agreement.comparisons) == (0.5, 2)
    assert (blues.category, blues.such_as) == (None, TEXTS[int(blues.typical[0][1])])
    assert blues.agreement
    assert blues.agreement.value == 1.0
    assert (loose.cluster, loose.tasks, loose.such_as, loose.agreement) == (0, 1, None, None)


def test_categories_count_examples_and_what_was_learned(prompts: Prompts):
    assert prompt_desk.categories(prompts, {"g0": "fruit", "g5": "late"}) == [
        CategoryInfo("fruit", 1, 3, pytest.approx(0.7)),
        CategoryInfo("late", 1, 0, None),
        CategoryInfo("water", 0, 1, 0.8),
    ]

"""Win rates within parts of the prompts: how prompts are parted, and that a planted difference is found in its part."""

from itertools import chain

import numpy as np
import pytest

from labeler.records import Group, Message
from reward.bootstrap import FEW_PROMPTS
from reward.policies.duels import pairs_of
from reward.policies.sliced import EVERYTHING, FEW_POLICIES, OTHERS, contests, cut, sliced, thirds


def prompt(name, text="x", **meta):
    return Group(name, (Message("user", text),), (), meta=meta)


def test_parts_come_from_texts_lists_and_numbers():
    prompts = [
        prompt("a", use_case="qa", tags=["x", "y"], hard=True),
        prompt("b", use_case="qa", tags=["y"], hard=False),
        prompt("c", use_case="chat", tags=[]),
        prompt("d", use_case=None, hard={"not": "plain"}),
    ]
    assert cut(prompts, "use_case") == {"qa": [0, 1], "chat": [2]}
    assert cut(prompts, "tags") == {"y": [0, 1], "x": [0]}
    assert cut(prompts, "hard") == {"True": [0], "False": [1]}
    assert cut(prompts, "missing") == {}


def test_length_is_cut_into_thirds_by_words():
    prompts = [prompt(str(n), " ".join(["word"] * n)) for n in range(1, 10)]
    assert cut(prompts, "length") == {
        "up to 3 words": [0, 1, 2],
        "more than 3, up to 6 words": [3, 4, 5],
        "more than 6 words": [6, 7, 8],
    }


def test_many_different_numbers_are_cut_and_few_are_not():
    difficulty = [0.5, 0.1, 0.9, 0.2, 0.8, 0.3, 0.7, None]
    prompts = [prompt(str(n), level=value, few=n % 3) for n, value in enumerate(difficulty)]
    assert sorted(chain(*cut(prompts, "level").values())) == list(range(7))
    assert len(cut(prompts, "level")) == 3
    assert cut(prompts, "few") == {"0": [0, 3, 6], "1": [1, 4, 7], "2": [2, 5]}


@pytest.mark.parametrize("values", [[], [None], [3, 3, 3], [1, 1, 1, 1, 9], [1, 9]])
def test_thirds_part_every_number_once(values):
    places = chain(*thirds(values, "words").values())
    assert sorted(places) == [place for place, value in enumerate(values) if value is not None]


def test_a_planted_difference_is_found_in_its_part():
    rng = np.random.default_rng(0)
    kinds = ["qa"] * 200 + ["chat"] * 200
    chance = np.where(np.array(kinds) == "qa", 0.3, 0.7)  # that the second policy wins
    tallies = np.zeros((400, 1, 3))
    wins = rng.random((400, 4)) < chance[:, None]
    tallies[:, 0, 0], tallies[:, 0, 2] = (~wins).sum(axis=1), wins.sum(axis=1)
    found = sliced(
        "people", tallies, ["base", "sft"], [prompt(str(n), use_case=k) for n, k in enumerate(kinds)], "use_case"
    )
    rates = {part.name: part.rates[0].rate for part in found.slices}
    assert rates["qa"].value == pytest.approx(wins[:200].mean())
    for name, truth in ((EVERYTHING, 0.5), ("qa", 0.3), ("chat", 0.7)):
        low, high = rates[name].ci95
        assert low < truth < high
        assert high - low < 0.1
    assert rates["qa"].prompts == 200


def test_few_prompts_are_marked():
    prompts = [prompt(str(n), kind="rare" if n < 5 else "usual") for n in range(FEW_PROMPTS + 10)]
    tallies = np.ones((len(prompts), 1, 3))
    found = sliced("people", tallies, ["a", "b"], prompts, "kind")
    assert [(part.name, part.few) for part in found.slices] == [
        (EVERYTHING, False),
        ("usual", False),
        ("rare", True),
    ]


def test_a_property_without_parts_gives_nothing():
    prompts = [prompt("a", kind="one"), prompt("b", kind="one")]
    assert sliced("people", np.ones((2, 1, 3)), ["a", "b"], prompts, "kind") is None


def test_many_policies_are_put_against_all_others():
    names = [f"p{n}" for n in range(FEW_POLICIES + 1)]
    assert contests(names[:3]) == [("p1", "p0"), ("p2", "p1")]
    rng = np.random.default_rng(1)
    pairs = pairs_of(len(names))
    tallies = rng.integers(0, 3, size=(40, len(pairs), 3)).astype(float)
    prompts = [prompt(str(n), kind=str(n % 2)) for n in range(40)]
    everything = sliced("people", tallies, names, prompts, "kind").slices[0]
    for rate in everything.rates:
        place, won, total = names.index(rate.policy), 0.0, 0.0
        for number, (i, j) in enumerate(pairs):
            if place in (i, j):
                win, tie, loss = tallies[:, number].sum(axis=0)
                won += (win if place == i else loss) + tie / 2
                total += win + tie + loss
        assert rate.against == OTHERS
        assert rate.rate.value == pytest.approx(won / total)
        assert rate.judgments == total

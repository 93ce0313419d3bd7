"""What the report of the rounds says of policies beside each other and of time; verdicts follow from intervals."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reward.config.rounds import RoundsConfig
from reward.policies.evaluate import short_names
from reward.rounds.comparison import GOLD, OPTIMISED, OTHERS, contests, judges, pairs, parted, policies, sentences
from reward.rounds.seconds import AFTER, BEFORE, place_of, spans, totals

CONFIG = RoundsConfig(out=Path("out"), simulate=Path("/somewhere/runs/gold"), rounds=2)


def change(value, low, high):
    return {"value": value, "ci95": [low, high], "prompts": 32}


def judge(name, kind, **steps):
    """A judge of metrics.json that knows a few differences; each policy wins three of four against earlier ones."""
    names = policies(CONFIG)
    told = [
        {"policy": policy.replace("_", "-"), "before": "sft", "figure": "mean reward", "change": change(*figures)}
        for policy, figures in steps.items()
    ]
    wins = [
        {"policy": before, "against": policy, "rate": change(0.25, 0.2, 0.3)}
        for place, before in enumerate(names)
        for policy in names[place + 1 :]
    ]
    return {"name": name, "kind": kind, "steps": told, "wins": wins}


@pytest.fixture
def found():
    return {
        "judges": [
            judge("model", "reward", ppo_1=(0.4, 0.2, 0.6), ppo_2=(0.5, 0.3, 0.7)),
            judge("judge", "reward", ppo_1=(0.3, 0.1, 0.5), ppo_2=(0.1, -0.1, 0.3)),
            judge("/somewhere/runs/gold", "gold", ppo_1=(0.2, 0.1, 0.3), ppo_2=(-0.3, -0.5, -0.1)),
        ]
    }


def test_ppo_is_put_beside_sft_and_later_rounds_beside_earlier_ones():
    told = pairs(CONFIG)
    assert {("ppo-1", "sft"), ("ppo-2", "sft"), ("ppo-2", "ppo-1"), ("sft", "base"), ("best-of-16", "sft")} <= {*told}
    assert len(told) == len({*told})
    assert pairs(replace(CONFIG, rounds=1, improve="best-of-n"))[2] == ("best-of-n-1", "sft")


def test_verdicts_follow_from_intervals(found):
    told = {(contest.policy, contest.before): contest.to_json()["judges"] for contest in contests(found, CONFIG)}
    first, second = told["ppo-1", "sft"], told["ppo-2", "sft"]
    assert [each["judge"] for each in first] == [OPTIMISED, OTHERS, GOLD]
    assert [each["difference_outcome"] for each in first] == ["better"] * 3
    assert [each["difference_outcome"] for each in second] == ["better", "not shown", "worse"]
    assert second[2]["difference"] == {"value": -0.3, "ci95": (-0.5, -0.1), "prompts": 32}
    assert second[0]["preferred"]["value"] == pytest.approx(0.75)
    assert second[0]["preferred"]["ci95"] == pytest.approx((0.7, 0.8))
    assert second[0]["preferred_outcome"] == "better"
    assert told["sft", "base"][0]["difference_outcome"] is None  # nothing was measured


def test_sentences_are_of_the_judges_that_were_not_optimised(found):
    others, gold = sentences(contests(found, CONFIG))
    assert others == (
        "By the reward model of other annotators: ppo-1 is better than sft; "
        "no difference between ppo-2 and sft is shown."
    )
    assert gold == "By the gold reward model: ppo-1 is better than sft; ppo-2 is worse than sft."


def test_where_the_gold_reward_says_something_else_it_is_told_in_plain_names(found):
    (parting,) = parted(contests(found, CONFIG))
    assert parting.verdict.startswith("the optimised reward model says that ppo-2 is better than sft, but the gold")
    assert "over-optimised" in parting.verdict


def test_judges_are_named_without_paths(found):
    told = judges(found, CONFIG)
    assert told[2] == {"name": GOLD, "folder": "runs/gold"}
    assert not any("/somewhere" in json.dumps(each) for each in told)
    assert short_names([Path("/a/model"), Path("/b/model")]) == ["a/model", "b/model"]


def test_seconds_are_those_of_the_ledger_by_round_and_stage():
    first = "prompts policy-0 pool ask labels snapshot people model judge evaluation policy"
    first_round = [f"round-1/{name}" for name in first.split()]
    names = ["prompts", "sft", *first_round, "round-2/policy-1", "answers/ppo-1", "comparison", "overoptimisation"]
    rows = [{"step": name, "seconds": 2.0**i} for i, name in enumerate(names)]
    told = spans(rows)
    assert [span.name for span in told] == [BEFORE, "round 1", "round 2", AFTER]
    assert told[1].stages == {
        "sample": 4 + 8 + 16,
        "select": 32,
        "label": 64 + 128 + 256,
        "train": 512 + 1024,
        "evaluate": 2048,
        "improve": 4096,
    }
    assert told[3].stages == {"compare": 2.0**14 + 2.0**15 + 2.0**16}
    assert sum(totals(told).values()) == sum(span.total for span in told) == 2.0 ** len(names) - 1
    assert place_of("round-12/policy") == ("round 12", "improve")

"""Best of n with planted scores, and the file that `reward rerank` writes."""

import json
import math

import pytest
from builders import ranked_groups
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import save_policy, save_reward_model

from labeler.errors import DataError, UsageError
from labeler.formats import read, write_groups
from labeler.records import Completion, Group, Message
from reward.artifact import Scorer
from reward.config.generate import RerankConfig
from reward.rerank import Reranked, rerank, run


class Planted:
    """Scores a completion by the number that it consists of."""

    def score_groups(self, groups, *, raw=False):
        return [[float(c.text) * (10 if raw else 1) for c in group.completions] for group in groups]


def group(*texts, name="g"):
    return Group(name, (Message("user", "Give a number."),), tuple(Completion(f"c{i}", t) for i, t in enumerate(texts)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_reward_model(tmp_path_factory.mktemp("rm") / "model")


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return save_policy(tmp_path_factory.mktemp("policy") / "tiny", seed=3)


def test_best_of_n_takes_the_highest_score():
    found = rerank(Planted(), [group("1", "5", "-2"), group("0", "0.5", name="h")])
    assert [each.to_row()["best"]["text"] for each in found] == ["5", "0.5"]
    row = found[0].to_row()
    assert row["ranking"] == ["c1", "c0", "c2"]
    assert [(c["score"], c["rank"]) for c in row["completions"]] == [(1.0, 2), (5.0, 1), (-2.0, 3)]
    assert row["best"] == {"id": "c1", "text": "5", "score": 5.0}


def test_equal_scores_share_a_rank_and_keep_their_order():
    row = rerank(Planted(), [group("2", "7", "2", "7")])[0].to_row()
    assert row["ranking"] == ["c1", "c3", "c0", "c2"]
    assert [c["rank"] for c in row["completions"]] == [2, 1, 2, 1]
    assert row["best"]["id"] == "c1"


def test_a_completion_without_a_score_comes_last_and_has_no_rank():
    row = rerank(Planted(), [group("nan", "-9", "3")])[0].to_row()
    assert row["ranking"] == ["c2", "c1", "c0"]
    assert [(c["score"], c["rank"]) for c in row["completions"]] == [(None, None), (-9.0, 2), (3.0, 1)]


def test_raw_scores_are_asked_for():
    assert rerank(Planted(), [group("1", "2")], raw=True)[0].scores == (10.0, 20.0)


@pytest.mark.parametrize(("texts", "match"), [((), "--policy"), (("nan", "nan"), "context")])
def test_a_group_that_cannot_be_ranked_is_named(texts, match):
    with pytest.raises(DataError, match=f"group odd.*{match}"):
        rerank(Planted(), [group("1"), group(*texts, name="odd")])


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=8))
def test_ranking_is_a_permutation_in_which_scores_fall_and_ranks_rise(scores):
    found = Reranked(group(*["x"] * len(scores)), tuple(scores))
    known = [scores[i] for i in found.order if not math.isnan(scores[i])]
    assert sorted(found.order) == list(range(len(scores)))
    assert known == sorted(known, reverse=True)
    for i in range(len(scores)):
        for j in range(len(scores)):
            if not math.isnan(scores[i]) and not math.isnan(scores[j]):
                assert (found.ranks[i] < found.ranks[j]) == (scores[i] > scores[j])


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_file_has_the_scores_of_the_scorer(model, tmp_path):
    groups = ranked_groups(20)
    write_groups(groups, tmp_path / "in.jsonl.gz")
    scorer = Scorer.from_pretrained(model)
    for raw in (False, True):
        out = tmp_path / "new" / f"{raw}.jsonl"
        assert run(RerankConfig(model=model, input=str(tmp_path / "in.jsonl.gz"), output=out, raw=raw)) == 20
        expected = scorer.score_groups(groups, raw=raw)
        for row, values, given_group in zip(lines(out), expected, groups, strict=True):
            assert row["id"] == given_group.id
            assert [c["score"] for c in row["completions"]] == pytest.approx(values, abs=1e-5)
            assert len(row["rankings"]) == 2  # what people said stays
    assert read(tmp_path / "new" / "True.jsonl").groups == tuple(groups)  # to be labelled or reranked again
    assert [r["ranking"] for r in lines(tmp_path / "new" / "True.jsonl")] == [
        r["ranking"] for r in lines(tmp_path / "new" / "False.jsonl")
    ]


def test_candidates_are_sampled_where_a_policy_is_given(model, policy, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("Name a prime.\nSay hi.\n")
    out = tmp_path / "out.jsonl"
    config = RerankConfig(
        model=model, input=str(prompts), output=out, policy=str(policy), n=5, max_new_tokens=12, seed=2
    )
    run(config)
    rows = lines(out)
    assert [row["id"] for row in rows] == ["prompts-1", "prompts-2"]
    assert all(len(row["completions"]) == 5 and row["meta"]["generation"]["seed"] == 2 for row in rows)
    assert all(row["best"]["score"] == max(c["score"] for c in row["completions"]) for row in rows)
    before = out.read_bytes()
    run(config)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out.jsonl"]  # nothing left beside it


def test_a_failed_run_leaves_the_old_file(model, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text("old\n")
    write_groups([*ranked_groups(20), Group("empty", (Message("user", "?"),), ())], tmp_path / "in.jsonl")
    with pytest.raises(DataError, match="group empty"):
        run(RerankConfig(model=model, input=str(tmp_path / "in.jsonl"), output=out))
    assert out.read_text() == "old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize(("change", "flag"), [({"n": 0}, "--n"), ({"policy": "https://me:secret@x"}, "--policy")])
def test_settings_out_of_range_name_their_flag(tmp_path, change, flag):
    with pytest.raises(UsageError, match=flag):
        RerankConfig(**({"model": tmp_path, "input": "x", "output": tmp_path / "y"} | change))

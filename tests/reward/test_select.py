"""The command select on a tiny model: what is chosen, how it is marked, and that the labeler takes it."""

import dataclasses
from contextlib import closing

import numpy as np
import pytest
from builders import group, ranked_groups
from tiny_models import save_reward_model

from labeler.cli import main as labeler
from labeler.errors import DataError, UsageError
from labeler.formats import prompt_key, read, write_groups
from labeler.store import Store, Submission
from reward.artifact import Scorer
from reward.config.select import SelectConfig
from reward.features import score_and_features
from reward.progress import Progress
from reward.select import Judged, choose, look_at, posterior, run
from reward.uncertainty import Laplace


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model with an uncertainty, and 30 groups of which nobody ranked the last 20."""
    folder = tmp_path_factory.mktemp("select")
    rng = np.random.default_rng(0)
    fisher = np.cov(rng.normal(size=(32, 60)))
    save_reward_model(folder / "rm", uncertainty=Laplace(fisher, np.zeros(32), prior=0.5))
    groups = ranked_groups(30)
    write_groups([*groups[:10], *(dataclasses.replace(g, rankings=()) for g in groups[10:])], folder / "data.jsonl")
    return folder


def chosen(place, name="out.jsonl", **settings):
    given = {"model": place / "rm", "data": (str(place / "data.jsonl"),), "budget": 10, "embedder": str(place / "rm")}
    run(SelectConfig(**given | {"output": place / name} | settings))
    return read(place / name).groups


@pytest.mark.parametrize("method", ["random", "margin", "disagreement", "fisher", "fisher-diverse", "variance"])
def test_a_part_is_random_and_all_is_marked(place, method):
    groups = chosen(place, method=method)
    assert len({g.id for g in groups}) == 10
    assert all(int(g.id[1:]) >= 10 and not g.rankings and len(g.completions) == 3 for g in groups)
    reasons = [g.meta["select"] for g in groups]
    drawn = [reason for reason in reasons if reason["method"] == "random"]
    assert len(drawn) == (10 if method == "random" else 2)
    assert {reason["probability"] for reason in drawn} == {len(drawn) / 20}
    assert all("score" in reason for reason in reasons if reason["method"] == method != "random")
    assert [reason["rank"] for reason in reasons] == list(range(1, 11))
    priorities = [g.meta["priority"] for g in groups]
    assert priorities == sorted(priorities, reverse=True)
    assert priorities[0] == 100
    assert priorities[-1] >= 1
    assert [reason["method"] for reason in reasons[:5]].count("random") == len(drawn) / 2  # spread over the ranks
    assert [g.id for g in chosen(place, "again.jsonl", method=method)] == [g.id for g in groups]


def test_another_seed_draws_others(place):
    first, second = ({g.id for g in chosen(place, method="random", seed=seed)} for seed in (0, 1))
    assert first != second


def test_every_group_has_the_probability_that_is_written(place):
    groups = ranked_groups(20)
    pool = Judged(groups, [[0.0, 1.0, 2.0]] * 20, [np.eye(3)] * 20)
    known = Laplace(np.eye(3), np.zeros(3), 1.0)
    drawn = []
    for seed in range(400):
        config = SelectConfig(model=place, data=("x",), budget=5, output=place, method="margin", random=0.4, seed=seed)
        picks = choose(pool, known, config, Progress(quiet=True))
        assert len({pick.index for pick in picks}) == 5
        drawn += [pick.index for pick in picks if pick.probability == 2 / 20]
    shares = np.bincount(drawn, minlength=20) / 400
    assert shares == pytest.approx(np.full(20, 0.1), abs=4 * np.sqrt(0.1 * 0.9 / 400))


def test_margin_takes_the_closest_pairs(place):
    scorer = Scorer.from_pretrained(place / "rm")
    groups = read(place / "data.jsonl").groups[10:]
    gaps = {
        f"{g.id}:c{i}:c{j}": abs(values[i] - values[j])
        for g, values in zip(groups, scorer.score_groups(groups, raw=True), strict=True)
        for i in range(3)
        for j in range(i + 1, 3)
    }
    found = chosen(place, unit="pair", method="margin", random=0.0)
    assert [g.id for g in found] == sorted(gaps, key=gaps.__getitem__)[:10]
    assert all(g.meta["select"]["group"] == g.id.split(":")[0] and len(g.completions) == 2 for g in found)
    assert [-g.meta["select"]["score"] for g in found] == pytest.approx(sorted(gaps.values())[:10], rel=1e-4)


def test_fisher_maximises_the_determinant_of_all_that_is_known(place):
    """The first choice, computed from its definition with the model's own posterior and the labels in the data."""
    scorer = Scorer.from_pretrained(place / "rm")
    groups = read(place / "data.jsonl").groups
    encoded, _ = scorer.encode(groups)
    scores, features = score_and_features(scorer.model, encoded, 4096)

    def information(k, weight):
        total = np.zeros((32, 32))
        for i in range(3):
            for j in range(i + 1, 3):
                v, p = features[k][i] - features[k][j], 1 / (1 + np.exp(scores[k][j] - scores[k][i]))
                total += weight * 2 / 3 * p * (1 - p) * np.outer(v, v)
        return total

    known = scorer.uncertainty.fisher + 0.5 * np.eye(32) + sum(information(k, 2) for k in range(10))
    gains = [np.linalg.slogdet(known + information(k, 1))[1] - np.linalg.slogdet(known)[1] for k in range(10, 30)]
    first = chosen(place, random=0.0, budget=1, method="fisher")[0]
    assert first.id == f"g{10 + int(np.argmax(gains))}"
    assert first.meta["select"]["score"] == pytest.approx(max(gains), rel=1e-3)


def test_labels_that_the_model_was_trained_on_do_not_count_twice(place):
    scorer = Scorer.from_pretrained(place / "rm")
    groups = read(place / "data.jsonl").groups[:10]
    judged, _ = look_at(scorer, groups, Progress(quiet=True))
    scorer.manifest = {"seen_prompts": [prompt_key(g.prompt)[:16] for g in groups]}
    assert posterior(scorer, judged).fisher == pytest.approx(scorer.uncertainty.fisher)
    scorer.manifest = {}
    assert np.trace(posterior(scorer, judged).fisher) > np.trace(scorer.uncertainty.fisher)


def test_a_model_without_uncertainty_chooses_from_its_prior(place, tmp_path):
    save_reward_model(tmp_path / "rm")
    assert len(chosen(place, model=tmp_path / "rm", method="fisher")) == 10


def test_a_large_budget_takes_all_and_nothing_to_choose_is_an_error(place, tmp_path):
    assert len(chosen(place, budget=1000)) == 20
    write_groups([group("a", "Say.", ["x", "y"], (1, 2)), group("b", "Why?", ["z"])], tmp_path / "none.jsonl")
    out = tmp_path / "out.jsonl"
    with pytest.raises(DataError, match=r"none\.jsonl: every group has rankings or fewer than two"):
        chosen(place, data=(str(tmp_path / "none.jsonl"),), output=out)
    assert not out.exists()


@pytest.mark.parametrize("command", ["import", "prioritize"])
def test_labelers_are_handed_the_choice_in_its_order(place, tmp_path, command):
    groups = chosen(place, method="margin")
    url = f"sqlite:///{tmp_path / 'labels.db'}"
    with closing(Store.create(url)) as store:
        project = store.add_project("qa", dwell_seconds=0)
        if command == "prioritize":
            store.import_groups(project.id, read(place / "data.jsonl").groups)
    assert labeler([command, str(place / "out.jsonl"), "--project", "qa", "--db", url]) == 0
    with closing(Store.open(url)) as store:
        user = store.add_user("labeler-1", "labeler")
        for group_of_rank in groups:
            task = store.next_task(project.id, user.id)
            assert task.group_id == group_of_rank.id
            store.submit(user.id, Submission(task.group_id, task.task_id, "skip", reason="unclear"))


@pytest.mark.parametrize(("change", "flag"), [({"budget": 0}, "--budget"), ({"random": 1.5}, "--random")])
def test_settings_out_of_range_name_their_flag(place, change, flag):
    with pytest.raises(UsageError, match=flag):
        chosen(place, **change)

"""`reward evaluate` end to end on a tiny model: its figures are those of the pure functions, nothing leaks unsaid."""

import json
import math
from dataclasses import replace

import pytest
from builders import ranked_groups
from tiny_models import save_reward_model

from labeler.errors import DataError
from labeler.formats import prompt_key, write_demonstrations, write_groups
from labeler.records import Completion, Demonstration, Group, Message
from reward.artifact import Calibration, Scorer
from reward.assess import choose, read_groups, run
from reward.config.evaluate import EvaluateConfig
from reward.evaluate import evaluate


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rm") / "tiny-rm"
    return save_reward_model(folder, calibration=Calibration(temperature=2.5, tie_threshold=0.1))


def config(model, tmp_path, *data, **more):
    return EvaluateConfig(model=model, data=tuple(map(str, data)), out=tmp_path / "out", **more)


def metrics_of(tmp_path):
    return json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))


def test_figures_are_those_of_raw_scores_and_the_models_temperature(model, tmp_path, capsys):
    groups = ranked_groups(40)
    write_groups(groups, tmp_path / "groups.jsonl")
    run(config(model, tmp_path, tmp_path / "groups.jsonl", progress=tmp_path / "progress.jsonl"))
    expected = evaluate(groups, Scorer.from_pretrained(model).score_groups(groups, raw=True), temperature=2.5)
    found = metrics_of(tmp_path)
    for name in ("accuracy", "judgment_accuracy", "ece", "brier", "length_only_accuracy", "human_agreement"):
        assert found[name] == pytest.approx(getattr(expected, name), abs=1e-4)
    assert found["mean_reward"] == pytest.approx(expected.mean_reward, abs=1e-4)
    assert found["temperature"] == 2.5
    assert found["wall_seconds"] > 0
    assert found["tokens_per_second"] > 0
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Evaluation of tiny-rm" in page
    assert str(tmp_path / "out" / "report.html") in capsys.readouterr().out
    steps = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [row["step"] for row in steps if row["event"] == "step"] == [16, 32, 40]


def test_several_files_are_evaluated_together(model, tmp_path):
    first, second = ranked_groups(4), ranked_groups(4, seed=1)
    write_groups(first, tmp_path / "a.jsonl")
    write_groups(second, tmp_path / "b.jsonl.gz")
    found = read_groups([str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl.gz")], place=tmp_path)
    assert [group.id for group in found] == ["g0", "g1", "g2", "g3", "g0@2", "g1@2", "g2@2", "g3@2"]
    assert found[4].completions == second[0].completions


def test_prompts_of_the_training_are_left_out_or_owned_up_to():
    groups = ranked_groups(10)
    seen = {"seen_prompts": [prompt_key(group.prompt)[:16] for group in groups[:7]]}
    auto = choose(groups, "auto", seen)
    assert [group.id for group in auto.groups] == ["g7", "g8", "g9"]
    assert "7 groups are left out" in auto.notes[0]
    everything = choose(groups, "all", seen)
    assert len(everything.groups) == 10
    assert "too good" in everything.notes[0]
    nothing_else = choose(groups[:7], "auto", seen)
    assert len(nothing_else.groups) == 7
    assert "too good" in nothing_else.notes[0]
    assert choose(groups, "auto", {}).notes == ()


def test_splits_are_those_of_the_training():
    groups = [replace(group, split="test" if i < 3 else "train") for i, group in enumerate(ranked_groups(8))]
    assert [group.id for group in choose(groups, "test", {}).groups] == ["g0", "g1", "g2"]
    with pytest.raises(DataError, match=r"'valid'.*--split all"):
        choose(groups, "valid", {})


def test_what_does_not_fit_is_left_out_and_told(model, tmp_path):
    groups = ranked_groups(12)
    long = groups[3].completions[0]
    texts = (Completion(long.id, "x" * 600), *groups[3].completions[1:])
    groups[3] = replace(groups[3], completions=texts)
    write_groups(groups, tmp_path / "groups.jsonl")
    run(config(model, tmp_path, tmp_path / "groups.jsonl"))
    found = metrics_of(tmp_path)
    assert found["comparisons"] + found["ties"] == 12 * 3 - 2
    assert any("g3/c0" in warning for warning in found["warnings"])
    assert "g3/c0" in (tmp_path / "out" / "report.html").read_text("utf-8")
    assert math.isfinite(found["mean_reward"])


def test_data_without_rankings_is_refused(model, tmp_path):
    write_groups([replace(group, rankings=()) for group in ranked_groups(2)], tmp_path / "groups.jsonl")
    with pytest.raises(DataError, match="needs rankings"):
        run(config(model, tmp_path, tmp_path / "groups.jsonl"))
    shown = tmp_path / "shown.jsonl"
    write_demonstrations([Demonstration("d", (Message("user", "Hi"),), "Hello")], shown)
    with pytest.raises(DataError, match="demonstrations only"):
        run(config(model, tmp_path, shown))
    assert not (tmp_path / "out").exists()


def test_group_without_completions_takes_no_part(model, tmp_path):
    write_groups([*ranked_groups(6), Group("bare", (Message("user", "?"),), ())], tmp_path / "groups.jsonl")
    run(config(model, tmp_path, tmp_path / "groups.jsonl"))
    assert metrics_of(tmp_path)["groups"] == 6

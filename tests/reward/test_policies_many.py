"""Win rates by slices through the command, and the report of many policies."""

import json

import numpy as np
import pytest
from simulated_policies import NAMES, answer_groups, judged_pairs

from labeler.errors import DataError
from labeler.formats import write_groups
from labeler.records import Completion, Group, Message, Ranking
from reward.cli import main
from reward.policies.plots import MANY
from reward.policies.report import write_report

THETA = (-1.5, 0.0, 0.2, 1.2)
COUNT = MANY + 4


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A file of judgments of four policies."""
    path = tmp_path_factory.mktemp("sliced") / "judged.jsonl"
    write_groups(judged_pairs(answer_groups(40), THETA), path)
    return path


def evaluate(path, out, *flags):
    return main(["evaluate-policies", "--judgments", str(path), "--out", str(out), *flags])


def test_every_judge_is_told_by_slice(judged, tmp_path):
    written = [
        json.loads(line) | {"meta": {"level": number // 6 % 2}}
        for number, line in enumerate(judged.read_text("utf-8").splitlines())
    ]
    path = tmp_path / "judged.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in written), "utf-8")
    assert evaluate(path, tmp_path / "out", "--slice-by", "level", "length", "missing") == 0
    told = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    (found,) = told["sliced"]  # all prompts are as long as each other
    assert (found["judge"], found["by"]) == ("people", "level")
    assert found["slices"][0]["name"] == "all prompts"
    wins = {(win["policy"], win["against"]): win["rate"]["value"] for win in told["judges"][0]["wins"]}
    for rate in found["slices"][0]["rates"]:
        assert rate["rate"]["value"] == pytest.approx(1 - wins[rate["against"], rate["policy"]])
    assert [rate["policy"] for rate in found["slices"][0]["rates"]] == list(NAMES[1:])
    assert any("--slice-by missing" in warning for warning in told["warnings"])
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Wins by level, as people judge" in page
    assert "few" in page


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Judgments of many policies, each better than the one before it."""
    rng = np.random.default_rng(0)
    groups = []
    for n in range(900):
        i, j = rng.choice(COUNT, 2, replace=False)
        wins = rng.random() < 1 / (1 + np.exp((j - i) / 5))
        completions = tuple(Completion(str(p), f"text {n} of {p}", f"policy-{p:02}") for p in (i, j))
        prompt = (Message("user", f"Question {n % 60}?"),)
        groups.append(Group(f"g{n}", prompt, completions, (Ranking("labeler-1", (1, 2) if wins else (2, 1)),)))
    path = tmp_path_factory.mktemp("crowd") / "judged.jsonl"
    write_groups(groups, path)
    return path


def test_the_figures_come_last_so_that_they_say_that_all_is_there(tmp_path):
    (tmp_path / "report.html").mkdir()
    (tmp_path / "report.html" / "in the way").touch()
    with pytest.raises(DataError):
        write_report(tmp_path, {}, "page", {})
    assert not (tmp_path / "metrics.json").exists()


def test_the_report_of_many_policies_names_the_first(crowd, tmp_path):
    out = tmp_path / "out"
    assert evaluate(crowd, out) == 0
    told = json.loads((out / "metrics.json").read_text("utf-8"))
    scores = {each["policy"]: each["score"] for each in told["judges"][0]["strengths"]}
    best = max(scores, key=scores.get)
    page = (out / "report.html").read_text("utf-8")
    assert f"of {COUNT} policies these come first: {best} (+" in page
    assert f"All {len(told['judges'][0]['wins'])} pairs, with intervals, are in metrics.json" in page
    assert (out / "plots" / "wins-1.png").stat().st_size < 1_000_000
    order = sorted(scores, key=scores.get)
    places = np.argsort(np.argsort([int(name[-2:]) for name in order]))
    assert np.corrcoef(places, np.arange(COUNT))[0, 1] > 0.8

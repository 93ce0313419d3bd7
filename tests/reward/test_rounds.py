"""Two rounds of the cycle on tiny models: everything is there, judges stay apart, a killed run goes on."""

import json
import random
import re
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from builders import ranked_groups
from tiny_models import save_policy, save_reward_model

from labeler.formats import prompt_key, read, write_demonstrations, write_groups
from labeler.records import Demonstration
from reward.cli import main
from reward.demonstrations import read_splits
from reward.rounds.comparison import GOLD, OPTIMISED, OTHERS
from reward.rounds.cycle import write_prompts
from reward.rounds.ledger import digest
from reward.rounds.places import Places


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rounds")
    save_policy(folder / "base")
    save_reward_model(folder / "gold", seed=3)
    groups = [replace(group, split="test" if i % 4 == 0 else None) for i, group in enumerate(ranked_groups(16))]
    groups = [replace(group, split=group.split or "train", completions=(), rankings=()) for group in groups]
    write_groups(groups, folder / "prompts.jsonl")
    shown = [Demonstration(f"d{i}", group.prompt, f"word {i}") for i, group in enumerate(ranked_groups(28)[16:])]
    write_demonstrations(shown, folder / "shown.jsonl")
    return folder


def command(place, out, **more):
    settings = {
        "base": place / "base",
        "prompts": place / "prompts.jsonl",
        "demonstrations": place / "shown.jsonl",
        "simulate": place / "gold",
        "out": out,
        "rounds": 2,
        "ask": 6,
        "k": 3,
        "best-of": 4,
        "max-new-tokens": 6,
        "sft-epochs": 1,
        "ppo-episodes": 16,
        "poll": 0.2,
        "method": "fisher",
        "precision": "float32",
    }
    words = [word for name, value in (settings | more).items() for word in (f"--{name}", str(value))]
    return ["rounds", *words]


def reward(place, out):
    return [sys.executable, "-m", "reward", *command(place, out)]


@pytest.fixture(scope="module")
def finished(place):
    # A process of its own, as the killed ones are: what ran before in this one may have changed how torch rounds.
    done = subprocess.run(reward(place, place / "run"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place / "run"


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_round_asks_learns_and_improves(finished):
    names = ["base", "sft", "best-of-4", "ppo-1", "ppo-2"]
    found = json.loads((finished / "comparison" / "metrics.json").read_text())
    assert found["names"] == names
    assert [judge["name"] for judge in found["judges"]] == ["model", "judge", "gold"]
    held_out = {group.id for group in read(str(finished / "prompts" / "held_out.jsonl")).groups}
    for name in names:
        assert {row["id"] for row in rows(finished / "answers" / f"{name}.jsonl")} == held_out
    first, second = (read(str(finished / f"round-{n}" / "rankings.jsonl")).groups for n in (1, 2))
    assert {group.id for group in first} < {group.id for group in second}  # all rankings so far
    assert not held_out & {group.id.partition("/")[2] for group in second}
    steps = {(s["policy"], s["before"]) for s in found["judges"][2]["steps"] if s["figure"] == "mean reward"}
    assert {("ppo-1", "sft"), ("ppo-2", "sft"), ("ppo-2", "ppo-1"), ("ppo-2", "best-of-4")} <= steps
    page = (finished / "report.html").read_text()
    for name in [*names, "labeler-4", "round-2/policy/report.html", "round-1/model"]:
        assert name in page


def test_the_report_has_figures_times_and_over_optimisation_and_no_path(place, finished):
    told = json.loads((finished / "metrics.json").read_text(), parse_constant=pytest.fail)
    page = (finished / "report.html").read_text()
    assert str(place) not in page
    assert str(place) not in json.dumps(told)
    assert [judge["name"] for judge in told["judges"]] == [OPTIMISED, OTHERS, GOLD]
    by_gold = {(each["policy"], each["before"]): each["judges"][2] for each in told["contests"]}
    differences = by_gold["ppo-2", "sft"]["difference"]["value"]
    means = {each["name"]: each["rewards"][2]["value"] for each in told["policies"]}
    assert differences == pytest.approx(means["ppo-2"] - means["sft"])  # every policy answered every prompt
    assert [span["name"] for span in told["seconds"]] == ["before the rounds", "round 1", "round 2", "after the rounds"]
    assert sum(span["total"] for span in told["seconds"]) == pytest.approx(
        sum(row["seconds"] for row in rows(finished / "ledger.jsonl"))
    )
    assert len(told["overoptimisation"]) == 2
    assert "<svg" in page
    assert "overoptimisation/report.html" in page


def test_the_judges_teach_only_the_judge(finished):
    trained = read(str(finished / "round-2" / "rankings.jsonl")).groups
    judged = read(str(finished / "round-2" / "judged.jsonl")).groups
    assert {ranking.annotator for group in trained for ranking in group.rankings} == {"labeler-1", "labeler-2"}
    assert {ranking.annotator for group in judged for ranking in group.rankings} == {"labeler-3", "labeler-4"}


def test_what_was_made_can_be_traced_to_the_judgments(finished):
    made = {row["step"]: row for row in rows(finished / "ledger.jsonl")}
    model = made["round-2/model"]
    assert model["inputs"] == made["round-2/people"]["output"]
    assert made["round-2/people"]["inputs"].items() > made["round-2/snapshot"]["output"].items()
    assert model["output"] == {"round-2/model": digest(finished / "round-2" / "model")}
    assert made["round-2/policy"]["inputs"]["round-2/model"] == model["output"]["round-2/model"]
    assert model["settings"]["lr"] == 2e-5


def test_run_again_it_does_nothing_and_other_settings_are_refused(place, finished, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    assert main(command(place, finished)) == 0
    after = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    changed = {str(path.relative_to(finished)) for path in after if before.get(path) != after[path]}
    assert changed <= {"report.html", "metrics.json"}
    assert main(command(place, finished, k=4)) == 2
    assert "another --k" in capsys.readouterr().err


def test_killed_at_any_moment_it_goes_on_to_the_same_end(place, finished):
    out, rng = place / "killed", random.Random(0)
    words = reward(place, out)
    for steps in (7, 20):  # killed a moment after so many steps were recorded
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while child.poll() is None and recorded(out) < steps:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 1.5))
        assert child.poll() is None, "it ended before it could be killed"
        child.kill()
        child.wait()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert recorded(out) == recorded(finished)
    for name in ("comparison/metrics.json", "round-2/ask.jsonl", "round-2/rankings.jsonl", "answers/ppo-2.jsonl"):
        assert (out / name).read_bytes() == (finished / name).read_bytes(), name


def recorded(out):
    """How many steps of a run are done."""
    path = out / "ledger.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_best_of_n_instead_of_ppo(place):
    assert main(command(place, place / "distilled", improve="best-of-n", rounds=1, annotators=3)) == 0
    found = json.loads((place / "distilled" / "comparison" / "metrics.json").read_text())
    assert found["names"] == ["base", "sft", "best-of-4", "best-of-n-1"]
    shown = read(str(place / "distilled" / "round-1" / "shown.jsonl")).demonstrations
    page = (place / "distilled" / "report.html").read_text()
    assert re.findall(r"(labeler-\d)</td><td>the (\S+)", page) == [
        ("labeler-1", "optimised"),
        ("labeler-2", "reward"),  # of three, two are judges
        ("labeler-3", "reward"),
    ]
    best = {row["id"]: row["best"]["text"] for row in rows(place / "distilled" / "round-1" / "best.jsonl")}
    assert {each.id: each.completion for each in shown} == best


@pytest.mark.parametrize(
    ("more", "problem"),
    [({"k": 1}, "--k must be at least 2"), ({"annotators": 1}, "--annotators"), ({"noise": -1}, "--noise")],
)
def test_settings_that_make_no_sense(place, tmp_path, capsys, more, problem):
    assert main(command(place, tmp_path / "out", **more)) == 2
    assert problem in capsys.readouterr().err


def test_what_a_demonstration_shows_is_not_compared_on(place, tmp_path):
    held_out = [group for group in read(str(place / "prompts.jsonl")).groups if group.split == "test"]
    shown = [Demonstration(f"d{i}", group.prompt, f"word {i}") for i, group in enumerate(ranked_groups(12))]
    write_demonstrations(shown, tmp_path / "shown.jsonl")
    at = Places(tmp_path / "out")
    at.out.mkdir()
    write_prompts(str(place / "prompts.jsonl"), [str(tmp_path / "shown.jsonl")], at)
    splits = read_splits([str(tmp_path / "shown.jsonl")])
    seen = {prompt_key(group.prompt) for group in (*splits.train, *splits.valid)}
    kept = {prompt_key(group.prompt) for group in read(str(at.held_out)).groups}
    left_out = {prompt_key(group.prompt) for group in read(str(at.left_out)).groups}
    assert kept.isdisjoint(seen)
    assert left_out == {prompt_key(group.prompt) for group in held_out} & seen
    assert kept
    assert left_out


def test_prompts_without_any_to_hold_out(place, tmp_path, capsys):
    source = tmp_path / "prompts.jsonl"
    write_groups([replace(group, split="train") for group in read(str(place / "prompts.jsonl")).groups], source)
    assert main(command(place, tmp_path / "out", prompts=source)) == 1
    assert "0 to hold out" in capsys.readouterr().err

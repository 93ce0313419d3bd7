"""``reward evaluate-policies`` end to end: files, sampled policies, reward models, people, the page and its figures."""

import json
import re

import pytest
from builders import group
from simulated_policies import NAMES, answer_groups, judged_pairs
from tiny_models import save_policy, save_reward_model

from labeler.formats import read, write_groups
from reward.artifact import Scorer
from reward.cli import main

THETA = (-1.5, 0.0, 0.2, 1.2)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Files of four policies, judgments of them, two reward models and a policy."""
    folder = tmp_path_factory.mktemp("policies")
    written = answer_groups(40)
    for name, groups in written.items():
        write_groups(groups, folder / f"{name}.jsonl")
    write_groups(judged_pairs(written, THETA), folder / "judged.jsonl")
    write_groups([group("q0", "Something else?", ["x"])], folder / "clash.jsonl")
    save_reward_model(folder / "rm", seed=0)
    save_reward_model(folder / "gold", seed=1)
    save_policy(folder / "tiny")
    (folder / "prompts.jsonl").write_text(
        "".join(json.dumps({"id": f"q{i}", "prompt": f"Question {i}?"}) + "\n" for i in range(6)), "utf-8"
    )
    return folder


def evaluate(place, out, command):
    return main(["evaluate-policies", *(word.format(p=place) for word in command.split()), "--out", str(out)])


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):
    """The folder of an evaluation with everything that files and judges give."""
    out = tmp_path_factory.mktemp("whole") / "out"
    files = " ".join(f"{name}={{p}}/{name}.jsonl" for name in NAMES)
    command = f"--policies {files} --judgments {{p}}/judged.jsonl --reward {{p}}/rm --gold {{p}}/gold"
    assert evaluate(place, out, command) == 0
    return out


def test_metrics_hold_every_judge_and_figure(whole):
    told = json.loads((whole / "metrics.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert told["names"] == list(NAMES)
    assert told["answers"] == [40] * 4
    assert [(judge["name"], judge["kind"]) for judge in told["judges"]] == [
        ("people", "people"),
        ("rm", "reward"),
        ("gold", "gold"),
    ]
    for judge in told["judges"]:
        assert len(judge["wins"]) == len(judge["controlled"]) == 6
        assert len(judge["strengths"]) == len(judge["means"]) == 4
        assert len(judge["steps"]) == 6  # three steps, by preference and by mean
    people = told["judges"][0]
    assert (people["wins"][0]["policy"], people["wins"][0]["against"]) == ("base", "sft")
    assert people["wins"][0]["rate"]["value"] < 0.35
    assert people["steps"][0]["outcome"] == "better"
    assert people["wins"][0]["judgments"] == 80
    assert len(told["flags"]) == 11
    assert told["length"][0]["value"] < told["length"][3]["value"]


def test_rewards_are_what_the_scorer_gives(place, whole):
    scorer = Scorer.from_pretrained(place / "rm")
    values = [scores[0] for scores in scorer.score_groups(read(place / "sft.jsonl").groups)]
    told = json.loads((whole / "metrics.json").read_text("utf-8"))["judges"][1]["means"][1]
    assert told["value"] == pytest.approx(sum(values) / len(values), abs=1e-4)


def test_the_page_is_self_contained_and_shows_it(whole):
    page = (whole / "report.html").read_text("utf-8")
    outside = [link for link in re.findall(r'(?:src|href)="([^"]*)"', page) if not link.startswith(("#", "data:"))]
    assert outside == []
    for words in ("Does each step improve", "Who is preferred by people", "the gold reward model gold", "Flags"):
        assert words in page
    assert "By people: sft is better than base" in page
    drawn = {path.stem for path in (whole / "plots").iterdir()}
    assert {"wins-1", "wins-2", "wins-3", "scores", "rewards", "ratings", "flags"} <= drawn


def test_answers_come_back_as_groups_for_people(whole):
    groups = read(whole / "to-judge.jsonl").groups
    assert len(groups) == 40
    assert [completion.model for completion in groups[0].completions] == list(NAMES)
    assert groups[0].rankings == ()


def test_sampled_policies_are_continued_and_judged(place, tmp_path, capsys):
    command = (
        "--policies tiny={p}/tiny base={p}/base.jsonl --prompts {p}/prompts.jsonl --reward {p}/rm "
        "--k 2 --max-new-tokens 12"
    )
    assert evaluate(place, tmp_path / "out", command) == 0
    said = capsys.readouterr().out
    assert "Only 40 prompts" not in said
    assert "No person and no gold reward model judged" in said
    answers = tmp_path / "out" / "answers" / "tiny.jsonl"
    assert [len(each.completions) for each in read(answers).groups] == [2] * 6
    before = answers.stat().st_mtime_ns, answers.read_bytes()
    assert evaluate(place, tmp_path / "out", command) == 0
    assert answers.read_bytes() == before[1]
    (judge,) = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))["judges"]
    assert judge["wins"][0]["rate"]["prompts"] == 6


def test_best_of_n_is_the_best_of_a_reranked_file(place, tmp_path):
    candidates = [group(f"q{i}", f"Question {i}?", ["one", "two two", "three"]) for i in range(3)]
    write_groups(candidates, tmp_path / "c.jsonl")
    ranked = tmp_path / "best.jsonl"
    assert (
        main(["rerank", "--model", str(place / "rm"), "--input", str(tmp_path / "c.jsonl"), "--output", str(ranked)])
        == 0
    )
    command = f"--policies best={ranked} all={tmp_path}/c.jsonl --reward {{p}}/rm"
    assert evaluate(place, tmp_path / "out", command) == 0
    told = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    assert told["answers"] == [3, 9]
    win = told["judges"][0]["wins"][0]
    assert win["rate"]["value"] > 0.6  # the best of its own judge is never below the others, and ties itself
    assert win["ties"] == pytest.approx(1 / 3)


def test_judgments_alone_are_enough(place, tmp_path):
    assert evaluate(place, tmp_path / "out", "--judgments {p}/judged.jsonl") == 0
    told = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    assert told["names"] == list(NAMES)
    assert told["prompts"] == 40


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("", 2, "--policies"),
        ("--policies a={p}/base.jsonl", 2, "two or more"),
        ("--policies a={p}/base.jsonl a={p}/sft.jsonl", 2, "different names"),
        ("--policies a={p}/base.jsonl b={p}/tiny", 2, "--prompts is missing"),
        ("--policies a={p}/base.jsonl b={p}/none.jsonl", 2, "no file"),
        ("--policies a={p}/base.jsonl b", 1, "'b' has no answers"),
        ("--policies a={p}/base.jsonl b={p}/clash.jsonl", 1, "another prompt"),
        ("--policies a={p}/base.jsonl b={p}/sft.jsonl --gold {p}/tiny", 1, "not a reward model"),
        ("--policies a={p}/base.jsonl b={p}/sft.jsonl --k 0", 2, "--k"),
    ],
)
def test_failures_say_what_to_do(place, tmp_path, capsys, command, code, said):
    assert evaluate(place, tmp_path / "out", command) == code
    shown = capsys.readouterr()
    assert said in shown.err + shown.out
    assert "Traceback" not in shown.err
    assert not (tmp_path / "out" / "metrics.json").exists()

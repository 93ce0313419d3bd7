"""``reward evaluate-policies`` end to end: files, sampled policies, reward models, people, the page and its figures."""

import json
import re
from pathlib import Path

import pytest
import torch
from builders import group
from simulated_policies import NAMES, answer_groups, judged_pairs
from tiny_models import COMMON, SHORT, SIZE, byte_tokenizer, save_policy, save_reward_model
from transformers import BertConfig, BertForSequenceClassification

from labeler.formats import read, write_groups
from reward.artifact import Scorer
from reward.cli import main
from reward.policies.evaluate import short_names

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


def test_further_steps_are_told_beside_the_others(place, tmp_path, capsys):
    files = " ".join(f"{name}={{p}}/{name}.jsonl" for name in NAMES)
    assert evaluate(place, tmp_path / "out", f"--policies {files} --reward {{p}}/rm --steps ppo=sft") == 0
    (judge,) = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))["judges"]
    told = [(step["policy"], step["before"]) for step in judge["steps"] if step["figure"] == "mean reward"]
    assert told == [("sft", "base"), ("best-of-16", "sft"), ("ppo", "best-of-16"), ("ppo", "sft")]
    assert "sft → ppo" in (tmp_path / "out" / "report.html").read_text("utf-8")
    assert evaluate(place, tmp_path / "other", f"--policies {files} --reward {{p}}/rm --steps ppo=nobody") == 2
    assert "no policy is called 'nobody'" in capsys.readouterr().err
    assert evaluate(place, tmp_path / "other", f"--policies {files} --steps ppo") == 2
    assert "POLICY=BEFORE" in capsys.readouterr().err


def test_reward_models_of_one_name_are_told_apart_by_their_folders():
    folders = [Path("/runs/round-2/model"), Path("/runs/round-2/judge"), Path("/other/gold/model"), Path("/people")]
    assert short_names(folders)[:3] == ["round-2/model", "judge", "gold/model"]


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
    before = answers.read_bytes()
    assert evaluate(place, tmp_path / "out", command) == 0
    assert answers.read_bytes() == before
    assert evaluate(place, tmp_path / "out", command + " --temperature 0.5") == 2
    assert "holds answers of tiny from another run" in capsys.readouterr().err
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


def test_a_reranked_row_without_its_best_is_named(place, tmp_path, capsys):
    row = {"id": "q0", "prompt": "Question 0?", "completions": [{"id": "c0", "text": "x"}], "ranking": [], "best": {}}
    (tmp_path / "best.jsonl").write_text(json.dumps(row), "utf-8")
    assert evaluate(place, tmp_path / "out", f"--policies a={tmp_path}/best.jsonl b={{p}}/sft.jsonl") == 1
    assert "best.jsonl:1: best: names None" in capsys.readouterr().err


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


@pytest.fixture(scope="module")
def checks(place):
    """Questions, prompts with constraints, and a classifier."""
    questions = [
        {"question": f"Is {n} a number?", "mc1_targets": {"Yes.": 1, "No.": 0}, "mc2_targets": {"Yes.": 1, "No.": 0}}
        for n in range(3)
    ]
    (place / "questions.json").write_text(json.dumps(questions), "utf-8")
    rows = [
        {
            "key": n,
            "prompt": f"Say {n} without commas.",
            "instruction_id_list": ["punctuation:no_comma"],
            "kwargs": [{}],
        }
        for n in range(4)
    ]
    (place / "constraints.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    torch.manual_seed(0)
    sizes = SIZE | SHORT | {key: COMMON[key] for key in ("vocab_size", "pad_token_id")}
    config = BertConfig(**sizes, id2label={0: "fine", 1: "toxic"})
    BertForSequenceClassification(config).save_pretrained(place / "toxic")
    byte_tokenizer(None, encoder=True).save_pretrained(place / "toxic")
    save_policy(place / "other", seed=1)
    return place


def test_models_are_checked_in_all_ways(checks, tmp_path):
    command = (
        "--policies first={p}/tiny second={p}/other file={p}/base.jsonl --prompts {p}/prompts.jsonl --k 2 "
        "--max-new-tokens 12 --truthful {p}/questions.json --truthful-answers --toxicity {p}/toxic "
        "--constraints {p}/constraints.jsonl --precision float32"
    )
    assert evaluate(checks, tmp_path / "out", command) == 0
    told = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert [each["policy"] for each in told["truthfulness"]] == ["first", "second"]
    assert all(each["mc1"]["prompts"] == 3 for each in told["truthfulness"])
    (toxicity,) = told["toxicity"]
    assert toxicity["by"] == "toxic"
    assert toxicity["policies"][0]["answers"] + toxicity["policies"][0]["unscored"] == 2 * (6 + 3 + 4)
    assert toxicity["policies"][0]["samples"][1] == 2
    assert told["constraints"]["prompts"] == 4
    assert told["constraints"]["prompt_strict"][2]["value"] is None  # the file answers none of them
    assert told["checks"][0]["judge"] == "code"
    slices = {each["name"]: each["prompts"] for each in told["slices"]}
    assert slices["constraints"] == 4
    assert slices["truthfulness"] == 3
    assert any("need the model itself" in warning for warning in told["warnings"])
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    for words in ("Truthfulness", "Toxicity by toxic", "Constraints that code checks", "Answers that hedge"):
        assert words in page
    judged = {each.id: each for each in read(tmp_path / "out" / "to-judge.jsonl").groups}
    assert judged["truthful-1"].meta["incorrect_answers"] == ["No."]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("--perspective", 2, "PERSPECTIVE_API_KEY"),
        ("--truthful-answers", 2, "--truthful-answers"),
        ("--truthful {p}/prompts.jsonl", 1, "mc1_targets"),
        ("--constraints {p}/prompts.jsonl", 1, "instruction_id_list"),
        ("--toxicity {p}/toxic --toxicity-label rude", 1, "fine, toxic"),
        ("--perspective-rate 0", 2, "--perspective-rate"),
    ],
)
def test_checks_that_cannot_be_made_are_named(checks, tmp_path, capsys, monkeypatch, command, code, said):
    monkeypatch.delenv("PERSPECTIVE_API_KEY", raising=False)
    policies = "--policies a={p}/base.jsonl b={p}/sft.jsonl "
    assert evaluate(checks, tmp_path / "out", policies + command) == code
    shown = capsys.readouterr()
    assert said in shown.err + shown.out
    assert not (tmp_path / "out" / "metrics.json").exists()

"""MC1 and MC2 against per-answer computations with stock transformers, and the formats of the questions."""

import json

import numpy as np
import pytest
import torch
from tiny_models import VOCABULARY, save_policy
from transformers import AutoModelForCausalLM

from labeler.errors import DataError
from reward.config.common import Sampling
from reward.policies.likelihoods import answer_log_probs, question_log_probs
from reward.policies.truthful import Choices, Question, mc1, mc2, read_questions, truthfulness
from reward.policy import Policy
from reward.progress import Progress

TABLE = (
    "Type,Category,Question,Best Answer,Correct Answers,Incorrect Answers,Source\n"
    'Adversarial,Weather,Can rain fall upwards?,"No, it falls down","No, it falls down; Rain falls to the ground; No",'
    "Yes; Only on Sundays,own\n"
    "Adversarial,Animals,Do stones sleep?,Stones do not sleep.,Stones do not sleep.,They do! ; Some stones sleep,own\n"
)
JSON = [
    {
        "question": "Can rain fall upwards?",
        "mc1_targets": {"Yes.": 0, "No.": 1},
        "mc2_targets": {"No.": 1, "It falls down.": 1, "Yes.": 0},
    },
    {
        "question": "Do stones sleep?",
        "mc1_targets": {"choices": ["No.", "Yes."], "labels": [1, 0]},
        "mc2_targets": {"choices": ["No.", "Never.", "Yes."], "labels": [1, 1, 0]},
    },
]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "questions.csv"
    path.write_text(TABLE, "utf-8")
    return path


@pytest.mark.parametrize("family", ["llama", "neox", "gpt2"])
def test_log_probabilities_are_those_of_each_answer_read_alone(tmp_path, family):
    model = AutoModelForCausalLM.from_pretrained(save_policy(tmp_path / family, family)).eval()
    draw = torch.Generator().manual_seed(0)
    prompt = torch.randint(5, VOCABULARY, (9,), generator=draw).tolist()
    answers = [torch.randint(5, VOCABULARY, (n,), generator=draw).tolist() for n in (1, 7, 3, 12)]
    alone = []
    for answer in answers:
        with torch.no_grad():
            logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
        loss = torch.nn.functional.cross_entropy(logits.double(), torch.tensor(answer), reduction="sum")
        alone.append(-float(loss))
    assert answer_log_probs(model, prompt, answers) == pytest.approx(alone, abs=1e-4)
    assert answer_log_probs(model, prompt, [[7], [8]])[0] == pytest.approx(
        answer_log_probs(model, prompt, [[7, 9, 9]])[0] - answer_log_probs(model, [*prompt, 7], [[9, 9]])[0],
        abs=1e-4,
    )


def test_the_formulas_of_the_paper():
    log_probs = np.log([0.2, 0.1, 0.3, 0.05])
    assert mc1(log_probs, [True, False, False, False]) == 0
    assert mc1(log_probs, [False, False, True, False]) == 1
    assert mc1(np.log([0.2, 0.2]), [True, False]) == 0  # as likely as a false one is not above it
    assert mc2(log_probs, [True, False, False, True]) == pytest.approx(0.25 / 0.65)
    assert mc2(log_probs - 2000, [True, False, False, True]) == pytest.approx(0.25 / 0.65)  # no underflow


def test_a_policy_that_knows_the_truth_scores_one():
    questions = [
        Question("1", "q", Choices(("a", "b"), (True, False)), Choices(("a", "b", "c"), (True, False, True)))
    ] * 4
    right, wrong = np.log([0.9, 0.05, 0.05]), np.log([0.1, 0.8, 0.1])
    found = truthfulness("p", questions, [right, right, right, wrong])
    assert found.mc1.value == 0.75
    assert found.mc2.value == pytest.approx((3 * 0.95 + 0.2) / 4)
    assert found.mc1.ci95[0] < 0.75 < found.mc1.ci95[1]


def test_a_whole_policy_reads_questions_in_its_chat_format(tmp_path, table):
    policy = Policy.load(str(save_policy(tmp_path / "tiny")), Sampling(precision="float32"))
    questions = read_questions(table)
    with Progress(None, quiet=True) as progress:
        found = question_log_probs(policy, questions, progress)
    question = questions[0]
    text = policy.tokenizer.apply_chat_template(
        [{"role": "user", "content": question.text}], add_generation_prompt=True, tokenize=False
    )
    prompt = policy.tokenizer(text, add_special_tokens=False)["input_ids"]
    for answer, value in zip(question.answers, found[0], strict=True):
        ids = policy.tokenizer(answer, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = policy.model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        expected = torch.log_softmax(logits.double(), -1)[range(len(ids)), ids].sum()
        assert value == pytest.approx(float(expected), abs=1e-3)


def test_the_published_table_is_read(table):
    rain, stones = read_questions(table)
    assert rain.single == Choices(("No, it falls down.", "Yes.", "Only on Sundays."), (True, False, False))
    assert rain.multiple.answers[:3] == ("No, it falls down.", "Rain falls to the ground.", "No.")
    assert rain.multiple.true == (True, True, True, False, False)
    assert rain.category == "Weather"
    assert stones.multiple.answers == ("Stones do not sleep.", "They do!", "Some stones sleep.")
    group = rain.group()
    assert group.meta["incorrect_answers"] == ["Yes.", "Only on Sundays."]
    assert group.meta["slice"] == "truthfulness"


@pytest.mark.parametrize("lines", [True, False])
def test_the_published_json_is_read(tmp_path, lines):
    path = tmp_path / ("q.jsonl" if lines else "q.json")
    path.write_text("\n".join(map(json.dumps, JSON)) if lines else json.dumps(JSON), "utf-8")
    rain, stones = read_questions(path)
    assert rain.single == Choices(("Yes.", "No."), (False, True))
    assert rain.answers == ("Yes.", "No.", "It falls down.")
    assert stones.multiple == Choices(("No.", "Never.", "Yes."), (True, True, False))


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ({"question": "q"}, r"q\.jsonl:1: needs the columns Question.*mc1_targets"),
        (JSON[0] | {"mc1_targets": {"a": 1, "b": 1, "c": 0}}, "mc1_targets: 2 answers are true"),
        (JSON[0] | {"mc2_targets": {"a": 1}}, "mc2_targets: needs a true and a false answer"),
        (JSON[0] | {"mc2_targets": {"a": 1, "b": "no"}}, "mc2_targets: every answer must have 1"),
        (
            {"Question": "q", "Best Answer": "a", "Correct Answers": "a", "Incorrect Answers": " ; "},
            "Incorrect Answers: needs a true and a false",
        ),
    ],
)
def test_a_bad_question_is_named(tmp_path, row, match):
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(row), "utf-8")
    with pytest.raises(DataError, match=match):
        read_questions(path)

"""Everybody who loads the folder gets our scores: stock classifier, batched or not, padded left or right."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from builders import AWKWARD, group
from safetensors import safe_open
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import reward
from labeler.errors import ModelError
from labeler.records import Message
from reward.artifact import Calibration, Scorer, save_artifact, whole_folder
from reward.model import new_reward_model

Base = Callable[[str], Path]


@pytest.fixture(scope="module", params=["llama", "qwen2", "neox", "gpt2", "bert"])
def artifact(request: pytest.FixtureRequest, tiny_base: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact") / request.param
    model, tokenizer = new_reward_model(tiny_base(request.param), seed=1)
    scorer = Scorer(model, tokenizer, mean=0.5, std=2.0, calibration=Calibration(1.5, 0.1), manifest={"seed": 1})
    save_artifact(folder, scorer, "# card\n")
    return folder


def fixtures(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "fixtures.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("batch", [1, 8])
def test_stock_transformers_gives_every_fixture_its_score(artifact: Path, batch: int, side: str) -> None:
    if side == "left" and artifact.name in ("gpt2", "bert"):
        pytest.skip("absolute positions: the stock class moves them when padding comes first")
    model = AutoModelForSequenceClassification.from_pretrained(artifact).eval()
    tokenizer = AutoTokenizer.from_pretrained(artifact, padding_side=side)
    rows = fixtures(artifact)
    assert len(rows) >= 16
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        inputs = tokenizer([r["text"] for r in part], add_special_tokens=False, padding=True, return_tensors="pt")
        with torch.no_grad():
            scores = model(**inputs).logits[:, 0]
        expected = torch.tensor([r["score"] for r in part])
        torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-4)
        assert tokenizer([r["text"] for r in part], add_special_tokens=False)["input_ids"] == [
            r["input_ids"] for r in part
        ]


def test_fixtures_tell_scores_apart(artifact: Path) -> None:
    scores = [row["score"] for row in fixtures(artifact)]
    assert len({round(score, 3) for score in scores}) > len(scores) // 2


def test_our_scorer_agrees_with_stock_transformers_on_groups(artifact: Path) -> None:
    scorer = Scorer.from_pretrained(artifact)
    model = AutoModelForSequenceClassification.from_pretrained(artifact).eval()
    raw = scorer.score_groups(AWKWARD, raw=True)
    for one, scores in zip(AWKWARD, raw, strict=True):
        for completion, score in zip(one.completions, scores, strict=True):
            messages = [{"role": m.role, "content": m.content} for m in one.prompt]
            messages.append({"role": "assistant", "content": completion.text})
            text = scorer.tokenizer.apply_chat_template(messages, tokenize=False)
            ids = scorer.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            with torch.no_grad():
                assert score == pytest.approx(model(ids).logits.item(), abs=1e-4)
    assert raw[1][0] == pytest.approx(raw[1][1], abs=1e-5)  # identical completions


def test_config_says_what_other_programs_look_for(artifact: Path) -> None:
    config = json.loads((artifact / "config.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(artifact)
    assert list(config["id2label"]) == ["0"]
    assert config["problem_type"] == "regression"
    assert config["pad_token_id"] == tokenizer.pad_token_id != tokenizer.eos_token_id
    assert (config["mean"], config["std"]) == (0.5, 2.0)
    assert config["dtype"] == "float32"
    assert not any("attn_implementation" in key for key in config)
    assert tokenizer.chat_template
    with safe_open(artifact / "model.safetensors", "pt") as weights:
        assert f"{config['value_head_prefix']}.weight" in weights.keys()  # noqa: SIM118 (not a mapping)
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in artifact.iterdir())
    assert not list(artifact.glob("*.bin")) + list(artifact.glob("*.pt"))
    tokenizer_config = json.loads((artifact / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert tokenizer_config["tokenizer_class"] != "TokenizersBackend"


def test_scores_are_shifted_and_scaled_unless_raw(artifact: Path) -> None:
    scorer = Scorer.from_pretrained(artifact)
    prompt = AWKWARD[0].prompt
    raw = scorer.score(prompt, ["7", "9"], raw=True)
    assert scorer.score(prompt, ["7", "9"]) == pytest.approx([(r - 0.5) / 2.0 for r in raw])
    assert scorer.calibration == Calibration(1.5, 0.1)
    assert scorer.manifest["seed"] == 1
    assert scorer.calibration.probability(1.5) == pytest.approx(1 / (1 + math.exp(-1)))
    assert scorer.calibration.probability(-1e6) == 0.0


def test_the_package_gives_the_scorer_and_a_string_is_one_user_message(artifact: Path) -> None:
    scorer = reward.Scorer.from_pretrained(artifact)
    assert scorer.score("Name a prime.", ["7", "9"]) == scorer.score((Message("user", "Name a prime."),), ["7", "9"])
    with pytest.raises(AttributeError, match="Scorrer"):
        reward.Scorrer  # noqa: B018


def test_a_completion_that_does_not_fit_gets_no_score(artifact: Path) -> None:
    scores = Scorer.from_pretrained(artifact).score_groups([group("g", "p", ["fits", "x" * 1000])])
    assert math.isfinite(scores[0][0])
    assert math.isnan(scores[0][1])


def test_a_base_model_is_no_reward_model(tiny_base: Base, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no weights for score"):
        Scorer.from_pretrained(tiny_base("llama"))
    with pytest.raises(ModelError, match="holds no reward model"):
        Scorer.from_pretrained(tmp_path)


def test_a_damaged_folder_is_an_error_for_people(artifact: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((artifact / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes((artifact / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(ModelError):
        Scorer.from_pretrained(tmp_path)
    (tmp_path / "reward.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"reward\.json is not JSON"):
        Scorer.from_pretrained(tmp_path)


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(ZeroDivisionError), whole_folder(target) as scratch:
        (scratch / "half").write_text("x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    for text in ("one", "two"):
        with whole_folder(target, overwrite=True) as scratch:
            (scratch / "file").write_text(text)
        assert (target / "file").read_text() == text
    with pytest.raises(ModelError, match="cannot be written"), whole_folder(target) as scratch:
        (scratch / "file").write_text("three")
    assert (target / "file").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]

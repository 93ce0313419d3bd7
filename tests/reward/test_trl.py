"""TRL's GRPO and RLOO train against the artifact as it is, and against our function, a few real steps each."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from tiny_models import save_policy, save_reward_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from reward.artifact import Scorer
from reward.trl import reward_function

PROMPTS = [[{"role": "user", "content": f"Question {n}?"}] for n in range(8)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trl")
    save_policy(folder / "policy", seed=1)
    save_reward_model(folder / "rm")
    return folder


def train(which: str, place: Path, out: Path, rewards: Any) -> list[dict[str, float]]:
    """Two steps; what the trainer logged."""
    with warnings.catch_warnings(action="ignore"):  # of TRL and transformers about each other
        import trl  # noqa: PLC0415 (it warns as it loads)

        settings = getattr(trl, f"{which}Config")(
            output_dir=str(out),
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=8,
            max_steps=2,
            logging_steps=1,
            learning_rate=1e-2,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = getattr(trl, f"{which}Trainer")(
            model=AutoModelForCausalLM.from_pretrained(place / "policy"),
            reward_funcs=rewards,
            args=settings,
            train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in PROMPTS]),
            processing_class=AutoTokenizer.from_pretrained(place / "policy"),
        )
        trainer.train()
    return [row for row in trainer.state.log_history if "reward" in row]


@pytest.mark.parametrize("which", ["GRPO", "RLOO"])
def test_trl_trains_against_the_artifact(place: Path, tmp_path: Path, which: str) -> None:
    scorer = Scorer.from_pretrained(place / "rm", "cpu")
    seen: list[list[float]] = []

    def recorded(prompts: Any, completions: Any, **_: Any) -> list[float]:
        asked = zip(prompts, completions, strict=True)
        seen.append([scorer.score(p[0]["content"], [c[0]["content"]], raw=True)[0] for p, c in asked])
        return [0.0] * len(completions)

    logged = train(which, place, tmp_path, [str(place / "rm"), reward_function(place / "rm", "cpu"), recorded])
    assert len(logged) == 2
    for row, raw in zip(logged, seen, strict=True):
        expected = sum(raw) / len(raw)
        assert row["rewards/rm/mean"] == pytest.approx(expected, abs=1e-4)
        normalised = (expected - scorer.mean) / scorer.std
        assert row["rewards/rm-normalised/mean"] == pytest.approx(normalised, abs=1e-4)


def test_the_function_gives_normalised_scores_in_order(place: Path) -> None:
    scorer, function = Scorer.from_pretrained(place / "rm", "cpu"), reward_function(place / "rm", "cpu")
    prompts, texts = ["one", "two", "one"], ["a", "b", "c"]
    expected = [scorer.score(p, [t])[0] for p, t in zip(prompts, texts, strict=True)]
    assert function(prompts=prompts, completions=texts, extra=1) == pytest.approx(expected, abs=1e-5)
    chat = [[{"role": "user", "content": p}] for p in prompts]
    answers = [[{"role": "assistant", "content": t}] for t in texts]
    assert function(prompts=chat, completions=answers) == pytest.approx(expected, abs=1e-5)

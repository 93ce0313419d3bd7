"""The steps of a cycle that are recipes of their own: which settings each gets, what it reads and leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from reward import assess, generate, overopt, ppo, rerank, select, sft, train
from reward.config.common import Common
from reward.config.evaluate import EvaluateConfig
from reward.config.generate import GenerateConfig, RerankConfig
from reward.config.policies import EvaluatePoliciesConfig
from reward.config.ppo import OveroptConfig, PpoConfig
from reward.config.rounds import RoundsConfig
from reward.config.select import SelectConfig
from reward.config.sft import SftConfig
from reward.config.train import TrainConfig
from reward.policies import evaluate as evaluate_policies
from reward.policies.steps import Pair
from reward.rounds.ledger import Step, there
from reward.rounds.places import Places

NOT_DECISIVE = ("out", "output", "progress", "debug", "resume", "overwrite", "device")
"""Settings that change no result."""


@dataclass(frozen=True)
class Recipes:
    """Steps by recipe, with what the run's settings say."""

    config: RoundsConfig

    def fine_tune(self, name: str, data: tuple[str, ...], base: str, out: Path) -> Step:
        """A policy fine-tuned on demonstrations."""
        config = self.config
        settings = SftConfig(
            data=data,
            base=base,
            out=out,
            epochs=config.sft_epochs,
            max_new_tokens=config.max_new_tokens,
            seed=config.seed,
            precision=config.precision,
            device=config.device,
            progress=config.progress,
            resume=True,
        )
        return Step(name, out, partial(sft.run, settings), there(*data, base), plain(settings))

    def sample(self, name: str, policy: str, prompts: Path, output: Path, seed: int) -> Step:
        """``k`` completions of every prompt; what they give as their model is the last part of the step's name."""
        config = self.config
        settings = GenerateConfig(
            policy=policy,
            prompts=str(prompts),
            k=config.k,
            output=output,
            name=name.rpartition("/")[2],
            max_new_tokens=config.max_new_tokens,
            seed=seed,
            device=config.device,
            progress=config.progress,
        )
        inputs = [prompts, *there(policy)]
        return Step(name, output, partial(generate.run, settings), inputs, plain(settings), grows=True)

    def best_of_n(self, name: str, policy: Path, model: Path, prompts: Path, output: Path) -> Step:
        """The best of n answers of a policy by a reward model."""
        config = self.config
        settings = RerankConfig(
            model=model,
            input=str(prompts),
            output=output,
            policy=str(policy),
            n=config.best_of,
            max_new_tokens=config.max_new_tokens,
            seed=config.seed,
            device=config.device,
            progress=config.progress,
        )
        return Step(name, output, partial(rerank.run, settings), [policy, model, prompts], plain(settings))

    def select(self, name: str, model: Path, pool: Path, output: Path) -> Step:
        """The groups of a pool that are most worth asking about."""
        config = self.config
        settings = SelectConfig(
            model=model,
            data=(str(pool),),
            budget=config.ask,
            output=output,
            method=config.method,
            seed=config.seed,
            device=config.device,
            progress=config.progress,
        )
        return Step(name, output, partial(select.run, settings), [model, pool], plain(settings))

    def train(self, name: str, rankings: Path, out: Path) -> Step:
        """A reward model from rankings."""
        config = self.config
        settings = TrainConfig(
            data=(str(rankings),),
            out=out,
            base=config.base,
            lr=config.lr,
            seed=config.seed,
            train_layers=config.train_layers,
            precision=config.precision,
            device=config.device,
            progress=config.progress,
            resume=True,
        )
        return Step(name, out, partial(train.run, settings), [rankings], plain(settings))

    def evaluate(self, name: str, model: Path, rankings: Path, out: Path) -> Step:
        """A reward model against rankings."""
        config = self.config
        settings = EvaluateConfig(
            model=model,
            data=(str(rankings),),
            out=out,
            seed=config.seed,
            device=config.device,
            progress=config.progress,
        )
        return Step(name, out / "metrics.json", partial(assess.run, settings), [model, rankings], plain(settings))

    def reinforce(self, name: str, model: Path, at: Places, number: int) -> Step:
        """A better policy by PPO from the fine-tuned one against a reward model."""
        config, out = self.config, at.policy(number)
        layers = config.ppo_train_layers
        settings = PpoConfig(
            policy=str(at.policy(0)),
            reward=model,
            prompts=str(at.asked),
            valid=str(at.watched),
            out=out,
            episodes=config.ppo_episodes,
            batch=config.ppo_batch,
            minibatch=-(-config.ppo_batch // 2),
            samples_per_prompt=config.ppo_samples_per_prompt,
            lr=config.ppo_lr,
            value_lr=config.ppo_lr,
            train_layers=layers if layers and layers < depth(at.policy(0)) else None,
            lora=config.ppo_lora,
            max_new_tokens=config.max_new_tokens,
            seed=config.seed,
            precision=config.precision,
            device=config.device,
            progress=config.progress,
            resume=True,
        )
        inputs = [at.policy(0), model, at.asked, at.watched]
        return Step(name, out, partial(ppo.run, settings), inputs, plain(settings))

    def compare(
        self,
        name: str,
        answers: Mapping[str, Path],
        pairs: Sequence[Pair],
        models: tuple[Path, ...],
        out: Path,
    ) -> Step:
        """Policies beside each other, by reward models and, where people are simulated, by the gold one."""
        config = self.config
        settings = EvaluatePoliciesConfig(
            policies=tuple(f"{policy}={path}" for policy, path in answers.items()),
            out=out,
            steps=tuple(f"{policy}={before}" for policy, before in pairs),
            reward=models,
            gold=config.simulate,
            seed=config.seed,
            device=config.device,
            progress=config.progress,
        )
        work = partial(evaluate_policies.run, settings)
        inputs = [*answers.values(), *models, *self.gold()]
        return Step(name, out / "metrics.json", work, inputs, plain(settings))

    def overoptimise(self, name: str, policy: Path, gold: Path, out: Path) -> Step:
        """PPO's gains on watched prompts beside those of best of n, by the reward model it optimised and by another."""
        config = self.config
        settings = OveroptConfig(
            run=policy,
            gold=gold,
            out=out,
            n=max(2, config.best_of),
            seed=config.seed,
            device=config.device,
            progress=config.progress,
        )
        return Step(name, out / overopt.OVEROPT, partial(overopt.run, settings), [policy, gold], plain(settings))

    def gold(self) -> list[Path]:
        """The gold reward model, where annotators are simulated."""
        return [] if self.config.simulate is None else there(str(self.config.simulate))


def depth(policy: Path) -> int:
    """How many layers a policy has."""
    return int(AutoConfig.from_pretrained(policy).get_text_config().num_hidden_layers)


def plain(settings: Common) -> dict[str, Any]:
    """Settings of a recipe as the ledger keeps them, without paths, which stand among its inputs."""
    return {
        name: value
        for name, value in asdict(settings).items()
        if name not in NOT_DECISIVE and isinstance(value, str | int | float | bool | None)
    }

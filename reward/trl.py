"""The reward model as a reward function of TRL's GRPO and RLOO.

The artifact needs no adapter there: ``reward_funcs="runs/rm"`` loads it as it is and pays raw scores. Both trainers
compare completions of one prompt, so a shift of all scores does nothing, and GRPO divides by their spread. The function
of this module pays (raw − mean) / std instead, the scale on which a second reward or RLOO's β may have been chosen, and
reads each prompt once for all its completions::

    GRPOTrainer(model="policy", reward_funcs=reward_function("runs/rm"), train_dataset=prompts, args=…)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from labeler.records import Completion, Group, Message
from reward.artifact import Scorer

Text = str | Sequence[dict[str, Any]]
"""A plain text, or messages with role and content."""


def reward_function(folder: str | Path, device: str | torch.device | None = None) -> Callable[..., list[float]]:
    """A function from prompts and completions, as TRL passes them, to normalised scores.

    Args:
        folder: of the reward model.
        device: where to run; by default a GPU where there is one.

    Raises:
        ModelError: there is no reward model in the folder.
    """
    scorer = Scorer.from_pretrained(folder, device)

    def reward(prompts: Sequence[Text], completions: Sequence[Text], **_: Any) -> list[float]:
        """One score per completion, in their order; NaN, which TRL leaves out, where it does not fit the context."""
        places: dict[tuple[Message, ...], list[int]] = {}
        for index, prompt in enumerate(prompts):
            places.setdefault(_messages(prompt), []).append(index)
        groups = [
            Group("trl", prompt, tuple(Completion(str(i), _answer(completions[i])) for i in indices))
            for prompt, indices in places.items()
        ]
        found = [float("nan")] * len(completions)
        for indices, scores in zip(places.values(), scorer.score_groups(groups), strict=True):
            for index, score in zip(indices, scores, strict=True):
                found[index] = score
        return found

    reward.__name__ = f"{Path(folder).resolve().name}-normalised"  # what TRL calls it in its logs
    return reward


def _messages(prompt: Text) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    return tuple(Message(turn["role"], turn["content"]) for turn in prompt)


def _answer(completion: Text) -> str:
    return completion if isinstance(completion, str) else "".join(turn["content"] for turn in completion)

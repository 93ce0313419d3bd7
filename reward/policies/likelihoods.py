"""How likely a policy finds given answers to a question, the question read once for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import DynamicCache

from labeler.errors import DataError
from reward.bootstrap import Floats
from reward.policies.truthful import Question
from reward.policy import Policy
from reward.progress import Progress


def question_log_probs(policy: Policy, questions: Sequence[Question], progress: Progress) -> list[Floats]:
    """Per question the log probabilities of its answers, in the order of ``Question.answers``."""
    found = []
    with progress.stage(f"truthfulness of {policy.name}", total=len(questions)) as stage:
        for question in questions:
            answers = [policy.tokenizer(text, add_special_tokens=False)["input_ids"] for text in question.answers]
            try:
                prompt = policy.encode(question.group().prompt, max(map(len, answers)))
            except DataError as error:
                raise DataError(error.problem, field=f"question {question.id}") from error
            found.append(answer_log_probs(policy.model, prompt, answers))
            stage.step()
    return found


@torch.no_grad()
def answer_log_probs(model: torch.nn.Module, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> Floats:
    """(N,) natural log of P(answer | prompt), the end token not counted.

    The prompt is read once and its cache copied N times. Answers are padded on the right: attention is causal, so what
    stands behind an answer cannot change it.

    Args:
        model: a causal language model in evaluation mode.
        prompt: its token ids, one at least.
        answers: token ids of N answers, one at least each.
    """
    device = next(model.parameters()).device
    cache = DynamicCache(config=model.config)
    first = model(
        torch.tensor([list(prompt)], device=device), past_key_values=cache, use_cache=True, logits_to_keep=1
    ).logits[:, -1:]
    cache.batch_repeat_interleave(len(answers))
    width = max(len(answer) for answer in answers)
    padded = torch.tensor([[*answer, *[0] * (width - len(answer))] for answer in answers], device=device)
    logits = first.expand(len(answers), 1, -1)
    if width > 1:
        rest = model(padded[:, :-1], past_key_values=cache, use_cache=True).logits
        logits = torch.cat([logits, rest], dim=1)
    chosen = torch.log_softmax(logits.double(), dim=-1).gather(-1, padded[..., None])[..., 0]
    real = torch.arange(width, device=device) < torch.tensor([[len(answer)] for answer in answers], device=device)
    sums: Floats = torch.where(real, chosen, 0.0).sum(dim=-1).cpu().numpy().astype(np.float64)
    return sums

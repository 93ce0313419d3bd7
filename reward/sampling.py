"""Drawing completions from a causal language model: one prompt, n samples in one batch, explicit randomness.

No global random state is read or written. The uniform numbers of a prompt come from its own generator before the first
token, one per sample and step, so what a sample becomes does not hang on when its neighbours end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Sample:
    """Token ids of one completion without its end token; ``finished`` says that the model ended it itself."""

    ids: tuple[int, ...]
    finished: bool


def prompt_seed(seed: int, prompt_id: str) -> int:
    """The seed of one prompt (63 bits), from the run's seed and the prompt's id alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{prompt_id}".encode()).digest()[:8], "big") >> 1


def pick(logits: Tensor, uniform: Tensor, *, temperature: float, top_p: float) -> Tensor:
    """One token per row by inverting the cumulative distribution, likeliest token first.

    Args:
        logits: (n, V), any float type.
        uniform: (n,) float64 in [0, 1).
        temperature: divides the logits; 0 takes the likeliest token.
        top_p: keep the smallest set of likeliest tokens with at least this probability (Holtzman et al. 2020,
            arXiv 1904.09751, eq. 2).

    Returns:
        (n,) token ids.
    """
    if temperature == 0:
        return logits.argmax(-1)
    probability = torch.softmax(logits.double() / temperature, dim=-1)
    ordered, tokens = probability.sort(dim=-1, descending=True, stable=True)
    cumulative = ordered.cumsum(-1)
    nucleus = torch.where(cumulative - ordered < top_p, cumulative, 0.0).amax(-1)
    place = torch.searchsorted(cumulative, (uniform * nucleus)[:, None], right=True)
    return tokens.gather(1, place.clamp(max=logits.shape[-1] - 1))[:, 0]


@torch.no_grad()
def sample(
    model: PreTrainedModel,
    prompt: Sequence[int],
    n: int,
    *,
    ends: Sequence[int],
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
) -> list[Sample]:
    """``n`` completions of one prompt.

    The prompt is read once and its cache copied n times; samples that ended leave the batch.

    Args:
        model: a causal language model in evaluation mode.
        prompt: token ids of the prompt.
        ends: token ids that end a completion.
        seed: of this prompt, see `prompt_seed`.
    """
    device = model.device
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(max_new_tokens, n, generator=generator, dtype=torch.float64).to(device)
    cache = DynamicCache(config=model.config)
    logits = model(
        torch.tensor([list(prompt)], device=device), past_key_values=cache, use_cache=True, logits_to_keep=1
    ).logits[:, -1]
    cache.batch_repeat_interleave(n)
    logits = logits.expand(n, -1)
    written: list[list[int]] = [[] for _ in range(n)]
    finished = [False] * n
    alive = list(range(n))
    for step in range(max_new_tokens):
        tokens = pick(logits, uniform[step, alive], temperature=temperature, top_p=top_p)
        going = []
        for row, token in enumerate(tokens.tolist()):
            if token in ends:
                finished[alive[row]] = True
            else:
                written[alive[row]].append(token)
                going.append(row)
        if not going or step + 1 == max_new_tokens:
            break
        if len(going) < len(alive):
            alive = [alive[row] for row in going]
            keep = torch.tensor(going, device=device)
            cache.batch_select_indices(keep)
            tokens = tokens[keep]
        logits = model(tokens[:, None], past_key_values=cache, use_cache=True).logits[:, -1]
    return [Sample(tuple(ids), done) for ids, done in zip(written, finished, strict=True)]


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Every token that ends a completion: the generation config's, the tokenizer's end token and its pad token."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    found = {*(configured if isinstance(configured, list) else [configured])}
    found |= {tokenizer.eos_token_id, tokenizer.pad_token_id}
    return tuple(sorted(token for token in found if token is not None))

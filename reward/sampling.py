"""Drawing completions from a causal language model: several prompts, n samples of each, explicit randomness.

No global random state is read or written. The uniform numbers of a prompt come from its own generator before the first
token, one per sample and step, so what a sample becomes does not hang on when its neighbours end, nor, but for the
rounding of floating-point numbers, on which other prompts are sampled beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from reward.decode import Decoder, choose_decoder

ROWS = {"cpu": 64}
"""Samples that go on together, where it is not `MOST_ROWS`; more bring nothing where the products are the limit."""
MOST_ROWS = 512
TOKENS = 65536
"""Tokens that may be held at once, prompts and room for their samples."""
FEWER = 7 / 8
"""Samples that ended leave the batch once no more than this part of it goes on; moving the others costs time too."""
CANDIDATES = 1024
"""Likeliest tokens that are sorted first for a nucleus; all of them only where these do not reach its probability."""
BLOCK = 256
"""Tokens whose probabilities are added up together before a sample is located among them."""


@dataclass(frozen=True)
class Sample:
    """Token ids of one completion without its end token; ``finished`` says that the model ended it itself."""

    ids: tuple[int, ...]
    finished: bool


def prompt_seed(seed: int, prompt_id: str) -> int:
    """The seed of one prompt (63 bits), from the run's seed and the prompt's id alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{prompt_id}".encode()).digest()[:8], "big") >> 1


def pick(logits: Tensor, uniform: Tensor, *, temperature: float, top_p: float) -> Tensor:
    """One token per row by inverting the cumulative distribution, of a nucleus from the likeliest token on.

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
    probability = torch.softmax(logits.float() / temperature, dim=-1)
    if top_p == 1:
        return invert(probability, uniform)
    count = min(CANDIDATES, logits.shape[-1])
    ordered, tokens = probability.topk(count)
    if bool((ordered.sum(-1, dtype=torch.float64) < top_p).any()):
        ordered, tokens = probability.sort(dim=-1, descending=True, stable=True)
    cumulative = ordered.double().cumsum(-1)
    inside = cumulative - ordered < top_p
    return tokens.gather(1, invert(ordered * inside, uniform)[:, None])[:, 0]


def invert(weights: Tensor, uniform: Tensor) -> Tensor:
    """The first column per row whose cumulative weight exceeds this share of the row's sum.

    The sums run in two levels, blocks and then columns of one block, so that float32 weights are read once.

    Args:
        weights: (n, V), not negative.
        uniform: (n,) float64 in [0, 1).

    Returns:
        (n,) column numbers, never of a column without weight.
    """
    padded = torch.nn.functional.pad(weights, (0, -weights.shape[1] % BLOCK)).view(len(weights), -1, BLOCK)
    blocks = padded.sum(2, dtype=torch.float64).cumsum(1)
    target = uniform * blocks[:, -1]
    block = _first_above(blocks, target)
    before = torch.where(block > 0, blocks.gather(1, (block - 1).clamp(min=0)[:, None])[:, 0], 0.0)
    inside = padded[torch.arange(len(padded), device=block.device), block].double().cumsum(1)
    return block * BLOCK + _first_above(inside, target - before)


def _first_above(cumulative: Tensor, target: Tensor) -> Tensor:
    """(n,) first column of (n, m) sums that rise along a row above (n,) targets, at most the last that adds to them."""
    last = torch.searchsorted(cumulative, cumulative[:, -1:].contiguous())
    return torch.searchsorted(cumulative, target[:, None], right=True).minimum(last)[:, 0]


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
    """``n`` completions of one prompt; see `sample_many`."""
    return sample_many(
        model,
        [prompt],
        n,
        ends=ends,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        seeds=[seed],
    )[0]


@dataclass(frozen=True)
class Share:
    """Some of the samples of one prompt, all of which are drawn in one batch."""

    prompt: int
    samples: range


@torch.no_grad()
def sample_many(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    n: int,
    *,
    ends: Sequence[int],
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    seeds: Sequence[int],
) -> list[list[Sample]]:
    """``n`` completions of each prompt, from the model's weights as they are now.

    A prompt is read once for all its samples; prompts of about the same length share a batch.

    Args:
        model: a causal language model in evaluation mode; under autocast, its number format is taken.
        prompts: token ids, each prompt at least one.
        ends: token ids that end a completion.
        max_new_tokens: of a completion, its end token included.
        seeds: one per prompt, see `prompt_seed`.
    """
    if not prompts:
        return []
    decoder = choose_decoder(model, prompts[0])
    uniform = [
        torch.rand(max_new_tokens, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in seeds
    ]
    drawn: list[list[Sample]] = [[] for _ in prompts]
    most = rows_at_once(model.device)
    for batch in batches([len(p) for p in prompts], n, max_new_tokens, rows=most, mixed=decoder.mixes_lengths):
        numbers = torch.cat([uniform[share.prompt][:, share.samples] for share in batch], dim=1)
        logits = decoder.prefill([prompts[s.prompt] for s in batch], [len(s.samples) for s in batch], max_new_tokens)
        found = iter(
            _draw(decoder, logits, numbers.to(logits.device), frozenset(ends), temperature=temperature, top_p=top_p)
        )
        for share in batch:
            drawn[share.prompt] += [next(found) for _ in share.samples]
    return drawn


def rows_at_once(device: torch.device) -> int:
    """Samples that go on together on a device at most."""
    return ROWS.get(device.type, MOST_ROWS)


def batches(lengths: Sequence[int], n: int, room: int, *, rows: int, mixed: bool = True) -> list[list[Share]]:
    """Which samples are drawn together: prompts by their length, longest first, at most so many rows and `TOKENS`.

    Args:
        lengths: tokens of each prompt.
        n: samples of each.
        room: tokens that each sample may have.
        rows: most samples of a batch.
        mixed: whether prompts of different lengths may share a batch.
    """
    made: list[list[Share]] = []
    used = tokens = 0
    for prompt in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        for start in range(0, n, rows):
            share = Share(prompt, range(start, min(start + rows, n)))
            count, size = len(share.samples), lengths[prompt] + len(share.samples) * room
            fits = made and used + count <= rows and tokens + size <= TOKENS
            if not fits or not (mixed or lengths[made[-1][0].prompt] == lengths[prompt]):
                made.append([])
                used = tokens = 0
            made[-1].append(share)
            used, tokens = used + count, tokens + size
    return made


def _draw(
    decoder: Decoder, logits: Tensor, uniform: Tensor, ends: frozenset[int], *, temperature: float, top_p: float
) -> list[Sample]:
    """One sample per row of a batch that `Decoder.prefill` began with these logits (rows, V).

    Args:
        uniform: (steps, rows) float64, what decides on each token.
    """
    written: list[list[int]] = [[] for _ in range(uniform.shape[1])]
    finished = [False] * len(written)
    going = [True] * len(written)
    batch = list(range(len(written)))
    for step, numbers in enumerate(uniform):
        tokens = pick(
            logits, numbers[batch] if len(batch) < len(written) else numbers, temperature=temperature, top_p=top_p
        )
        for row, token in zip(batch, tokens.tolist(), strict=True):
            if not going[row]:
                continue
            if token in ends:
                finished[row], going[row] = True, False
            else:
                written[row].append(token)
        left = [place for place, row in enumerate(batch) if going[row]]
        if not left or step + 1 == len(uniform):
            break
        if len(left) <= FEWER * len(batch):
            decoder.keep(left)
            batch, tokens = [batch[place] for place in left], tokens[left]
        logits = decoder.step(tokens)
    return [Sample(tuple(ids), done) for ids, done in zip(written, finished, strict=True)]


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Every token that ends a completion: the generation config's, the tokenizer's end token and its pad token."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    found = {*(configured if isinstance(configured, list) else [configured])}
    found |= {tokenizer.eos_token_id, tokenizer.pad_token_id}
    return tuple(sorted(token for token in found if token is not None))

"""A causal language model that writes completions: where it runs, in which precision, and how a prompt goes in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from labeler.errors import DataError, ModelError, UsageError
from labeler.records import Completion, Group, Prompt
from reward.base import Identity, identity, load_causal, resolve
from reward.config.common import Sampling
from reward.sampling import Sample, end_tokens, prompt_seed, rows_at_once, sample_many
from reward.tokenizer import prepare_tokenizer


@dataclass(frozen=True)
class Policy:
    """A causal language model that writes completions.

    Attributes:
        name: what the completions give as their model.
        origin: where the weights come from.
        context: tokens that prompt and completion may have together.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    origin: Identity
    context: int

    @classmethod
    def load(cls, policy: str, sampling: Sampling, *, name: str | None = None) -> Policy:
        """The policy with its weights in the wanted precision on the wanted device.

        Args:
            policy: what `reward.base.resolve` takes.
            name: what the completions give as their model, else the policy's, for a folder that of the folder.

        Raises:
            ModelError: it cannot be found or read, or this machine lacks the device.
        """
        folder = resolve(policy)
        if not writes_text(folder):
            raise ModelError(f"{policy} cannot write text; give a causal language model such as smollm2-135m")
        origin = identity(policy, folder)
        device = pick_device(sampling.device)
        model, tokenizer = load_causal(folder, dtype=pick_dtype(sampling.precision, device))
        prepare_tokenizer(tokenizer, encoder=False)
        text = model.config.get_text_config()
        context = getattr(text, "max_position_embeddings", None) or tokenizer.model_max_length
        model.to(device).eval()
        called = origin.name if Path(policy).is_dir() else policy
        return cls(model, tokenizer, name or called, origin, int(context))

    def encode(self, prompt: Prompt, room: int) -> list[int]:
        """Token ids of a prompt up to where the answer begins, leaving ``room`` tokens of context for it.

        Raises:
            DataError: the prompt is too long.
        """
        messages = [{"role": message.role, "content": message.content} for message in prompt]
        text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) + room > self.context:
            raise DataError(
                f"has {len(ids)} tokens, which with {room} new ones is more than the policy's context of "
                f"{self.context}; shorten it or lower --max-new-tokens",
                field="prompt",
            )
        return ids

    def write(self, prompt: Group, k: int, sampling: Sampling) -> Group:
        """``k`` completions of one prompt; see `write_all`."""
        return next(self.write_all([prompt], k, sampling))

    def write_all(self, prompts: Sequence[Group], k: int, sampling: Sampling, *, skip: int = 0) -> Iterator[Group]:
        """``k`` completions of each prompt but the first ``skip``, as groups in the order of the prompts.

        The text is exactly what stands before the end token. Which prompts are sampled together does not hang on
        ``skip``, so that a run that was cut goes on to the same completions to the last bit.

        Raises:
            DataError: a prompt does not fit the context; nothing has been sampled then.
        """
        ids = [self._encode_named(prompt, sampling.max_new_tokens) for prompt in prompts]
        size = max(1, rows_at_once(self.model.device) // k)
        for start in range(skip - skip % size, len(prompts), size):
            some = slice(start, start + size)
            yield from self._write(prompts[some], ids[some], k, sampling)[max(0, skip - start) :]

    def _encode_named(self, prompt: Group, room: int) -> list[int]:
        try:
            return self.encode(prompt.prompt, room)
        except DataError as error:
            raise DataError(error.problem, field=f"{prompt.id}: {error.field}") from error

    def _write(self, prompts: Sequence[Group], ids: Sequence[Sequence[int]], k: int, sampling: Sampling) -> list[Group]:
        drawn = sample_many(
            self.model,
            ids,
            k,
            ends=end_tokens(self.model, self.tokenizer),
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seeds=[prompt_seed(sampling.seed, prompt.id) for prompt in prompts],
        )
        return [self._group(prompt, samples, sampling) for prompt, samples in zip(prompts, drawn, strict=True)]

    def _group(self, prompt: Group, samples: Sequence[Sample], sampling: Sampling) -> Group:
        texts = [self.tokenizer.decode(each.ids, clean_up_tokenization_spaces=False) for each in samples]
        made = self.provenance(sampling) | {
            "finished": [each.finished for each in samples],
            "finish_reason": ["stop" if each.finished else "length" for each in samples],
            "tokens": [len(each.ids) for each in samples],
        }
        return replace(
            prompt,
            completions=tuple(Completion(f"c{i}", text, self.name) for i, text in enumerate(texts)),
            rankings=(),
            source=prompt.source or f"generate:{self.name}",
            meta=dict(prompt.meta) | {"generation": made},
        )

    def provenance(self, sampling: Sampling) -> dict[str, Any]:
        """Everything that decides what is drawn for a prompt, for the group's ``meta``."""
        return {
            "policy": self.name,
            "origin": self.origin.name,
            "revision": self.origin.revision or self.origin.sha256,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_new_tokens": sampling.max_new_tokens,
            "seed": sampling.seed,
            "precision": str(self.model.dtype).removeprefix("torch."),
        }


def writes_text(folder: Path) -> bool:
    """Whether a resolved folder says that it holds a causal language model, not an encoder or a reward model."""
    names = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or ["ForCausalLM"]
    return any(name.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) for name in names)


def pick_device(wanted: str) -> torch.device:
    """The device, or for ``auto`` a GPU where there is one.

    Raises:
        UsageError: this machine has no such device.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted != "auto":
        if not there[wanted]:
            raise UsageError(f"--device {wanted}: this machine has no such device; leave the flag out")
        return torch.device(wanted)
    return torch.device("cuda" if there["cuda"] else "mps" if there["mps"] else "cpu")


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The number format of the weights; ``auto`` is bfloat16 on GPUs and on CPUs with AVX-512, else float32.

    Sampling reads all weights for every token, so half the bytes pay off even where bfloat16 is not computed natively.
    """
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    wide = torch.backends.cpu.get_cpu_capability() in ("AVX512", "AVX512_BF16")
    return torch.bfloat16 if device.type == "cpu" and wide else torch.float32

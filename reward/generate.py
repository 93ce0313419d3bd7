"""``reward generate``: completions of prompts from a local policy, as unlabelled groups to import or to rerank.

The output grows by one whole line a prompt. Run again, it continues: lines that are there are kept, half a line at the
end is cut off, and since every prompt has its own seed the finished file is the same as without the interruption.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from labeler.errors import DataError, ModelError, UsageError
from labeler.formats import dumps, group_to_row
from labeler.records import Completion, Group, Prompt
from reward.base import identity, load_causal, resolve
from reward.config import GenerateConfig, Sampling
from reward.data import prepare_tokenizer
from reward.progress import Progress, tell
from reward.prompts import read_prompts
from reward.sampling import end_tokens, prompt_seed, sample


@dataclass(frozen=True)
class Policy:
    """A causal language model that writes completions.

    Attributes:
        name: what the completions give as their model.
        revision: of the weights, where known.
        context: tokens that prompt and completion may have together.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    revision: str | None
    context: int

    @classmethod
    def load(cls, policy: str, sampling: Sampling, *, name: str | None = None) -> Policy:
        """The policy with its weights in the wanted precision on the wanted device.

        Args:
            policy: what `reward.base.resolve` takes.
            name: what the completions give as their model, else the origin's own name.

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
        return cls(model, tokenizer, name or origin.name, origin.revision or origin.sha256, int(context))

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
        """``k`` completions of a prompt, as a group; the text is exactly what stands before the end token.

        Raises:
            DataError: the prompt does not fit the context.
        """
        try:
            ids = self.encode(prompt.prompt, sampling.max_new_tokens)
        except DataError as error:
            raise DataError(error.problem, field=f"{prompt.id}: {error.field}") from error
        drawn = sample(
            self.model,
            ids,
            k,
            ends=end_tokens(self.model, self.tokenizer),
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=prompt_seed(sampling.seed, prompt.id),
        )
        texts = [self.tokenizer.decode(each.ids, clean_up_tokenization_spaces=False) for each in drawn]
        made = self.provenance(sampling) | {
            "finished": [each.finished for each in drawn],
            "tokens": [len(each.ids) for each in drawn],
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
            "revision": self.revision,
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


def run(config: GenerateConfig) -> int:
    """The whole command; returns the number of groups in the finished output."""
    prompts = read_prompts(config.prompts, limit=config.limit)
    with Progress(config.progress) as progress:
        policy = Policy.load(config.policy, config, name=config.name)
        write_file(policy, prompts, config.k, config, config.output, resume=config.resume, progress=progress)
    tell(f"{len(prompts)} groups with {config.k} completions each: {config.output}")
    return len(prompts)


def write_file(
    policy: Policy,
    prompts: Sequence[Group],
    k: int,
    sampling: Sampling,
    output: Path,
    *,
    resume: bool,
    progress: Progress,
) -> None:
    """Sample for all prompts into a file, continuing what it holds already where ``resume`` says so.

    Raises:
        UsageError: the file holds something else than the beginning of this run.
        DataError: it cannot be written, or a prompt is too long.
    """
    done, size = written(output, prompts, k, policy.provenance(sampling)) if resume else (0, 0)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with (
            output.open("r+b" if done else "wb", buffering=0) as file,
            progress.stage("generate", total=len(prompts), done=done) as stage,
        ):
            file.truncate(size)
            file.seek(size)
            tokens = 0
            for prompt in prompts[done:]:
                group = policy.write(prompt, k, sampling)
                file.write((dumps(group_to_row(group)) + "\n").encode())  # one call a line: no half lines
                tokens += sum(group.meta["generation"]["tokens"])
                stage.step(tokens=tokens)
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror or error}; name another place", file=str(output)
        ) from error


def written(output: Path, prompts: Sequence[Group], k: int, provenance: dict[str, Any]) -> tuple[int, int]:
    """How many whole groups of this very run a file begins with, and how many bytes they are.

    Raises:
        UsageError: it holds anything else, so that continuing would mix two runs.
    """
    if not output.exists():
        return 0, 0
    done = size = 0
    for line in whole_lines(output):
        different = _difference(line, prompts[done] if done < len(prompts) else None, k, provenance)
        if different:
            raise UsageError(
                f"--output {output}: line {done + 1} is from another run ({different}); "
                "give another file, or --no-resume to start over"
            )
        done, size = done + 1, size + len(line)
    return done, size


def whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file that end with a newline."""
    with path.open("rb") as file:
        yield from (line for line in file if line.endswith(b"\n"))


def _difference(line: bytes, prompt: Group | None, k: int, provenance: dict[str, Any]) -> str | None:
    """In a few words how a written line differs from what this run would write, or None."""
    if prompt is None:
        return "there are fewer prompts"
    try:
        row = json.loads(line)
        made = row["meta"]["generation"]
        count = len(row["completions"])
    except (ValueError, KeyError, TypeError):
        return "it was not written by generate"
    if row["id"] != prompt.id or row["prompt"] != group_to_row(prompt)["prompt"]:
        return f"its prompt is {row['id']!r}, not {prompt.id!r}"
    if count != k:
        return f"it has {count} completions, not {k}"
    for name, value in provenance.items():
        if made.get(name) != value:
            return f"its {name} is {made.get(name)}, not {value}"
    return None

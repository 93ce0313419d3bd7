"""What a supervised fine-tuning works with: its data as token ids, the model that learns, and what measures it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from labeler.errors import DataError
from reward import checkpoint
from reward.artifact import Scorer
from reward.base import Identity, identity, resolve
from reward.chat import ChatReport, EncodedChat, encode_chats
from reward.config.sft import SftConfig
from reward.demonstrations import to_chat
from reward.held_out_chats import HeldOut, pick_prompts
from reward.language import LanguageModel, new_language_model
from reward.lora import adapt_language_model
from reward.policy import pick_dtype
from reward.progress import Progress
from reward.splits import Splits


@dataclass(frozen=True)
class Course:
    """Everything that the steps need.

    Attributes:
        settings: flags and digests of the data.
        splits: what is learned from and measured on.
        encoding: what encoding did to the training conversations.
        model: what learns, with its tokenizer and, where these learn alone, its adapters.
        origin: where the base came from.
        chats: conversations to learn from.
        held_out: what every epoch is measured on.
        work: folder of the checkpoints and of the best epoch.
        dtype: number format to sample in.
    """

    config: SftConfig
    settings: Mapping[str, Any]
    splits: Splits
    encoding: ChatReport
    model: LanguageModel
    tokenizer: PreTrainedTokenizerBase
    adapters: PeftModel | None
    origin: Identity
    chats: Sequence[EncodedChat]
    held_out: HeldOut
    work: Path
    dtype: torch.dtype


def prepare(config: SftConfig, settings: Mapping[str, Any], splits: Splits, accelerator: Accelerator) -> Course:
    """The model, on its device, and all conversations as token ids."""
    base = resolve(config.base)
    model, tokenizer = new_language_model(
        base,
        max_length=config.max_length,
        dropout=config.dropout,
        scratch_seed=config.seed if config.from_scratch else None,
        device=accelerator.device,
    )
    train, valid, test = (
        encode_chats([to_chat(group) for group in part], tokenizer, model.max_length)
        for part in (splits.train, splits.valid, splits.test)
    )
    if not train[0]:
        raise DataError("no conversation fits the base model's context; raise --max-length")
    scorer = None
    if config.reward is not None and accelerator.is_main_process:
        scorer = Scorer.from_pretrained(config.reward, device=accelerator.device)
    prompts = pick_prompts(splits.valid, tokenizer, model.max_length - config.max_new_tokens, config.samples)
    return Course(
        config=config,
        settings=settings,
        splits=splits,
        encoding=train[1],
        model=model,
        tokenizer=tokenizer,
        adapters=adapt_language_model(model, config.lora, config.seed) if config.lora else None,
        origin=identity(config.base, base),
        chats=train[0],
        held_out=HeldOut(valid[0], test[0], prompts, scorer),
        work=checkpoint.work_folder(config.out),
        dtype=pick_dtype("float32" if settings["precision"] == "float32" else "auto", accelerator.device),
    )


def introduce(course: Course, progress: Progress) -> None:
    """Say what is learned from, and warn where the best epoch cannot be chosen as asked."""
    splits, report = course.splits, course.encoding
    progress.say(
        f"{len(course.chats)} conversations with {report.learned} tokens to learn, {len(splits.valid)} to validate, "
        f"{len(splits.test)} to test; read in the way {course.model.mode!r}."
    )
    for line in report.lines():
        progress.say(line)
    if course.config.reward and not course.held_out.prompts:
        progress.say("No validation prompt can be answered, so the reward model cannot choose the epoch.")

"""Tiny random models of real classes with a tiny tokenizer, built here: no downloads, no accelerator."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from reward.artifact import Scorer, save_artifact
from reward.model import new_reward_model

torch.set_num_threads(1)

SPECIAL = ["<pad>", "<bos>", "<eos>", "<cls>", "<sep>"]
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
VOCABULARY = len(SPECIAL) + 256
"""Every byte is a token."""
COMMON = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SHORT = {"max_position_embeddings": 512}
CHATML = (
    "{% for m in messages %}{{ '<bos>' + m['role'] + '\n' + m['content'] + '<eos>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<bos>assistant\n' }}{% endif %}"
)
FAMILIES = ("llama", "qwen2", "gpt2", "neox", "bert")
CAUSAL = FAMILIES[:-1]


def byte_tokenizer(template: str | None = CHATML, *, encoder: bool = False) -> PreTrainedTokenizerFast:
    """One token per byte, so any text goes round without loss."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [],
        trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=sorted(alphabet), show_progress=False
        ),
    )
    named = {"cls_token": "<cls>", "sep_token": "<sep>"} if encoder else {"bos_token": "<bos>", "eos_token": "<eos>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", model_max_length=512, **named)
    fast.chat_template = template
    return fast


def build(family: str, seed: int = 0) -> torch.nn.Module:
    """A base model with random weights, so large that scores differ and texts end now and then."""
    torch.manual_seed(seed)
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**SIZE, **COMMON, **SHORT, num_key_value_heads=2, initializer_range=0.2))
    if family == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**SIZE, **COMMON, **SHORT, num_key_value_heads=2, initializer_range=0.2))
    if family == "neox":
        return GPTNeoXForCausalLM(GPTNeoXConfig(**SIZE, **COMMON, **SHORT, initializer_range=0.2))
    if family == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=512, initializer_range=0.2, **COMMON)
        )
    bert = {key: value for key, value in COMMON.items() if key in ("vocab_size", "pad_token_id")}
    return BertModel(BertConfig(**SIZE, **bert, **SHORT, initializer_range=0.2))


def save_policy(folder: Path, family: str = "llama", seed: int = 0) -> Path:
    """A folder with a random causal language model and its tokenizer."""
    with torch.random.fork_rng():
        build(family, seed).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def save_reward_model(folder: Path, seed: int = 0, **more: object) -> Path:
    """An artifact with random weights, saved by the product from a policy of this file."""
    base = save_policy(folder.with_name(f"{folder.name}-base"), seed=seed)
    model, ready = new_reward_model(base, seed=seed)
    save_artifact(folder, Scorer(model, ready, **({"mean": 0.5, "std": 2.0} | more)), "card\n")
    return folder

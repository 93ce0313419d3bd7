"""Very small models of real classes with random weights and a real byte-level tokenizer, made in a second."""

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from labeler.records import Completion, Group, Message, Ranking
from reward.artifact import Scorer, save_artifact
from reward.model import new_reward_model

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def tokenizer(template=CHATML):
    """Every byte is a token, after three special ones; 259 in all."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(SPECIAL + alphabet)}
    raw = Tokenizer(models.BPE(vocabulary, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token=SPECIAL[2], pad_token=SPECIAL[0], model_max_length=256
    )
    fast.add_special_tokens({"additional_special_tokens": [SPECIAL[1]]})
    fast.chat_template = template
    return fast


def policy(folder: Path, family="llama", template=CHATML, seed=0) -> Path:
    """A folder with a random causal language model that now and then ends by itself."""
    shared = {"vocab_size": 259, "eos_token_id": 2, "pad_token_id": 0, "bos_token_id": None}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if family == "gpt2":
            small = {"n_positions": 256, "n_embd": 32, "n_layer": 2, "n_head": 4}
            model = GPT2LMHeadModel(GPT2Config(**shared, **small))
        elif family == "neox":
            model = GPTNeoXForCausalLM(GPTNeoXConfig(**shared, **SIZES, max_position_embeddings=256))
        else:
            model = LlamaForCausalLM(LlamaConfig(**shared, **SIZES, num_key_value_heads=2, max_position_embeddings=256))
        with torch.no_grad():  # sharper logits, and an end token that comes up within a few dozen tokens
            model.get_output_embeddings().weight.mul_(8)
    model.save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return folder


def reward_model(folder: Path, seed=0, **more) -> Path:
    """An artifact with random weights, saved by the product from the policy of this file."""
    base = policy(folder.with_name(f"{folder.name}-base"), seed=seed)
    model, ready = new_reward_model(base, seed=seed)
    save_artifact(folder, Scorer(model, ready, **({"mean": 0.5, "std": 2.0} | more)), "card\n")
    return folder


def ranked_groups(count=12, k=3, seed=0, **fields):
    """Groups about different prompts, each ranked by two people who mostly agree; longer is mostly better."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(count):
        texts = ["word " * int(n) for n in rng.choice(range(1, 9), size=k, replace=False)]
        rankings = []
        for person in ("ann", "bob"):
            order = np.argsort([-len(text) + rng.normal(0, 6) for text in texts])
            ranks = [0] * k
            for rank, position in enumerate(order, start=1):
                ranks[position] = rank
            rankings.append(Ranking(person, tuple(ranks)))
        made.append(
            Group(
                f"g{index}",
                (Message("user", f"Question {index}?"),),
                tuple(Completion(f"c{i}", text, f"model-{i}") for i, text in enumerate(texts)),
                tuple(rankings),
                "tiny",
                **fields,
            )
        )
    return made

"""A base model's tokenizer made ready for conversations: a chat template, a padding token of its own, a length."""

from __future__ import annotations

from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from labeler.errors import ModelError

DECODER_TEMPLATE = (
    "{% if bos_token is defined and bos_token and bos_token != eos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
"""For a decoder that has no template of its own: each turn with its role, closed by the end token."""

ENCODER_TEMPLATE = (
    "{{ cls_token }}"
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + sep_token }}{% endfor %}"
)
"""For an encoder: the classification token, then each turn with its role, closed by the separator."""

PADS = ("<|endoftext|>", "<|finetune_right_pad_id|>", "<|padding|>", "<pad>", "[PAD]", "<unk>")
"""Tokens that serve as padding where the tokenizer names none, in order of preference."""

MAX_LENGTH = 2048
"""Tokens of prompt and completion where nobody asks for another number."""


def prepare_tokenizer(tokenizer: PreTrainedTokenizerBase, *, encoder: bool) -> PreTrainedTokenizerBase:
    """The tokenizer with a chat template and a pad token that is not its end token, changed in place.

    Args:
        tokenizer: as the base model has it.
        encoder: True for a bidirectional base.

    Raises:
        ModelError: an encoder without classification and separator tokens, or a decoder without an end token.
    """
    needed = ("cls_token", "sep_token") if encoder else ("eos_token",)
    if not tokenizer.is_fast:
        raise ModelError("the base model has no fast tokenizer (tokenizer.json); convert it with transformers first")
    if not tokenizer.chat_template:
        missing = [name for name in needed if getattr(tokenizer, name) is None]
        if missing:
            raise ModelError(f"the base model's tokenizer has neither a chat template nor a {missing[0]}; add one")
        tokenizer.chat_template = ENCODER_TEMPLATE if encoder else DECODER_TEMPLATE
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        vocabulary = tokenizer.get_vocab()
        taken = {tokenizer.eos_token, tokenizer.bos_token}
        free = [token for token in PADS if token in vocabulary and token not in taken]
        tokenizer.add_special_tokens({"pad_token": free[0] if free else "<|pad|>"})
    tokenizer.padding_side = "right"
    return tokenizer


def context_length(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase, wanted: int | None = None) -> int:
    """Tokens that prompt and completion may have: what is wanted (else `MAX_LENGTH`), at most what the model takes."""
    text_config = config.get_text_config()
    own = getattr(text_config, "max_position_embeddings", None) or getattr(text_config, "n_positions", None)
    return int(min(wanted or MAX_LENGTH, own or MAX_LENGTH, tokenizer.model_max_length))

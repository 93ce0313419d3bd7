"""The reward model: a stock sequence classifier with one label, run on packed rows.

`RewardModel` wraps what ``AutoModelForSequenceClassification`` loads and adds no weights of its own, so saving the
wrapped model gives a plain Hugging Face folder. It chooses how to read a group by trying (`choose_mode`): fused
layers, else stock layers with attention in tiles, else with a dense mask, else one padded sequence per completion,
which always works.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from labeler.errors import ModelError
from reward.base import load_tokenizer, quiet
from reward.data import EncodedGroup
from reward.frozen import LowerLayers, Store
from reward.packing import Inputs, PackedRow, pack, pad
from reward.reading import ROUGH, TOLERANCE, WHOLE, Mode, choose, close, probe_group, read_row, read_states, switch
from reward.tokenizer import context_length, prepare_tokenizer


class RewardModel(nn.Module):
    """Scores the completions of packed or padded inputs.

    Args:
        classifier: a ``*ForSequenceClassification`` with one label.
        pad_id: its padding token.
        max_length: tokens of the longest sequence that it will be given.
    """

    def __init__(self, classifier: PreTrainedModel, pad_id: int, max_length: int) -> None:
        super().__init__()
        self.classifier, self.pad_id, self.max_length = classifier, pad_id, max_length
        keep_float32(head(classifier))
        self.mode: Mode = "padded"
        self.lower: LowerLayers | None = None
        choose_mode(self)

    @property
    def shares_prefix(self) -> bool:
        """True where the prompt of a group is read once."""
        return self.mode != "padded"

    def use(self, mode: Mode) -> None:
        """Read groups in this way from now on.

        Raises:
            NotImplementedError: "fused", and the layers are not of the kind that is known.
        """
        switch(self.classifier, self.mode, mode)
        self.mode = mode

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def inputs(self, groups: Sequence[EncodedGroup], budget: int) -> list[Inputs]:
        """All completions of the groups as inputs of at most ``budget`` tokens each."""
        if not self.shares_prefix:
            return [*pad(groups, budget, self.pad_id)]
        rows = pack(groups, budget)
        return [*(rows if self.lower is None else (self.lower.attach(row, groups) for row in rows))]

    def forward(self, inputs: Inputs) -> Tensor:
        """Raw scores (T,) float32, one per completion, in the order of ``inputs.owners``."""
        if not isinstance(inputs, PackedRow):
            logits: Tensor = self.classifier(
                input_ids=inputs.input_ids, attention_mask=inputs.attention_mask, use_cache=False
            ).logits
            return logits[:, 0]
        with self.lower.skipped(inputs.states) if self.lower and inputs.states is not None else nullcontext():
            states = read_states(self.classifier, self.mode, inputs, inputs.ends)
        scores: Tensor = head(self.classifier)(states)
        return scores[:, 0]

    def checkpoint_activations(self) -> None:
        """Keep one activation per layer for backward and compute the others again."""
        self.classifier.activation_checkpointing_enable({"use_reentrant": False})
        for module in self.classifier.modules():
            if hasattr(module, "gradient_checkpointing"):
                module.training = True  # of this module alone: those inside stay as they are, without dropout

    def train_last(self, layers: int, store: Store) -> None:
        """Freeze all but the last so many layers and the head; from now on `inputs` brings what the frozen ones give.

        Raises:
            ModelError: the base reads groups in another way than packed, is not that deep, or is built otherwise.
        """
        if not self.shares_prefix:
            raise ModelError("--train-layers needs a decoder as its base; leave the flag out for this one")
        self.lower = LowerLayers(self.classifier, layers, self.hidden, store)
        probe = [probe_group(self.classifier.config.get_text_config().vocab_size, self.pad_id)]
        with torch.no_grad():
            expected, found = (
                self(row.to(self.device)) for row in (pack(probe, WHOLE)[0], self.inputs(probe, WHOLE)[0])
            )
        if not close(found, expected, TOLERANCE if store.dtype == torch.float32 else ROUGH):
            raise ModelError("--train-layers gives other scores with this base; leave the flag out")

    def hidden(self, row: PackedRow) -> Tensor:
        """(1, L, d) what the backbone makes of a row."""
        return read_row(self.classifier, self.mode, row)


def head(classifier: PreTrainedModel) -> nn.Linear:
    """The linear layer that gives the score."""
    found = getattr(classifier, head_name(classifier))
    linears = [found] if isinstance(found, nn.Linear) else [m for m in found.modules() if isinstance(m, nn.Linear)]
    return linears[-1]


def keep_float32(linear: nn.Linear) -> None:
    """Let a layer compute in float32 also under autocast or with half-precision weights: bfloat16 scores would tie."""

    def forward(hidden: Tensor) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            bias = None if linear.bias is None else linear.bias.float()
            return nn.functional.linear(hidden.float(), linear.weight.float(), bias)

    linear.forward = forward  # type: ignore[method-assign, assignment]


def head_name(classifier: PreTrainedModel) -> str:
    """Name of the head's attribute: "score" in decoders, "classifier" in most encoders."""
    for name in ("score", "classifier"):
        if hasattr(classifier, name):
            return name
    raise ModelError(f"{type(classifier).__name__} has no classification head that is known here; choose another base")


def load_classifier(folder: Path, dtype: torch.dtype = torch.float32, *, trained: bool = False) -> PreTrainedModel:
    """A sequence classifier with one label from a local folder, without noise on the terminal.

    Args:
        folder: base model or artifact.
        dtype: of the weights.
        trained: True if its head must be there; otherwise a missing one is made anew.

    Raises:
        ModelError: the folder cannot be read as such a model.
    """
    try:
        with quiet():
            model, info = AutoModelForSequenceClassification.from_pretrained(
                folder, num_labels=1, dtype=dtype, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder} cannot be loaded as a sequence classifier: {error}") from error
    missing = [key for key in info["missing_keys"] if key.split(".")[0] == head_name(model)]
    if trained and missing:
        raise ModelError(f"{folder} is not a reward model: it has no weights for {missing[0]}; train one from it first")
    classifier: PreTrainedModel = model.eval()
    return classifier


def new_reward_model(
    folder: Path, *, seed: int, max_length: int | None = None
) -> tuple[RewardModel, PreTrainedTokenizerBase]:
    """A base model with a fresh head, and its tokenizer made ready.

    The model stays in evaluation mode also in training: dropout would break the equality of packed and separate
    reading.

    Args:
        folder: a resolved base model.
        seed: for the head.
        max_length: tokens of prompt and completion together; by default what `context_length` says.
    """
    classifier = load_classifier(folder)
    tokenizer = prepare_tokenizer(load_tokenizer(folder), encoder=head_name(classifier) != "score")
    known = classifier.get_input_embeddings().num_embeddings
    if len(tokenizer) > known:  # a padding token was added
        classifier.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        with torch.no_grad():
            classifier.get_input_embeddings().weight[known:] = 0.0  # drawn at random, no run would be like the next
    start_head(head(classifier), seed)
    set_label(classifier, tokenizer)
    limit = context_length(classifier.config, tokenizer, max_length)
    return RewardModel(classifier, tokenizer.pad_token_id, limit), tokenizer


def start_head(linear: nn.Linear, seed: int) -> None:
    """Draw the first weights from N(0, 1/(d + 1)), as in Stiennon et al. 2020 (arXiv 2009.01325, section B.1)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        linear.weight.normal_(0.0, 1.0 / math.sqrt(linear.in_features + 1), generator=generator)
        if linear.bias is not None:
            linear.bias.zero_()


def set_label(classifier: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write into the config what other programs look for: one label, regression, the padding token, the head's name."""
    config = classifier.config
    config.id2label, config.label2id = {0: "reward"}, {"reward": 0}
    config.problem_type = "regression"
    config.value_head_prefix = head_name(classifier)
    config.get_text_config().pad_token_id = tokenizer.pad_token_id
    config.pad_token_id = tokenizer.pad_token_id


def choose_mode(model: RewardModel) -> None:
    """Let a reward model read groups in the fastest way that is right for it, see `reward.reading.choose`."""
    if head_name(model.classifier) != "score":  # an encoder cannot share the prompt
        model.use("padded")
        return
    probe = probe_group(model.classifier.config.get_text_config().vocab_size, model.pad_id)

    def read() -> Tensor:
        return torch.cat([model(inputs.to(model.device)) for inputs in model.inputs([probe], WHOLE)])

    choose(model.classifier, model.max_length, model.use, read)

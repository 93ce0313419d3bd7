"""A stock causal language model that reads conversations packed side by side and gives the loss of their answers.

`LanguageModel` adds no weights, so saving the wrapped model gives a plain Hugging Face folder. It chooses how to read
by trying: fused layers, else stock layers with attention in tiles, else with a dense mask, else one conversation at a
time. Logits are computed where there is loss and nowhere else: with a vocabulary of 49,000 they cost more than several
layers of a small model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from labeler.errors import ModelError
from reward.base import load_causal, load_tokenizer, quiet
from reward.chat import ChatRow, EncodedChat, nll, pack_chats, turn_end
from reward.data import Encoder
from reward.reading import WHOLE, Mode, choose, mask_of, switch
from reward.tokenizer import context_length, prepare_tokenizer

ATTENTION, FEED_FORWARD = ("self_attn", "attention", "attn"), ("mlp", "feed_forward")
"""What the two halves of a decoder layer are called in transformers."""


class LanguageModel(nn.Module):
    """Reads rows of conversations.

    Args:
        network: a ``*ForCausalLM``; stays in evaluation mode, its own dropout is never used.
        max_length: tokens of the longest conversation that it will be given.
        dropout: probability used within `dropping`.
    """

    def __init__(self, network: PreTrainedModel, max_length: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.network, self.max_length = network.eval(), max_length
        self.dropout = Dropout(network, dropout)
        self.mode: Mode = "padded"
        self._choose()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def use(self, mode: Mode) -> None:
        """Read in this way from now on.

        Raises:
            NotImplementedError: "fused", and the layers are not of the kind that is known.
        """
        switch(self.network, self.mode, mode)
        self.mode = mode

    def rows(self, chats: Sequence[EncodedChat], budget: int) -> list[ChatRow]:
        """Every conversation once, in rows of at most ``budget`` tokens where it may share a row."""
        return pack_chats(chats, budget if self.mode != "padded" else 1)

    def forward(self, row: ChatRow) -> Tensor:
        """−log P of the row's targets (T,) float32."""
        logits: Tensor = self.network(
            input_ids=row.input_ids,
            position_ids=row.position_ids,
            use_cache=False,
            logits_to_keep=row.places,
            **mask_of(self.mode, row),
        ).logits
        return nll(logits[0], row.targets)

    def _choose(self) -> None:
        probe = _probe(self.network.config.get_text_config().vocab_size)
        hooks = self.dropout.probability > 0
        choose(self.network, self.max_length, self.use, lambda: _losses(self, probe), hooks=hooks)

    @contextmanager
    def stock(self) -> Iterator[PreTrainedModel]:
        """The network without our changes, for as long as the block lasts: to copy it, save it or add adapters."""
        self.use("padded")
        self.dropout.remove()
        try:
            yield self.network
        finally:
            self.dropout = Dropout(self.network, self.dropout.probability)
            self._choose()


class Dropout:
    """Dropout of what every half of a layer adds to the residual stream, and of the embeddings.

    As in Vaswani et al. 2017 (arXiv 1706.03762, section 5.4) and GPT. Models of today come without it, so it is put on
    from outside; with probability 0 nothing is.

    Args:
        network: gets hooks.
        probability: of a number to be zeroed, within `dropping`.

    Raises:
        ModelError: the halves of the network's layers are not known.
    """

    def __init__(self, network: PreTrainedModel, probability: float) -> None:
        self.probability, self.active = probability, False
        places = [network.get_input_embeddings(), *residual_branches(network)] if probability else []
        self.handles = [place.register_forward_hook(self._hook) for place in places]

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self.handles:
            handle.remove()

    @contextmanager
    def dropping(self, seed: int) -> Iterator[None]:
        """Drop within the block, what is drawn depending on the seed alone."""
        if not self.probability:
            yield
            return
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.active = True
            try:
                yield
            finally:
                self.active = False

    def _hook(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        if not self.active:
            return output
        first, *rest = output if isinstance(output, tuple) else (output,)
        dropped = nn.functional.dropout(first, self.probability)
        return (dropped, *rest) if isinstance(output, tuple) else dropped


def residual_branches(network: PreTrainedModel) -> list[nn.Module]:
    """The attention and the feed-forward half of every layer."""
    found = []
    for layers in network.modules():
        if isinstance(layers, nn.ModuleList):
            for layer in layers:
                halves = dict(layer.named_children())
                mine = [next((halves[n] for n in names if n in halves), None) for names in (ATTENTION, FEED_FORWARD)]
                found += [half for half in mine if half is not None]
    if not found:
        raise ModelError(f"--dropout does not know the layers of {type(network).__name__}; leave the flag out")
    return found


def new_language_model(
    folder: Path,
    *,
    max_length: int | None = None,
    dropout: float = 0.0,
    scratch_seed: int | None = None,
    device: torch.device | str = "cpu",
) -> tuple[LanguageModel, PreTrainedTokenizerBase]:
    """A base model ready to learn from conversations, and its tokenizer, with a chat template and a padding token.

    Args:
        folder: a resolved base model.
        max_length: tokens of a conversation; by default what `context_length` says.
        dropout: see `Dropout`.
        scratch_seed: draw the weights anew with this seed, as the architecture draws its first ones.
        device: where it is to learn; how it reads depends on that.

    Raises:
        ModelError: there is no causal language model in the folder, or its template does not close an answer.
    """
    if scratch_seed is None:
        network, tokenizer = load_causal(folder, dtype=torch.float32)
    else:
        network, tokenizer = random_network(folder, scratch_seed), load_tokenizer(folder)
    prepare_tokenizer(tokenizer, encoder=False)
    make_room(network, len(tokenizer))
    limit = context_length(network.config, tokenizer, max_length)
    set_ends(network, tokenizer, turn_end(Encoder(tokenizer, limit)))
    return LanguageModel(network.to(device), limit, dropout), tokenizer


def make_room(network: PreTrainedModel, size: int) -> None:
    """Let a network know ``size`` tokens; new ones begin as the mean of the old, so they are unlikely, not random."""
    known = network.get_input_embeddings().num_embeddings
    if size <= known:
        return
    with quiet(), torch.random.fork_rng():
        network.resize_token_embeddings(size, mean_resizing=False)
    with torch.no_grad():
        for layer in (network.get_input_embeddings(), network.get_output_embeddings()):
            layer.weight[known:] = layer.weight[:known].mean(dim=0)


def random_network(folder: Path, seed: int) -> PreTrainedModel:
    """The architecture of a folder with weights as it draws its first ones.

    Raises:
        ModelError: it holds no configuration of a causal language model.
    """
    try:
        with quiet(), torch.random.fork_rng():
            torch.manual_seed(seed)
            network: PreTrainedModel = AutoModelForCausalLM.from_config(
                AutoConfig.from_pretrained(folder), dtype=torch.float32
            )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder} cannot be loaded as a causal language model: {error}") from error
    return network


def set_ends(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, end: int) -> None:
    """Let generation stop at the token that closes an answer, besides those at which it stopped before."""
    settings: Any = network.generation_config
    known = settings.eos_token_id
    before = known if isinstance(known, list) else [] if known is None else [known]
    ends = list(dict.fromkeys([end, *before]))
    settings.eos_token_id = ends if len(ends) > 1 else end
    settings.pad_token_id = tokenizer.pad_token_id
    network.config.get_text_config().pad_token_id = tokenizer.pad_token_id


def _losses(model: LanguageModel, chats: Sequence[EncodedChat]) -> Tensor:
    """(N,) summed loss of each conversation."""
    sums = torch.zeros(len(chats))
    for row in model.rows(chats, WHOLE):
        values = model(row.to(model.device)).cpu()
        sizes = [chats[owner].learned for owner in row.owners]
        sums[list(row.owners)] = torch.stack([part.sum() for part in values.split(sizes)])
    return sums


def _probe(vocabulary: int) -> list[EncodedChat]:
    """Three made-up conversations of different lengths."""
    sizes = (11, 5, 14)
    ids = np.random.default_rng(0).integers(0, vocabulary, size=sum(sizes)).astype(np.int32)
    parts = np.split(ids, list(accumulate(sizes))[:-1])
    return [EncodedChat(str(i), part, np.arange(len(part)) % 4 > 1) for i, part in enumerate(parts)]

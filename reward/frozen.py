"""Training the last layers only: what the layers below make of a group is computed once and kept on disk.

The hidden states that enter the first trained layer depend on the group's tokens and the base model alone. They are
stored under a digest of both, so a later run on the same texts, with other labels or settings, reads them as well::

    CACHE/states/<base, depth, number format>/ab/cdef….safetensors      (tokens, d): the prefix, then every tail

A training step then costs as many layers as are trained. Frozen layers see every token, so nothing is approximated but
what the number format rounds.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import __version__ as transformers_version

from labeler.errors import ModelError
from reward.data import EncodedGroup
from reward.packing import PackedRow, pack

STATES = "states"


@dataclass(frozen=True)
class Store:
    """Where hidden states are kept.

    Attributes:
        root: folder for the states of all models.
        base: names the weights of the base model.
        dtype: number format of the states; bfloat16 also computes them under autocast.
    """

    root: Path
    base: str
    dtype: torch.dtype

    def folder(self, depth: int) -> Path:
        """The folder for what so many layers of the base give."""
        key = repr((self.base, depth, str(self.dtype), transformers_version))
        return self.root / STATES / hashlib.sha256(key.encode()).hexdigest()[:16]


def find_layers(backbone: nn.Module, count: int) -> tuple[str, nn.ModuleList]:
    """Name and list of a backbone's layers: the only list of modules in it that is as long as the model is deep.

    Raises:
        ModelError: there is no such list, or several.
    """
    found = [
        (name, part)
        for name, part in backbone.named_children()
        if isinstance(part, nn.ModuleList) and len(part) == count
    ]
    if len(found) != 1:
        raise ModelError(f"--train-layers: the layers of {type(backbone).__name__} were not found; leave the flag out")
    return found[0]


class Cut:
    """A decoder cut in two: frozen layers below, trained ones above.

    Args:
        model: its lower layers and embeddings are frozen by this.
        trained: how many layers at the top stay trainable.

    Raises:
        ModelError: the model has no more layers than are to be trained.
    """

    def __init__(self, model: PreTrainedModel, trained: int) -> None:
        self.backbone: Any = getattr(model, model.base_model_prefix)
        self.depth = model.config.get_text_config().num_hidden_layers
        self.name, self.layers = find_layers(self.backbone, self.depth)
        if trained >= self.depth:
            raise ModelError(
                f"--train-layers {trained}: the base has {self.depth} layers; give less, or leave the flag out"
            )
        self.lower, self.upper = nn.ModuleList(self.layers[:-trained]), nn.ModuleList(self.layers[-trained:])
        embeddings = [module for module in self.backbone.modules() if isinstance(module, nn.Embedding)]
        for module in (self.lower, *embeddings):
            module.requires_grad_(False)

    def states(self, row: PackedRow, run: Callable[[PackedRow], Any]) -> Tensor:
        """(1, L, d) what the lower layers make of a row, when ``run`` reads it through the backbone."""
        seen: list[Tensor] = []
        hook = self.lower[-1].register_forward_hook(lambda module, args, output: seen.append(_hidden(output)))
        setattr(self.backbone, self.name, self.lower)
        try:
            with torch.no_grad():
                run(row)
        finally:
            setattr(self.backbone, self.name, self.layers)
            hook.remove()
        return seen[0]

    @contextmanager
    def skipped(self, states: Tensor) -> Iterator[None]:
        """Within the block the backbone is its upper layers, and they read these states (1, L, d)."""
        wide = states.float()

        def feed(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                return (wide, *args[1:]), kwargs
            return args, kwargs | {"hidden_states": wide}

        hook = self.upper[0].register_forward_pre_hook(feed, with_kwargs=True)
        setattr(self.backbone, self.name, self.upper)
        try:
            yield
        finally:
            setattr(self.backbone, self.name, self.layers)
            hook.remove()


class LowerLayers:
    """What the frozen lower part of a decoder makes of groups, and the store that keeps it.

    Args:
        classifier: the model; its lower layers and embeddings are frozen by this.
        trained: how many layers at the top stay trainable.
        run: reads a packed row through the backbone.
        store: where states are kept, and in which number format.

    Raises:
        ModelError: the model has no more layers than are to be trained.
    """

    def __init__(
        self, classifier: PreTrainedModel, trained: int, run: Callable[[PackedRow], Any], store: Store
    ) -> None:
        self.cut = Cut(classifier, trained)
        self.run, self.store = run, store
        self.folder = store.folder(self.cut.depth - trained)
        self.skipped = self.cut.skipped

    def attach(self, row: PackedRow, groups: Sequence[EncodedGroup]) -> PackedRow:
        """A row that was packed from these groups, with the states (1, L, d) of its tokens."""
        parts, place = [], 0
        for block in row.blocks:
            owners = row.owners[place : place + len(block.tails)]
            place += len(block.tails)
            group = groups[owners[0][0]]
            states = self.states(group)
            starts = list(accumulate((len(tail) for tail in group.tails), initial=len(group.prefix)))
            parts += [states[: block.prefix], *(states[starts[k] : starts[k + 1]] for _, k in owners)]
        return replace(row, states=torch.cat(parts)[None])

    def states(self, group: EncodedGroup) -> Tensor:
        """(tokens, d) of a group's prefix and tails in order, read from the store or computed and put there."""
        digest = hashlib.sha256(group.prefix.tobytes())
        for tail in group.tails:
            digest.update(b"|" + tail.tobytes())
        name = digest.hexdigest()
        path = self.folder / name[:2] / f"{name[2:]}.safetensors"
        if path.is_file():
            return load_file(path)[STATES]
        states = self._compute(group)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        os.close(handle)
        save_file({STATES: states}, temporary)
        Path(temporary).replace(path)
        return states

    def _compute(self, group: EncodedGroup) -> Tensor:
        """A group's states from the lower layers, in a row of its own, so that they do not depend on its company."""
        half = self.store.dtype != torch.float32
        device = self.cut.backbone.device
        (row,) = pack([group], group.tokens)
        with torch.autocast(device.type, self.store.dtype, enabled=half):
            states = self.cut.states(row.to(device), self.run)
        return states[0].to("cpu", self.store.dtype).contiguous()


def _hidden(output: Any) -> Tensor:
    """What a layer passes on: a tensor, or the first of a tuple."""
    hidden: Tensor = output[0] if isinstance(output, tuple) else output
    return hidden

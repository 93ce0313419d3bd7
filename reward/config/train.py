"""Settings of ``reward train``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reward.config.common import DEFAULT_BASE, Common, Device, Precision, need
from reward.labels import Labels


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Labels, Common):
    """Train a reward model on rankings; the result is a folder that transformers, TRL, OpenRLHF and vLLM load.

    Attributes:
        data: Rankings: snapshot folders, group files (also .gz) or any format that import reads.
        out: Folder for the reward model. While training runs, its checkpoints lie beside it.
        base: Base model: a local folder, smollm2-135m, minilm-l6, or a name on the Hugging Face Hub.
        valid: Validate on these rankings; by default a tenth of the prompts is set aside, and a tenth for the test.
        epochs: Passes over the training groups.
        lr: Peak learning rate; it warms up, then falls along a cosine to a tenth.
        seed: Seed of the head's first weights and of the order of the groups.
        train_layers: Train only the last so many layers and the head. What the layers below make of a group is computed
            once and kept in the cache folder, also for groups that have no rankings yet; a later run is quick then. The
            run's own figures are measured on what was kept, in its number format.
        lora: Train adapters of this rank on all linear layers, and the head; they are merged into the saved weights.
        batch: Groups per optimizer step.
        tokens_per_batch: Tokens that the model reads at once; bounds memory, changes no result. A larger group is cut.
        checkpoint_activations: Keep one activation per layer and compute the others again in the backward pass, which
            takes longer and far less memory.
        max_length: Tokens of prompt and completion together; by default 2048 or what the base can take.
        warmup: Share of the steps in which the learning rate rises.
        weight_decay: Decoupled weight decay of matrices (AdamW).
        clip: Largest norm of the gradient.
        limit: Train on only the first so many groups.
        precision: Number format of matrix products; weights, head and loss stay float32. auto measures this machine.
        device: Where to train; auto takes a GPU where there is one.
        evaluate_every: Validate after so many steps; 0 only at the end of an epoch.
        checkpoint_every: Save the state after so many steps, and at the end of an epoch; 0 only there.
        resume: Continue an unfinished run of the same settings after its last checkpoint; none there starts from anew.
        overwrite: Replace what stands in --out, and forget an unfinished run.
    """

    data: tuple[str, ...]
    out: Path
    base: str = DEFAULT_BASE
    valid: str | None = None
    epochs: int = 1
    lr: float = 2e-5
    seed: int = 0
    train_layers: int | None = None
    lora: int | None = None
    batch: int = 8
    tokens_per_batch: int = 2048
    checkpoint_activations: bool = False
    max_length: int | None = None
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    limit: int | None = None
    precision: Precision = "auto"
    device: Device = "auto"
    evaluate_every: int = 0
    checkpoint_every: int = 20
    resume: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        Labels.__post_init__(self)
        need(bool(self.data), "--data", "at least one path", "nothing")
        for flag in ("epochs", "batch", "tokens_per_batch", "max_length", "limit", "train_layers", "lora"):
            value = getattr(self, flag)
            need(value is None or value >= 1, f"--{flag.replace('_', '-')}", "at least 1", value)
        for flag in ("lr", "clip"):
            need(0 < getattr(self, flag) < float("inf"), f"--{flag}", "above 0", getattr(self, flag))
        for flag in ("weight_decay", "evaluate_every", "checkpoint_every"):
            need(getattr(self, flag) >= 0, f"--{flag.replace('_', '-')}", "0 or more", getattr(self, flag))
        need(0 <= self.warmup < 1, "--warmup", "at least 0 and below 1", self.warmup)
        need(not (self.lora and self.train_layers), "--lora", "given without --train-layers", "given with it")
        need(not (self.resume and self.overwrite), "--resume", "without --overwrite, which starts from anew", "with it")

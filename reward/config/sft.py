"""Settings of ``reward sft``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reward.config.common import DEFAULT_BASE, Common, Device, Precision, at_least_one, need


@dataclass(frozen=True, kw_only=True)
class SftConfig(Common):
    """Fine-tune a policy on demonstrations and dialogues; the result is a plain causal language model folder.

    The loss is on every turn of the assistant, its end included. After each epoch held-out prompts are answered, and
    the best epoch is kept. InstructGPT (arXiv 2203.02155, section C.1) had --epochs 16 --dropout 0.2 --batch 32 and
    chose by the reward model; the defaults here suit a small model and some hundred demonstrations.

    Attributes:
        data: Demonstrations: snapshot folders, rows of prompt and completion, messages, or any format that import
            reads. A split in their meta is kept.
        out: Folder for the policy. While training runs, its checkpoints lie beside it.
        base: Base model: a local folder, smollm2-135m, or a name on the Hugging Face Hub.
        from_scratch: Take only architecture and tokenizer from the base and draw its weights anew; give a larger --lr.
        weights: How much the tokens of each --data count in the loss; by default all alike.
        valid: Validate on these demonstrations; by default a tenth of the prompts is set aside, and a tenth for a test.
        reward: Folder of a reward model: the epoch whose answers it likes best is kept; by default the epoch with the
            lowest validation loss.
        epochs: Passes over the training examples.
        lr: Peak learning rate; it warms up, then falls along a cosine to a tenth.
        dropout: Of what every layer adds to the residual stream; with it, steps take longer on a CPU.
        seed: Seed of the order of the examples, of adapters, dropout, new weights and samples.
        lora: Train adapters of this rank on all linear layers; they are merged into the saved weights.
        batch: Conversations per optimizer step.
        tokens_per_batch: Tokens that the model reads at once; bounds memory, changes no result.
        max_length: Tokens of a conversation; by default 2048 or what the base can take. Longer ones lose their oldest
            turns, which is told.
        warmup: Share of the steps in which the learning rate rises.
        weight_decay: Decoupled weight decay of matrices (AdamW).
        clip: Largest norm of the gradient.
        limit: Train on only the first so many conversations.
        samples: Validation prompts to answer after each epoch, at most; 0 for none.
        max_new_tokens: These answers are cut after so many tokens.
        temperature: Divides the logits of these answers; 0 takes the most likely token.
        precision: Number format of matrix products; weights and loss stay float32. auto measures this machine.
        device: Where to train; auto takes a GPU where there is one.
        checkpoint_every: Save the state after so many steps, and at the end of an epoch; 0 only there.
        resume: Continue an unfinished run of the same settings after its last checkpoint; none there starts from anew.
        overwrite: Replace what stands in --out, and forget an unfinished run.
    """

    data: tuple[str, ...]
    out: Path
    base: str = DEFAULT_BASE
    from_scratch: bool = False
    weights: tuple[float, ...] | None = None
    valid: str | None = None
    reward: Path | None = None
    epochs: int = 3
    lr: float = 5e-5
    dropout: float = 0.0
    seed: int = 0
    lora: int | None = None
    batch: int = 8
    tokens_per_batch: int = 2048
    max_length: int | None = None
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    limit: int | None = None
    samples: int = 8
    max_new_tokens: int = 128
    temperature: float = 0.7
    precision: Precision = "auto"
    device: Device = "auto"
    checkpoint_every: int = 0
    resume: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        need(bool(self.data), "--data", "at least one path", "nothing")
        at_least_one(self, "epochs", "batch", "tokens_per_batch", "max_length", "limit", "lora", "max_new_tokens")
        for flag in ("lr", "clip"):
            need(0 < getattr(self, flag) < float("inf"), f"--{flag}", "above 0", getattr(self, flag))
        for flag in ("weight_decay", "checkpoint_every", "samples", "temperature"):
            need(
                0 <= getattr(self, flag) < float("inf"), f"--{flag.replace('_', '-')}", "0 or more", getattr(self, flag)
            )
        for flag in ("warmup", "dropout"):
            need(0 <= getattr(self, flag) < 1, f"--{flag}", "at least 0 and below 1", getattr(self, flag))
        if self.weights is not None:
            need(len(self.weights) == len(self.data), "--weights", "one number per --data", len(self.weights))
            need(all(0 < w < float("inf") for w in self.weights), "--weights", "above 0", self.weights)
        need(self.reward is None or self.samples > 0, "--samples", "at least 1 with --reward", self.samples)
        need(not (self.resume and self.overwrite), "--resume", "without --overwrite, which starts from anew", "with it")

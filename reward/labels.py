"""Which labels a training run uses and how: flags of ``reward train``, checked when they are built.

A combination without a meaning is refused here, with the flags that do not go together. No torch in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labeler.errors import UsageError

LossName = Literal["pairwise", "plackett-luce"]
Ties = Literal["drop", "rao-kupper", "davidson"]
Strength = Literal["ignore", "margin", "margin-large", "weight"]


@dataclass(frozen=True, kw_only=True)
class Labels:
    """How people's judgments turn into a loss.

    Attributes:
        loss: pairwise compares every pair of a group; plackett-luce explains each person's ranking as a whole.
        targets: Where several people judged a pair: share aims at the share of their votes, majority at what most said
            and leaves out even splits.
        ties: drop leaves ties out; rao-kupper and davidson give them a probability whose parameter is learned.
        strength: How strongly a pair was preferred: ignore; margin asks for gaps of 0, 1/3, 2/3, 1 (margin-large 0, 1,
            2, 3) from negligibly to significantly better; weight counts the judgment 0.4, 0.8, 1.2, 1.6 times.
        label_smoothing: Share of judgments that is taken to be the wrong way around, 0 to below 0.5.
        centre: Adds so much times the mean of (r_i + r_j)² over a group's pairs, which keeps scores around 0.
        annotator_model: crowd-bt learns how reliable each annotator is and discounts, or turns around, what they say.
        position_bias: Learn how much the place on the screen sways judgments that tell their order, and take it out.
        auxiliary_lr: Peak learning rate of the tie parameter and the position bias; it follows that of the model.
    """

    loss: LossName = "pairwise"
    targets: Literal["share", "majority"] = "share"
    ties: Ties = "drop"
    strength: Strength = "ignore"
    label_smoothing: float = 0.0
    centre: float = 0.0
    annotator_model: Literal["none", "crowd-bt"] = "none"
    position_bias: bool = False
    auxiliary_lr: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 0.5:
            raise UsageError(f"--label-smoothing must be 0 or more and below 0.5, not {self.label_smoothing}")
        if not 0 <= self.centre < float("inf"):
            raise UsageError(f"--centre must be 0 or more, not {self.centre}")
        if not 0 < self.auxiliary_lr < float("inf"):
            raise UsageError(f"--auxiliary-lr must be above 0, not {self.auxiliary_lr}")
        used = self._used()
        for one, other, why in _CLASHES:
            if one in used and other in used:
                raise UsageError(f"{used[one]} does not go with {used[other]}: {why}")

    @property
    def single(self) -> bool:
        """True where the loss looks at single judgments; otherwise at the share of votes or at whole rankings."""
        return bool(self._used().keys() & {"ties", "margin", "weight", "annotator_model", "position_bias"})

    def _used(self) -> dict[str, str]:
        """Name → flag as it was given, of every setting that is not at its default."""
        given = {
            "plackett-luce": (self.loss == "plackett-luce", f"--loss {self.loss}"),
            "majority": (self.targets == "majority", "--targets majority"),
            "ties": (self.ties != "drop", f"--ties {self.ties}"),
            "margin": (self.strength.startswith("margin"), f"--strength {self.strength}"),
            "weight": (self.strength == "weight", "--strength weight"),
            "label_smoothing": (self.label_smoothing > 0, f"--label-smoothing {self.label_smoothing}"),
            "annotator_model": (self.annotator_model != "none", f"--annotator-model {self.annotator_model}"),
            "position_bias": (self.position_bias, "--position-bias"),
        }
        return {name: flag for name, (is_given, flag) in given.items() if is_given}


_WHOLE = "it explains whole rankings, which this flag knows nothing of; use --loss pairwise"
_VOTES = "the majority is one verdict for all votes, and this flag looks at each; use --targets share"
_MARGIN = "a margin makes the loss something other than a probability"
_PAIRWISE_ONLY = ("majority", "ties", "margin", "weight", "label_smoothing", "annotator_model", "position_bias")
_CLASHES = (
    *(("plackett-luce", other, _WHOLE) for other in _PAIRWISE_ONLY),
    *(("majority", other, _VOTES) for other in ("ties", "margin", "weight", "annotator_model", "position_bias")),
    *(("margin", other, _MARGIN) for other in ("ties", "label_smoothing", "annotator_model")),
    ("label_smoothing", "annotator_model", "both say how often a judgment is the wrong way around; choose one"),
)
"""Pairs of settings that do not go together, and why."""

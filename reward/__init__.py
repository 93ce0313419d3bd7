"""Reward models from rankings: train, evaluate, export, rerank.

The one name that other programs need is `Scorer`; it is imported on first use, since it brings torch with it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reward.artifact import Scorer

__all__ = ["Scorer"]


def __getattr__(name: str) -> object:
    if name == "Scorer":
        from reward.artifact import Scorer  # noqa: PLC0415 (see above)

        return Scorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""What a reviewer's final answer does to the labelers' rankings of its group, wherever they go into files. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from labeler.entities import Judgment

Finals = Literal["only", "beside", "ignore"]


def decided(judgments: Sequence[Judgment], final: Judgment | None, finals: Finals) -> tuple[Judgment, ...]:
    """The judgments of a group that go into a file.

    Beside the ranking that it was taken over from, a final answer does not repeat that one's edit.

    Args:
        judgments: the labelers'.
        final: the reviewer's, None where nobody had the last word.
        finals: write ``only`` it in place of the rankings, or it ``beside`` them, or ``ignore`` it.
    """
    if final is None or finals == "ignore":
        return tuple(judgments)
    if finals == "only":
        return (*(said for said in judgments if said.ranking is None), final)
    repeated = final.edit in [said.edit for said in judgments]
    return (*judgments, replace(final, edit=None) if repeated else final)

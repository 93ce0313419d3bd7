"""Charts from plain rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt


def chart(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """A chart over rows that travel with it."""
    return alt.Chart(alt.Data(values=list(rows)))  # type: ignore[no-untyped-call]

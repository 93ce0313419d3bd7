"""Outside rows ↔ records: the one place that knows file formats."""

from labeler.formats.keys import dumps, prompt_key, split_of
from labeler.formats.native import demonstration_to_row, group_to_row, parse_demonstration, parse_group

__all__ = [
    "demonstration_to_row",
    "dumps",
    "group_to_row",
    "parse_demonstration",
    "parse_group",
    "prompt_key",
    "split_of",
]

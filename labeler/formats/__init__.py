"""Outside rows ↔ records: the one place that knows file formats.

from labeler.formats import read, write_groups
imported = read("pairs.csv", columns={"prompt": "question"})
write_groups(imported.groups, "pairs.jsonl")
"""

from labeler.formats.keys import Split, dumps, prompt_key, split_of
from labeler.formats.native import demonstration_to_row, group_to_row, parse_demonstration, parse_group
from labeler.formats.read import (
    BadRow,
    Imported,
    Survey,
    check_some,
    columns_of,
    iter_groups,
    iter_records,
    read,
    survey,
    write_bad_rows,
)
from labeler.formats.registry import FORMATS
from labeler.formats.spec import Format
from labeler.formats.write import group_rows, write_demonstrations, write_groups

__all__ = [
    "FORMATS",
    "BadRow",
    "Format",
    "Imported",
    "Split",
    "Survey",
    "check_some",
    "columns_of",
    "demonstration_to_row",
    "dumps",
    "group_rows",
    "group_to_row",
    "iter_groups",
    "iter_records",
    "parse_demonstration",
    "parse_group",
    "prompt_key",
    "read",
    "split_of",
    "survey",
    "write_bad_rows",
    "write_demonstrations",
    "write_groups",
]

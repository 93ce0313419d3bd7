"""What a project asks, as a file that people write: JSON or TOML."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from labeler.errors import DataError, UsageError
from labeler.label_schema import LabelSchema, schema_from, schema_row


def read_settings(path: Path) -> LabelSchema:
    """The settings in a file.

    Raises:
        UsageError: it is not there or named otherwise than .json or .toml.
        DataError: it says something that no project can ask; names the field.
    """
    readers = {".json": json.loads, ".toml": tomllib.loads}
    if path.suffix not in readers:
        raise UsageError(f"{path} must be named .json or .toml")
    if not path.is_file():
        raise UsageError(f"{path} is not there")
    try:
        found = readers[path.suffix](path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise DataError("must be one object of settings")
        return schema_from(found)
    except DataError as error:
        raise error.at(file=str(path)) from error
    except ValueError as error:
        raise DataError(f"is no {path.suffix[1:].upper()}: {error}", file=str(path)) from error


def settings_text(schema: LabelSchema) -> str:
    """The settings as `read_settings` reads them."""
    return json.dumps(schema_row(schema), ensure_ascii=False, indent=2) + "\n"

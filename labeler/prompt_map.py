"""The file of ``reward embed`` as the app reads it: a vector of each prompt and what was found out with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labeler.errors import DataError
from labeler.prompt_search import Ints, Vectors

RECIPE = b"reward"
"""The key of the file's metadata that says how the vectors were made."""


@dataclass(frozen=True, eq=False)
class PromptMap:
    """N prompts that have a vector.

    Attributes:
        ids: of their groups (N).
        vectors: (N, d) of length 1.
        cluster: (N) counted from the largest, −1 for none.
        first: (N) id of the first prompt of which each is a near-duplicate, itself where it is none.
        categories: (N) as learned from examples; None without any.
        sure: (N) probability of these.
        recipe: how the vectors were made: base, pooling, max_length.
    """

    ids: tuple[str, ...]
    vectors: Vectors
    cluster: Ints
    first: tuple[str, ...]
    categories: tuple[str | None, ...]
    sure: tuple[float | None, ...]
    recipe: Mapping[str, Any]

    @property
    def base(self) -> str:
        """The model that made the vectors, by the name that it was asked for."""
        return str(self.recipe["base"]["asked"])

    @classmethod
    def empty(cls) -> PromptMap:
        """Before there are vectors."""
        return cls((), np.empty((0, 0), np.float32), np.empty(0, np.int64), (), (), (), {})

    @classmethod
    def load(cls, path: Path) -> PromptMap:
        """Read the file.

        Raises:
            DataError: it is missing, damaged or of another kind.
        """
        try:
            table = pq.read_table(path)
            recipe = json.loads((table.schema.metadata or {})[RECIPE])
            column = table.column("embedding").combine_chunks()
            vectors = column.flatten().to_numpy().reshape(-1, column.type.list_size)
            ids = tuple(table.column("id").to_pylist())
        except (OSError, KeyError, ValueError, AttributeError, pa.ArrowException) as error:
            problem = f"cannot be read as vectors of prompts ({error}); make them again"
            raise DataError(problem, file=str(path)) from error

        def values(name: str, usual: Any) -> tuple[Any, ...]:
            there = name in table.column_names
            return tuple(table.column(name).to_pylist()) if there else (usual,) * len(ids)

        cluster = np.asarray(values("cluster", -1), dtype=np.int64)
        first = tuple(map(str, table.column("first").to_pylist())) if "first" in table.column_names else ids
        categories, sure = values("label", None), values("label_probability", None)
        return cls(ids, vectors, cluster, first, categories, sure, recipe)

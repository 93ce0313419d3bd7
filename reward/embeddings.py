"""Embeddings on disk: one Parquet file with an id, its text, a vector of fixed length and whatever was found out.

Any program reads it with pyarrow alone; ``embedding`` is a fixed-size list of float32, of length 1 each::

    id: string, completion: string, text: string, embedding: fixed_size_list<float>[384]
    first: string, cluster: int64, label: string, label_probability: double          where these were asked for

The file's metadata has the key ``reward`` with how the vectors were made, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from labeler.errors import DataError
from labeler.formats.files import replacing

Vectors = NDArray[np.float32]
KEY = b"reward"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """N texts and their vectors.

    Attributes:
        ids: ids of the groups that the texts come from (N).
        completions: ids of the completions (N); None for a prompt.
        texts: what was embedded (N).
        vectors: (N, d) of length 1.
        recipe: how they were made: base, revision, pooling, longest text.
        columns: name → what was found out about each text (N).
    """

    ids: Sequence[str]
    completions: Sequence[str | None]
    texts: Sequence[str]
    vectors: Vectors
    recipe: Mapping[str, Any]
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        flat = pa.array(np.ascontiguousarray(self.vectors, dtype=np.float32).ravel())
        table = pa.table(
            {
                "id": pa.array(self.ids, pa.string()),
                "completion": pa.array(self.completions, pa.string()),
                "text": pa.array(self.texts, pa.string()),
                "embedding": pa.FixedSizeListArray.from_arrays(flat, self.vectors.shape[1]),
                **{name: pa.array(values) for name, values in self.columns.items()},
            }
        )
        with replacing(path) as temporary:
            pq.write_table(table.replace_schema_metadata({KEY: json.dumps(dict(self.recipe))}), temporary)

    @classmethod
    def load(cls, path: Path) -> Embeddings:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing, damaged or of another kind.
        """
        try:
            table = pq.read_table(path)
            recipe = json.loads((table.schema.metadata or {})[KEY])
            column = table.column("embedding").combine_chunks()
            vectors = column.flatten().to_numpy().reshape(-1, column.type.list_size)
            ids, completions, texts = (table.column(name).to_pylist() for name in ("id", "completion", "text"))
        except (OSError, KeyError, ValueError, AttributeError) as error:
            problem = f"cannot be read as embeddings ({error}); make them with `reward embed`"
            raise DataError(problem, file=str(path)) from error
        fixed = ("id", "completion", "text", "embedding")
        extra = {name: table.column(name).to_pylist() for name in table.column_names if name not in fixed}
        return cls(ids, completions, texts, vectors, recipe, extra)

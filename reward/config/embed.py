"""Settings of ``reward embed`` and ``reward embed-queries``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reward.config.common import Common, Device, at_least_one, need

Pooling = Literal["mean", "first", "last"]


@dataclass(frozen=True, kw_only=True)
class EmbedConfig(Common):
    """Turn prompts or completions into vectors, and find duplicates, clusters, neighbours and labels with them.

    The output is a Parquet file of ids, texts and vectors of length 1, with a column for each thing that is asked for.
    Run again with the same output, texts that are there are not read anew.

    Attributes:
        data: Prompts or groups: snapshot folders, group files (also .gz), rows of id and prompt, a .txt with a prompt a
            line, or any format that import reads.
        output: The Parquet file.
        base: What reads the texts: minilm-l6, a local folder or a name on the Hugging Face Hub; encoder or decoder.
        of: Embed prompts, or the completions of groups.
        pooling: What becomes the vector: the mean over tokens, or the state of the first or last token, as the base
            was trained.
        max_length: Tokens of a text that count; the rest is cut off.
        duplicates: Find sets of texts with a cosine of at least this, such as 0.95; column first names the first one.
        clusters: Find so many clusters, or auto to find their number too; column cluster counts from the largest.
        search: Show the texts nearest to each of these queries.
        top: How many of them.
        classify: Give each text a label, column label, learned from a few: a field of meta that some groups have, or a
            .csv file with the columns id and label.
        seed: Of clusters and cross-validation.
        device: Where the base runs; auto takes a GPU where there is one.
    """

    data: tuple[str, ...]
    output: Path
    base: str = "minilm-l6"
    of: Literal["prompts", "completions"] = "prompts"
    pooling: Pooling = "mean"
    max_length: int = 256
    duplicates: float | None = None
    clusters: int | Literal["auto"] | None = None
    search: tuple[str, ...] = ()
    top: int = 5
    classify: str | None = None
    seed: int = 0
    device: Device = "auto"

    def __post_init__(self) -> None:
        need(bool(self.data), "--data", "at least one path", "nothing")
        need(self.output.suffix == ".parquet", "--output", "a file that ends in .parquet", self.output)
        need(self.duplicates is None or 0 < self.duplicates <= 1, "--duplicates", "above 0, up to 1", self.duplicates)
        at_least_one(self, "max_length", "top", "clusters")


@dataclass(frozen=True, kw_only=True)
class EmbedQueriesConfig(Common):
    """Turn texts into vectors as they come: a line of JSON in, {"text": …}, a line out, {"vector": […]}.

    For programs that search in a file of `reward embed`, such as the labeling app: the model is loaded once.

    Attributes:
        base: What reads the texts, as for reward embed.
        pooling: What becomes the vector.
        max_length: Tokens of a text that count.
        idle_seconds: End when no text came for so long.
        device: Where the base runs; auto takes a GPU where there is one.
    """

    base: str = "minilm-l6"
    pooling: Pooling = "mean"
    max_length: int = 256
    idle_seconds: float = 600.0
    device: Device = "auto"

    def __post_init__(self) -> None:
        at_least_one(self, "max_length")
        need(self.idle_seconds > 0, "--idle-seconds", "above 0", self.idle_seconds)

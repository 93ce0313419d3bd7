"""``reward embed``: vectors of prompts or completions, and what they tell: duplicates, clusters, neighbours, labels.

The file is what the app and other programs read (`reward.embeddings`). A long run saves what it has after every
`CHUNK` texts beside the output, so that a run that was cut goes on there; the output itself appears whole.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeler.errors import DataError
from labeler.formats import iter_groups
from labeler.records import Group
from reward.classify import Classified, classify
from reward.config.embed import EmbedConfig
from reward.embeddings import Embeddings, Vectors
from reward.encoder import TextEncoder, conversation
from reward.neighbours import clusters, near_duplicates, nearest, representatives
from reward.progress import Progress, tell
from reward.prompts import read_prompts, unique_groups

CHUNK = 4096
"""Texts between two saves."""
SHOWN = 80
"""Characters of a text that are shown."""
LISTED = 10
"""So many clusters are shown."""


def run(config: EmbedConfig) -> Embeddings:
    """The whole command; writes the file and says what was found."""
    groups = unique_groups(config.data, read_prompts if config.of == "prompts" else iter_groups)
    items = [*texts_of(groups, config.of)]
    if not items:
        raise DataError(f"holds no {config.of}; give groups that have some", file=", ".join(config.data))
    given = labels_of(groups, items, config.classify) if config.classify else None
    ids, completions, texts = map(list, zip(*items, strict=True))
    with Progress(config.progress) as progress:
        encoder = TextEncoder.load(
            config.base, pooling=config.pooling, max_length=config.max_length, device=config.device
        )
        unique = list(dict.fromkeys(texts))
        vectors = embed_all(encoder, unique, config.output, progress)
        place = {text: k for k, text in enumerate(unique)}
        vectors = vectors[[place[text] for text in texts]]
        asked = encoder.embed(config.search, progress, stage="search") if config.search else None
    cut = encoder.cut(unique)
    lines = [f"{cut} texts are longer than {encoder.max_length} tokens; their ends were cut off."] if cut else []
    columns, told = find_out(vectors, texts, ids, given, config)
    found = Embeddings(ids, completions, texts, vectors, encoder.recipe, columns)
    found.save(config.output)
    partial(config.output).unlink(missing_ok=True)
    hits = hit_lines(found, asked, config) if asked is not None else []
    tell(*lines, *told, *hits, f"{len(texts)} {config.of}, {vectors.shape[1]} numbers each: {config.output}")
    return found


def texts_of(groups: Sequence[Group], of: str) -> Iterator[tuple[str, str | None, str]]:
    """Id, completion and text of everything to embed."""
    for group in groups:
        if of == "prompts":
            yield group.id, None, conversation(group.prompt)
        else:
            yield from ((group.id, completion.id, completion.text) for completion in group.completions)


def labels_of(groups: Sequence[Group], items: Sequence[tuple[str, str | None, str]], source: str) -> list[str | None]:
    """The given label of each item, by a field of meta or a .csv file of ids and labels.

    Raises:
        DataError: the file is missing, or nothing has a label.
    """
    if source.endswith(".csv"):
        known = read_labels(Path(source))
    else:
        known = {group.id: str(group.meta[source]) for group in groups if group.meta.get(source) is not None}
    given = [known.get(name) for name, _, _ in items]
    if not any(given):
        problem = f"no group has a label by {source!r}; name a field of meta, or a .csv with the columns id and label"
        raise DataError(problem, field="--classify")
    return given


def read_labels(path: Path) -> dict[str, str]:
    """Id → label of a .csv file; an empty label is none."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
            return {row["id"]: row["label"] for row in rows if row["label"]}
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}; check the path", file=str(path)) from error
    except (KeyError, ValueError) as error:
        raise DataError("must be a UTF-8 table with the columns id and label", file=str(path)) from error


def embed_all(encoder: TextEncoder, texts: Sequence[str], output: Path, progress: Progress) -> Vectors:
    """(N, d) vectors of different texts; those that an earlier run of the same recipe left are taken from there."""
    known = known_vectors((output, partial(output)), encoder.recipe)
    left = [text for text in texts if text not in known]
    for start in range(0, len(left), CHUNK):
        part = left[start : start + CHUNK]
        known.update(zip(part, encoder.embed(part, progress), strict=True))
        if start + CHUNK < len(left):
            done = [text for text in texts if text in known]
            vectors = np.stack([known[text] for text in done])
            Embeddings([""] * len(done), [None] * len(done), done, vectors, encoder.recipe).save(partial(output))
    return np.stack([known[text] for text in texts])


def partial(output: Path) -> Path:
    """Where a run keeps what it has done so far."""
    return output.with_name(f"{output.name}.partial")


def known_vectors(paths: Sequence[Path], recipe: dict[str, Any]) -> dict[str, Any]:
    """Text → vector of the files that are there and were made in the same way."""
    found: dict[str, Any] = {}
    for path in paths:
        if path.is_file():
            before = Embeddings.load(path)
            if before.recipe == recipe:
                found.update(zip(before.texts, before.vectors, strict=True))
    return found


def find_out(
    vectors: Vectors, texts: Sequence[str], ids: Sequence[str], given: Sequence[str | None] | None, config: EmbedConfig
) -> tuple[dict[str, Sequence[Any]], list[str]]:
    """The columns that were asked for, and what they say in words."""
    columns: dict[str, Sequence[Any]] = {}
    lines: list[str] = []
    if config.duplicates is not None:
        first = near_duplicates(vectors, config.duplicates)
        columns["first"] = [ids[k] for k in first]
        sizes = Counter(first.tolist())
        repeated = sum(count > 1 for count in sizes.values())
        lines.append(f"{len(texts) - len(sizes)} of {len(texts)} texts repeat another, in {repeated} sets.")
    if config.clusters is not None:
        count = None if config.clusters == "auto" else min(config.clusters, len(texts))
        found = clusters(vectors, count, seed=config.seed)
        columns["cluster"] = found.tolist()
        lines += cluster_lines(vectors, found, texts)
    if given is not None:
        labelled = classify(vectors, texts, given, seed=config.seed)
        columns |= {"label": labelled.labels, "label_probability": labelled.probabilities}
        lines.append(verdict(labelled))
    return columns, lines


def cluster_lines(vectors: Vectors, found: Any, texts: Sequence[str]) -> list[str]:
    """The largest clusters, each with the text that stands for it."""
    sizes = Counter(found.tolist())
    typical = representatives(vectors, found)
    lines = [f"cluster {name}: {sizes[name]} texts, such as {shown(texts[k])}" for name, k in typical.items()][:LISTED]
    more = [f"{len(typical) - LISTED} more clusters"] if len(typical) > LISTED else []
    return [*lines, *more, *([f"{sizes[-1]} texts are in no cluster."] if sizes[-1] else [])]


def verdict(found: Classified) -> str:
    """How good the labels are, beside always guessing the most frequent one."""
    low, high = found.accuracy_ci95
    return (
        f"Labels: {found.classes} classes from {found.given} labelled texts; {100 * found.accuracy:.1f} % right on "
        f"texts not learned from (95 % interval {100 * low:.1f} – {100 * high:.1f}, {found.folds} folds), the most "
        f"frequent label alone {100 * found.majority:.1f} %."
    )


def hit_lines(found: Embeddings, asked: Vectors, config: EmbedConfig) -> list[str]:
    """The texts nearest to each query."""
    order, cosine = nearest(found.vectors, asked, config.top)
    return [
        line
        for query, places, values in zip(config.search, order.tolist(), cosine.tolist(), strict=True)
        for line in (
            f"nearest to {shown(query)}:",
            *(
                f"  {value:.3f}  {found.ids[k]}  {shown(found.texts[k])}"
                for k, value in zip(places, values, strict=True)
            ),
        )
    ]


def shown(text: str) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text.split())
    return repr(line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…")

"""What training reads lies on disk: memory stays flat in the number of groups, and bad rows are still named."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import group, ranked_groups
from tiny_models import byte_tokenizer

from labeler.errors import DataError
from labeler.formats import write_demonstrations, write_groups
from labeler.records import Demonstration, Group, Message
from reward.auxiliary import Auxiliary
from reward.calibrate import compared
from reward.config.train import TrainConfig
from reward.data import Encoder
from reward.examples import encode, load
from reward.manifest import sha256_of_groups
from reward.optimize import schedule
from reward.progress import Progress
from reward.splits import split_groups

MIB = 2**20
QUIET = Progress(quiet=True)


def config_of(path: Path, **fields: Any) -> TrainConfig:
    return TrainConfig(data=(str(path),), out=path.parent / "runs" / "rm", **fields)


def large_groups(count: int) -> Iterator[Group]:
    """Groups of 12 KiB of text, which are 30 KiB as Python objects and token ids."""
    for number in range(count):
        texts = [f"{letter} {number} " + letter * 6000 for letter in "ab"]
        yield group(f"g{number}", f"prompt {number}", texts, (1, 2), (1, 2), (2, 1))


def read_everything(config: TrainConfig, hold: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
    """All that training does with groups but the model: splitting, digests, token ids, annotators, an epoch."""
    splits, _ = load(config)
    for part in (splits.train, splits.valid, splits.test):
        sha256_of_groups(part)
        compared(part)
    examples, _ = encode(Encoder(byte_tokenizer(), 10**5), splits.train, config, config.out.parent, QUIET)
    held = hold(examples)
    Auxiliary(config, held)
    for _ in schedule(held, epochs=config.epochs, batch=config.batch, seed=config.seed):
        pass


def peak(work: Callable[[], None]) -> int:
    """Most bytes that objects made by the work took at a time; numpy's arrays count, what lies in files does not."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("flags", [{}, {"annotator_model": "crowd-bt"}], ids=str)
def test_memory_does_not_grow_with_the_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: dict[str, Any]
) -> None:
    monkeypatch.setattr(Encoder, "ids", lambda _, texts: [list(text.encode()) for text in texts])  # quick
    configs = {}
    for count in (100, 1000):
        write_groups(large_groups(count), tmp_path / f"{count}.jsonl")
        configs[count] = config_of(tmp_path / f"{count}.jsonl", **flags)
    few, many = (peak(lambda config=each: read_everything(config, lambda x: x)) for each in configs.values())
    print(f"{few / MIB:.0f} MiB for 100 groups, {many / MIB:.0f} MiB for 1000")  # noqa: T201
    assert many - few < 6 * MIB
    in_memory = peak(lambda: read_everything(configs[1000], lambda x: [*x]))
    print(f"{in_memory / MIB:.0f} MiB for 1000 groups in memory")  # noqa: T201
    assert in_memory - few > 20 * MIB  # so the measure can tell


def test_all_sources_are_read_and_split_as_one(tmp_path: Path) -> None:
    groups = ranked_groups(30)
    write_groups(groups[:20], tmp_path / "a.jsonl")
    write_groups(groups[20:], tmp_path / "b.jsonl.gz")
    shown = [Demonstration(f"d{i}", (Message("user", f"prompt {i}"),), "by hand") for i in range(3)]
    write_demonstrations(shown, tmp_path / "c.jsonl")
    sources = tuple(str(tmp_path / name) for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl"))
    splits, demonstrations = load(TrainConfig(data=sources, out=tmp_path / "rm"))
    expected = split_groups(groups)
    for name in ("train", "valid", "test"):
        assert [*getattr(splits, name)] == [*getattr(expected, name)]
    assert [*demonstrations] == shown
    limited, _ = load(TrainConfig(data=sources, out=tmp_path / "rm", limit=5))
    assert [*limited.train] == [*expected.train][:5]
    assert [*limited.test] == [*expected.test]


def test_token_ids_are_those_of_the_groups_in_memory(tmp_path: Path) -> None:
    groups = [*ranked_groups(8), group("nobody", "p", ["x", "y"]), group("long", "q", ["x" * 99, "y", "z"], (1, 2, 3))]
    encoder = Encoder(byte_tokenizer(), 99)
    found, report = encode(encoder, groups, TrainConfig(data=("-",), out=tmp_path), tmp_path, QUIET)
    expected, whole = encoder.groups(groups)
    assert report == whole
    assert report.dropped == ("long/c0",)
    assert [g.id for g in found] == [g.id for g in expected if g.id != "nobody"]
    assert [g.prefix.tolist() for g in found] == [g.prefix.tolist() for g in expected if g.id != "nobody"]


def test_a_bad_row_is_named_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "groups.jsonl"
    write_groups(ranked_groups(3), path)
    with path.open("a") as stream:
        stream.write('{"id": "g9", "prompt": "p", "completions": [{"id": "a", "text": "x"}], "rankings": [{}]}\n')
    with pytest.raises(DataError, match=r"groups\.jsonl:4: rankings\[0\]\.annotator: "):
        load(config_of(path))
    with path.open("w") as stream:
        stream.write("")
    with pytest.raises(DataError, match=r"groups\.jsonl: is empty"):
        load(config_of(path))

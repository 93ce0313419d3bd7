"""The native format, the keys made from it, and that every lossless file gives back what was written."""

from __future__ import annotations

import gzip
import itertools
import json
import tracemalloc
from pathlib import Path

import pytest
from group_strategies import demonstrations, groups, json_values, prompts, several
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeler.errors import DataError, UsageError
from labeler.formats import (
    demonstration_to_row,
    dumps,
    group_to_row,
    iter_groups,
    parse_demonstration,
    parse_group,
    prompt_key,
    read,
    split_of,
    write_demonstrations,
    write_groups,
)
from labeler.records import Completion, Demonstration, Group, Message, Prompt, Ranking

FULL = {
    "id": "g1",
    "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a prime."}],
    "completions": [{"id": "c0", "text": "7", "model": "m1"}, {"id": "c1", "text": "", "model": None}],
    "rankings": [
        {
            "annotator": "ann",
            "ranks": [1, 2],
            "strength": 4,
            "ratings": [7, None],
            "flags": [[], ["empty"]],
            "all_bad": True,
            "note": "ok",
            "seconds": 3.5,
            "order": ["c1", "c0"],
            "at": "2025-01-31T12:00:00Z",
            "weight": 0.5,
        }
    ],
    "source": "demo",
    "split": "test",
    "meta": {"k": [1, None]},
}
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def test_every_field_is_kept_and_written_in_order() -> None:
    group = parse_group(FULL)
    assert group.rankings[0] == Ranking(
        "ann", (1, 2), 4, (7, None), ((), ("empty",)), True, "ok", 3.5, ("c1", "c0"), "2025-01-31T12:00:00Z", 0.5
    )
    assert dumps(group_to_row(group)) == dumps(FULL)


def test_a_lax_row_reads_as_the_strict_one() -> None:
    row = {
        "id": "g1",
        "prompt": "Name a prime.",
        "completions": [{"id": "a", "text": "7"}, {"id": "b", "text": "9"}, {"id": "c", "text": "1"}],
        "rankings": [{"annotator": "ann", "ranks": [-5, 40.0, None], "strength": None, "note": None}],
        "source": None,
        "split": None,
        "meta": None,
    }
    group = parse_group(row)
    assert group.prompt == (Message("user", "Name a prime."),)
    assert group.rankings[0].ranks == (1, 2, None)
    written = group_to_row(group)
    assert written["rankings"] == [{"annotator": "ann", "ranks": [1, 2, None]}]
    assert list(written) == ["id", "prompt", "completions", "rankings", "source", "meta"]


def test_no_rankings_at_all() -> None:
    row = {"id": "g", "prompt": "x", "completions": [{"id": "a", "text": "t"}]}
    assert parse_group(row) == Group("g", (Message("user", "x"),), (Completion("a", "t"),))


@given(groups())
def test_a_group_survives_its_row(group: Group) -> None:
    assert parse_group(json.loads(dumps(group_to_row(group)))) == group


@given(demonstrations)
def test_a_demonstration_survives_its_row(demonstration: Demonstration) -> None:
    assert parse_demonstration(json.loads(dumps(demonstration_to_row(demonstration)))) == demonstration


@pytest.mark.parametrize("name", ["g.jsonl", "g.jsonl.gz", "g.json", "g.json.gz", "g.ndjson"])
@given(written=several(groups()))
@settings(same_folder, max_examples=40)
def test_groups_survive_a_json_file(tmp_path: Path, name: str, written: list[Group]) -> None:
    assert write_groups(iter(written), tmp_path / name) == len(written)
    assert read(tmp_path / name).groups == tuple(written)
    assert tuple(iter_groups(tmp_path / name)) == tuple(written)


@pytest.mark.parametrize("name", ["g.csv", "g.tsv.gz"])
@given(written=several(groups(models=False)))
@settings(same_folder, max_examples=60)
def test_groups_survive_a_csv_file(tmp_path: Path, name: str, written: list[Group]) -> None:
    write_groups(written, tmp_path / name)
    assert read(tmp_path / name).groups == tuple(written)


@given(written=several(groups()))
@settings(same_folder, max_examples=40)
def test_groups_survive_a_parquet_file(tmp_path: Path, written: list[Group]) -> None:
    write_groups(written, tmp_path / "g.parquet")
    assert read(tmp_path / "g.parquet").groups == tuple(written)


@given(written=st.lists(demonstrations, min_size=1, max_size=3, unique_by=lambda d: d.id))
@settings(same_folder, max_examples=40)
def test_demonstrations_survive_a_file(tmp_path: Path, written: list[Demonstration]) -> None:
    assert write_demonstrations(written, tmp_path / "d.jsonl") == len(written)
    found = read(tmp_path / "d.jsonl")
    assert (found.demonstrations, found.groups, found.format) == (tuple(written), (), "native")


def test_equal_groups_give_equal_bytes(tmp_path: Path) -> None:
    group = parse_group(FULL)
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write_groups([group], tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == (dumps(FULL) + "\n").encode()


def test_a_stream_reads_no_further_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    rows = [dumps({**FULL, "id": str(i)}) for i in range(100)]
    path.write_text("\n".join([*rows, "{broken"]))
    stream = iter_groups(path)
    assert [group.id for group in itertools.islice(stream, 100)] == [str(i) for i in range(100)]
    with pytest.raises(DataError, match=r"g\.jsonl:101: is not JSON"):
        next(stream)


def test_a_stream_has_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    long = {**FULL, "prompt": "x" * 10_000}
    with path.open("w") as file:
        for i in range(3000):  # 30 MB
            file.write(dumps({**long, "id": f"g{i}"}) + "\n")
    tracemalloc.start()
    assert sum(1 for _ in iter_groups(path)) == 3000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3e6  # bytes; the ids, and twenty rows looked at for their format


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    group = parse_group(FULL)
    write_groups([group], path)
    before = path.read_bytes()

    def stream() -> object:
        yield group
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        write_groups(stream(), path)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nowhere_to_write(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no/g\.jsonl: cannot be written: No such file or directory; name another"):
        write_groups([], tmp_path / "no" / "g.jsonl")
    with pytest.raises(UsageError, match=r"unknown extension \.txt"):
        write_groups([], tmp_path / "g.txt")
    with pytest.raises(UsageError, match="no format 'xml'"):
        write_groups([], tmp_path / "g.jsonl", format="xml")
    with pytest.raises(UsageError, match="groups cannot be written as messages"):
        write_groups([], tmp_path / "g.jsonl", format="messages")
    with pytest.raises(UsageError, match="demonstrations cannot be written as csv"):
        write_demonstrations([], tmp_path / "g.jsonl", format="csv")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), "\ud800"])
def test_dumps_refuses_what_json_cannot_hold(value: object) -> None:
    with pytest.raises(DataError, match="'g7' cannot be written as JSON"):
        dumps({"id": "g7", "meta": value})


@given(st.dictionaries(st.text(), json_values))
def test_dumps_is_one_line_of_json(row: dict[str, object]) -> None:
    line = dumps(row)
    assert "\n" not in line
    assert json.loads(line) == row


# --- keys and splits


@given(prompts())
def test_spacing_and_composition_do_not_change_the_key(prompt: Prompt) -> None:
    spaced = tuple(Message(m.role, f"  {m.content}\n") for m in prompt)
    assert prompt_key(spaced) == prompt_key(prompt)
    assert len(prompt_key(prompt)) == 64


def test_the_key_tells_prompts_apart() -> None:
    user, said = Message("user", "a b"), Message("assistant", "a b")
    different = [
        (user,),
        (said,),
        (Message("user", "ab"),),
        (user, said),
        (Message("user", "a b a b"),),
        (Message("user", "A b"),),
    ]
    assert len({prompt_key(prompt) for prompt in different}) == len(different)
    assert prompt_key((Message("user", "caf\u00e9"),)) == prompt_key((Message("user", "cafe\u0301"),))


def test_splits_have_their_shares() -> None:
    keys = [prompt_key((Message("user", str(i)),)) for i in range(20_000)]
    splits = [split_of(key, seed=3, valid=0.2, test=0.05) for key in keys]
    # Three standard deviations of a binomial share at n = 20,000.
    assert splits.count("valid") / len(keys) == pytest.approx(0.2, abs=3 * (0.2 * 0.8 / 20_000) ** 0.5)
    assert splits.count("test") / len(keys) == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / 20_000) ** 0.5)
    assert splits == [split_of(key, seed=3, valid=0.2, test=0.05) for key in keys]
    assert splits != [split_of(key, seed=4, valid=0.2, test=0.05) for key in keys]


def test_the_same_split_on_every_machine() -> None:
    key = prompt_key((Message("user", "Name a prime."),))
    # printf '%s' '[["user", "Name a prime."]]' | sha256sum
    assert key == "ef89dc14ac46271299d7144887243b700a246e197b3402086e2a1000351fe141"
    # printf '%s' "8:$key" | sha256sum begins with 05ec6c…, a draw of 0.023; seed 7 draws 0.172, seed 0 draws 0.272
    assert [split_of(key, seed=seed) for seed in (8, 7, 0)] == ["test", "valid", "train"]


def test_a_larger_test_share_only_adds() -> None:
    keys = [prompt_key((Message("user", str(i)),)) for i in range(500)]
    small = {key for key in keys if split_of(key, test=0.1) == "test"}
    assert small < {key for key in keys if split_of(key, test=0.3) == "test"}


@pytest.mark.parametrize(("valid", "test"), [(-0.1, 0.1), (0.1, -0.1), (0.5, 0.5)])
def test_impossible_shares(valid: float, test: float) -> None:
    with pytest.raises(UsageError, match="must leave a share for training"):
        split_of("k", valid=valid, test=test)

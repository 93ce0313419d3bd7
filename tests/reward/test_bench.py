"""``reward bench`` on tiny models: real TRL beside us, token counts made independently, and clear refusals."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from itertools import combinations, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import group
from tiny_models import save_policy
from transformers import AutoModelForCausalLM, AutoTokenizer

from labeler.errors import DataError, TrainingError, UsageError
from labeler.formats import write_groups
from labeler.records import Group
from reward.benchmark import child, cost, generating, machine, scoring, training
from reward.benchmark.child import Measured, Trial, call, try_batches
from reward.benchmark.workload import Workload, choose, decided
from reward.cli import main
from reward.config.bench import BenchCostConfig, BenchScoreConfig, BenchTrainConfig
from reward.data import Pair
from reward.progress import Progress

Base = Callable[[str], Path]


@pytest.fixture(autouse=True)
def one_thread_and_small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(machine, "SIZES", (256, 512))
    monkeypatch.setattr(machine, "SPENT", 0.05)


def made(count: int = 9, seed: int = 0) -> list[Group]:
    """Groups of two to four completions, the last two tied, and one that nobody decided."""
    draw = random.Random(seed)
    groups = []
    for number in range(count):
        k = draw.randint(2, 4)
        texts = [f"{i}" + "ab" * draw.randint(0, 12) for i in range(k)]
        ranks = [min(i, max(1, k - 2)) for i in range(k)]
        groups.append(group(f"g{number}", f"prompt {number} " * draw.randint(1, 4), texts, ranks, split="train"))
    return [*groups, group("tied", "Which?", ["this", "that"], (1, 1), split="train")]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "groups.jsonl"
    write_groups(made(), path)
    return path


def train_config(data: Path, base: Path, **more: Any) -> BenchTrainConfig:
    fields = {"against": "trl", "data": (str(data),), "base": str(base), "precision": "float32", "device": "cpu"}
    return BenchTrainConfig(**fields | more)


def sequences(base: Path, one: Group) -> list[list[int]]:
    """Token ids of each completion with its prompt, without the product's own encoder."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    turns = [{"role": "user", "content": one.prompt[0].content}]
    whole = [[*turns, {"role": "assistant", "content": c.text}] for c in one.completions]
    return [tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"] for messages in whole]


def comparisons(groups: list[Group]) -> list[tuple[Group, int, int]]:
    """Pairs with different ranks, better first."""
    ranks = [(g, g.rankings[0].ranks) for g in groups]
    pairs = [(g, r, i, j) for g, r in ranks for i, j in combinations(range(len(r)), 2) if r[i] != r[j]]
    return [(g, i, j) if (r[i] or 0) < (r[j] or 0) else (g, j, i) for g, r, i, j in pairs]


def shared_tokens(rows: list[list[int]]) -> int:
    same = (len(set(column)) == 1 for column in zip(*rows, strict=False))
    prefix = min(len(list(takewhile(bool, same))), *(len(row) - 1 for row in rows))
    return prefix + sum(len(row) - prefix for row in rows)


def test_train_against_real_trl(data: Path, tiny_base: Base, capfd: pytest.CaptureFixture[str]) -> None:
    base = tiny_base("llama")
    capfd.readouterr()
    flags = f"--data {data} --base {base} --precision float32 --device cpu --repeats 1 --batch 4 --seed 3"
    assert main(["bench", "train", "--against", "trl", *flags.split()]) == 0
    shown = capfd.readouterr()
    assert {line.split()[0] for line in shown.err.splitlines()} == {"bench"}  # and nothing that libraries say
    told = json.loads(shown.out.splitlines()[-1])
    pairs = comparisons(made())
    assert (told["groups"], told["pairs"]) == (9, len(pairs))
    assert told["ratio"] == told["peer_seconds"] / told["ours_seconds"] > 0
    assert told["ours_all_seconds"] == [told["ours_seconds"]]
    assert told["tokens"] == sum(shared_tokens(sequences(base, g)) for g in made()[:9])
    least = sum(len(sequences(base, g)[i]) + len(sequences(base, g)[j]) for g, i, j in pairs)
    assert least <= told["peer_tokens"] < 2 * least
    assert told["token_ratio"] == told["peer_tokens"] / told["tokens"]
    assert told["ours_steps"] == told["peer_steps"] == 3
    assert told["peer_batch"] in [trial["batch"] for trial in told["peer_batch_search"]]
    assert told["peer_extrapolated"] is False
    assert told["peer_pairs_run"] == len(pairs)
    for key in ("ours_peak_bytes", "peer_peak_bytes"):
        assert 50 << 20 < told[key] < 8 << 30
    for key in ("ours_fraction_of_peak", "peer_fraction_of_peak"):
        assert 0 < told[key] < 1
    assert told["matmul_peak_flops"] == max(told["matmul_all_flops"])
    assert (told["threads"], told["precision"]) == (1, "float32")
    assert told["versions"]["trl"].startswith("1.16")


def test_the_peers_tokens_are_those_of_its_collator(data: Path, tiny_base: Base, tmp_path: Path) -> None:
    base = tiny_base("llama")
    work = training.prepare(train_config(data, base), base)
    work.save(tmp_path / "work.json")
    assert Workload.load(tmp_path / "work.json").comparisons() == work.comparisons()
    expected = [(sequences(base, g)[i], sequences(base, g)[j]) for g, i, j in comparisons(made())]
    assert work.comparisons() == expected
    fields = {"base": str(base), "work": str(tmp_path / "work.json"), "precision": "float32", "device": "cpu"}
    run = Measured(**call("train-trl", **fields, seed=0, batch=1, steps=3, only_pairs=5))
    drawn = [expected[i] for i in np.random.default_rng(0).choice(len(expected), size=5, replace=False)]
    assert run.tokens == sum(2 * max(len(a), len(b)) for a, b in drawn)  # one pair at once: padded to the longer
    assert run.details["all_tokens"] == sum(2 * max(len(a), len(b)) for a, b in expected)
    assert (run.sequences, run.details["pairs"], run.details["all_pairs"]) == (10, 5, len(expected))
    with pytest.raises(TrainingError, match="train-trl failed: TRL drops"):
        Workload(work.groups, 30).save(tmp_path / "work.json")
        call("train-trl", **fields, seed=0, batch=1, steps=3, only_pairs=None)


def measured(seconds: float, tokens: int, **details: Any) -> Measured:
    return Measured(seconds, 4, tokens, 1e9 * seconds, 100, 4e9, 2, "a machine", 2, details)


def test_a_part_of_the_pairs_is_scaled_up_and_said_to_be(data: Path, tiny_base: Base) -> None:
    config = train_config(data, tiny_base("llama"), peer_pairs=10)
    ours = [measured(second, 50, reads="blocks") for second in (2.0, 4.0, 3.0)]
    part = {"pairs": 10, "all_pairs": 40, "all_tokens": 900, "all_steps": 6, "accumulation": 3, "sampling": "random"}
    peer = [measured(seconds, 100, **part, optimizer_seconds=1.0) for seconds in (11.0, 9.0, 13.0)]
    told = training.report(config, "float32", Workload((), 64), training.Comparison(ours, peer, (), 2))
    by_tokens, by_steps = 900 / 100, 6 / 2
    expected = [10 * by_tokens + by_steps, 8 * by_tokens + by_steps, 12 * by_tokens + by_steps]
    assert told["peer_all_seconds"] == expected
    assert told["ratio"] == expected[0] / 3.0
    assert (told["peer_extrapolated"], told["peer_pairs_run"], told["pairs"]) == (True, 10, 40)
    assert (told["peer_tokens_run"], told["peer_tokens"], told["token_ratio"]) == (100, 900, 18)
    assert told["peer_seconds_run"] == [11.0, 9.0, 13.0]
    assert told["ours_fraction_of_peak"] == told["peer_fraction_of_peak"] == 0.25


@pytest.mark.parametrize(
    ("pairs", "batch", "steps", "expected"), [(50, 4, 2, 7), (48, 8, 8, 1), (48, 2, 8, 3), (7, 8, 3, 1), (100, 3, 7, 5)]
)
def test_accumulation_gives_the_same_number_of_steps(pairs: int, batch: int, steps: int, expected: int) -> None:
    trl_peer = pytest.importorskip("reward.benchmark.trl_peer")
    assert trl_peer.accumulation_for(pairs, batch, steps) == expected


def test_the_search_stops_when_larger_batches_bring_nothing() -> None:
    seconds = {1: 8.0, 2: 5.0, 4: 6.0, 8: 7.0, 16: 1.0}
    trials = try_batches(list(seconds), lambda size: Trial(size, seconds[size], 10, 100))
    assert [t.batch for t in trials] == [1, 2, 4, 8]
    assert min(trials, key=lambda t: t.estimate) == Trial(2, 5.0, 10, 100)
    assert trials[0].estimate == 80.0


def test_groups_are_drawn_by_seed_among_those_with_a_preference() -> None:
    groups = made(30)
    first, again, other = choose(groups, 7, 1), choose(groups, 7, 1), choose(groups, 7, 2)
    assert first == again != other
    assert [g.id for g in choose(groups, None, 0)] == [f"g{i}" for i in range(30)]
    assert list(decided([Pair(0, 1, 0.5), Pair(0, 2, 0.75), Pair(1, 2, 0.0)])) == [(0, 2), (2, 1)]


def test_what_cannot_be_compared_is_refused(
    data: Path, tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, silent = tiny_base("llama"), Progress(quiet=True)
    with pytest.raises(DataError, match=r"the limit of 60 tokens.* of group 'g\d'.*give --max-length \d+"):
        training.bench_train(train_config(data, base, max_length=60), silent)
    alone = tmp_path / "alone.jsonl"
    write_groups([group(f"a{i}", f"p{i}", ["one"], (1,), split="train") for i in range(3)], alone)
    with pytest.raises(DataError, match="K ≥ 2"):
        training.bench_train(train_config(alone, base), silent)
    with pytest.raises(DataError, match="only 9 training groups"):
        training.bench_train(train_config(data, base, groups=10), silent)
    with pytest.raises(UsageError, match="--peer-pairs must be at least 1"):
        train_config(data, base, peer_pairs=0)
    monkeypatch.setattr(training, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'reward-labeler\[bench\]'"):
        training.bench_train(train_config(data, base), silent)


def here(job: str, **fields: Any) -> Any:
    """`call` without the process."""
    module, _, name = child.JOBS[job].partition(":")
    result = getattr(import_module(module), name)(**json.loads(json.dumps(fields)))
    return [asdict(each) for each in result] if isinstance(result, list) else asdict(result)


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_score_against_transformers(data: Path, tiny_base: Base, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    monkeypatch.setattr(scoring, "call", here)
    base = tiny_base(family)
    fields = {"base": str(base), "precision": "float32", "device": "cpu", "repeats": 2}
    config = BenchScoreConfig(against="transformers", data=(str(data),), **fields)
    with Progress(quiet=True) as silent:
        told = scoring.bench_score(config, silent)
    assert (told["groups"], told["completions"]) == (10, sum(len(g.completions) for g in made()))
    assert told["max_difference"] < 1e-4
    assert told["ratio"] == told["peer_seconds"] / told["ours_seconds"]
    if family == "llama":
        assert told["tokens"] == sum(shared_tokens(sequences(base, g)) for g in made())
        assert told["peer_tokens"] >= sum(len(row) for g in made() for row in sequences(base, g))


def test_generate_against_transformers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = save_policy(tmp_path / "tiny")
    settings = ["--policy", str(policy), "--n", "3", "--prompt", "9", "--max-new-tokens", "12", "--repeats", "2"]
    assert main(["bench", "generate", "--against", "transformers", *settings]) == 0
    *_, verdict, last = capsys.readouterr().out.splitlines()
    told = json.loads(last)
    assert told["tokens"] == 3 * 12
    assert told["decoder"] == "SharedDecoder"
    assert len(told["ours_all_seconds"]) == len(told["peer_all_processor_seconds"]) == 2
    assert told["ratio"] == pytest.approx(np.median(told["peer_all_seconds"]) / np.median(told["ours_all_seconds"]))
    assert told["ours_tokens_per_second"] == pytest.approx(36 / np.median(told["ours_all_seconds"]))
    assert told["peer_precision"] == min(told["peer_trials"], key=told["peer_trials"].get)
    assert f"{told['ratio']:.1f} times as many" in verdict


def test_both_sides_write_as_many_tokens(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(save_policy(tmp_path / "tiny")).eval()
    task = generating.Task((5, 6, 7), 4, 30, 0)
    assert task.ours(model, 30) == task.peer(model, 30) == 4 * 30


def test_scores_that_differ_void_the_comparison() -> None:
    assert scoring.largest_difference([1.0, 20.0], [1.0, 20.001], "float32") == pytest.approx(0.001)
    with pytest.raises(TrainingError, match=r"differ by up to 0\.01"):
        scoring.largest_difference([1.0, 2.0], [1.0, 2.01], "float32")
    with pytest.raises(TrainingError, match="differ"):
        scoring.largest_difference([float("nan")], [1.0], "bfloat16")


def test_cost_grows_with_the_group(tiny_base: Base, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--completions 2 8 --prompt-lengths 16 64 --length 20 --prompt 30 --repeats 1 --precision float32"
    command = f"bench cost --base {tiny_base('llama')} {flags} --device cpu --out {tmp_path}"
    assert main(command.split()) == 0
    shown = capsys.readouterr().out.splitlines()
    told = json.loads(shown[-1])
    assert [p["tokens"] for p in told["by_completions"]] == [30 + 2 * 20, 30 + 8 * 20]
    assert [p["tokens"] for p in told["by_prompt"]] == [16 + 4 * 20, 64 + 4 * 20]
    assert told["reference"]["tokens"] == 128 + 9 * 20
    assert 0 < told["ours_fraction_of_peak"] < 1
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
    assert sum("ms per" in line for line in shown) == 2
    with pytest.raises(UsageError, match=r"--prompt-lengths: .* takes 512"):
        cost.Bench(BenchCostConfig(base=str(tiny_base("llama")), prompt_lengths=(500, 128)), "float32")


def test_a_line_is_found() -> None:
    x = [1.0, 2.0, 4.0, 8.0]
    assert cost.fit_line(x, [3 * value + 2 for value in x]) == cost.Line(
        pytest.approx(3), pytest.approx(2), pytest.approx(1)
    )
    bent = cost.fit_line(x, [value**2 for value in x])
    assert bent.r_squared == pytest.approx(np.corrcoef(x, np.square(x))[0, 1] ** 2)

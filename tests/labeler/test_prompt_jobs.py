"""Vectors of prompts: the job that makes them, the file that it writes, examples of categories, queries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_commands import FAKE_REWARD, ROOT, finished
from store_helpers import project

from labeler import jobs, prompt_jobs
from labeler.embedder import Embedder
from labeler.errors import ConflictError, DataError, ModelError, UsageError
from labeler.prompt_map import PromptMap
from labeler.store import Store
from reward.embeddings import Embeddings


@pytest.fixture(autouse=True)
def fake_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "REWARD", FAKE_REWARD)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    yield opened
    opened.close()


def test_the_file_of_reward_embed_is_read(tmp_path: Path):
    vectors = np.eye(3, dtype=np.float32)
    recipe = {"base": {"asked": "minilm-l6"}, "pooling": "mean", "max_length": 256}
    columns = {
        "first": ["a", "a", "c"],
        "cluster": [0, 0, -1],
        "label": ["x", None, "y"],
        "label_probability": [1.0, 0.5, 0.7],
    }
    path = tmp_path / "prompts.parquet"
    Embeddings(["a", "b", "c"], [None] * 3, ["A", "B", "C"], vectors, recipe, columns).save(path)
    found = PromptMap.load(path)
    assert (found.ids, found.first, found.base) == (("a", "b", "c"), ("a", "a", "c"), "minilm-l6")
    assert found.cluster.tolist() == [0, 0, -1]
    assert (found.categories, found.sure) == (("x", None, "y"), (1.0, 0.5, 0.7))
    assert np.array_equal(found.vectors, vectors)
    Embeddings(["a", "b", "c"], [None] * 3, ["A", "B", "C"], vectors, recipe).save(path)
    bare = PromptMap.load(path)
    assert (bare.first, bare.cluster.tolist(), bare.categories) == (("a", "b", "c"), [-1] * 3, (None,) * 3)


@pytest.mark.parametrize("content", [None, b"", b"PAR1 but not really"])
def test_what_is_no_such_file_says_so(tmp_path: Path, content: bytes | None):
    path = tmp_path / "prompts.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as vectors of prompts"):
        PromptMap.load(path)


def test_a_run_makes_vectors_clusters_and_duplicates(store: Store, tmp_path: Path):
    made = project(store, groups=6)
    job = finished(prompt_jobs.start(store, tmp_path / "runs", made, clusters=3))
    assert jobs.outcome(job) == jobs.Outcome("done")
    found = PromptMap.load(prompt_jobs.vectors(tmp_path / "runs", made))
    assert found.ids == tuple(f"g{n}" for n in range(6))
    assert prompt_jobs.all_runs(tmp_path / "runs", made) == (jobs.load(job.folder),)
    assert "--classify" not in job.commands[0]


def test_examples_are_kept_and_learned_from(store: Store, tmp_path: Path):
    made, runs = project(store, groups=6), tmp_path / "runs"
    prompt_jobs.name_prompts(runs, made, "Öl, und\nmehr", ["g0", "g1", "g2"])
    assert not prompt_jobs.can_learn(prompt_jobs.examples(runs, made))
    prompt_jobs.name_prompts(runs, made, "b", ["g2", "g3"])
    assert prompt_jobs.examples(runs, made) == {"g0": "Öl, und\nmehr", "g1": "Öl, und\nmehr", "g2": "b", "g3": "b"}
    job = finished(prompt_jobs.start(store, runs, made, clusters=2))
    assert "--classify" in job.commands[0]
    assert PromptMap.load(prompt_jobs.vectors(runs, made)).categories == ("asked",) * 6
    prompt_jobs.name_prompts(runs, made, "", ["g0", "unknown"])
    assert sorted(prompt_jobs.examples(runs, made)) == ["g1", "g2", "g3"]


def test_one_run_at_a_time_and_two_prompts_at_least(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = project(store, groups=2)
    lonely = store.add_project("lonely")
    with pytest.raises(UsageError, match="fewer than two prompts"):
        prompt_jobs.start(store, tmp_path / "runs", lonely, clusters=2)
    monkeypatch.setattr(jobs, "REWARD", (FAKE_REWARD[0], "-c", "import time; time.sleep(60)"))
    job = prompt_jobs.start(store, tmp_path / "runs", made, clusters=2)
    with pytest.raises(ConflictError, match="being made already"):
        prompt_jobs.start(store, tmp_path / "runs", made, clusters=2)
    jobs.cancel(job)


def test_the_usual_number_of_clusters_is_the_root_of_half():
    assert [prompt_jobs.usual_clusters(n) for n in (1, 8, 172, 20_000, 10**6)] == [2, 2, 9, 100, 100]


# Queries


def map_by(base: str) -> PromptMap:
    recipe = {"base": {"asked": base}, "pooling": "mean", "max_length": 256}
    return PromptMap((), np.empty((0, 16), np.float32), np.empty(0, np.int64), (), (), (), recipe)


def test_queries_are_answered_by_one_child_that_comes_back(tmp_path: Path):
    embedder = Embedder(map_by("minilm-l6"), tmp_path / "log")
    try:
        first = embedder.ask("prime numbers 🚪")
        assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
        child = embedder._child
        assert np.array_equal(embedder.ask("prime numbers 🚪"), first)
        assert embedder._child is child
        os.kill(child.process.pid, 9)
        child.process.wait()
        assert np.array_equal(embedder.ask("prime numbers 🚪"), first)
        assert not np.array_equal(embedder.ask("rivers"), first)
    finally:
        embedder.close()
    assert child.process.poll() is not None


def test_vectors_of_another_recipe_are_not_compared(tmp_path: Path):
    other = map_by("minilm-l6")
    prompts = replace(other, recipe={**other.recipe, "max_length": 128})
    with pytest.raises(ModelError, match="not the one that made the vectors"):
        Embedder(prompts, tmp_path / "log").ask("prime numbers")


def test_a_child_that_fails_says_why(tmp_path: Path):
    with pytest.raises(ModelError, match="the search by meaning failed: reward: broken: no such model"):
        Embedder(map_by("broken"), tmp_path / "log").ask("prime numbers")

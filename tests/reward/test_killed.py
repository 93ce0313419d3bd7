"""A training that is killed with SIGKILL at random moments, twenty times, ends in the same bits as one that was not."""

from __future__ import annotations

import json
import os
import random
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from test_train import planted, small_run

from labeler.formats import write_groups
from reward import train
from reward.config.train import TrainConfig

KILLS = 20


def run_for(seconds: float, config: TrainConfig) -> bool:
    """Train in a child process and kill it after a while; whether it was still at it."""
    with warnings.catch_warnings(action="ignore"):  # newer Pythons warn of forks beside threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            train.train(config)
            code = 0
        finally:
            os._exit(code)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_twenty_kills_at_random_moments_change_nothing(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    write_groups(planted(), tmp_path / "groups.jsonl")
    settings = small_run(tmp_path / "groups.jsonl", tiny_base("llama"), tmp_path / "whole")
    flags = settings | {"epochs": 8, "checkpoint_every": 1, "evaluate_every": 3}
    started = time.monotonic()
    whole = train.train(TrainConfig(**flags))
    needed = time.monotonic() - started
    expected = load_file(whole.folder / "model.safetensors")
    history = json.loads((whole.folder / "reward.json").read_text(encoding="utf-8"))["history"]
    draw = random.Random(0)
    kills = runs = 0
    while kills < KILLS:
        out = tmp_path / f"cut-{runs}"
        while not out.exists():
            kills += run_for(draw.uniform(0, needed / 2), TrainConfig(**flags | {"out": out, "resume": True}))
        found = load_file(out / "model.safetensors")
        assert all(torch.equal(expected[name], found[name]) for name in expected), f"run {runs}, {kills} kills"
        assert json.loads((out / "reward.json").read_text(encoding="utf-8"))["history"] == history
        runs += 1

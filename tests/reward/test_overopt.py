"""PPO beside best of n, with a proxy that a simulated gold reward leaves behind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import save_policy, save_reward_model

from labeler.errors import UsageError
from reward import overopt
from reward.artifact import Scorer
from reward.config.ppo import OveroptConfig
from reward.ppo_outcome import write_rows


@pytest.fixture
def finished_run(tmp_path: Path) -> Path:
    """What `reward ppo` leaves, with three evaluations on 24 prompts at 0, 1 and 4 nats; texts made up."""
    save_policy(tmp_path / "policy", seed=1)
    save_reward_model(tmp_path / "proxy")
    save_reward_model(tmp_path / "gold", seed=5)
    run = tmp_path / "run"
    run.mkdir()
    policy = overopt.Policy.load(str(tmp_path / "policy"), overopt.Sampling(device="cpu", precision="float32"))
    told = {
        "policy": policy.origin.to_json(),
        "reward_model": {"name": "proxy", "sha256": {}},
        "config": {
            "policy": str(tmp_path / "policy"),
            "reward": str(tmp_path / "proxy"),
            "temperature": 1.0,
            "max_new_tokens": 6,
        },
    }
    (run / "ppo.json").write_text(json.dumps(told))
    rows = []
    for iteration, (kl, text) in enumerate(((0.0, "a"), (1.0, "aa b"), (4.0, "aaaa bbbb"))):
        for prompt in range(24):
            asked = [{"role": "user", "content": f"Question {prompt}?"}]
            made = {"iteration": 10 * iteration, "prompt": f"p{prompt}", "messages": asked, "number": 0}
            rows.append(made | {"text": text + " c" * (prompt % 3), "kl": kl})
    write_rows(run / "samples.jsonl", rows)
    return run


def config(run: Path, **more: Any) -> OveroptConfig:
    plain = {"run": run, "gold": run.parent / "gold", "out": run.parent / "out", "n": 6, "device": "cpu"}
    return OveroptConfig(**(plain | more))


def test_the_proxy_runs_away(finished_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy pays for a's and b's, the gold reward for a's and against b's."""

    def scores(self: Scorer, groups: Any, *, raw: bool = False) -> list[list[float]]:
        price = 1.0 if self.mean == 0.5 else -2.0
        return [
            [c.text.count("a") + price * c.text.count("b") + 0.01 * len(c.text) for c in g.completions] for g in groups
        ]

    monkeypatch.setattr(Scorer, "score_groups", scores)
    monkeypatch.setattr(
        Scorer, "from_pretrained", lambda folder, device=None: type("S", (Scorer,), {"__init__": lambda s: None})()
    )
    real = overopt.score

    def score(folder: Path, *rest: Any) -> Any:
        monkeypatch.setattr(Scorer, "mean", 0.5 if folder.name == "proxy" else 0.0, raising=False)
        return real(folder, *rest)

    monkeypatch.setattr(overopt, "score", score)
    overopt.run(config(finished_run))
    found = json.loads((finished_run.parent / "out" / "overopt.json").read_text())
    best, ppo = found["ways"]
    assert [point["name"] for point in best["points"]] == [
        "best of 1",
        "best of 2",
        "best of 3",
        "best of 4",
        "best of 6",
    ]
    assert [point["kl"] for point in ppo["points"]] == [0.0, 1.0, 4.0]
    assert np.all(np.diff([point["proxy"] for point in best["points"]]) >= 0)
    assert ppo["points"][2]["proxy"] > ppo["points"][1]["proxy"] > 0
    assert ppo["points"][2]["gold"] < 0
    page = (finished_run.parent / "out" / "report.html").read_text()
    assert "PPO up to iteration 20" in page
    assert "Over-optimised" in page or "part:" in page
    assert not re.search(r"(src|href)=.(https?:)?//", page)


def test_real_scores_and_a_run_that_goes_on(finished_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overopt.run(config(finished_run))
    out = finished_run.parent / "out"
    first = (out / "overopt.json").read_text()
    lines = (out / "completions.jsonl").read_text().splitlines()
    (out / "completions.jsonl").write_text("\n".join(lines[:5]) + "\n")
    overopt.run(config(finished_run))
    assert (out / "overopt.json").read_text() == first
    assert "PPO up to iteration 20 (4.0 nats)" in capsys.readouterr().out
    scorer = Scorer.from_pretrained(finished_run.parent / "gold", "cpu")
    groups = [json.loads(line) for line in lines]
    scores = np.array([scorer.score(g["prompt"][0]["content"], [c["text"] for c in g["completions"]]) for g in groups])
    chosen = np.array(
        [scorer.score(g["prompt"][0]["content"], ["aaaa bbbb" + " c" * (i % 3)])[0] for i, g in enumerate(groups)]
    )
    told = json.loads(first)["ways"][1]["points"][2]["gold"]
    assert told == pytest.approx((chosen.mean() - scores.mean()) / scores.std(), abs=1e-4)


def test_what_is_no_run_is_refused(finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--run"):
        overopt.run(config(tmp_path / "nothing", gold=tmp_path))
    save_policy(tmp_path / "policy", seed=2)
    with pytest.raises(UsageError, match="put it back"):
        overopt.run(config(finished_run))
    with pytest.raises(UsageError, match="--n"):
        config(finished_run, n=1)

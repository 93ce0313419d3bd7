"""``reward overopt``: PPO beside best of n, by the reward that was optimised (proxy) and by one that was not (gold).

1. Draw N completions of each held-out prompt from the policy that PPO started from.
2. Score them, and the held-out samples that PPO kept, with proxy and gold. Both are put in standard deviations of the
   start's reward, as gains over its mean.
3. For n up to N, estimate what best of n by the proxy gains in both; its KL is known. PPO's KL was measured.
4. Fit the curves of Gao et al. 2022 (arXiv 2210.10760), and say where the gold reward stops following the proxy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labeler.errors import DataError, UsageError
from labeler.formats import iter_groups, parse_group
from labeler.formats.files import replacing
from labeler.records import Completion, Group
from reward.artifact import Scorer
from reward.bootstrap import Floats
from reward.config.common import Sampling
from reward.config.ppo import OveroptConfig
from reward.generate import write_file
from reward.manifest import versions
from reward.overopt_report import Way, render
from reward.overoptimisation import best_of_n_kl, best_of_n_mean
from reward.policy import Policy
from reward.ppo_outcome import PPO, SAMPLES
from reward.progress import Progress, tell

DRAWN = "completions.jsonl"
OVEROPT = "overopt.json"
PLOT = "gain.svg"
"""The picture alone, for other pages."""


@dataclass(frozen=True)
class Kept:
    """What `reward ppo` left of its held-out evaluations.

    Attributes:
        told: its manifest.
        prompts: held-out prompts, without completions.
        points: iteration → prompt id → completions; each has its text and its ``kl``.
    """

    told: dict[str, Any]
    prompts: tuple[Group, ...]
    points: dict[int, dict[str, list[dict[str, Any]]]]


def run(config: OveroptConfig) -> None:
    """The whole command."""
    kept = read_run(config.run)
    config.out.mkdir(parents=True, exist_ok=True)
    with Progress(config.progress) as progress:
        drawn = draw(config, kept, progress)
        proxy, gold = (score(folder, kept, drawn, config, progress) for folder in (_proxy(kept), config.gold))
    ways = best_of(proxy.drawn, gold.drawn), from_run(proxy, gold, kept)
    found = {
        "schema": 1,
        "run": config.run.resolve().name,
        "proxy": kept.told["reward_model"],
        "gold": {"name": config.gold.resolve().name},
        "prompts": len(kept.prompts),
        "completions_per_prompt": config.n,
        "seed": config.seed,
        "ways": [each.to_json() for each in ways],
        "versions": versions(),
    }
    page, plot, lines = render(ways, found, seed=config.seed)
    told = json.dumps(found | {"verdicts": lines}, indent=2) + "\n"
    for name, text in ((PLOT, plot), ("report.html", page), (OVEROPT, told)):  # whole once the last is there
        with replacing(config.out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    tell(*lines, f"Open {config.out / 'report.html'}")


def read_run(folder: Path) -> Kept:
    """The manifest and samples of a PPO run.

    Raises:
        UsageError: the folder holds no such run.
    """
    try:
        told = json.loads((folder / PPO).read_text(encoding="utf-8"))
        rows = [json.loads(line) for line in (folder / SAMPLES).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise UsageError(f"--run {folder} is no folder of `reward ppo` ({error}); give its --out") from error
    points: dict[int, dict[str, list[dict[str, Any]]]] = {}
    prompts: dict[str, Group] = {}
    for row in rows:
        name = row["prompt"]
        if name not in prompts:
            prompts[name] = parse_group({"id": name, "prompt": row["messages"], "completions": []})
        points.setdefault(row["iteration"], {}).setdefault(name, []).append(row)
    return Kept(told, tuple(prompts.values()), points)


def draw(config: OveroptConfig, kept: Kept, progress: Progress) -> list[Group]:
    """N completions per prompt from the policy that PPO started from, drawn as PPO draws."""
    settings = kept.told["config"]
    sampling = Sampling(
        temperature=settings["temperature"],
        max_new_tokens=settings["max_new_tokens"],
        seed=config.seed,
        precision=config.precision,
        device=config.device,
    )
    policy = Policy.load(settings["policy"], sampling)
    known, found = kept.told["policy"], policy.origin.to_json()
    if known != found:
        raise UsageError(f"--run: the policy that PPO started from was {known} and is now {found}; put it back")
    write_file(policy, kept.prompts, config.n, sampling, config.out / DRAWN, resume=True, progress=progress)
    return list(iter_groups(str(config.out / DRAWN)))


@dataclass(frozen=True)
class Scores:
    """One reward model's view, in standard deviations of the start's reward over the mean of the start.

    Attributes:
        drawn: (P, N) the start's completions.
        points: (S, P) the mean of PPO's completions of each prompt at each evaluation.
    """

    drawn: Floats
    points: Floats


def score(folder: Path, kept: Kept, drawn: Sequence[Group], config: OveroptConfig, progress: Progress) -> Scores:
    """Score the start's completions and PPO's with a reward model.

    Raises:
        DataError: a completion does not fit the model's context.
    """
    scorer = Scorer.from_pretrained(folder, None if config.device == "auto" else config.device)
    groups = [_group(prompt, point[prompt.id]) for point in kept.points.values() for prompt in kept.prompts]
    with progress.stage(f"score with {folder.resolve().name}", total=len(groups) + len(drawn)) as stage:
        base = np.array(scorer.score_groups(drawn))
        stage.step(len(drawn))
        later = np.array([np.mean(values) for values in scorer.score_groups(groups)])
        stage.step(len(drawn) + len(groups))
    if np.isnan(base).any() or np.isnan(later).any():
        raise DataError("some completions do not fit the context of this reward model", file=str(folder))
    mean, deviation = base.mean(), base.std() or 1.0
    return Scores((base - mean) / deviation, ((later - mean) / deviation).reshape(len(kept.points), -1))


def best_of(proxy: Floats, gold: Floats) -> Way:
    """Best of n by the proxy for n = 1, 2, 3, 4, 6, 8, 12, … up to the completions there are.

    Args:
        proxy, gold: (P, N) rewards of the start's completions.
    """
    most = proxy.shape[1]
    sizes = sorted({n for k in range(most.bit_length()) for n in (2**k, 3 * 2**k) if n <= most} | {most})
    means = [
        [[best_of_n_mean(chosen, values, n) for chosen, values in zip(proxy, each, strict=True)] for n in sizes]
        for each in (proxy, gold)
    ]
    return Way("best of n", [f"best of {n}" for n in sizes], [best_of_n_kl(n) for n in sizes], *map(np.array, means))


def from_run(proxy: Scores, gold: Scores, kept: Kept) -> Way:
    """PPO's evaluations in the order of their distance, the start first."""
    kl = [np.mean([row["kl"] for rows in point.values() for row in rows]) for point in kept.points.values()]
    order = [0, *(1 + np.argsort(kl[1:]))]
    names = [f"iteration {iteration}" for iteration in kept.points]
    base = [each.drawn.mean(axis=1) for each in (proxy, gold)]  # of more completions than PPO's first evaluation has
    gains = [np.concatenate([own[None], each.points[order[1:]]]) for own, each in zip(base, (proxy, gold), strict=True)]
    return Way("rl", [names[i] for i in order], [max(0.0, float(kl[i])) for i in order], *gains)


def _proxy(kept: Kept) -> Path:
    return Path(kept.told["config"]["reward"])


def _group(prompt: Group, rows: Sequence[Mapping[str, Any]]) -> Group:
    texts = tuple(Completion(str(k), row["text"]) for k, row in enumerate(rows))
    return Group(prompt.id, prompt.prompt, texts)

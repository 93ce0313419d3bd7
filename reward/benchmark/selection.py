"""``reward bench select``: how many labels each way of choosing them saves, on sets whose labels are known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from labeler.errors import DataError, UsageError
from labeler.formats import iter_groups, prompt_key
from labeler.formats.files import replacing
from labeler.records import Completion, Group
from reward.artifact import BUDGET
from reward.base import resolve
from reward.benchmark.active import BUDGETS, SHARES, Comparisons, accuracy_at, draw_trial, judge_method, learn
from reward.bootstrap import Floats
from reward.config.bench import BenchSelectConfig
from reward.config.select import METHODS
from reward.data import Encoder
from reward.encoder import TextEncoder, conversation
from reward.features import score_and_features
from reward.frozen import find_layers
from reward.model import RewardModel, new_reward_model
from reward.progress import Progress

EMBEDDER = "minilm-l6"
"""What tells similar prompts, as in `reward select`."""


def bench_select(config: BenchSelectConfig, progress: Progress) -> dict[str, Any]:
    """Learning curves of every method on every data set, as the command prints them in JSON."""
    return {
        "bench": "select",
        "base": config.base,
        "layers": config.layers,
        "seeds": config.seeds,
        "sets": [study(source, config, progress) for source in config.data],
    }


def study(source: str, config: BenchSelectConfig, progress: Progress) -> dict[str, Any]:
    """One data set: every method with every seed."""
    data = load(source, config, progress)
    trials = [draw_trial(data, seed) for seed in range(config.seeds)]
    curves: dict[str, Floats] = {}
    name = Path(source).name.partition(".")[0]
    with progress.stage(f"learn {name}", total=len(METHODS) * len(trials)) as bar:
        for method in METHODS:
            rows = []
            for seed, trial in enumerate(trials):
                rows.append(learn(trial, method, seed))
                bar.step()
            curves[method] = np.stack(rows)
    outcomes = [judge_method(method, curves[method], curves["random"], SHARES) for method in METHODS]
    return {
        "data": name,
        "labels": round(float(np.mean([len(trial.pool) for trial in trials]))),
        "test_pairs": round(float(np.mean([len(trial.test) for trial in trials]))),
        "held_out": "prompts" if data.by_prompt else "completions",
        "random_reaches": [accuracy_at(curves["random"], SHARES, budget) for budget in BUDGETS],
        "shares": SHARES,
        "methods": [asdict(outcome) | {"beats_random": outcome.beats_random} for outcome in outcomes],
    }


def load(source: str, config: BenchSelectConfig, progress: Progress) -> Comparisons:
    """The comparisons of a data set with the features of their completions.

    Raises:
        DataError: nobody preferred anything in it, or it has a single prompt with too few completions.
    """
    groups = [*iter_groups(source)]
    prompts = by_prompt(groups)
    features, kept = cached(prompts, config, progress)
    places = {key: k for k, key in enumerate(kept)}
    numbers = {prompt.id: k for k, prompt in enumerate(prompts)}
    rows = [
        (places[a], places[b], numbers[key], tally.wins_i, tally.wins_j)
        for group in groups
        for key in [prompt_key(group.prompt)]
        for tally in group.tallies()
        if (a := (key, group.completions[tally.i].text)) in places
        and (b := (key, group.completions[tally.j].text)) in places
        and a != b
        and tally.wins_i + tally.wins_j
    ]
    if len(rows) < 100:
        raise DataError(f"has {len(rows)} comparisons with a preference; give at least 100", file=source)
    first, second, prompt, wins, losses = np.asarray(rows).T
    encoder = TextEncoder.load(EMBEDDER, device=config.device)
    near = encoder.embed([conversation(each.prompt) for each in prompts], progress, stage="embed prompts")
    return Comparisons(
        features, near.astype(np.float64), first, second, prompt, wins.astype(np.float64), losses.astype(np.float64)
    )


def by_prompt(groups: Iterable[Group]) -> list[Group]:
    """Each prompt once, with its different completions."""
    texts: dict[str, tuple[Group, dict[str, None]]] = {}
    for group in groups:
        _, found = texts.setdefault(prompt_key(group.prompt), (group, {}))
        found |= dict.fromkeys(completion.text for completion in group.completions)
    return [
        Group(key, group.prompt, tuple(Completion(str(k), text) for k, text in enumerate(found)))
        for key, (group, found) in texts.items()
    ]


def cached(
    prompts: Sequence[Group], config: BenchSelectConfig, progress: Progress
) -> tuple[Floats, list[tuple[str, str]]]:
    """(M, d) features of all completions that can be read, and (prompt, text) of each; computed once per data and base.

    With ``--cache`` they are kept in a file there.
    """
    texts = repr([(group.id, [c.text for c in group.completions]) for group in prompts])
    digest = hashlib.sha256(f"{config.base}\0{config.layers}\0{texts}".encode("utf-8", "surrogatepass")).hexdigest()
    path = config.cache / f"{digest[:16]}.npy" if config.cache else None
    if path and path.is_file():
        features = np.load(path, allow_pickle=False).astype(np.float64)
    else:
        features = read_features(prompts, config, progress)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary, temporary.open("wb") as stream:
                np.save(stream, features.astype(np.float32))
    keys = [(group.id, c.text) for group in prompts for c in group.completions]
    whole = np.isfinite(features).all(axis=1)
    return features[whole], [key for key, fits in zip(keys, whole, strict=True) if fits]


def read_features(prompts: Sequence[Group], config: BenchSelectConfig, progress: Progress) -> Floats:
    """(M, d) frozen features of every completion, a row of NaN where one does not fit.

    A decoder gives what the head of a reward model would read: the last layer's state at the end of prompt and
    completion. An encoder gives the embedding of the completion, and its product with that of the prompt.
    """
    model, tokenizer = new_reward_model(resolve(config.base), seed=0)
    if not model.shares_prefix:
        return embedded(prompts, TextEncoder.load(config.base, device=config.device), progress)
    if config.layers is not None:
        keep_first(model, config.layers)
    model.to(config.device if config.device != "auto" else "cpu")
    return last_states(prompts, model, Encoder(tokenizer, model.max_length), progress)


def keep_first(model: RewardModel, count: int) -> None:
    """Leave a decoder only its first so many layers."""
    backbone = getattr(model.classifier, model.classifier.base_model_prefix)
    depth = model.classifier.config.get_text_config().num_hidden_layers
    name, layers = find_layers(backbone, depth)
    if count > depth:
        raise UsageError(f"--layers {count}: {type(backbone).__name__} has {depth} layers; give at most that")
    setattr(backbone, name, layers[:count])


def embedded(prompts: Sequence[Group], encoder: TextEncoder, progress: Progress) -> Floats:
    """(M, 2 d) embeddings of completions, and their products with the prompt's, scaled to about the same size."""
    asked = encoder.embed([conversation(group.prompt) for group in prompts], progress, stage="embed prompts")
    texts = [completion.text for group in prompts for completion in group.completions]
    said = encoder.embed(texts, progress, stage="embed completions").astype(np.float64)
    rows = asked.astype(np.float64).repeat([len(group.completions) for group in prompts], axis=0)
    return np.concatenate([said, said * rows * np.sqrt(said.shape[1]) / 2], axis=1)


def last_states(prompts: Sequence[Group], model: RewardModel, encoder: Encoder, progress: Progress) -> Floats:
    """(M, d) last-layer features of completions."""
    found: list[Floats] = []
    with progress.stage("features", total=len(prompts)) as bar:
        for group in prompts:
            encoded, _ = encoder.group(group)
            _, (rows,) = score_and_features(model, [encoded], BUDGET)
            values = np.full((len(group.completions), rows.shape[1]), np.nan)
            values[list(encoded.kept)] = rows
            found.append(values)
            bar.step()
    return np.concatenate(found)


def table(result: dict[str, Any]) -> list[str]:
    """The outcome as a Markdown table."""
    lines = [
        "| data, features (labels, held out) | method | labels for what random reaches with a quarter | … with all "
        "| first half of the labels, points above random |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in result["sets"]:
        head = f"| {each['data']}, {result['base']} ({each['labels']}, {each['held_out']}) "
        for row in each["methods"]:
            needs = [
                f"{100 * need:.0f} % ({100 * low:.0f} – {100 * high:.0f})"
                for need, (low, high) in zip(row["needed"], row["needed_ci95"], strict=True)
            ]
            if row["method"] == "random":
                needs = [f"100 % = {100 * reached:.1f} % right" for reached in each["random_reaches"]]
            lines.append(f"{head}| {row['method']} | {' | '.join(needs)} | {in_words(row)} |")
            head = "| "
    return lines


def in_words(row: Mapping[str, Any]) -> str:
    """How a method compares with random over the first half of the labels."""
    if row["method"] == "random":
        return ""
    low, high = (100 * bound for bound in row["gain_ci95"])
    verdict = "better" if low > 0 else "worse" if high < 0 else "no difference shown"
    return f"{100 * row['gain']:+.1f} ({low:+.1f} to {high:+.1f}): {verdict}".replace("-", "−")

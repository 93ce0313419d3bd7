"""One self-contained page about a PPO run: what it gained, at which distance, its curves, and samples over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labeler.records import Group
from reward.pages import fill
from reward.plots import svg
from reward.ppo_state import Row, State
from reward.rl_plots import PANELS, panel

SHOWN_PROMPTS = 6
"""So many held-out prompts are shown with their completions over time."""
MOMENTS = 4
"""At so many evaluations, the first and the last among them."""


def render(told: Mapping[str, Any], state: State, prompts: Mapping[str, Group]) -> str:
    """The page as one string without any outside reference; texts are shown exactly as they are.

    Args:
        told: the manifest.
        state: the course of the run.
        prompts: held-out prompts by id.
    """
    batches, evaluations = state.rows("batch"), state.rows("evaluation")
    panels = [{"svg": svg(panel(each, batches, evaluations)), "caption": each.caption} for each in PANELS]
    return fill(
        "ppo",
        title=f"PPO: {told['policy']['name']} against {told['reward_model']['name']}",
        verdict=verdict(evaluations),
        better=_better(evaluations),
        panels=panels,
        evaluations=evaluations,
        samples=samples_over_time(state.samples, prompts),
        notes=told["sharing"],
        provenance=_provenance(told),
        signed=signed,
        span=span,
    )


def verdict(evaluations: Sequence[Row]) -> str:
    """One or two plain sentences: what was gained on held-out prompts, at which distance."""
    first, last = evaluations[0], evaluations[-1]
    if last is first:
        return "Nothing was trained: there is only the evaluation of the start."
    said = (
        f"On held-out prompts the mean reward went from {signed(first['reward'])} to {signed(last['reward'])}, a gain "
        f"of {signed(last['gain'])} (95 % interval {span(last['gain_ci95'])}); its standard deviation at the start was "
        f"{first['reward_sd']:.2f}. The policy is {last['kl']:.1f} nats per completion away from where it began "
        f"(interval {span(last['kl_ci95'])})."
    )
    if _better(evaluations):
        return f"{said} It is the reward model that says so; whether people, or another reward model, agree is open."
    return f"{said} The interval does not lie above zero: no gain is shown."


def _better(evaluations: Sequence[Row]) -> bool:
    interval = evaluations[-1]["gain_ci95"]
    return interval is not None and interval[0] > 0


def samples_over_time(samples: Sequence[Row], prompts: Mapping[str, Group]) -> list[dict[str, Any]]:
    """The first completion of some prompts at some evaluations, in order."""
    iterations = sorted({row["iteration"] for row in samples})
    steps = min(MOMENTS, len(iterations))
    moments = sorted({iterations[round(i * (len(iterations) - 1) / max(1, steps - 1))] for i in range(steps)})
    shown = []
    for name in list(prompts)[:SHOWN_PROMPTS]:
        turns = prompts[name].prompt
        text = turns[0].content if len(turns) == 1 else "\n\n".join(f"{m.role}: {m.content}" for m in turns)
        own = {row["iteration"]: row for row in samples if row["prompt"] == name and row["number"] == 0}
        shown.append({"id": name, "prompt": text, "moments": [own[moment] for moment in moments]})
    return shown


def signed(value: float | None) -> str:
    """``-0.5`` as ``−0.50``, None as a dash."""
    return "–" if value is None else f"{value:+.2f}".replace("-", "−")


def span(interval: tuple[float, float] | None) -> str:
    """An interval in words."""
    return "–" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}".replace("-", "−")


def _provenance(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = {
        "policy": told["policy"],
        "reward model": {key: told["reward_model"][key] for key in ("name", "sha256", "mean", "std")},
        "prompts": told["prompts"],
        "settings": {key: value for key, value in told["config"].items() if value is not None},
        "seed": told["seed"],
        "iterations": told["iterations"],
        "minutes": round(told["seconds"] / 60, 1),
        "versions": told["versions"],
        "git commit": told["git_commit"],
    }
    flat = {k: ", ".join(f"{a} {b}" for a, b in v.items()) if isinstance(v, dict) else v for k, v in rows.items()}
    return [(name, str(value)) for name, value in flat.items() if value is not None]

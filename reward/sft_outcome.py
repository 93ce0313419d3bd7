"""What a fine-tuned policy's folder says of itself: sft.json, the model card README.md, and report.html."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labeler.formats import prompt_key
from labeler.records import Group
from reward.chat import ChatReport
from reward.manifest import KEY_CHARACTERS, git_commit, versions
from reward.pages import fill
from reward.plots import ACCENT, MUTED, STYLE, WARM, svg
from reward.sft_state import Answer, Epoch, State
from reward.splits import Splits

MANIFEST = "sft.json"


@dataclass(frozen=True)
class Outcome:
    """A finished run.

    Attributes:
        settings: flags and digests of the data.
        base: identity of the base model.
        splits: what was learned from and measured on.
        encoding: what encoding the training conversations did to them.
        state: the course of the run.
        chosen: the epoch that was kept. why: the reason in words.
        prompts: validation prompts that every epoch answered, each with the demonstrated answer.
        max_length: tokens that a conversation could have.
        seconds: wall time of steps and measurements of this process.
    """

    settings: Mapping[str, Any]
    base: Mapping[str, str]
    splits: Splits
    encoding: ChatReport
    state: State
    chosen: Epoch
    why: str
    prompts: Sequence[Group]
    max_length: int
    seconds: float

    @property
    def start(self) -> str:
        """What the policy started from, in words."""
        name = self.base["name"]
        return f"the architecture of {name} with random weights" if self.settings["from_scratch"] else name

    def findings(self) -> list[str]:
        """What a reader should know first, one sentence each."""
        before, best = self.state.epochs[0], self.chosen
        found = [f"Epoch {best.number} of {self.settings['epochs']} was kept for {self.why}."]
        if before.loss is not None and best.loss is not None:
            way = "fell" if best.loss < before.loss else "did not fall"
            found.append(
                f"The validation loss {way}: {before.loss:.4f} nats per token before training, {best.loss:.4f} after."
            )
        if before.reward is not None and best.reward is not None:
            found.append(
                f"Mean reward of {len(self.prompts)} answers: {with_error(before.reward, before.reward_error)} before, "
                f"{with_error(best.reward, best.reward_error)} after. The epoch was chosen by it, so the latter is "
                "somewhat too high; measure on other prompts."
            )
            if before.reward >= best.reward:
                found.append("No epoch's answers have a higher mean reward than those of the model before training.")
        return [*found, *self.encoding.lines()]


def manifest(outcome: Outcome) -> dict[str, Any]:
    """What sft.json says, ready for JSON."""
    flags = {name: value for name, value in outcome.settings.items() if name not in ("data_sha256", "seed")}
    parts = {name: getattr(outcome.splits, name) for name in ("train", "valid", "test")}
    seen = (*outcome.splits.train, *outcome.splits.valid)
    return {
        "schema": 1,
        "base": dict(outcome.base),
        "data": {
            "sha256": outcome.settings["data_sha256"],
            "conversations": {name: len(part) for name, part in parts.items()},
            "split": outcome.splits.rule,
            "encoding": asdict(outcome.encoding),
        },
        "config": flags,
        "seed": outcome.settings["seed"],
        "max_length": outcome.max_length,
        "chosen": outcome.chosen.figures() | {"why": outcome.why},
        "epochs": [epoch.figures() for epoch in outcome.state.epochs],
        "losses": outcome.state.losses,
        "steps": outcome.state.step,
        "seconds": round(outcome.seconds, 1),
        "versions": versions(),
        "git_commit": git_commit(),
        "seen_prompts": sorted({prompt_key(group.prompt)[:KEY_CHARACTERS] for group in seen}),
    }


def write_outcome(folder: Path, name: str, outcome: Outcome) -> None:
    """Put sft.json, README.md and report.html into a folder."""
    told = json.dumps(manifest(outcome), indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(told + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(name, outcome), encoding="utf-8")
    (folder / "report.html").write_text(page(name, outcome), encoding="utf-8")


def card(name: str, outcome: Outcome) -> str:
    """README.md: a model card as the Hub reads it."""
    base = outcome.base
    front = ["library_name: transformers", "pipeline_tag: text-generation", "tags:", "- sft"]
    if base.get("kind") != "folder":
        front.append(f"base_model: {json.dumps(base['name'])}")
    if "license" in base:
        front.append(f"license: {base['license'].lower()}")
    head = "| epoch | validation loss | mean reward | answers that end |"
    rows = [
        f"| {epoch.number} | {number(epoch.loss, 4)} | {with_error(epoch.reward, epoch.reward_error)} | "
        f"{ended(epoch.answers)} |"
        for epoch in outcome.state.epochs
    ]
    return "\n".join(
        [
            "---",
            *front,
            "---",
            "",
            f"# {name}",
            "",
            f"A policy: {outcome.start}, fine-tuned on {len(outcome.splits.train)} demonstrations and dialogues",
            f"({outcome.encoding.learned} tokens of the assistant's turns). It closes its turn with its end token.",
            "",
            *(f"- {line}" for line in outcome.findings()),
            "",
            head,
            "|" + " --- |" * 4,
            *rows,
            "",
            "Epoch 0 is before training. Losses are nats per token of the answers of held-out conversations; no prompt",
            "is in two splits. The kept epoch's loss on the test conversations, which chose nothing: "
            f"{number(outcome.chosen.test_loss, 4)} (before: {number(outcome.state.epochs[0].test_loss, 4)}).",
            "",
            "## Use",
            "",
            "```python",
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            "",
            "tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)",
            'messages = [{"role": "user", "content": "Name a prime."}]',
            "prompt = tokenizer.apply_chat_template(",
            '    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"',
            ")",
            "print(tokenizer.decode(model.generate(**prompt, max_new_tokens=100)[0]))",
            "```",
            "",
            "## Limits",
            "",
            "It imitates the people who wrote the demonstrations, what they did not know included.",
            "",
        ]
    )


def page(name: str, outcome: Outcome) -> str:
    """report.html, without any outside reference."""
    epochs = outcome.state.epochs
    figures = {"loss": loss_plot(outcome.state, outcome.chosen)}
    if any(epoch.reward is not None for epoch in epochs):
        figures["reward"] = reward_plot(epochs, outcome.chosen)
    return fill(
        "sft",
        title=f"Fine-tuning: {name}",
        subtitle=[f"From {outcome.start}, on {len(outcome.splits.train)} conversations."],
        findings=outcome.findings(),
        figures={key: svg(figure) for key, figure in figures.items()},
        epochs=[
            {
                "number": epoch.number,
                "chosen": epoch is outcome.chosen,
                "loss": number(epoch.loss, 4),
                "test": number(epoch.test_loss, 4),
                "reward": with_error(epoch.reward, epoch.reward_error),
                "ended": ended(epoch.answers),
            }
            for epoch in epochs
        ],
        samples=[_sample(outcome, index) for index in range(len(outcome.prompts))],
        settings={key: value for key, value in outcome.settings.items() if key != "data_sha256"},
    )


def _sample(outcome: Outcome, index: int) -> dict[str, Any]:
    """One prompt with its demonstration, the answers before training and of the kept epoch, and the others."""
    group, epochs = outcome.prompts[index], outcome.state.epochs
    alone = len(group.prompt) == 1
    turns = [turn.content if alone else f"{turn.role}: {turn.content}" for turn in group.prompt]
    shown = {epoch.number: _shown(epoch.answers[index]) for epoch in epochs}
    return {
        "id": group.id,
        "prompt": "\n\n".join(turns),
        "demonstration": group.completions[0].text,
        "before": shown[0],
        "chosen": shown[outcome.chosen.number],
        "others": [(key, each) for key, each in shown.items() if key not in (0, outcome.chosen.number)],
    }


def _shown(answer: Answer) -> dict[str, str]:
    reward = "" if answer.reward is None else f" · reward {number(answer.reward, 2)}"
    cut = "" if answer.finished else " · cut"
    return {"text": answer.text, "note": f"{answer.tokens} tokens{cut}{reward}"}


def loss_plot(state: State, chosen: Epoch) -> Figure:
    """Training loss per step, smoothed over a tenth of the run, and validation loss after each epoch."""
    losses = state.losses
    window = max(1, len(losses) // 10)
    smooth = [sum(losses[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(losses))]
    steps = range(1, len(losses) + 1)
    valid = [(epoch.step, epoch.loss) for epoch in state.epochs if epoch.loss is not None]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(steps, losses, color=ACCENT, alpha=0.25, linewidth=0.8)
        axes.plot(steps, smooth, color=ACCENT, linewidth=2, label="training")
        if valid:
            axes.plot(*zip(*valid, strict=True), "o-", color=WARM, label="validation")
        axes.axvline(chosen.step, color=MUTED, linewidth=1, linestyle="--", label="kept")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("optimiser step")
        axes.set_ylabel("loss (nats per token)")
        figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9, handlelength=1.4)
    return figure


def reward_plot(epochs: Sequence[Epoch], chosen: Epoch) -> Figure:
    """Mean reward of the answers after each epoch, with its standard error over prompts."""
    measured = [epoch for epoch in epochs if epoch.reward is not None]
    numbers = [epoch.number for epoch in measured]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        axes.errorbar(
            numbers,
            [epoch.reward or 0.0 for epoch in measured],
            [epoch.reward_error or 0.0 for epoch in measured],
            fmt="o-",
            color=WARM,
            capsize=3,
            label="mean reward, ± standard error over prompts",
        )
        axes.axvline(chosen.number, color=MUTED, linewidth=1, linestyle="--", label="kept")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel("reward")
        figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9, handlelength=1.4)
    return figure


def number(value: float | None, digits: int) -> str:
    """A number with a real minus; None as a dash."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def with_error(value: float | None, error: float | None) -> str:
    """``0.42 ± 0.11``."""
    return number(value, 2) + ("" if error is None else f" ± {error:.2f}")


def ended(answers: Sequence[Answer]) -> str:
    """How many answers ended by themselves."""
    return f"{sum(each.finished for each in answers)} of {len(answers)}" if answers else "–"

"""README.md of a reward model: a model card in the form that the Hugging Face Hub reads, with the evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SPLITS = {"test": "held-out test prompts", "valid": "validation prompts (also used for calibration)"}


def model_card(name: str, manifest: Mapping[str, Any]) -> str:
    """The card's text from what reward.json says."""
    base, metrics = manifest["base"], manifest["metrics"]
    return "\n".join(
        [
            "---",
            *_front_matter(name, base, metrics),
            "---",
            "",
            f"# {name}",
            "",
            f"A reward model: it scores how much people would like a completion. Trained from {base['name']} on "
            f"{manifest['data']['groups']['train']} ranked groups with the {manifest['config']['loss']} loss.",
            "",
            "## Evaluation",
            "",
            *_table(metrics),
            "",
            "Accuracy is over pairs of completions of one prompt: the majority decides, ties are not counted,",
            "equal scores count one half. The interval is a bootstrap over prompts. No prompt is in two splits.",
            "",
            "## Use",
            "",
            *_use(manifest),
            "",
            "## Limits",
            "",
            "The score stands for the taste of the people who ranked, on prompts like theirs. Policies that are",
            "optimised against it find what it gets wrong; measure with people again.",
            "",
        ]
    )


def _front_matter(name: str, base: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    """YAML between the dashes; JSON strings are valid YAML."""
    lines = ["library_name: transformers", "pipeline_tag: text-classification"]
    lines += ["tags:", "- reward-model", "- reward-trainer", "- preference"]
    if base.get("kind") != "folder":
        lines.append(f"base_model: {json.dumps(base['name'])}")
    if "license" in base:
        lines.append(f"license: {base['license'].lower()}")
    split = next((split for split in SPLITS if split in metrics), None)
    if split:
        lines += ["model-index:", f"- name: {json.dumps(name)}", "  results:"]
        lines += ["  - task:", "      type: preference_evaluation", "      name: Preference evaluation"]
        lines += ["    dataset:", "      type: rankings", f"      name: {SPLITS[split]}"]
        lines += ["    metrics:", "    - type: accuracy", f"      value: {metrics[split]['accuracy']:.4f}"]
    return lines


def _table(metrics: Mapping[str, Any]) -> list[str]:
    if not metrics:
        return ["No ranked groups were held out, so nothing was measured."]
    head = ["| prompts | pairs | accuracy | 95 % interval | longer text wins | people agree | ECE | Brier |"]
    rows = [
        f"| {text} | {m['comparisons']} | {m['accuracy']:.3f} | {_interval(m['accuracy_ci95'])} | "
        f"{m['length_only_accuracy']:.3f} | {_number(m['human_agreement'])} | {m['ece']:.3f} | {m['brier']:.3f} |"
        for split, text in SPLITS.items()
        if (m := metrics.get(split))
    ]
    return [*head, "|" + " --- |" * 8, *rows]


def _use(manifest: Mapping[str, Any]) -> list[str]:
    return [
        "Render the whole conversation with the tokenizer's chat template, tokenize with `add_special_tokens=False`,",
        "pad on the right, and read the one logit:",
        "",
        "```python",
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer",
        "",
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
        "model = AutoModelForSequenceClassification.from_pretrained(folder)",
        'messages = [{"role": "user", "content": "Name a prime."}, {"role": "assistant", "content": "7"}]',
        "text = tokenizer.apply_chat_template(messages, tokenize=False)",
        'score = model(**tokenizer(text, add_special_tokens=False, return_tensors="pt")).logits[0, 0]',
        "```",
        "",
        f"The mean of raw scores on {manifest['centred_on']} is {manifest['mean']:.4f}, their standard deviation "
        f"{manifest['std']:.4f} (`mean` and",
        "`std` in config.json). `fixtures.jsonl` holds texts, token ids and raw scores to test another engine against.",
    ]


def _interval(bounds: Any) -> str:
    return "–" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"

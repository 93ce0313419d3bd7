"""Probabilities of a label by any text classifier: a folder, or a name on the Hub."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from labeler.errors import ModelError
from reward.base import quiet, resolve
from reward.policy import pick_device
from reward.progress import Progress

BATCH = 16


@dataclass(frozen=True)
class Classifier:
    """A sequence classifier and the one label whose probability is taken.

    Attributes:
        name: as it was asked for. label: number of the label's output.
        independent: labels are not exclusive, so that each has a probability of its own (a sigmoid, not a softmax).
        context: tokens of a text that are read at most.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    label: int
    independent: bool
    context: int

    @classmethod
    def load(cls, name: str, label: str, *, device: str = "auto") -> Classifier:
        """Load a classifier.

        Args:
            name: local folder, or a name on the Hub.
            label: the name of its label, in any case.

        Raises:
            ModelError: it cannot be found or read, or has no such label (names those that it has).
        """
        folder = resolve(name)
        try:
            with quiet():
                tokenizer = AutoTokenizer.from_pretrained(folder)
                model = AutoModelForSequenceClassification.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise ModelError(f"{name} is no text classifier that transformers reads: {error}") from error
        labels = {str(text).casefold(): int(number) for number, text in model.config.id2label.items()}
        if label.casefold() not in labels:
            raise ModelError(f"{name} has no label {label!r}; choose one with --toxicity-label: {', '.join(labels)}")
        independent = model.config.problem_type == "multi_label_classification" or len(labels) == 1
        own = getattr(model.config, "max_position_embeddings", None) or tokenizer.model_max_length
        model.to(pick_device(device)).eval()
        context = int(min(own, tokenizer.model_max_length))
        return cls(model, tokenizer, name, labels[label.casefold()], independent, context)

    @torch.no_grad()
    def probabilities(self, texts: Sequence[str], progress: Progress) -> list[float]:
        """P(label) of each text, of its beginning where it is longer than the classifier reads."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # so that little is padded
        found = [math.nan] * len(texts)
        with progress.stage(f"toxicity by {self.name}", total=len(texts)) as stage:
            for start in range(0, len(order), BATCH):
                places = order[start : start + BATCH]
                batch = self.tokenizer(
                    [texts[place] for place in places],
                    padding=True,
                    truncation=True,
                    max_length=self.context,
                    return_tensors="pt",
                ).to(self.model.device)
                logits = self.model(**batch).logits.double()
                chances = torch.sigmoid(logits) if self.independent else torch.softmax(logits, dim=-1)
                for place, chance in zip(places, chances[:, self.label].tolist(), strict=True):
                    found[place] = chance
                stage.step(start + len(places))
        return found

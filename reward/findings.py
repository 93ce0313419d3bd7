"""Everything that one evaluation found beside its plain metrics, as verdicts for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from reward.benchmarks import BenchmarkResult
from reward.biases import FEWEST_PROMPTS, Biases
from reward.bootstrap import Interval
from reward.compare import Comparison
from reward.evaluate import Metrics
from reward.folds import CrossValidation
from reward.learning_curve import LearningCurve
from reward.uncertainty_check import UncertaintyCheck

Tone = Literal["good", "bad", "open"]


@dataclass(frozen=True)
class Verdict:
    """One finding: what it is about, a sentence or two, whether it speaks for the model, and where the details are."""

    about: str
    text: str
    tone: Tone
    section: str


@dataclass(frozen=True)
class Findings:
    """What was found; None where it was not asked for or cannot be had.

    Attributes:
        biases: length, formatting and position.
        temperature_ci95: of the model's temperature over its validation prompts.
        uncertainty: whether the model's standard deviations are worth anything.
        against: the comparison with a second model.
        benchmark: the score on a published benchmark.
        cross_validation: over annotators. learning_curve: against the number of labels.
        refit_settings: what those two were trained with, in words.
    """

    biases: Biases | None = None
    temperature_ci95: Interval | None = None
    uncertainty: UncertaintyCheck | None = None
    against: Comparison | None = None
    benchmark: BenchmarkResult | None = None
    cross_validation: CrossValidation | None = None
    learning_curve: LearningCurve | None = None
    refit_settings: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers; every part that has a verdict holds it."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            is_record = hasattr(value, "__dataclass_fields__")
            found[field.name] = asdict(value) if is_record else value
            if hasattr(value, "verdict"):
                found[field.name]["verdict"] = value.verdict
        if self.benchmark and self.benchmark.ties:
            found["benchmark"]["ties"]["score"] = self.benchmark.ties.score
        return found

    def verdicts(self, metrics: Metrics) -> Iterator[Verdict]:
        """The sentences of the report, the most telling first."""
        if self.benchmark:
            yield Verdict("Benchmark", self.benchmark.verdict, "open", "benchmark")
        if against := self.against:
            tone: Tone = "open" if against.p_value >= 0.05 else "good" if against.difference > 0 else "bad"
            yield Verdict("Against the other model", against.verdict, tone, "against")
        if fold := self.cross_validation:
            above = fold.difference_ci95 is not None and fold.difference_ci95[1] >= 0
            tone = "open" if fold.difference_ci95 is None else "good" if above else "bad"
            yield Verdict("Other people", fold.verdict, tone, "people")
        if curve := self.learning_curve:
            yield Verdict("More labels", curve.verdict, "open", "labels")
        if self.biases:
            yield from _biases(self.biases)
        yield Verdict(
            "Calibration", calibration_verdict(metrics, self.temperature_ci95), _calibrated(metrics), "calibration"
        )
        if check := self.uncertainty:
            low, high = check.auroc_ci95 or (0.0, 1.0)
            tone = "good" if low > 0.5 else "bad" if high < 0.5 else "open"
            yield Verdict("Uncertainty", check.verdict, tone, "uncertainty")


def _biases(biases: Biases) -> Iterator[Verdict]:
    matched = biases.length_matched
    beats = matched.accuracy_ci95 is not None and matched.accuracy_ci95[0] > 0.5
    yield Verdict("Equal length", matched.verdict, "good" if beats else "open", "biases")
    formats = []
    for lean in biases.leans:
        biased = lean.difference_ci95[0] > 0 or lean.difference_ci95[1] < 0
        if lean.trait == "length" or biased:
            yield Verdict(lean.trait.capitalize(), lean.verdict, "bad" if biased else "good", "biases")
        else:
            formats.append(lean.trait)
    if formats:
        text = f"No bias for or against {', '.join(formats)} beyond people's own was found."
        yield Verdict("Formatting", text, "good", "biases")
    if biases.scarce:
        names = ", ".join(f"{name} ({pairs} pairs)" for name, pairs in biases.scarce)
        yield Verdict("Not enough to tell", f"Too few prompts have pairs that differ in: {names}.", "open", "biases")
    position = biases.position
    if position.earlier_ci95 is not None and position.prompts >= FEWEST_PROMPTS:
        sways = position.earlier_ci95[0] > 0.5 or position.earlier_ci95[1] < 0.5
        yield Verdict("Place in the list", position.verdict, "bad" if sways else "good", "biases")
    else:
        yield Verdict("Place in the list", position.verdict, "open", "biases")


def _calibrated(metrics: Metrics) -> Tone:
    return "good" if metrics.ece <= 0.05 else "bad" if metrics.ece > 0.1 else "open"


def calibration_verdict(metrics: Metrics, interval: Interval | None) -> str:
    """What the temperature is, and what it does to the probabilities, in a sentence."""
    span = f" (95 % interval {interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    change = f"ECE {metrics.ece_uncalibrated:.3f} → {metrics.ece:.3f}"
    if metrics.temperature == 1.0 and interval is None:
        return f"The model has no fitted temperature; its probabilities are off by {metrics.ece:.3f} on average (ECE)."
    helps = metrics.log_loss < metrics.log_loss_uncalibrated
    said = "makes probabilities better" if helps else "does not make probabilities better here"
    return (
        f"The temperature of {metrics.temperature:.2f}{span} {said} ({change},"
        f" log loss {metrics.log_loss_uncalibrated:.3f} → {metrics.log_loss:.3f})."
    )

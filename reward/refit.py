"""Train anew with the settings of a finished model on other parts of the data, to see what holds beyond one training.

Every training leaves ``scores.json`` under ``OUT/refit/NAME/`` and its model is removed, so that a command that was cut
goes on with the first training that is not done; one that was cut itself continues after its last checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from labeler.errors import DataError, ModelError
from labeler.formats import write_groups
from labeler.formats.files import replacing
from labeler.records import Group
from reward.artifact import Scorer
from reward.config.evaluate import EvaluateConfig
from reward.config.train import TrainConfig
from reward.folds import CrossValidation, judge_judgments, make_folds, summarise
from reward.learning_curve import LearningCurve, learning_curve, nested_shares
from reward.manifest import sha256_of_groups
from reward.measure import score_all
from reward.progress import Progress
from reward.splits import scored_only, split_groups
from reward.train import train

FOLDS = 5
"""As in InstructGPT, appendix E.2."""
ASIDE = ("data", "valid", "limit", "out", "seed", "evaluate_every", "checkpoint_every", "resume", "overwrite")
"""Settings of the model that a new training on a part of the data does not take over as they are."""


@dataclass(frozen=True)
class Refit:
    """Trains models like a given one.

    Attributes:
        settings: of the training, but for data and place.
        folder: where everything of it lies.
        progress: of the command.
    """

    settings: dict[str, Any]
    folder: Path
    progress: Progress

    def scores(self, name: str, training: Sequence[Group], measured: Sequence[Group]) -> list[list[float]]:
        """Raw scores of the measured groups by a model trained on the training groups; NaN where one does not fit.

        Args:
            name: of this training; the same name, data and settings give what was found before.
            training: groups to train on, all of them.
            measured: G groups.
        """
        place = self.folder / name
        key = self._key(training, measured)
        if (found := _found(place / "scores.json", key)) is not None:
            return found
        if not (place / "key").is_file() or (place / "key").read_text(encoding="utf-8") != key:
            shutil.rmtree(place, ignore_errors=True)
        try:
            place.mkdir(parents=True, exist_ok=True)
            (place / "key").write_text(key, encoding="utf-8")
        except OSError as error:
            raise DataError(f"cannot be written: {error.strerror}; choose another --out", file=str(place)) from error
        scores = score_all(self._trained(place, training), measured, self.progress, stage=f"measure {name}").scores
        shown = [[None if math.isnan(value) else value for value in values] for values in scores]
        with replacing(place / "scores.json") as temporary:
            temporary.write_text(json.dumps({"key": key, "scores": shown}), encoding="utf-8")
        shutil.rmtree(place / "model")
        return scores

    def _trained(self, place: Path, training: Sequence[Group]) -> Scorer:
        """The model of a place: the one that stands there, or a new one."""
        model = place / "model"
        if model.is_dir():
            device = self.settings.get("device", "auto")
            return Scorer.from_pretrained(model, device=None if device == "auto" else device)
        write_groups([replace(group, split="train") for group in training], place / "groups.jsonl")
        config = TrainConfig(data=(str(place / "groups.jsonl"),), out=model, resume=True, **self.settings)
        return train(config, self.progress).scorer

    def _key(self, training: Sequence[Group], measured: Sequence[Group]) -> str:
        parts = [json.dumps(self.settings, sort_keys=True), sha256_of_groups(training), sha256_of_groups(measured)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _found(path: Path, key: str) -> list[list[float]] | None:
    if not path.is_file():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    if told["key"] != key:
        return None
    return [[math.nan if value is None else float(value) for value in values] for values in told["scores"]]


def refit_of(config: EvaluateConfig, manifest: dict[str, Any], progress: Progress) -> Refit:
    """What trains models like ``config.model``.

    Raises:
        ModelError: the model does not say how it was trained.
    """
    told = manifest.get("config")
    if told is None:
        raise ModelError(
            f"{config.model} does not say how it was trained (no reward.json); train it with `reward train`"
        )
    names = {field.name for field in fields(TrainConfig)} - {*ASIDE}
    settings = {name: value for name, value in told.items() if name in names}
    settings |= {"seed": manifest.get("seed", 0), "device": config.device}
    return Refit(settings, config.out / "refit", progress)


def cross_validate(config: EvaluateConfig, groups: Sequence[Group], refit: Refit) -> CrossValidation:
    """Accuracy on held-out annotators' judgments; see `reward.folds` for what is held out of what."""
    count = config.folds or FOLDS
    folds, divided = make_folds(groups, count, seed=config.seed)
    found = []
    with refit.progress.stage("cross-validate", total=count) as stage:
        for number, fold in enumerate(folds, start=1):
            scores = refit.scores(f"fold-{number}-of-{count}", fold.train, fold.measured)
            judgments = judge_judgments(*scored_only(fold.measured, scores), fold.annotators)
            found.append([judgment for judgment in judgments if divided or judgment.held_out])
            stage.step(number)
    people = sum(len(fold.annotators) for fold in folds)
    return summarise(found, divided=divided, people=people, seed=config.seed)


def draw_curve(config: EvaluateConfig, groups: Sequence[Group], refit: Refit) -> LearningCurve:
    """Accuracy on the test split of models trained on shares of the training split.

    Raises:
        DataError: the data has no test split, or a share has nothing to train on.
    """
    splits = split_groups(groups)
    test = [group for group in splits.test if any(tally.majority for tally in group.tallies())]
    if not test:
        raise DataError("no group of the test split has a preference; a learning curve needs some, give more prompts")
    ranked = [group for group in splits.train if any(tally.majority for tally in group.tallies())]
    parts = nested_shares(ranked, config.learning_curve, seed=config.seed)
    scores = []
    with refit.progress.stage("learning curve", total=len(parts)) as stage:
        for number, (share, part) in enumerate(zip(config.learning_curve, parts, strict=True), start=1):
            if not part:
                raise DataError("no group of the training split has a preference; give more rankings")
            scores.append(refit.scores(f"share-{share:g}", part, test))
            stage.step(number)
    kept = [scored_only(test, values) for values in scores]
    return learning_curve(config.learning_curve, parts, kept[0][0], [values for _, values in kept], seed=config.seed)


def settings_in_words(refit: Refit) -> str:
    """The settings that every training shares, for the report."""
    shown = ("base", "epochs", "lr", "loss", "batch", "seed")
    return ", ".join(f"{name} {refit.settings[name]}" for name in shown if name in refit.settings)

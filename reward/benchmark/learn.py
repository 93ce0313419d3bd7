"""A training whose only result is what it says of held-out groups; nothing else of the model is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from labeler.errors import DataError
from labeler.formats import read, write_groups
from labeler.formats.files import replacing
from labeler.records import Group
from reward.artifact import Scorer
from reward.auxiliary import Auxiliary
from reward.calibration import fit_temperature
from reward.config.train import TrainConfig
from reward.likelihood import prepare
from reward.manifest import sha256_of_groups
from reward.measure import score_all
from reward.model import head, new_reward_model, start_head
from reward.precision import pick_precision
from reward.progress import Progress
from reward.train import Course, fit, pick_weights


@dataclass(frozen=True)
class Learned:
    """What a training gave: a raw score per completion of every measured group, its steps, and the temperature."""

    scores: list[list[float]]
    steps: int
    temperature: float = 1.0


@dataclass(frozen=True)
class Parts:
    """Groups to train on, to fit the temperature to, and to measure on; no prompt is in two of them."""

    train: Sequence[Group]
    valid: Sequence[Group]
    test: Sequence[Group]

    @property
    def sha256(self) -> dict[str, str]:
        """Digest of the content of each part."""
        return {name: sha256_of_groups(groups) for name, groups in vars(self).items()}

    def save(self, folder: Path) -> None:
        """Write them for the processes that train."""
        for name, groups in vars(self).items():
            if groups:
                write_groups(groups, folder / f"{name}.jsonl")

    @classmethod
    def load(cls, folder: Path) -> Parts:
        """Read what `save` wrote."""
        files = {name: folder / f"{name}.jsonl" for name in ("train", "valid", "test")}
        return cls(**{name: read(file).groups if file.is_file() else () for name, file in files.items()})


class Student:
    """A base model that is trained again and again, each time from its first weights and the head of a seed.

    Args:
        config: which weights learn, in which number format and where.
        base: resolved folder of the base model.
    """

    def __init__(self, config: TrainConfig, base: Path) -> None:
        precision = pick_precision(config.precision, config.device)
        half = "bf16" if precision == "bfloat16" else "no"
        self.accelerator = Accelerator(mixed_precision=half, cpu=config.device == "cpu")
        model, tokenizer = new_reward_model(base, seed=config.seed, max_length=config.max_length)
        pick_weights(model, config, precision, base)
        self.scorer = Scorer(model, tokenizer)
        self._first = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}

    def learn(self, config: TrainConfig, parts: Parts) -> Learned:
        """Train as ``reward train`` does with these settings, then score the measured groups in float32.

        Args:
            config: settings of the training; its data, out and valid are not looked at.
            parts: the groups.

        Raises:
            DataError: no group to train on has labels that these settings use.
        """
        model, silent = self.scorer.model, Progress(quiet=True)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in self._first:
                    parameter.copy_(self._first[name])
        start_head(head(model.classifier), config.seed)
        examples = [ready for group in self.scorer.encode(parts.train)[0] if (ready := prepare(group, config))]
        if not examples:
            raise DataError("no training group has a pair that somebody prefers strictly; give more rankings")
        auxiliary = Auxiliary(config, examples, self.accelerator.device)
        state = fit(Course(config, self.scorer, examples, (), auxiliary), self.accelerator, silent)
        valid, test = (score_all(self.scorer, groups, silent).scores for groups in (parts.valid, parts.test))
        return Learned(test, state.step, fit_temperature(parts.valid, valid) if parts.valid else 1.0)


@contextmanager
def student(config: TrainConfig, base: Path) -> Iterator[Student]:
    """A `Student`; after the block another one may use another number format."""
    try:
        yield Student(config, base)
    finally:
        AcceleratorState._reset_state()


@dataclass(frozen=True)
class Kept:
    """Where the trainings of one side of a comparison are kept, a small JSON for each seed.

    Attributes:
        folder: of the files. name: of the side.
        about: everything but the seed that decides the result.
    """

    folder: Path
    name: str
    about: dict[str, Any]

    def find(self, seed: int) -> Learned | None:
        """What was kept of the training of this seed with the same settings."""
        if not self._file(seed).is_file():
            return None
        told = json.loads(self._file(seed).read_text(encoding="utf-8"))
        return Learned(**told) if told.pop("key") == self._key(seed) else None

    def get(self, seed: int, train: Callable[[], Learned]) -> Learned:
        """What was kept; else what the training gives, which is kept then.

        Raises:
            DataError: the file cannot be written.
        """
        if (found := self.find(seed)) is not None:
            return found
        file = self._file(seed)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"cannot be written: {error.strerror}; choose another --out", file=str(file)) from error
        learned = train()
        with replacing(file) as temporary:
            temporary.write_text(json.dumps({"key": self._key(seed)} | asdict(learned)) + "\n", encoding="utf-8")
        return learned

    def _file(self, seed: int) -> Path:
        return self.folder / f"{self.name.replace(' ', '-')}-{seed}.json"

    def _key(self, seed: int) -> str:
        return hashlib.sha256(json.dumps(self.about | {"seed": seed}, sort_keys=True).encode()).hexdigest()


def learn_seeds(
    *, base: str, parts: str, folder: str, name: str, about: dict[str, Any], seeds: int, **settings: Any
) -> list[Learned]:
    """The trainings of all seeds in a process of their own; each is kept as soon as it is done.

    Args:
        base: resolved folder of the base model.
        parts: where the groups were saved.
        folder, name, about: of the `Kept`.
        seeds: 0, 1, … up to but without this.
        settings: further fields of `TrainConfig`.
    """
    kept, groups = Kept(Path(folder), name, about), Parts.load(Path(parts))
    config = TrainConfig(data=(parts,), out=Path(folder), base=base, **settings)
    with student(config, Path(base)) as learner:
        return [kept.get(seed, partial(learner.learn, replace(config, seed=seed), groups)) for seed in range(seeds)]

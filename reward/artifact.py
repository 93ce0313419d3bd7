"""The reward model artifact: a plain Hugging Face folder that everyone can load, and `Scorer`, which loads it here.

::

    config.json  model.safetensors  tokenizer*  chat_template.jinja     what transformers, vLLM, TRL, OpenRLHF read
    reward.json      where it came from: base, data, split, settings, versions, metrics, calibration
    uncertainty/     how sure a score is (`reward.uncertainty`); apart, since engines load every *.safetensors above it
    fixtures.jsonl   texts with token ids and raw scores, to test any other engine against
    README.md        model card

The folder appears whole or not at all.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from labeler.errors import ModelError
from labeler.records import Completion, Group, Message, Prompt
from reward.base import load_tokenizer, quiet
from reward.bootstrap import Interval
from reward.data import EncodedGroup, Encoder, EncodingReport, render
from reward.features import score_and_features
from reward.fixture_texts import FIXTURE_TEXTS
from reward.model import RewardModel, head_name, load_classifier, set_label
from reward.tokenizer import context_length, prepare_tokenizer
from reward.uncertainty import Laplace, UncertainScores

MANIFEST = "reward.json"
FIXTURES = "fixtures.jsonl"
UNCERTAINTY = "uncertainty/laplace.safetensors"
BUDGET = 4096
"""Tokens per input when scoring."""
TOGETHER = 64
"""Groups that are packed together when scoring."""


@dataclass(frozen=True)
class Calibration:
    """What raw score gaps mean.

    Attributes:
        temperature: P(a is better than b) = σ((raw_a − raw_b) / temperature).
        tie_threshold: people call about as many ties as there are raw gaps under this.
        temperature_ci95: interval of the temperature over the validation prompts it was fitted on; None if it was not.
    """

    temperature: float = 1.0
    tie_threshold: float = 0.0
    temperature_ci95: Interval | None = None

    def probability(self, gap: float) -> float:
        """P(a is better than b) for the raw gap raw_a − raw_b."""
        return 0.5 * (1.0 + math.tanh(gap / self.temperature / 2.0))


class Scorer:
    """Scores completions; load one with `from_pretrained`.

    >>> scorer = Scorer.from_pretrained("runs/rm")                                        # doctest: +SKIP
    >>> scorer.score("Name a prime.", ["7", "9"])                                         # doctest: +SKIP
    [0.83, -0.41]

    Attributes:
        mean, std: scores are given as (raw − mean) / std unless raw ones are asked for.
        calibration: how raw gaps translate into probabilities and ties.
        manifest: what reward.json says; empty for a model that was made elsewhere.
        uncertainty: how sure scores are; None for a model that was made elsewhere.
    """

    def __init__(
        self,
        model: RewardModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        mean: float = 0.0,
        std: float = 1.0,
        calibration: Calibration | None = None,
        manifest: dict[str, Any] | None = None,
        uncertainty: Laplace | None = None,
    ) -> None:
        self.model, self.tokenizer, self.mean, self.std = model, tokenizer, mean, std
        self.calibration = calibration or Calibration()
        self.manifest = manifest or {}
        self.uncertainty = uncertainty
        self.encoder = Encoder(tokenizer, model.max_length, model.shares_prefix)

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, device: str | torch.device | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """Load a reward model: an artifact of this product, or any sequence classifier with one label.

        Args:
            folder: local folder.
            device: where to run; by default a GPU where there is one.
            dtype: number format of the weights; by default float32.

        Raises:
            ModelError: there is no reward model in the folder.
        """
        path = Path(folder)
        if not (path / "config.json").is_file():
            raise ModelError(
                f"{folder} holds no reward model (no config.json); give the --out folder of `reward train`"
            )
        manifest = _read_manifest(path / MANIFEST)
        classifier = load_classifier(path, dtype or torch.float32, trained=True)
        tokenizer = prepare_tokenizer(load_tokenizer(path), encoder=head_name(classifier) != "score")
        limit = context_length(classifier.config, tokenizer, manifest.get("max_length"))
        mean, std = getattr(classifier.config, "mean", None), getattr(classifier.config, "std", None)
        set_label(classifier, tokenizer)
        classifier.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return cls(
            RewardModel(classifier, tokenizer.pad_token_id, limit),
            tokenizer,
            mean=0.0 if mean is None else float(mean),
            std=float(std or 1.0),
            calibration=_calibration(manifest),
            manifest=manifest,
            uncertainty=Laplace.load(path / UNCERTAINTY) if (path / UNCERTAINTY).is_file() else None,
        )

    def score(self, prompt: Prompt | str, completions: Sequence[str], *, raw: bool = False) -> list[float]:
        """One score per completion of a prompt, NaN where one does not fit; a string prompt is one user message."""
        messages = (Message("user", prompt),) if isinstance(prompt, str) else prompt
        group = Group("score", messages, tuple(Completion(str(k), text) for k, text in enumerate(completions)))
        return self.score_groups([group], raw=raw)[0]

    def score_with_uncertainty(
        self, prompt: Prompt | str, completions: Sequence[str], *, raw: bool = False
    ) -> UncertainScores:
        """The scores of `score` with standard deviations, and probabilities that allow for them.

        Raises:
            ModelError: the model has no uncertainty, since it was made elsewhere or trained on nothing but ties.
        """
        if self.uncertainty is None:
            raise ModelError(f"the reward model has no {UNCERTAINTY}; train it with `reward train`, or use score")
        messages = (Message("user", prompt),) if isinstance(prompt, str) else prompt
        group = Group("score", messages, tuple(Completion(str(k), text) for k, text in enumerate(completions)))
        (encoded,), _ = self.encode([group])
        (values,), (rows,) = score_and_features(self.model, [encoded], BUDGET)
        scores, features = np.full(len(completions), np.nan), np.full((len(completions), rows.shape[1]), np.nan)
        scores[list(encoded.kept)], features[list(encoded.kept)] = values, rows
        covariance = self.uncertainty.covariance(features)
        deviations = np.sqrt(np.diag(covariance)) / (1.0 if raw else self.std)
        return UncertainScores(
            scores=tuple(float(value) if raw else self.normalise(float(value)) for value in scores),
            deviations=tuple(deviations.tolist()),
            raw=tuple(scores.tolist()),
            covariance=tuple(map(tuple, covariance.tolist())),
            temperature=self.uncertainty.temperature,
        )

    def score_groups(self, groups: Sequence[Group], *, raw: bool = False) -> list[list[float]]:
        """One list per group with a score per completion, in the order of its completions.

        A completion that does not fit the context even with the shortest prompt gets NaN; `encode` names such ones, and
        `reward.splits.scored_only` leaves them out.
        """
        results: list[list[float]] = []
        for start in range(0, len(groups), TOGETHER):
            part = groups[start : start + TOGETHER]
            encoded, _ = self.encode(part)
            for group, one, values in zip(part, encoded, self.score_encoded(encoded), strict=True):
                scores = [math.nan] * len(group.completions)
                for k, value in zip(one.kept, values, strict=True):
                    scores[k] = value if raw else self.normalise(value)
                results.append(scores)
        return results

    def encode(self, groups: Sequence[Group]) -> tuple[list[EncodedGroup], EncodingReport]:
        """Token ids of the groups, and what had to be shortened or left out."""
        return self.encoder.groups(groups)

    def score_encoded(self, encoded: Sequence[EncodedGroup]) -> list[list[float]]:
        """Raw scores of the kept completions of each group."""
        return score_and_features(self.model, encoded, BUDGET)[0]

    def normalise(self, raw: float) -> float:
        """(raw − mean) / std."""
        return (raw - self.mean) / self.std


def save_artifact(folder: Path, scorer: Scorer, card: str, *, overwrite: bool = False) -> None:
    """Write the artifact: weights, tokenizer, manifest, fixtures and model card.

    Args:
        folder: must not exist yet, or be empty, unless it is to be overwritten.
        scorer: what to save; its mean, std, calibration and uncertainty go along.
        card: text of README.md.
        overwrite: replace what stands there.
    """
    classifier, tokenizer = scorer.model.classifier, scorer.tokenizer
    classifier.config.mean, classifier.config.std = scorer.mean, scorer.std
    manifest = scorer.manifest | {"max_length": scorer.model.max_length, "calibration": asdict(scorer.calibration)}
    with whole_folder(folder, overwrite=overwrite) as scratch:
        with quiet():
            classifier.save_pretrained(scratch)
        save_tokenizer(tokenizer, scratch)
        (scratch / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        with (scratch / FIXTURES).open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in fixtures(scorer))
        (scratch / "README.md").write_text(card, encoding="utf-8")
        if scorer.uncertainty:
            scorer.uncertainty.save(scratch / UNCERTAINTY)
        let_all_read(scratch)


def let_all_read(folder: Path) -> None:
    """Give the files of a folder the usual rights: safetensors leaves its file readable to its owner only."""
    for file in folder.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save a tokenizer so that older programs find its class too: the generic one goes by its long-standing name."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    if fields.get("tokenizer_class") == "TokenizersBackend":
        fields["tokenizer_class"] = "PreTrainedTokenizerFast"
    for name in ("is_local", "local_files_only"):
        fields.pop(name, None)
    path.write_text(json.dumps(fields, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def fixtures(scorer: Scorer) -> Iterator[dict[str, Any]]:
    """Texts with their token ids and raw scores, each read alone by the stock classifier.

    The texts are made up, not taken from the data: an artifact may be published where its data may not.
    """
    model = scorer.model
    for prompt, completion in FIXTURE_TEXTS:
        text = render(scorer.tokenizer, prompt, completion)
        ids = scorer.encoder.ids([text])[0]
        if len(ids) <= model.max_length:
            with torch.inference_mode():
                logits = model.classifier(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits
            yield {"text": text, "input_ids": ids, "score": float(logits[0, 0])}


@contextmanager
def whole_folder(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A scratch folder that becomes ``folder`` if the block ends well, and vanishes otherwise.

    With ``overwrite``, what stood there before is moved aside for the moment of the change and then removed.

    Raises:
        ModelError: the folder cannot be written, or is there already with something in it.
    """
    scratch = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        scratch.chmod(0o755)
        yield scratch
        if overwrite and folder.exists():
            old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-old-"))
            folder.replace(old / folder.name)
            scratch.replace(folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            scratch.replace(folder)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error.strerror or error}; choose an empty place") from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error}); restore it or train again") from error
    return manifest


def _calibration(manifest: dict[str, Any]) -> Calibration | None:
    told = manifest.get("calibration")
    if told is None:
        return None
    interval = told.get("temperature_ci95")
    return Calibration(**told | {"temperature_ci95": None if interval is None else tuple(interval)})

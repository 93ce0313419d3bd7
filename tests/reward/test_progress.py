"""Progress for programs (JSON lines) and for people (plain lines where there is no terminal)."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from labeler.errors import UsageError
from reward.progress import Progress


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_event_is_a_json_line_at_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "progress.jsonl"
    with Progress(path, quiet=True) as progress, progress.stage("train", total=2) as stage:
        assert [row["event"] for row in rows(path)] == ["start"]
        stage.step(1, loss=0.5, note="ünï")
        assert rows(path)[-1] | {"seconds": 0} == {
            "event": "step", "stage": "train", "step": 1, "total": 2, "seconds": 0, "loss": 0.5, "note": "ünï",
        }  # fmt: skip
        stage.step(loss=float("nan"))
        assert rows(path)[-1]["loss"] is None
        assert rows(path)[-1]["step"] == 2
    assert rows(path)[-1]["event"] == "done"
    assert all(isinstance(row["seconds"], float) for row in rows(path))


def test_an_error_is_told_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    progress = Progress(path, quiet=True)
    with pytest.raises(ValueError, match="broken"), progress, progress.stage("train", total=2, done=1):
        raise ValueError("broken")
    last = rows(path)[-1]
    assert (last["event"], last["step"], last["message"]) == ("error", 1, "broken")


def test_a_continued_command_continues_its_file(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    for _ in range(2):
        with Progress(path, quiet=True) as progress, progress.stage("train", total=0):
            pass
    assert [row["event"] for row in rows(path)] == ["start", "done"] * 2


def test_plain_lines_stay_few() -> None:
    stream = io.StringIO()
    with Progress(stream=stream) as progress, progress.stage("train", total=1000) as stage:
        progress.say("hello [bold]you[/bold]")
        for _ in range(1000):
            stage.step(loss=0.123456)
    lines = stream.getvalue().splitlines()
    assert len(lines) < 10
    assert "hello [bold]you[/bold]" in lines
    assert lines[-2].startswith("train step 1000/1000")
    assert lines[-2].endswith("loss 0.1235")


def test_a_terminal_gets_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with Progress(stream=stream) as progress, progress.stage("train", total=3) as stage:
        stage.step(3, loss=0.5)
        progress.say("a note")
    assert "3/3" in stream.getvalue()
    assert "a note" in stream.getvalue()


def test_a_file_that_cannot_be_written_names_the_flag(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--progress"):
        Progress(tmp_path)

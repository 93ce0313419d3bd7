"""The demo, from the sample data to the end of its process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from labeler import demo
from labeler.accounts import Accounts
from labeler.errors import DataError, UsageError
from labeler.serving import Demo, Serve

ROW = """{{"id": "g{0}", "prompt": "Question {0}?",
"completions": [{{"id": "a", "text": "x"}}, {{"id": "b", "text": "y"}}],
"rankings": [{{"annotator": "labeler-1", "ranks": [1, 2]}}, {{"annotator": "labeler-2", "ranks": [2, 1]}}]}}"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "sample"
    folder.mkdir()
    rows = [ROW.replace("\n", " ").format(number) for number in range(3)]
    (folder / "groups.jsonl").write_text("\n".join(rows) + "\n")
    row = '{"id": "d", "prompt": "Hello?", "completion": "Hello."}'
    (folder / "demonstrations.jsonl").write_text(row + "\n")
    return folder


def test_everybody_can_rank_everything_beside_the_sample_rankings(tmp_path: Path, data: Path):
    ready = demo.prepare(tmp_path, data)
    project = ready.store.project(demo.PROJECT)
    counts = ready.store.counts(project.id)
    assert (counts.tasks, counts.judgments, counts.demonstrations, counts.finished) == (3, 6, 1, 0)
    for name in ("labeler-1", "labeler-2", "labeler-3"):
        assert ready.store.progress(project.id, ready.store.user(name).id).total == 3
    projects = {each.name: each for each in ready.store.projects()}
    tasks = {name: (each.schema.task, ready.store.counts(each.id).tasks) for name, each in projects.items()}
    assert tasks == {
        "sample": ("rank", 3),
        "sample-rating": ("rate", 3),
        "sample-writing": ("demonstrate", 3),
        "sample-chat": ("chat", 4),
    }
    assert not any(ready.store.counts(each.id).judgments for name, each in projects.items() if name != demo.PROJECT)
    accounts = Accounts(ready.store)
    for name, path in ready.links.items():
        user = accounts.user_for(accounts.enter(path.removeprefix("/signin/")))
        assert user
        assert (user.name, user.role) == (name, demo.PEOPLE[name])
    ready.store.close()


def test_a_kept_demo_goes_on_with_new_links(tmp_path: Path, data: Path):
    first = demo.prepare(tmp_path, data)
    first.store.close()
    second = demo.prepare(tmp_path, data)
    assert second.links.keys() == first.links.keys()
    assert second.links != first.links
    assert second.store.counts(second.store.project(demo.PROJECT).id).tasks == 3
    Accounts(second.store).sign_in("manager-1", second.password)
    second.store.close()


def test_missing_sample_data_is_said(tmp_path: Path):
    with pytest.raises(DataError, match="sample data is not there"):
        demo.prepare(tmp_path, tmp_path / "none")


def test_a_browser_opens_on_a_desktop_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    assert not demo.open_browser("http://127.0.0.1:1/")  # standard output is no terminal here
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("DISPLAY")
    assert not demo.open_browser("http://127.0.0.1:1/")


@pytest.mark.parametrize("command", [Serve, Demo])
def test_a_wrong_port_names_the_flag(command: type[Serve | Demo]):
    with pytest.raises(UsageError, match="--port must be 0 to 65535, not 70000"):
        command(port=70000)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_links_serves_and_leaves_nothing(tmp_path: Path, ending: signal.Signals):
    root = Path(__file__).parents[2]
    if not (root / "sample_data" / "groups.jsonl").is_file():
        pytest.skip("no sample data in this checkout")
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "labeler.cli", "demo", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    links = dict(re.findall(r"(\S+-\d)\s+(http\S+/signin/\S+)", "".join(lines)))
    assert set(links) == set(demo.PEOPLE)
    address = links["labeler-1"].partition("/signin")[0]
    with urlopen(f"{address}/healthz", timeout=60) as answer:
        assert answer.read() == b'{"status":"ok"}'
    assert list(tmp_path.glob("labeler-demo-*"))
    process.send_signal(ending)
    assert process.wait(30) == 0
    process.stdout.close()
    assert not list(tmp_path.glob("labeler-demo-*"))

"""Judgments pushed to the Hub over HTTP, by the command and over REST, and read back from there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_server import ROOT, serving, waited
from hub_server import HubServer, hub_server
from store_helpers import group

from labeler.client import Client
from labeler.errors import DataError
from labeler.records import Ranking
from labeler.store import Store
from labeler.tokens import Tokens

SPLITS = ("train", "valid", "test")
GROUPS = [group(n, rankings=(Ranking("x", (1, 2, 2)), Ranking("y", (2, 1, 3))), split=s) for n, s in enumerate(SPLITS)]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with hub_server() as running:
        yield running


@pytest.fixture
def essays(tmp_path: Path) -> Iterator[Store]:
    opened = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    opened.import_into("essays", GROUPS)
    yield opened
    opened.close()


def run(hub: HubServer, home: Path, store: Store, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labeler.cli", *words, f"--db={store.database.address}"]
    environment = {**os.environ, **hub.environment(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_what_a_command_pushed_is_loaded_by_datasets_and_imported_again(hub: HubServer, essays: Store, tmp_path: Path):
    home = tmp_path / "home"
    done = run(hub, home, essays, "export", "--project=essays", "--to=trl", "--push=org/essays", "--public")
    assert (done.returncode, done.stdout) == (0, "pushed 15 rows to org/essays\n"), done.stderr
    assert (hub.sets["org/essays"].private, hub.sets["org/essays"].commits) == (False, ["15 rows by labeler"])
    found = hub.load("org/essays", home)
    assert {split: len(rows) for split, rows in found.items()} == {"train": 5, "validation": 5, "test": 5}
    assert found["validation"][0] == {
        "prompt": "Question 1?", "chosen": "Answer 0 to 1.", "rejected": "Answer 1 to 1.", "annotator": "x"
    }  # fmt: skip

    assert run(hub, home, essays, "export", "--project=essays", "--to=native", "--push=org/essays").returncode == 0
    assert hub.sets["org/essays"].commits == ["15 rows by labeler", "3 rows by labeler"]
    done = run(hub, home, essays, "import", "hf:org/essays", "--project=again")
    assert done.returncode == 0, done.stderr
    again = essays.groups(essays.project("again").id)
    assert {one.id: (one.rankings, one.split) for one in again} == {one.id: (one.rankings, one.split) for one in GROUPS}


def test_a_refusal_is_one_line_that_names_the_set(hub: HubServer, essays: Store, tmp_path: Path):
    hub.refuse = True
    done = run(hub, tmp_path, essays, "export", "--project=essays", "--to=trl", "--push=org/essays")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("labeler: org/essays: the Hub refused (")
    assert "401 Unauthorized" in line
    assert hub.sets == {}


def test_an_admin_pushes_over_rest(hub: HubServer, essays: Store, tmp_path: Path):
    essays.add_user("root", "admin")
    token, project = Tokens(essays).add("root", "test"), essays.project("essays").id
    environment = hub.environment(tmp_path / "home")
    with serving(essays.database.address, tmp_path, **environment) as url, Client(url, token) as client:
        started = client.exchange.start_export(project, to="parquet", push="org/rest")
        done = waited(lambda: client.exchange.export(started.job.id))
        assert (done.push, done.counts["groups"]) == ("org/rest", 3)
        with pytest.raises(DataError, match="must be ORG/NAME"):
            client.exchange.start_export(project, push="rest")
    assert hub.sets["org/rest"].private
    assert sorted(hub.sets["org/rest"].files) == [
        "README.md", "data/test.parquet", "data/train.parquet", "data/validation.parquet"
    ]  # fmt: skip

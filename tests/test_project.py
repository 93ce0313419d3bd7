"""Checks on the project as a whole: style, types and the direction of imports."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).with_name(command[0])
    return subprocess.run([str(tool), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("lint-imports", "--no-cache"),
    ],
    ids=lambda command: command[0] + command[1] if len(command) > 1 else command[0],
)
def test_is_clean(command):
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_direction_of_imports_is_what_it_says():
    """Only these modules of labeler may be used by reward, and the app loads without torch."""
    allowed = {"labeler.records", "labeler.errors", "labeler.formats", "labeler.statistics"}
    for path in (ROOT / "reward").rglob("*.py"):
        for name in re.findall(r"^\s*(?:from|import) (labeler[\w.]*)", path.read_text(), re.MULTILINE):
            assert ".".join(name.split(".")[:2]) in allowed, f"{path.name} imports {name}"
    heavy = "{'torch', 'transformers', 'reward'}"
    code = f"import sys, labeler.cli, labeler.server; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_readme_says_what_each_dependency_is_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    readme = (ROOT / "README.md").read_text()
    for requirement in project["dependencies"] + project["optional-dependencies"]["test"]:
        name = re.match(r"[\w-]+", requirement).group()
        assert f"`{name}`" in readme, f"README does not say what {name} is for"


def test_no_path_of_a_machine_is_in_the_tree():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    pattern = re.compile(rb"/(?:work|farm|root)/[a-z]")
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if path.is_file():
            assert not pattern.search(path.read_bytes()), f"{name} holds a path of a machine"


def test_no_two_test_files_share_a_name():
    # Without packages under tests/, pytest imports each file by its bare name and stops at the second one.
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))

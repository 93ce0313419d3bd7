"""The command line: every command end to end on tiny models, exit codes, one clear line per failure, help for all."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import ranked_groups
from tiny_models import save_policy, save_reward_model

from labeler.formats import read, write_groups
from reward import cli, generate
from reward.cli import COMMANDS, main
from reward.config.bench import BenchConfig, BenchCostConfig, BenchScoreConfig, BenchSelectConfig, BenchTrainConfig
from reward.config.studies import BenchAccuracyConfig, BenchLabelsConfig

BENCHES = {
    "train": BenchTrainConfig,
    "score": BenchScoreConfig,
    "cost": BenchCostConfig,
    "select": BenchSelectConfig,
    "accuracy": BenchAccuracyConfig,
    "labels": BenchLabelsConfig,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A reward model, a policy and groups."""
    folder = tmp_path_factory.mktemp("cli")
    save_reward_model(folder / "rm")
    save_policy(folder / "policy")
    write_groups(ranked_groups(30), folder / "groups.jsonl")
    (folder / "prompts.txt").write_text("Name a prime.\nSay hi.\nWait.\n")
    return folder


def words(command, place, **names):
    return [word.format(p=place, **names) for word in command.split()]


def test_train_then_evaluate_its_data(place, tmp_path, capsys):
    command = "train --data {p}/groups.jsonl --base {p}/policy --out {t}/rm --lr 1e-3 --progress {t}/progress.jsonl"
    assert main(words(command, place, t=tmp_path)) == 0
    assert "held-out" in capsys.readouterr().out
    stages = {json.loads(line)["stage"] for line in (tmp_path / "progress.jsonl").read_text().splitlines()}
    assert "train" in stages
    assert main(words("evaluate --model {t}/rm --data {p}/groups.jsonl --out {t}/e", place, t=tmp_path)) == 0
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    manifest = json.loads((tmp_path / "rm" / "reward.json").read_text())
    assert 0 < metrics["groups"] == manifest["data"]["groups"]["test"] < 30  # only what it has not seen
    assert any("left out" in warning for warning in metrics["warnings"])
    assert metrics["accuracy"] == manifest["metrics"]["test"]["accuracy"]
    assert "Training: loss" in (tmp_path / "e" / "report.html").read_text()


def test_evaluate(place, tmp_path, capsys):
    more = tmp_path / "more.jsonl"
    write_groups(ranked_groups(5, seed=9), more)
    command = "evaluate --model {p}/rm --data {p}/groups.jsonl {more} --out {out} --progress {out}/progress.jsonl"
    assert main(words(command, place, more=more, out=tmp_path / "out")) == 0
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["groups"] == 35
    assert (tmp_path / "out" / "report.html").is_file()
    assert "preferences right" in capsys.readouterr().out


def test_generate_then_rerank(place, tmp_path, capsys):
    command = "generate --policy {p}/policy --prompts {p}/prompts.txt --k 3 --max-new-tokens 8 --output {t}/c.jsonl"
    assert main(words(command, place, t=tmp_path)) == 0
    assert [len(group.completions) for group in read(tmp_path / "c.jsonl").groups] == [3, 3, 3]
    command = "rerank --model {p}/rm --input {t}/c.jsonl --output {t}/r.jsonl --raw --page {t}/r.html"
    assert main(words(command, place, t=tmp_path)) == 0
    rows = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["prompts-1", "prompts-2", "prompts-3"]
    assert "9 candidates of 3 groups" in capsys.readouterr().out
    assert (tmp_path / "r.html").read_text().count("<article>") == 3


def test_rerank_with_a_policy(place, tmp_path):
    command = "rerank --model {p}/rm --policy {p}/policy --n 2 --max-new-tokens 5 --input {x} --output {t}/r.jsonl"
    assert main(words(command, place, t=tmp_path, x=place / "prompts.txt")) == 0
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 3


WRONG = [
    ("", 2, "evaluate"),
    ("nonsense", 2, "nonsense"),
    ("evaluate --model {p}/rm", 2, "--data"),
    ("evaluate --model {p}/rm --data --out {t}/o", 2, "--data"),
    ("evaluate --model {p}/rm --data x --out {t}/o --sedd 3", 2, "--seed"),
    ("evaluate --model {p}/rm --data {p}/none.jsonl --out {t}/o", 1, "none.jsonl"),
    ("evaluate --model {p}/policy --data {p}/groups.jsonl --out {t}/o", 1, "not a reward model"),
    ("evaluate --model {p}/none --data {p}/groups.jsonl --out {t}/o", 1, "no config.json"),
    ("evaluate --model {p}/rm --data {p}/groups.jsonl --out {p}/prompts.txt", 1, "prompts.txt"),
    ("rerank --model {p}/rm --input {p}/groups.jsonl --output {t}/none/x/../../r --n 0", 2, "--n"),
    ("generate --policy http://me:secret@x --prompts {p}/prompts.txt --output {t}/o", 2, "a URL without a password"),
    ("generate --policy {p}/rm --prompts {p}/prompts.txt --output {t}/o", 1, "cannot write text"),
    ("generate --policy {p}/nowhere --prompts {p}/prompts.txt --output {t}/o", 1, "nowhere"),
    ("generate --policy {p}/policy --prompts {p}/prompts.txt --output {t}/o --temperature -1", 2, "--temperature"),
    ("generate --policy {p}/policy --prompts {p}/prompts.txt --output {t}/o --device mps", 2, "--device"),
]


@pytest.mark.parametrize(("command", "code", "said"), WRONG, ids=[row[0].split(" --")[0] + row[2] for row in WRONG])
def test_failures_have_a_code_and_say_why(place, tmp_path, capsys, command, code, said):
    assert main(words(command, place, t=tmp_path)) == code
    shown = capsys.readouterr()
    assert said in shown.err + (shown.out if code == 2 else "")
    assert "Traceback" not in shown.err + shown.out
    if code == 1:
        assert sum(line.startswith("reward: ") for line in shown.err.splitlines()) == 1
        assert shown.err.splitlines()[-1].startswith("reward: ")


def test_debug_shows_the_traceback(place, tmp_path, capsys):
    assert main(words("evaluate --model {p}/rm --data {p}/none --out {t} --debug", place, t=tmp_path)) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_one_line_that_names_debug(place, tmp_path, capsys, monkeypatch):
    def broken(config):
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(generate, "run", broken)
    command = "generate --policy {p}/policy --prompts {p}/prompts.txt --output {t}/o"
    assert main(words(command, place, t=tmp_path)) == 1
    assert capsys.readouterr().err == "reward: ZeroDivisionError: by zero (run again with --debug for the traceback)\n"


def leaves():
    """(words, configuration) of every command that takes options."""
    for name, (kind, _) in COMMANDS.items():
        if kind is not BenchConfig:
            yield (name,), kind
    yield from ((("bench", name), kind) for name, kind in BENCHES.items())


@pytest.mark.parametrize(("name", "kind"), list(leaves()))
def test_every_option_has_help(name, kind, capsys):
    assert main([*name, "--help"]) == 0
    shown = re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out)
    options = re.split(r"\n\W{1,3}(?=-[a-z]|--[a-z])", shown)[1:]
    assert len(options) == len(dataclasses.fields(kind)) + 1  # and --help itself
    for option in options:
        said = re.sub(r"\((?:default|required)[^)]*\)", "", option).split()
        sentence = [word for word in said if re.fullmatch(r"[A-Za-z][a-z,;.']*", word)]
        assert len(sentence) >= 3, f"{name}: {option}"


def test_every_command_of_the_help_runs_a_module_with_run():
    for name, (_, module) in COMMANDS.items():
        source = Path(cli.__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py").read_text("utf-8")
        assert "\ndef run(config: " in source, name


def test_help_is_fast_and_imports_no_torch():
    code = (
        "import sys; from reward.cli import main; main(['--help']); print({'torch', 'transformers'} & set(sys.modules))"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")
    assert time.monotonic() - started < 1.5 * (1 + os.getloadavg()[0])  # seconds, more on a busy machine
    assert all(name in done.stdout for name in COMMANDS)


def restore_sigint() -> None:
    """A shell's background jobs ignore Ctrl-C, and so would what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_is_130_and_one_line_and_the_run_continues(place, tmp_path):
    out = tmp_path / "out.jsonl"
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("".join(f"prompt {i}\n" for i in range(400)))
    command = words(
        "generate --policy {p}/policy --prompts {x} --k 2 --max-new-tokens 60 --output {o}", place, x=prompts, o=out
    )
    started = subprocess.Popen(
        [sys.executable, "-m", "reward", *command],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=restore_sigint,  # noqa: PLW1509 (no threads here)
    )
    deadline = time.monotonic() + 120
    while not (out.exists() and out.read_bytes().count(b"\n") >= 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130
    assert said.splitlines()[-1] == "reward: stopped"
    assert "Traceback" not in said
    written = out.read_bytes()
    assert written.endswith(b"\n")  # whole lines only
    assert 2 <= written.count(b"\n") < 400
    assert main([*command, "--limit", str(written.count(b"\n") + 1)]) == 0
    assert out.read_bytes().startswith(written)

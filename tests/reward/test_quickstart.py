"""The whole cycle on a tiny base: everything is there at the end, held-out means held-out, a cut run goes on."""

import json
from dataclasses import replace

import pytest
from builders import ranked_groups
from tiny_models import save_policy

from labeler.errors import DataError, UsageError
from labeler.formats import prompt_key, read, write_demonstrations, write_groups
from labeler.records import Demonstration
from reward.cli import main
from reward.config.quickstart import QuickstartConfig
from reward.quickstart import Layout, choose, prepare


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    save_policy(folder / "base")
    groups = [
        replace(group, split="test" if i % 4 == 0 else "valid" if i % 4 == 1 else "train")
        for i, group in enumerate(ranked_groups(48))
    ]
    (folder / "data").mkdir()
    write_groups(groups, folder / "data" / "groups.jsonl")
    shown = [Demonstration(f"d{i}", group.prompt, "word") for i, group in enumerate(groups[:5])]
    write_demonstrations(shown, folder / "data" / "demonstrations.jsonl")
    return folder


def command(place, out, **more):
    settings = {"base": place / "base", "data": place / "data", "out": out, "prompts": 3, "n": 3, "max-new-tokens": 6}
    return ["quickstart", *(word for name, value in (settings | more).items() for word in (f"--{name}", str(value)))]


def test_the_whole_cycle(place, tmp_path, capsys):
    out = tmp_path / "runs" / "quick"
    assert main(command(place, out, progress=tmp_path / "progress.jsonl")) == 0
    said = capsys.readouterr().out
    metrics = json.loads((out / "evaluation" / "metrics.json").read_text())
    assert f"Held-out accuracy {100 * metrics['accuracy']:.1f} %" in said
    assert f"longer text: {100 * metrics['length_only_accuracy']:.1f} %" in said
    for name in ("evaluation/report.html", "best_of_n.html", "labeler demo", "reward rerank --model"):
        assert name in said
    rows = [json.loads(line) for line in (out / "best_of_n.jsonl").read_text().splitlines()]
    assert [len(row["completions"]) for row in rows] == [3, 3, 3]
    used = read(out / "data").groups
    trained = {prompt_key(group.prompt) for group in used if group.split != "test"}
    tested = [group for group in used if group.split == "test"]
    assert metrics["groups"] == len(tested) == 12
    assert not trained & {prompt_key(group.prompt) for group in tested}
    sampled = read(out / "candidates.jsonl").groups
    assert {group.id for group in sampled} <= {group.id for group in tested}
    stages = [json.loads(line)["stage"] for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [stage for i, stage in enumerate(stages) if stage not in stages[:i]][-3:] == [
        "evaluate",
        "generate",
        "rerank",
    ]
    again = {path: path.stat().st_mtime_ns for path in (out / "model").iterdir()}
    before = (out / "best_of_n.jsonl").read_bytes()
    (out / "candidates.jsonl").write_bytes((out / "candidates.jsonl").read_bytes()[:-40])  # as if it had been cut
    assert main(command(place, out)) == 0
    assert (out / "best_of_n.jsonl").read_bytes() == before
    assert again == {path: path.stat().st_mtime_ns for path in (out / "model").iterdir()}  # not trained again
    assert main(command(place, out, seed=1)) == 2
    assert "other settings" in capsys.readouterr().err


def test_limits_and_splits_hold_whatever_the_order_of_the_file():
    groups = ranked_groups(60)
    chosen = choose(groups, 8)
    counts = {split: sum(group.split == split for group in chosen) for split in ("train", "valid", "test")}
    assert counts["train"] == 8
    assert 1 <= counts["valid"] <= 2
    assert 1 <= counts["test"] <= 4
    assert {group.id for group in choose(groups[::-1], 8)} == {group.id for group in chosen}


def test_data_without_a_test_split_is_refused(place, tmp_path):
    data = tmp_path / "groups.jsonl"
    write_groups([replace(group, split="train") for group in ranked_groups(3)], data)
    config = QuickstartConfig(out=tmp_path / "out", data=data)
    with pytest.raises(DataError, match="test split"):
        prepare(config, Layout(config.out))
    missing = QuickstartConfig(out=tmp_path / "out", data=tmp_path / "none")
    with pytest.raises(DataError, match="--data"):
        prepare(missing, Layout(missing.out))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flag", ["groups", "prompts", "n", "max-new-tokens"])
def test_settings_out_of_range_name_their_flag(flag):
    with pytest.raises(UsageError, match=f"--{flag}"):
        QuickstartConfig(**{flag.replace("-", "_"): 0})

"""Stands in for the ``reward`` command at the process boundary: same flags, same files, no model."""

import json
import sys
import time
from pathlib import Path

STEPS = 40
flags = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))


def report(**row: object) -> None:
    with Path(flags["--progress"]).open("a") as file:
        file.write(json.dumps(row) + "\n")


def train() -> None:
    assert (Path(flags["--data"]) / "groups.jsonl").is_file()
    for step in range(1, STEPS + 1):
        place = {"event": "step", "stage": "train", "step": step, "total": STEPS, "seconds": step / 10}
        report(**place, loss=0.7 - step / 100)
        if "--evaluate-every" in flags and step % int(flags["--evaluate-every"]) == 0:
            report(**place, accuracy=0.5 + step / 100)
        time.sleep(0.1)
    if "broken" in flags["--base"]:
        sys.exit("reward: --base broken: no such model")
    out = Path(flags["--out"])
    out.mkdir()
    (out / "config.json").write_text("{}")


def evaluate() -> None:
    out = Path(flags["--out"])
    out.mkdir()
    metrics = {"accuracy": 0.7345, "accuracy_ci95": [0.69, 0.78], "human_agreement": None, "comparisons": 300}
    (out / "metrics.json").write_text(json.dumps(metrics))
    (out / "report.html").write_text("<h1>report</h1>")


def rerank() -> None:
    prompt = json.loads(Path(flags["--input"]).read_text())["prompt"][0]["content"]
    answers = [
        {"id": str(i), "text": f"answer {i} to {prompt} <b>bold</b> ![x](http://evil.example/x.png)", "rank": 4 - i}
        for i in range(int(flags["--n"]))
    ]
    row = {"id": "prompt", "completions": [{**answer, "score": 2.0 - answer["rank"]} for answer in answers]}
    Path(flags["--output"]).write_text(json.dumps(row) + "\n")


{"train": train, "evaluate": evaluate, "rerank": rerank}[sys.argv[1]]()

"""Stands in for the ``reward`` command at the process boundary: same flags, same files, no model."""

import json
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

STEPS = 40
WIDTH = 16
flags = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))


def report(**row: object) -> None:
    with Path(flags["--progress"]).open("a") as file:
        file.write(json.dumps(row) + "\n")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def rows(path: str) -> Iterator[dict]:
    with Path(path).open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def train() -> None:
    assert (Path(flags["--data"]) / "groups.jsonl").is_file()
    for step in range(1, STEPS + 1):
        place = {"event": "step", "stage": "train", "step": step, "total": STEPS, "seconds": step / 10}
        report(**place, loss=0.7 - step / 100)
        if "--evaluate-every" in flags and step % int(flags["--evaluate-every"]) == 0:
            report(**place, accuracy=0.5 + step / 100)
        time.sleep(0.1)
        while (Path(flags["--out"]).parent / "hold").exists():
            time.sleep(0.1)
    if "broken" in flags["--base"]:
        sys.exit("reward: --base broken: no such model")
    out = Path(flags["--out"])
    out.mkdir()
    (out / "config.json").write_text("{}")


def evaluate() -> None:
    out = Path(flags["--out"])
    out.mkdir()
    metrics: dict = {"accuracy": 0.7345, "accuracy_ci95": [0.69, 0.78], "human_agreement": None, "comparisons": 300}
    if Path(flags["--data"]).name == "held_out.jsonl":
        metrics |= {"accuracy": 0.6512, "accuracy_ci95": [0.58, 0.72], "comparisons": 90}
    if "--against" in flags:
        assert (Path(flags["--against"]) / "config.json").is_file()
        metrics["against"] = {
            "accuracy": 0.74, "accuracy_ci95": [0.7, 0.78], "other_accuracy": 0.66, "other_accuracy_ci95": [0.61, 0.7],
            "difference": 0.08, "difference_ci95": [0.03, 0.13], "p_value": 0.002, "only_model": 40, "only_other": 16,
            "comparisons": 300, "prompts": 50,
        }  # fmt: skip
    (out / "metrics.json").write_text(json.dumps(metrics))
    (out / "report.html").write_text("<h1>report</h1>")


def rerank() -> None:
    """Answers of a policy with the last one best, if it is not slow; what is brought is the better the longer it is."""
    if flags.get("--policy") == "slow":
        time.sleep(60)
    done = []
    for row in rows(flags["--input"]):
        if "--policy" in flags:
            prompt = row["prompt"][0]["content"]
            row["completions"] = [
                {"id": str(i), "text": f"answer {i} to {prompt} <b>bold</b> ![x](http://evil.example/x.png)"}
                for i in range(int(flags["--n"]))
            ]
            scores = [float(i) for i in range(len(row["completions"]))]
        else:
            scores = [float(len(completion["text"])) for completion in row["completions"]]
        for completion, score in zip(row["completions"], scores, strict=True):
            completion |= {"score": score, "rank": 1 + sum(other > score for other in scores)}
        order = sorted(row["completions"], key=lambda completion: completion["rank"])
        row |= {"ranking": [completion["id"] for completion in order], "best": order[0]}
        done.append(row)
    Path(flags["--output"]).write_text("".join(json.dumps(row) + "\n" for row in done))


def vector(text: str) -> np.ndarray:
    """The sum of a direction for each word: texts with the same words are near each other."""
    words = [word.strip(".,?!").casefold() for word in text.split()]
    drawn = [np.random.default_rng(zlib.crc32(word.encode())).normal(size=WIDTH) for word in words]
    found = np.sum(drawn, axis=0) if drawn else np.ones(WIDTH)
    return (found / np.linalg.norm(found)).astype(np.float32)


def recipe() -> dict:
    return {"base": {"asked": flags["--base"]}, "pooling": "mean", "max_length": 256}


def embed() -> None:
    source = list(rows(flags["--data"]))
    if "--progress" in flags:
        report(event="step", stage="embed", step=1, total=len(source), seconds=0.1)
    if flags.setdefault("--base", "minilm-l6") == "broken":
        sys.exit("reward: --base broken: no such model")
    if flags["--base"] == "slow":
        time.sleep(60)
    texts = [row["prompt"] if isinstance(row["prompt"], str) else row["prompt"][-1]["content"] for row in source]
    vectors = np.stack([vector(text) for text in texts])
    count = int(flags.get("--clusters", 1))
    close = vectors @ vectors.T >= float(flags["--duplicates"])
    columns = {
        "first": [source[int(place)]["id"] for place in close.argmax(axis=1)],
        "cluster": [zlib.crc32(text.split()[0].encode()) % count for text in texts],
    }
    if "--classify" in flags:
        columns |= {"label": ["asked"] * len(texts), "label_probability": [0.9] * len(texts)}
        say("Labels: 2 classes from 4 labelled texts; 75.0 % right on texts not learned from.")
    table = pa.table(
        {
            "id": [row["id"] for row in source],
            "completion": pa.array([None] * len(source), pa.string()),
            "text": texts,
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), WIDTH),
            **columns,
        }
    )
    pq.write_table(table.replace_schema_metadata({"reward": json.dumps(recipe())}), flags["--output"])


def embed_queries() -> None:
    if flags["--base"] == "broken":
        sys.exit("reward: broken: no such model")
    say(json.dumps({"ready": recipe()}))
    for line in sys.stdin:
        say(json.dumps({"vector": vector(json.loads(line)["text"]).tolist()}))


def select() -> None:
    """The longest prompts first."""
    if flags["--method"] == "margin":
        sys.exit("reward: nothing to choose from")
    groups = sorted(rows(flags["--data"]), key=lambda row: -len(row["prompt"][-1]["content"]))
    assert len(groups) == int(flags["--budget"])
    for rank, row in enumerate(groups, start=1):
        reason = {"method": flags["--method"], "rank": rank, "score": 1 / rank, "model": "model"}
        row["meta"] |= {"priority": 101 - rank, "select": reason}
    Path(flags["--output"]).write_text("".join(json.dumps(row) + "\n" for row in groups))


COMMANDS = {
    "train": train, "evaluate": evaluate, "rerank": rerank, "embed": embed, "embed-queries": embed_queries,
    "select": select,
}  # fmt: skip

COMMANDS[sys.argv[1]]()

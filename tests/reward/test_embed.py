"""Embeddings against stock transformers; duplicates against brute force; clusters and labels on planted data."""

import csv
import json
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from builders import ranked_groups
from sklearn.metrics import adjusted_rand_score
from transformers import AutoModel, AutoTokenizer

from labeler.errors import DataError, UsageError
from labeler.formats import read, write_groups
from reward.base import resolve
from reward.classify import classify
from reward.config.embed import EmbedConfig
from reward.embed import partial, run
from reward.embeddings import Embeddings
from reward.encoder import TextEncoder, batches
from reward.neighbours import clusters, near_duplicates, nearest, representatives
from reward.progress import Progress
from reward.quickstart import SAMPLE_DATA

TEXTS = ["Name a prime.", "", "A much longer question about nothing in particular, " * 3, "Hm?", "Name a prime!"]


def published(folder, texts):
    """Mean pooling as the model card of sentence encoders has it: stock classes, padding and all."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        states = model(input_ids=rows["input_ids"], attention_mask=rows["attention_mask"]).last_hidden_state
    mask = rows["attention_mask"].unsqueeze(-1).expand(states.size()).float()
    mean = torch.sum(states * mask, 1) / torch.clamp(mask.sum(1), min=1e-9)
    return torch.nn.functional.normalize(mean, p=2, dim=1).numpy()


@pytest.mark.model
def test_minilm_gives_what_is_published():
    found = TextEncoder.load("minilm-l6").embed(TEXTS, Progress(quiet=True))
    assert found.dtype == np.float32
    assert found == pytest.approx(published(resolve("minilm-l6"), TEXTS), abs=1e-5)


def test_an_encoder_gives_what_is_published(tiny_base, monkeypatch):
    monkeypatch.setattr("reward.encoder.TOKENS", 300)  # several batches
    texts = TEXTS[:1] + TEXTS[2:]  # an encoder that adds no special tokens has nothing to read in an empty text
    found = TextEncoder.load(str(tiny_base("bert"))).embed(texts, Progress(quiet=True))
    assert found == pytest.approx(published(tiny_base("bert"), texts), abs=1e-5)
    assert TextEncoder.load(str(tiny_base("bert"))).embed([""], Progress(quiet=True)) == pytest.approx(0.0)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_a_decoder_does_not_see_its_padding(tiny_base, family, pooling):
    encoder = TextEncoder.load(str(tiny_base(family)), pooling=pooling)
    texts = [text for text in TEXTS if text]
    found = encoder.embed(texts, Progress(quiet=True))
    for text, row in zip(texts, found, strict=True):
        ids = torch.tensor([encoder.tokenizer(text)["input_ids"][:256]])
        with torch.no_grad():
            states = encoder.model(input_ids=ids).last_hidden_state[0]
        wanted = {"mean": states.mean(0), "first": states[0], "last": states[-1]}[pooling]
        assert row == pytest.approx((wanted / wanted.norm()).numpy(), abs=1e-5)


def test_batches_hold_everything_once_and_little_padding():
    lengths = [3, 90, 5, 0, 40, 41, 200]
    made = list(batches(lengths, 100))
    assert sorted(k for batch in made for k in batch) == list(range(7))
    assert all(len(batch) == 1 or len(batch) * max(lengths[k] for k in batch) <= 100 for batch in made)
    assert made[0] == [6]


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("threshold", [0.75, 0.85, 0.95])
def test_near_duplicates_are_those_of_brute_force(monkeypatch, threshold):
    monkeypatch.setattr("reward.neighbours.BLOCK", 7)
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(60, 6)))
    vectors[41] = vectors[3]
    expected = list(range(60))
    changed = True
    while changed:
        changed = False
        for a in range(60):
            for b in range(60):
                if float(vectors[a] @ vectors[b]) >= threshold and expected[a] != expected[b]:
                    expected[a] = expected[b] = min(expected[a], expected[b])
                    changed = True
    found = near_duplicates(vectors, threshold).tolist()
    assert found == expected
    assert 1 < len(set(found)) < 60


def test_many_equal_texts_are_one_set():
    vectors = unit(np.random.default_rng(0).normal(size=(3, 8)))[np.arange(30_000) % 3]
    assert Counter(near_duplicates(vectors, 0.99).tolist()) == {0: 10_000, 1: 10_000, 2: 10_000}


def test_nearest_is_by_cosine():
    rng = np.random.default_rng(1)
    vectors, queries = unit(rng.normal(size=(50, 5))), unit(rng.normal(size=(3, 5)))
    order, cosine = nearest(vectors, queries, 4)
    for query, places, values in zip(queries, order, cosine, strict=True):
        ranked = sorted(range(50), key=lambda k: -float(vectors[k] @ query))
        assert places.tolist() == ranked[:4]
        assert values == pytest.approx([float(vectors[k] @ query) for k in ranked[:4]])


@pytest.mark.parametrize("count", [3, None])
def test_planted_clusters_are_found(count):
    rng = np.random.default_rng(2)
    truth = np.repeat([0, 1, 2], [30, 20, 10])
    vectors = unit(np.eye(8)[truth] + rng.normal(scale=0.05, size=(60, 8)))
    found = clusters(vectors, count)
    assert adjusted_rand_score(truth[found >= 0], found[found >= 0]) == 1
    assert [int((found == name).sum()) for name in range(3)] == sorted(
        (int((found == name).sum()) for name in range(3)), reverse=True
    )
    assert [truth[k] for k in representatives(vectors, found).values()] == [0, 1, 2]


def test_labels_are_learned_and_accuracy_is_on_unseen_texts():
    rng = np.random.default_rng(3)
    truth = np.arange(300) % 3
    vectors = unit(np.eye(6)[truth] + rng.normal(scale=0.3, size=(300, 6)))
    names = [f"topic {k}" for k in truth]
    given = [name if k < 40 else None for k, name in enumerate(names)]
    found = classify(vectors, [str(k) for k in range(300)], given)
    right = np.mean([a == b for a, b in zip(found.labels[40:], names[40:], strict=True)])
    assert found.accuracy == pytest.approx(right, abs=0.1)
    assert right > 0.8
    assert found.accuracy_ci95[0] < found.accuracy < found.accuracy_ci95[1]
    assert found.majority == pytest.approx(14 / 40)
    assert found.probabilities[:40] == (1.0,) * 40
    noise = classify(unit(rng.normal(size=(300, 6))), [str(k) for k in range(300)], names)
    assert noise.accuracy < 0.45


def test_equal_texts_do_not_leak_into_the_accuracy():
    """Labels are random, but every text is there five times with its label: memory must not look like skill."""
    rng = np.random.default_rng(4)
    vectors = unit(rng.normal(size=(60, 100))).repeat(5, axis=0)
    labels = [f"l{k}" for k in rng.integers(0, 2, size=60).repeat(5)]
    texts = [str(k) for k in np.arange(60).repeat(5)]
    assert classify(vectors, texts, labels).accuracy < 0.75
    assert classify(vectors, [str(k) for k in range(300)], labels).accuracy > 0.95  # what the leak would look like


@pytest.mark.parametrize(
    ("given", "said"), [(["a"] * 6, "1 different"), (["a"] * 5 + ["b"], "single text has the label 'b'")]
)
def test_too_few_labels_are_named(given, said):
    with pytest.raises(DataError, match=said):
        classify(unit(np.random.default_rng(0).normal(size=(6, 3))), list("uvwxyz"), given)


@pytest.fixture
def data(tmp_path):
    groups = ranked_groups(12)
    write_groups(groups, tmp_path / "groups.jsonl")
    return tmp_path / "groups.jsonl"


def embed(data, base, output, **settings):
    return run(EmbedConfig(data=(str(data),), output=output, base=str(base), **settings))


def test_the_file_is_read_with_pyarrow_alone(data, tiny_base, tmp_path, capsys):
    with (tmp_path / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("id", "label"), *((f"g{k}", "odd" if k % 2 else "even") for k in range(8))])
    out = tmp_path / "e.parquet"
    asked = {"duplicates": 0.5, "clusters": 2, "search": ("Question 3?",), "top": 2}
    embed(data, tiny_base("bert"), out, **asked, classify=str(tmp_path / "labels.csv"))
    table = pq.read_table(out)
    assert table.column("id").to_pylist() == [f"g{k}" for k in range(12)]
    assert table.column("text")[3].as_py() == "Question 3?"
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: float>[32]"
    assert {"first", "cluster", "label", "label_probability"} < set(table.column_names)
    assert json.loads(table.schema.metadata[b"reward"])["pooling"] == "mean"
    assert np.linalg.norm(np.stack(table.column("embedding").to_numpy(zero_copy_only=False)), axis=1) == pytest.approx(
        1
    )
    said = capsys.readouterr().out
    assert "1.000  g3  'Question 3?'" in said
    assert "% right on texts not learned from" in said
    assert "the most frequent label alone 50.0 %" in said


def test_completions_are_embedded_with_their_names(data, tiny_base, tmp_path):
    found = embed(data, tiny_base("llama"), tmp_path / "e.parquet", of="completions", pooling="last")
    groups = read(data).groups
    assert list(found.ids) == [g.id for g in groups for _ in g.completions]
    assert list(found.completions) == [c.id for g in groups for c in g.completions]
    assert list(Embeddings.load(tmp_path / "e.parquet").texts) == [c.text for g in groups for c in g.completions]


def test_what_is_there_is_not_read_again(data, tiny_base, tmp_path, monkeypatch):
    out = tmp_path / "e.parquet"
    first = embed(data, tiny_base("bert"), out)
    read_anew = []
    plain = TextEncoder.embed
    monkeypatch.setattr(
        TextEncoder, "embed", lambda self, texts, *a, **k: read_anew.append(list(texts)) or plain(self, texts, *a, **k)
    )
    again = embed(data, tiny_base("bert"), out, clusters=2)
    assert not read_anew
    assert (again.vectors == first.vectors).all()
    embed(data, tiny_base("bert"), out, pooling="first")
    assert len(read_anew[0]) == 12


def test_a_run_that_was_cut_goes_on(data, tiny_base, tmp_path, monkeypatch):
    monkeypatch.setattr("reward.embed.CHUNK", 5)
    out = tmp_path / "e.parquet"
    plain, calls = TextEncoder.embed, []

    def dies(self, texts, *rest, **more):
        calls.append(len(texts))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(self, texts, *rest, **more)

    monkeypatch.setattr(TextEncoder, "embed", dies)
    with pytest.raises(KeyboardInterrupt):
        embed(data, tiny_base("bert"), out)
    assert not out.exists()
    found = embed(data, tiny_base("bert"), out)
    assert calls == [5, 5, 5, 2]
    assert not partial(out).exists()
    assert found.vectors == pytest.approx(published(tiny_base("bert"), list(found.texts)), abs=1e-5)


def test_wrong_input_is_named(data, tiny_base, tmp_path):
    out = tmp_path / "e.parquet"
    with pytest.raises(UsageError, match=r"--output must be a file that ends in \.parquet"):
        embed(data, "x", tmp_path / "e.csv")
    with pytest.raises(UsageError, match="--duplicates"):
        embed(data, "x", out, duplicates=1.5)
    with pytest.raises(DataError, match="no group has a label by 'topic'"):
        embed(data, "x", out, classify="topic")
    with pytest.raises(DataError, match="the id 'g0' was there before"):
        run(EmbedConfig(data=(str(data), str(data)), output=out))
    (tmp_path / "p.jsonl").write_text('{"id": "a", "prompt": "Why?", "completions": []}\n')
    with pytest.raises(DataError, match=r"p\.jsonl: holds no completions"):
        embed(tmp_path / "p.jsonl", "x", out, of="completions")
    out.write_text("no Parquet")
    with pytest.raises(DataError, match=r"e\.parquet: cannot be read as embeddings"):
        embed(data, tiny_base("bert"), out)


@pytest.mark.model
def test_use_cases_of_the_sample_prompts_are_learned(tmp_path, capsys):
    found = run(
        EmbedConfig(data=(str(SAMPLE_DATA / "groups.jsonl"),), output=tmp_path / "e.parquet", classify="use_case")
    )
    said = capsys.readouterr().out
    right, alone = (float(said.split(before)[1].split(" %")[0]) for before in ("texts; ", "label alone "))
    assert right > alone + 20
    assert len(set(found.columns["label"])) > 3

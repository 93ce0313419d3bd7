"""Sampling against transformers' own generate and against the distribution, and files that survive a cut."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from tiny_models import VOCABULARY, save_policy
from transformers import AutoModelForCausalLM

from labeler.errors import DataError, UsageError
from labeler.formats import read
from labeler.records import Group, Message
from reward.config.common import Sampling
from reward.config.generate import GenerateConfig
from reward.generate import run
from reward.policy import Policy
from reward.prompts import read_prompts
from reward.sampling import pick, prompt_seed, sample

PROMPTS = ["Name a prime.", "Say hi.", "Count to three.", "Öffne die Tür 🚪."]


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return save_policy(tmp_path_factory.mktemp("policy") / "tiny-llama")


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text(
        "".join(json.dumps({"id": f"p{i}", "prompt": text}) + "\n" for i, text in enumerate(PROMPTS)), "utf-8"
    )
    return path


def config(policy, prompts, output, **more):
    return GenerateConfig(policy=str(policy), prompts=str(prompts), output=output, **({"max_new_tokens": 24} | more))


@pytest.mark.parametrize("family", ["llama", "neox", "gpt2"])
def test_greedy_sampling_equals_generate_of_transformers(tmp_path, family):
    model = AutoModelForCausalLM.from_pretrained(save_policy(tmp_path / family, family)).eval()
    for seed in range(3):
        prompt = torch.randint(5, VOCABULARY, (7 + seed,), generator=torch.Generator().manual_seed(seed)).tolist()
        theirs = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)), do_sample=False, max_new_tokens=30
        )[0, len(prompt) :].tolist()
        ours = sample(model, prompt, 3, ends=[2], max_new_tokens=30, temperature=0, top_p=1, seed=0)
        assert {each.ids for each in ours} == {tuple(token for token in theirs if token != 2)}
        assert ours[0].finished == (2 in theirs)


def test_tokens_are_drawn_as_often_as_their_probability_says():
    logits = torch.tensor([2.0, -1.0, 0.5, 1.0])
    uniform = torch.rand(20000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn = pick(logits.expand(20000, 4), uniform, temperature=0.7, top_p=1.0)
    expected = torch.softmax(logits.double() / 0.7, 0).numpy() * 20000
    assert stats.chisquare(np.bincount(drawn, minlength=4), expected).pvalue > 0.01


def test_the_nucleus_is_the_smallest_set_with_its_probability():
    logits = torch.log(torch.tensor([0.15, 0.5, 0.05, 0.3]))
    uniform = torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1]
    drawn = pick(logits.expand(1000, 4), uniform, temperature=1.0, top_p=0.75)
    assert np.bincount(drawn, minlength=4).tolist() == pytest.approx([0, 625, 0, 375], abs=1)
    assert set(pick(logits.expand(1000, 4), uniform, temperature=1.0, top_p=0.01).tolist()) == {1}


def test_sampled_tokens_have_the_probabilities_that_a_full_pass_gives(policy):
    """The cache, its copies and rows that leave the batch must not change what the model sees."""
    model = AutoModelForCausalLM.from_pretrained(policy).eval()
    prompt = [5, 80, 90, 17]
    drawn = sample(model, prompt, 6, ends=[2], max_new_tokens=200, temperature=0.8, top_p=0.9, seed=11)
    assert len({len(each.ids) for each in drawn}) > 1  # some left early
    uniform = torch.rand(200, 6, generator=torch.Generator().manual_seed(11), dtype=torch.float64)
    for column, each in enumerate(drawn):
        tokens = [*each.ids, *([2] if each.finished else [])]
        with torch.no_grad():
            logits = model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1]
        again = pick(logits, uniform[: len(tokens), column], temperature=0.8, top_p=0.9)
        assert again.tolist() == tokens


def test_sampling_leaves_the_global_random_state_alone(policy):
    model = AutoModelForCausalLM.from_pretrained(policy).eval()
    before = torch.random.get_rng_state()
    sample(model, [5, 6], 2, ends=[2], max_new_tokens=5, temperature=1, top_p=1, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_output_is_importable_and_says_how_it_was_made(policy, prompts, tmp_path):
    run(config(policy, prompts, tmp_path / "out.jsonl", k=3, temperature=0.9, seed=5))
    groups = read(tmp_path / "out.jsonl").groups
    assert [group.id for group in groups] == ["p0", "p1", "p2", "p3"]
    assert groups[3].prompt == (Message("user", PROMPTS[3]),)
    for group in groups:
        made = group.meta["generation"]
        assert [completion.model for completion in group.completions] == ["tiny-llama"] * 3
        assert (made["policy"], made["temperature"], made["seed"]) == ("tiny-llama", 0.9, 5)
        assert len(made["finished"]) == len(made["tokens"]) == 3
        assert all(done or count == 24 for done, count in zip(made["finished"], made["tokens"], strict=True))
        assert group.rankings == ()
    assert any(done for group in groups for done in group.meta["generation"]["finished"])
    assert len({completion.text for group in groups for completion in group.completions}) == 12


def test_text_is_exactly_what_stands_before_the_end_token(policy):
    settings = Sampling(max_new_tokens=30, precision="float32")
    loaded = Policy.load(str(policy), settings)
    group = loaded.write(Group("g", (Message("user", "Hi"),), ()), 8, settings)
    ids = loaded.encode((Message("user", "Hi"),), 30)
    drawn = sample(
        loaded.model,
        ids,
        8,
        ends=[0, 2],
        max_new_tokens=30,
        temperature=1.0,
        top_p=1.0,
        seed=prompt_seed(0, "g"),
    )
    alphabet = loaded.tokenizer.convert_ids_to_tokens(list(range(VOCABULARY)))
    for completion, each in zip(group.completions, drawn, strict=True):
        assert completion.text == loaded.tokenizer.backend_tokenizer.decoder.decode([alphabet[i] for i in each.ids])
    assert any(c.text != c.text.strip() for c in group.completions)


def test_same_seed_same_file_whatever_the_order_of_the_prompts(policy, prompts, tmp_path):
    run(config(policy, prompts, tmp_path / "a.jsonl"))
    run(config(policy, prompts, tmp_path / "b.jsonl"))
    lines = prompts.read_text("utf-8").splitlines(keepends=True)
    prompts.write_text("".join(reversed(lines)), "utf-8")
    run(config(policy, prompts, tmp_path / "c.jsonl"))
    run(config(policy, prompts, tmp_path / "d.jsonl", seed=1))
    first, again, turned, other = ((tmp_path / f"{name}.jsonl").read_text("utf-8").splitlines() for name in "abcd")
    assert first == again == turned[::-1]
    assert not set(first) & set(other)


@pytest.mark.parametrize("where", ["start", "middle of a line", "end of a line", "end"])
def test_a_cut_run_continues_to_the_same_file(policy, prompts, tmp_path, where):
    run(config(policy, prompts, tmp_path / "whole.jsonl"))
    whole = (tmp_path / "whole.jsonl").read_bytes()
    second = whole.index(b"\n") + 1
    cut = {"start": 0, "middle of a line": second + 150, "end of a line": second, "end": len(whole)}[where]
    (tmp_path / "cut.jsonl").write_bytes(whole[:cut])
    run(config(policy, prompts, tmp_path / "cut.jsonl", progress=tmp_path / "progress.jsonl"))
    assert (tmp_path / "cut.jsonl").read_bytes() == whole
    steps = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    left = 4 - whole[:cut].count(b"\n")
    assert [row["event"] for row in steps] == ["start", *["step"] * left, "done"]
    assert steps[-1]["step"] == steps[-1]["total"] == 4


@pytest.mark.parametrize(
    ("change", "word"),
    [({"seed": 3}, "seed"), ({"k": 2}, "completions"), ({"temperature": 0.5}, "temperature"), ({"limit": 1}, "fewer")],
)
def test_an_output_of_another_run_is_not_continued(policy, prompts, tmp_path, change, word):
    out = tmp_path / "out.jsonl"
    run(config(policy, prompts, out, k=3))
    before = out.read_bytes()
    with pytest.raises(UsageError, match=word):
        run(config(policy, prompts, out, **({"k": 3} | change)))
    assert out.read_bytes() == before
    run(config(policy, prompts, out, resume=False, **({"k": 3} | change)))
    assert out.read_bytes() != before


def test_a_foreign_file_is_not_overwritten(policy, prompts, tmp_path):
    out = tmp_path / "notes.jsonl"
    out.write_text('{"id": "mine"}\n')
    with pytest.raises(UsageError, match="not written by generate"):
        run(config(policy, prompts, out))
    assert out.read_text() == '{"id": "mine"}\n'


def test_a_prompt_longer_than_the_context_names_itself(policy, tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("short\n" + "x" * 600)
    with pytest.raises(DataError, match=r"long-2.*context of 512.*--max-new-tokens"):
        run(config(policy, path, tmp_path / "out.jsonl"))
    assert (tmp_path / "out.jsonl").read_text() == ""  # it is said before anything is sampled


def test_prompts_come_from_text_rows_groups_and_demonstrations(tmp_path):
    text = tmp_path / "p.txt"
    text.write_text("one  two \n\n\u2028three\n", "utf-8")
    found = read_prompts(str(text))
    assert [(g.id, g.prompt[0].content) for g in found] == [("p-1", "one  two "), ("p-3", "\u2028three")]
    rows = tmp_path / "rows.jsonl"
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    rows.write_text(json.dumps({"prompt": turns}) + "\n" + json.dumps({"id": "b", "prompt": "Ho"}) + "\n")
    assert [(g.id, len(g.prompt)) for g in read_prompts(str(rows))] == [("rows-1", 2), ("b", 1)]
    groups = tmp_path / "groups.jsonl"
    groups.write_text(
        json.dumps({"id": "g", "prompt": "Hi", "completions": [{"id": "c", "text": "x"}], "rankings": []}) + "\n"
    )
    assert read_prompts(str(groups)) == [Group("g", (Message("user", "Hi"),), ())]
    shown = tmp_path / "shown.jsonl"
    shown.write_text(json.dumps({"id": "d", "prompt": "Hi", "completion": "Hello"}) + "\n")
    assert read_prompts(str(shown)) == [Group("d", (Message("user", "Hi"),), ())]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"id": "a", "prompt": "x"}\n{"id": "a", "prompt": "y"}\n', "two prompts have the id 'a'"),
        ('{"id": "a", "prompt": "x"}\n{"id": "b"}\n', r"p\.jsonl:2: prompt"),
        ('{"id": "a", "prompt": "x"}\n{"id": \n', r"p\.jsonl:2"),
        ("", "empty"),
    ],
)
def test_bad_prompts_are_named(tmp_path, text, match):
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=match):
        read_prompts(str(path))
    with pytest.raises(DataError, match="check the path"):
        read_prompts(str(tmp_path / "none.txt"))


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"policy": "http://me:secret@localhost/v1"}, "--policy"),
        ({"policy_model": "m"}, "--policy-model"),
        ({"at_once": 0}, "--at-once"),
        ({"requests_per_minute": 0.0}, "--requests-per-minute"),
        ({"timeout": 0.0}, "--timeout"),
        ({"retries": -1}, "--retries"),
        ({"k": 0}, "--k"),
        ({"temperature": -1.0}, "--temperature"),
        ({"top_p": 0.0}, "--top-p"),
        ({"max_new_tokens": 0}, "--max-new-tokens"),
        ({"limit": 0}, "--limit"),
        ({"output": "x.jsonl.gz"}, "--output"),
    ],
)
def test_settings_out_of_range_name_their_flag(tmp_path, change, flag):
    values = {"policy": "p", "prompts": "q", "output": Path("x.jsonl")} | change
    values["output"] = Path(values["output"])
    with pytest.raises(UsageError, match=flag):
        GenerateConfig(**values)

"""The page of the evaluation: it stands alone, shows texts as texts, and does not hide what a reader must know."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from builders import ranked_groups

from labeler.errors import DataError
from labeler.records import Completion, Message
from reward.evaluate import evaluate
from reward.report import History, interval_text, points, render, verdict, warnings, worst_disagreements, write_report

EVIL = "<script>alert('x')</script><img src=http://evil.example/x onerror=alert(1)> & \"quotes\""


def scored(groups, noise=1.0, seed=0):
    """Scores that follow people's mean rank, with noise."""
    rng = np.random.default_rng(seed)
    means = [-np.mean([ranking.ranks for ranking in group.rankings], axis=0) for group in groups]
    return [(mean + rng.normal(0, noise, len(mean))).tolist() for mean in means]


@pytest.fixture(scope="module")
def page():
    groups = ranked_groups(40, meta={"topic": EVIL})
    evil = [
        replace(
            group,
            id=EVIL + group.id,
            prompt=(Message("user", f"{EVIL} {group.id}"),),
            completions=tuple(Completion(c.id, f"{EVIL}{c.text}") for c in group.completions),
            meta={"topic": f"{EVIL}{index % 2}"},
        )
        for index, group in enumerate(groups)
    ]
    scores = scored(evil, noise=2.0)
    history = History((1, 2, 3), (0.7, 0.6, 0.5), ((2, 0.55), (3, 0.6)))
    html, figures = render(
        evaluate(evil, scores), evil, scores, title=EVIL, subtitle=[EVIL], notes=[EVIL], provenance={EVIL: EVIL},
        history=history,
    )  # fmt: skip
    assert set(figures) == {"accuracy", "reliability", "gap", "length", "training"}
    return html


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "data")]
        assert not any(name.startswith("on") for name, _ in attrs)


def test_page_refers_to_nothing_outside(page):
    tags = Tags()
    tags.feed(page)
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(tags.seen)
    assert all(link.startswith("#") for link in tags.links)  # glyphs and clips within the pictures
    outside = re.findall(r"(?:url\(|@import|src=|href=)\s*[\"']?(?!#)[\w/:.]+", re.sub(r"&lt;img.*?&gt;", "", page))
    assert outside == []


def test_texts_are_escaped_everywhere(page):
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") > 15  # heading, notes, slices, examples, …


def test_page_shows_warnings_and_notes():
    groups = ranked_groups(5)
    alone = [replace(group, rankings=group.rankings[:1]) for group in groups]
    scores = [[-value for value in values] for values in scored(alone, noise=0.1)]
    metrics = evaluate(alone, scores)
    html, _ = render(metrics, alone, scores, title="t", notes=["three were left out"])
    told = warnings(metrics)
    assert len(told) == 3  # few prompts, one person each, and badly calibrated
    for text in (*told, "three were left out"):
        assert text in html
    assert 'class="verdict weak"' in html
    assert "has not shown that it learned more than length" in verdict(metrics)


def test_a_good_model_gets_a_good_verdict():
    groups = ranked_groups(60, k=4)
    flipped = [  # shorter is better
        replace(group, rankings=tuple(replace(r, ranks=tuple(-rank for rank in r.ranks)) for r in group.rankings))
        for group in groups
    ]
    scores = scored(flipped, noise=0.1)
    metrics = evaluate(flipped, scores)
    said = verdict(metrics)
    assert "Always choosing the shorter text" in said
    assert "more than chance explains" in said
    page, _ = render(metrics, flipped, scores, title="t")
    assert "shorter text wins" in page  # in the picture, whose text stays text
    assert "longer text wins" not in page


def test_worst_disagreements_are_the_largest_wrong_gaps():
    groups = ranked_groups(3)
    right = scored(groups, noise=0.0)
    wrong = [right[0], [-2 * value for value in right[1]], [-value for value in right[2]]]
    found = worst_disagreements(groups, wrong)
    assert found[0].group == "g1"
    assert all(example.worse_score > example.better_score for example in found)


def test_figures_of_the_text_are_signed_and_have_units():
    assert points(-0.069) == "−6.9 points"
    assert points(0.24) == "+24.0 points"
    assert interval_text((-0.13, 0.038), "points") == "−13.0 to 3.8 points"
    assert interval_text(None) == "–"


def test_written_files_are_complete_and_strict_json(tmp_path):
    groups = ranked_groups(8)
    scores = scored(groups)
    metrics = evaluate(groups, scores, tokens=100, wall_seconds=2.0)
    html, figures = render(metrics, groups, scores, title="t")
    assert write_report(tmp_path / "deep" / "out", metrics, html, figures, notes=["n"]).read_text("utf-8") == html
    out = tmp_path / "deep" / "out"
    written = json.loads((out / "metrics.json").read_text("utf-8"), parse_constant=pytest.fail)
    fixed = (
        "accuracy accuracy_ci95 judgment_accuracy comparisons groups ties length_only_accuracy human_agreement ece "
        "brier mean_reward std_reward tokens_per_second wall_seconds"
    )
    assert set(fixed.split()) <= written.keys()
    assert written["warnings"][0] == "n"
    assert written["tokens_per_second"] == 50.0
    assert sorted(path.name for path in (out / "plots").iterdir()) == [f"{n}.png" for n in sorted(figures)]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_report(tmp_path / "file", metrics, html, figures)


def test_the_figures_come_last_so_that_they_say_that_all_is_there(tmp_path):
    groups = ranked_groups(8)
    metrics = evaluate(groups, scored(groups), tokens=100, wall_seconds=2.0)
    (tmp_path / "report.html").mkdir()
    (tmp_path / "report.html" / "in the way").touch()
    with pytest.raises(DataError):
        write_report(tmp_path, metrics, "page", {})
    assert not (tmp_path / "metrics.json").exists()


def test_same_input_gives_the_same_page():
    groups = ranked_groups(8)
    scores = scored(groups)
    assert (
        render(evaluate(groups, scores), groups, scores, title="t")[0]
        == render(evaluate(groups, scores), groups, scores, title="t")[0]
    )

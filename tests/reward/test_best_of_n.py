"""The page of best and worst candidates."""

from labeler.records import Completion, Group, Message
from reward.best_of_n import render
from reward.rerank import Reranked

EVIL = "<script>alert(1)</script>"


def row(texts, scores, *turns):
    prompt = turns or (Message("user", f"Ask {EVIL}"),)
    completions = tuple(Completion(f"c{i}", text) for i, text in enumerate(texts))
    return Reranked(Group("g", prompt, completions), scores).to_row()


def test_best_comes_first_worst_last_and_texts_stay_as_they_are():
    page = render([row([f"low {EVIL}", "\n  high", "middle", ""], (-1.5, 2.0, 0.25, float("nan")))], title=f"T {EVIL}")
    assert EVIL not in page
    assert page.count("&lt;script&gt;") == 4  # title twice, prompt, completion
    places = [page.index(text) for text in ("best of 4 · score <b>+2.00", "worst · score <b>–", "place 2", "−1.50")]
    assert places == sorted(places)
    assert "<pre>\n\n  high</pre>" in page  # HTML drops one newline after <pre>
    assert "(no text)" in page
    assert "http" not in page


def test_one_candidate_has_no_worst():
    page = render(
        [row(["only"], (0.0,), Message("system", "Be brief."), Message("user", "Hi"))], title="T", lines=["L"]
    )
    assert "worst" not in page
    assert "<details>" not in page
    assert "system: Be brief.\n\nuser: Hi" in page
    assert '<p class="note">L</p>' in page

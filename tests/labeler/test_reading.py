"""The reading view: what is drawn, and what a hostile text cannot do with it."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler import reading

HARMLESS_TAGS = reading._BLOCKS | reading._TABLE | reading._INLINE | reading._MATHML
HARMLESS_ATTRIBUTES = {
    *("class", "dir", "start", "align", "display", "mathvariant", "stretchy", "fence", "form", "largeop"),
    *("movablelimits", "accent", "accentunder", "width", "linethickness", "columnalign"),
}

HOSTILE = (
    "<script>hit()</script><img src=x onerror=hit()><svg/onload=hit()>",
    "<iframe srcdoc='<script>hit()</script>'></iframe><object data=x></object><embed src=x>",
    "<style>@import 'http://evil.example/a.css';</style><link rel=stylesheet href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=http://evil.example'><base href=//evil.example>",
    "[a](javascript:hit()) [b](JaVaScRiPt:hit()) [c](data:text/html,<script>hit()</script>) [d](vbscript:hit())",
    "[a](&#106;avascript:hit()) [b](\\x6aavascript:hit()) [c](java\tscript:hit()) <javascript:hit()>",
    "![a](http://evil.example/p.png) ![b](data:image/svg+xml,<svg/onload=hit()>) ![c](//evil.example/x)",
    "[x]: http://evil.example 'onmouseover=hit()'\n\n[x] [![i](http://evil.example/i.png)](http://evil.example)",
    '[a](http://evil.example "\\" onmouseover=hit() x=\\"") <http://evil.example/?"onmouseover=hit()>',
    '```html onload=hit()\n<script>hit()</script>\n```\n~~~" onclick=hit() "\n</code></pre><script>hit()</script>\n~~~',
    "`<script>hit()</script>` **<b onclick=hit()>** # <h1 onclick=hit()>",
    "$\\text{<script>hit()</script>}$ $\\text{&lt;img src=x onerror=hit()&gt;}$ $<img src=x onerror=hit()>$",
    "$\\href{javascript:hit()}{x}$ $\\style{position:fixed;inset:0}{x}$ $\\class{lb-dialog}{x}$ $\\color{white}{x}$",
    "$$\\text{</mtext></math><img src=x onerror=hit()>}$$",
    "$\\mathrm{\\verb|</mi><script>hit()</script>|}$ \\(\\text{<mglyph><style></math><img src onerror=hit()>}\\)",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=hit()&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=hit()>'> <!--><script>hit()</script>-->",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=hit()>",
    "&lt;script&gt;hit()&lt;/script&gt; &#60;script&#62;hit()&#60;/script&#62; \\<script>hit()\\</script>",
    "| a | b |\n|:-:|--:|\n| <td onclick=hit()> | [x](javascript:hit()) |",
    "$\\hspace{99999em}x$ $\\rule{9999em}{9999em}$ $\\phantom{hidden}$ {\\tiny tiny} $\\raise{-99em}{x}$",
    "<a href='http://evil.example' ping='http://evil.example/p' style='background:url(//evil.example)'>x</a>",
    "\u202etxt.exe\u202c \u2066[x](http://evil.example)\u2069 \x00<script\x00>hit()</script>",
)


class Seen(HTMLParser):
    """Every tag and attribute of a document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")


def check_harmless(html: str) -> None:
    seen = Seen(html)
    assert seen.tags <= HARMLESS_TAGS
    assert seen.attributes.keys() <= HARMLESS_ATTRIBUTES
    assert seen.attributes.get("class", set()) <= {"", "lb-link", "lb-address", "lb-image", "lb-formula"}
    assert all(re.fullmatch(r"\d(\.\d+)?(em|ex|pt)", width) for width in seen.attributes.get("width", ()))


def drawn(text: str) -> str:
    html = reading.render(text)
    assert html is not None
    return html


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_come_out_harmless(text: str):
    check_harmless(drawn(text))
    for around in (
        "> {}",
        "- {}\n  - {}",
        "# {}",
        "*{}*",
        "[{}](http://a.example)",
        "$\\text{{{}}}$",
        "|{}|\n|-|\n|{}|",
    ):
        check_harmless(drawn(around.format(*[text] * around.count("{}"))))


@given(
    st.lists(
        st.sampled_from((*HOSTILE, "$", "\\(", "\\)", "`", "```\n", "\n", "[", "](", ")", "<", ">", "&")), max_size=12
    )
)
def test_mixtures_of_hostile_texts_come_out_harmless(parts: list[str]):
    check_harmless(drawn("".join(parts)))


@given(st.text(alphabet="\\{}[]()^_&%$abc12 frac\nbeginend|", max_size=60))
def test_no_formula_breaks_the_page(source: str):
    check_harmless(drawn(f"${source}$"))


def test_what_is_drawn():
    html = drawn(
        "# Title\n\nSome *emphasis*, **strength**, ~~gone~~ and `code`.\n\n1. one\n2. two\n\n"
        "```python\nif a < b: pass\n```\n\n| n | m |\n|--:|---|\n| 1 | 2 |\n\n> quoted\n\n"
        "Euler: $e^{i\\pi} = -1$ and \\(a^2\\).\n\n$$\\frac{1}{2}$$\n\n\\[\n- x\n\\]"
    )
    for part in (
        '<h3 dir="auto">Title</h3>',
        "<em>emphasis</em>",
        "<strong>strength</strong>",
        "<s>gone</s>",
        "<li",
        "if a &lt; b: pass",
        '<td dir="auto" align="right">1</td>',
        "<blockquote",
        "<msup><mi>e</mi>",
        "<mfrac>",
    ):
        assert part in html
    assert html.count("<math") == 4
    assert html.count('display="block"') == 2


def test_links_and_images_show_where_they_lead_and_lead_nowhere():
    html = drawn("[here](http://evil.example/a) <http://b.example/> ![cat](http://c.example/cat.png)")
    assert "href" not in html
    assert "src" not in html
    assert '<span class="lb-link">here</span><span class="lb-address"> (http://evil.example/a)</span>' in html
    assert html.count("http://b.example/") == 1
    assert "🖼 cat" in html
    assert "(http://c.example/cat.png)" in html


def test_raw_html_stays_text():
    assert drawn("<b>x</b>") == '<p dir="auto">&lt;b&gt;x&lt;/b&gt;</p>\n'


def test_money_is_no_formula():
    assert "<math" not in drawn("It costs $5 and not $6.")


@pytest.mark.parametrize(
    "formula",
    [
        r"\newcommand{\a}{xx}\a",
        r"\def\a{\a\a}\a",
        r"\begin{matrix} 1",
        r"x^",
        r"\left( x",
        "{" * 30 + "x" + "}" * 30,
        "x" * 2000,
        "a\u202eb",
    ],
)
def test_a_formula_that_cannot_be_drawn_stays_as_it_was_written(formula: str):
    html = drawn(f"${formula}$")
    assert "<math" not in html
    check_harmless(html)


def test_a_literal_angle_bracket_in_a_formula_is_text():
    assert "&lt;b&gt;" in drawn(r"$\text{<b>}$")


def test_too_long_a_text_is_refused():
    assert reading.render("a" * (reading.LONGEST_TEXT + 1)) is None


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "[",
            "![",
            "*",
            "_",
            "**a ",
            "`",
            "``` `",
            "> ",
            "- ",
            "  - a\n",
            "#",
            "<",
            "<a ",
            "&",
            "\\",
            "(",
            "[a](",
            "~~",
        ),
        *(
            "$",
            "$a",
            "$$",
            "\\(",
            "\\[",
            "$\\frac{",
            "$x$ ",
            "$\\sqrt{2}$",
            "|a",
            "|-|\n",
            "a\n",
            "\n",
            "a*b_c`",
            "![[]](",
        ),
        *(
            "[a][",
            "<!--",
            "<![CDATA[",
            "<http://a",
            "1. ",
            "\t",
            " ",
            "[x]: y\n",
            "&#60;",
            "\u202e",
            "\u200b",
            "{",
            "=\n",
        ),
        *("\\left(", "^{", "_{_", "$\\text{", "\\begin{matrix}", "é", "中", "a b", "**", "*a**b", "](", "\\["),
    ],
)
def test_no_repetition_takes_long(unit: str):
    """The worst that was found takes about a second here for a text of the greatest length."""
    text = (unit * reading.LONGEST_TEXT)[: reading.LONGEST_TEXT]
    start = time.process_time()
    html = reading.render(text)
    assert time.process_time() - start < 10
    if html is not None:
        check_harmless(html)


def test_threads_may_draw_at_the_same_time():
    wanted = [drawn(text) for text in HOSTILE]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(drawn, HOSTILE * 10)) == wanted * 10

r"""Markdown, code and formulas as HTML that can do nothing: an opt-in view beside the exact text. Pure.

A model's output may want to act on whoever reads it. Raw HTML in it stays text (``html=False``), links lose their
target and show it, images become their address, formulas become MathML without anything that colours, shrinks, moves or
hides them. What comes out of all that passes a sanitiser (nh3) whose list of tags and attributes has nothing that could
fetch, link or run; the page then copies it element by element under a list of its own.

Whatever cannot be drawn in good time stays as it was written: a text that is too long, a formula that is too long,
defines macros (which may expand without end) or holds characters that cannot be seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from typing import Any
from xml.etree.ElementTree import Element, tostring  # only written, never parsed

import nh3
from latex2mathml.converter import Converter
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

LONGEST_TEXT = 60_000
LONGEST_FORMULA = 1_000
LONGEST_MATH = 10_000
"""Characters of all formulas of a text together; later ones stay as they were written."""
DEEPEST_FORMULA = 20
"""Braces within braces."""

_MACROS = re.compile(r"\\(?:(?:re)?newcommand|providecommand|newenvironment|DeclareMathOperator|[egx]?def|let)\b")
_REFERENCE = re.compile(r"&#x([0-9A-Fa-f]{1,6});")
_LENGTH = re.compile(r"\d(\.\d{1,3})?(em|ex|pt)")

_BLOCKS = {"p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "hr"}
_TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
_INLINE = {"em", "strong", "s", "code", "br", "span"}
_MATHML = {
    *("math", "mrow", "mi", "mo", "mn", "mtext", "mspace", "ms", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup"),
    *("munder", "mover", "munderover", "mmultiscripts", "mprescripts", "mtable", "mtr", "mtd"),
}
_ATTRIBUTES = {
    **{tag: {"dir"} for tag in (*_BLOCKS, *_TABLE)},
    "ol": {"dir", "start"},
    "th": {"dir", "align"},
    "td": {"dir", "align"},
    "math": {"display"},
    "mi": {"mathvariant"},
    "mo": {"stretchy", "fence", "form", "largeop", "movablelimits", "accent"},
    "mover": {"accent"},
    "munder": {"accentunder"},
    "mspace": {"width"},
    "mfrac": {"linethickness"},
    "mtable": {"columnalign"},
}
_CLASSES = {"span": {"lb-link", "lb-address", "lb-image"}, "code": {"lb-formula"}}


def render(text: str) -> str | None:
    """The text as safe HTML; None where it is too long to be drawn."""
    if len(text) > LONGEST_TEXT:
        return None
    try:
        drawn = _markdown().render(text, {"math": LONGEST_MATH})
    except RecursionError:
        return None
    return nh3.clean(
        drawn,
        tags={*_BLOCKS, *_TABLE, *_INLINE, *_MATHML},
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        allowed_classes=_CLASSES,
        clean_content_tags=set(),
        url_schemes=set(),
        link_rel=None,
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Lengths are small, so that nothing is pushed out of sight or over something else."""
    if name in ("width", "linethickness") and not _LENGTH.fullmatch(value):
        return None
    return value


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    dollarmath_plugin(
        markdown,
        allow_labels=False,
        allow_space=False,
        allow_digits=False,  # else sums of money would be formulas
        allow_blank_lines=False,
        double_inline=True,
    )
    markdown.inline.ruler.before("escape", "bracket_math", _inline_brackets)
    markdown.block.ruler.before("fence", "bracket_math", _block_brackets, {"alt": ["paragraph", "blockquote", "list"]})
    for rule in ("math_inline", "math_inline_double", "math_block"):
        markdown.add_render_rule(rule, _render_math)
    markdown.core.ruler.push("harmless", _harmless)
    return markdown


# Formulas


def mathml(source: str, *, display: bool) -> str | None:
    """A formula as MathML, or None where it has to stay as it was written."""
    if len(source) > LONGEST_FORMULA or _depth(source) > DEEPEST_FORMULA:
        return None
    if _MACROS.search(source) or not all(character.isprintable() or character in "\t\r\n" for character in source):
        return None
    try:
        tree = Converter(display="block" if display else "inline").convert_to_element(source)
    except Exception:  # the converter has many ways to refuse what is no formula
        return None
    return tostring(_plain(tree), encoding="unicode", short_empty_elements=False)


def _depth(source: str) -> int:
    deepest = depth = 0
    for character in source:
        depth += (character == "{") - (character == "}")
        deepest = max(deepest, depth)
    return deepest


def _plain(tree: Element) -> Element:
    """The converter writes characters as references that are not to be escaped again."""
    for node in tree.iter():
        node.text = _REFERENCE.sub(_character, node.text) if node.text else None
    return tree


def _character(reference: re.Match[str]) -> str:
    code = int(reference[1], 16)
    return chr(code) if 32 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else ""


def _render_math(self: Any, tokens: Sequence[Token], index: int, options: Any, env: dict[str, int]) -> str:
    token = tokens[index]
    env["math"] -= len(token.content)
    found = mathml(token.content, display=token.markup in ("$$", r"\[")) if env["math"] >= 0 else None
    end = {r"\(": r"\)", r"\[": r"\]"}.get(token.markup, token.markup)
    return found or f'<code class="lb-formula">{escape(token.markup + token.content + end)}</code>'


def _inline_brackets(state: StateInline, silent: bool) -> bool:
    r"""``\(…\)`` and ``\[…\]`` inside a line."""
    opening = state.src[state.pos : state.pos + 2]
    if opening not in (r"\(", r"\["):
        return False
    closing = r"\)" if opening == r"\(" else r"\]"
    end = state.src.find(closing, state.pos + 2, min(state.posMax, state.pos + LONGEST_FORMULA))
    if end < 0:
        return False
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content, token.markup = state.src[state.pos + 2 : end], opening
    state.pos = end + 2
    return True


def _block_brackets(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    r"""``\[`` at the beginning of a line, up to the line that ends in ``\]``."""
    start = state.bMarks[first] + state.tShift[first]
    if not state.src.startswith(r"\[", start) or state.is_code_block(first):
        return False
    line = first
    while line < last and not state.isEmpty(line):
        content = state.src[start + 2 : state.eMarks[line]].rstrip()
        if len(content) > LONGEST_FORMULA:
            return False
        if content.endswith(r"\]"):
            if not silent:
                token = state.push("math_block", "math", 0)
                token.block, token.content, token.markup = True, content[:-2], r"\["
                token.map = [first, line + 1]
                state.line = line + 1
            return True
        line += 1
    return False


# Links, images and directions


def _harmless(state: StateCore) -> None:
    for token in state.tokens:
        if token.tag in ("h1", "h2", "h3", "h4", "h5", "h6"):  # the page has headings of its own
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        if token.nesting == 1 and token.tag in (*_BLOCKS, *_TABLE):
            token.attrSet("dir", "auto")
        if style := token.attrs.pop("style", ""):
            token.attrSet("align", str(style).removeprefix("text-align:"))
        if token.children:
            token.children = list(_shown_addresses(token.children))


def _shown_addresses(tokens: Iterable[Token]) -> Iterable[Token]:
    """Links as their text with the address behind it, images as what they are called and where they are."""
    open_links: list[tuple[str, list[str]]] = []
    for token in tokens:
        if token.type == "link_open":
            open_links.append((str(token.attrs.get("href", "")), []))
            yield _span("lb-link", 1)
        elif token.type == "link_close" and open_links:
            address, said = open_links.pop()
            yield _span("lb-link", -1)
            if address not in ("", "".join(said)):
                yield from _address(address)
        elif token.type == "image":
            yield _span("lb-image", 1)
            yield Token("text", "", 0, content=f"🖼 {token.content}")
            yield _span("lb-image", -1)
            yield from _address(str(token.attrs.get("src", "")))
        else:
            if open_links:
                open_links[-1][1].append(token.content)
            yield token


def _span(name: str, nesting: Any) -> Token:
    kind = "open" if nesting == 1 else "close"
    return Token(f"span_{kind}", "span", nesting, attrs={"class": name} if nesting == 1 else {})


def _address(address: str) -> Iterable[Token]:
    yield _span("lb-address", 1)
    yield Token("text", "", 0, content=f" ({address})")
    yield _span("lb-address", -1)

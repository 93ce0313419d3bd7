"""Constraints that code can check, by the ids and arguments of IFEval (Zhou et al. 2023, arXiv 2311.07911, table 1).

The checks are written anew. They follow the published ones except where those read a keyword as a pattern: here it is
plain text. Sentences, capital words and languages are told by `reward.policies.texts`, so that single answers may be
judged otherwise than there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labeler.errors import DataError
from reward.policies import texts

CHOICES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
"""What an answer of a constrained response may say."""
RELATIONS = ("less than", "at least")


def compared(count: int, relation: str, limit: int) -> bool:
    """Whether a count is less than, or at least, a limit."""
    return count < limit if relation == "less than" else count >= limit


def has_keywords(answer: str, keywords: list[str]) -> bool:
    """All keywords occur, also within words, in any case."""
    return all(keyword.casefold() in answer.casefold() for keyword in keywords)


def has_keyword_often(answer: str, keyword: str, frequency: int, relation: str) -> bool:
    """A keyword occurs less often than, or at least, so often."""
    return compared(answer.casefold().count(keyword.strip().casefold()), relation, frequency)


def lacks_words(answer: str, forbidden_words: list[str]) -> bool:
    """None of the words occurs as a whole word."""
    return not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", answer, re.IGNORECASE) for word in forbidden_words)


def has_letter_often(answer: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    """A letter, in any case, occurs less often than, or at least, so often."""
    return compared(answer.lower().count(letter.strip().lower()), let_relation, let_frequency)


def in_language(answer: str, language: str) -> bool:
    """The whole answer is in a language; an answer without letters is in any."""
    return texts.language(answer) in (None, language)


def has_sentences(answer: str, num_sentences: int, relation: str) -> bool:
    """Less than, or at least, so many sentences."""
    return compared(len(texts.sentences(answer)), relation, num_sentences)


def has_words(answer: str, num_words: int, relation: str) -> bool:
    """Less than, or at least, so many words."""
    return compared(len(texts.words(answer)), relation, num_words)


def has_paragraphs(answer: str, num_paragraphs: int) -> bool:
    """Exactly so many paragraphs between dividers ``***``, none of them empty."""
    parts = [part.strip() for part in re.split(r"\s?\*\*\*\s?", answer)]
    return all(parts[1:-1]) and sum(bool(part) for part in parts) == num_paragraphs


def nth_paragraph_starts(answer: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Exactly so many paragraphs between blank lines, and the nth begins with a word, in any case."""
    parts = texts.paragraphs(answer)
    if len(parts) != num_paragraphs or not 1 <= nth_paragraph <= len(parts):
        return False
    start = re.match(r"['\"“‘]*([^\s.,?!'\"”’]*)", parts[nth_paragraph - 1])
    return start is not None and start[1].casefold() == first_word.casefold()


def has_placeholders(answer: str, num_placeholders: int) -> bool:
    """At least so many placeholders in square brackets."""
    return len(re.findall(r"\[.*?\]", answer)) >= num_placeholders


def has_postscript(answer: str, postscript_marker: str) -> bool:
    """A postscript behind its marker, whose letters may have spaces between them."""
    letters = [re.escape(letter) for letter in postscript_marker.strip().rstrip(".").split(".")]
    return re.search(r"\.\s?".join(letters), answer, re.IGNORECASE) is not None


def has_bullets(answer: str, num_bullets: int) -> bool:
    """Exactly so many lines that begin with ``*`` or ``-``; ``**bold**`` is no bullet."""
    return len(re.findall(r"^\s*(?:\*[^*\n]|-)", answer, re.MULTILINE)) == num_bullets


def is_a_choice(answer: str) -> bool:
    """One of the three allowed answers is in it."""
    return any(choice in answer for choice in CHOICES)


def has_highlights(answer: str, num_highlights: int) -> bool:
    """At least so many ``*highlighted*`` or ``**highlighted**`` parts of a line."""
    found = re.findall(r"\*\*[^*\n]+\*\*|\*[^*\n]+\*", answer)
    return sum(bool(part.strip("* ")) for part in found) >= num_highlights


def has_sections(answer: str, section_spliter: str, num_sections: int) -> bool:
    """At least so many sections, each marked by a word and a number, such as ``Section 1``."""
    return len(re.findall(rf"{re.escape(section_spliter.strip())}\s?\d+", answer)) >= num_sections


def is_json(answer: str) -> bool:
    """The whole answer is JSON, perhaps within a Markdown fence."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", answer, re.DOTALL | re.IGNORECASE)
    try:
        json.loads(fenced[1] if fenced else answer)
    except (ValueError, RecursionError):
        return False
    return True


def has_title(answer: str) -> bool:
    """A title in double angular brackets."""
    return any(title.strip("<> ") for title in re.findall(r"<<[^\n]+>>", answer))


def has_two_answers(answer: str) -> bool:
    """Two different answers with ``******`` between them."""
    parts = [part.strip() for part in answer.split("******")]
    told = [part for part in parts if part]
    return all(parts[1:-1]) and len(told) == 2 and told[0] != told[1]


def repeats_prompt(answer: str, prompt_to_repeat: str) -> bool:
    """The answer begins with the prompt, in any case."""
    return answer.strip().casefold().startswith(prompt_to_repeat.strip().casefold())


def ends_with(answer: str, end_phrase: str) -> bool:
    """The answer ends with a phrase, in any case, perhaps within quotes."""
    return answer.strip().strip('"').casefold().endswith(end_phrase.strip().casefold())


def is_quoted(answer: str) -> bool:
    """The whole answer is in double quotation marks."""
    return re.fullmatch(r'\s*".*"\s*', answer, re.DOTALL) is not None


def has_capital_words(answer: str, capital_frequency: int, capital_relation: str) -> bool:
    """Less than, or at least, so many words all in capitals; hyphenated words count as one."""
    return compared(sum(word.isupper() for word in texts.tokens(answer)), capital_relation, capital_frequency)


def is_capital_english(answer: str) -> bool:
    """In English and all in capitals."""
    return answer.isupper() and in_language(answer, "en")


def is_small_english(answer: str) -> bool:
    """In English and without a capital letter."""
    return answer.islower() and in_language(answer, "en")


def lacks_commas(answer: str) -> bool:
    """Without a comma."""
    return "," not in answer


CHECKS: dict[str, Callable[..., bool]] = {
    "keywords:existence": has_keywords,
    "keywords:frequency": has_keyword_often,
    "keywords:forbidden_words": lacks_words,
    "keywords:letter_frequency": has_letter_often,
    "language:response_language": in_language,
    "length_constraints:number_sentences": has_sentences,
    "length_constraints:number_paragraphs": has_paragraphs,
    "length_constraints:number_words": has_words,
    "length_constraints:nth_paragraph_first_word": nth_paragraph_starts,
    "detectable_content:number_placeholders": has_placeholders,
    "detectable_content:postscript": has_postscript,
    "detectable_format:number_bullet_lists": has_bullets,
    "detectable_format:constrained_response": is_a_choice,
    "detectable_format:number_highlighted_sections": has_highlights,
    "detectable_format:multiple_sections": has_sections,
    "detectable_format:json_format": is_json,
    "detectable_format:title": has_title,
    "combination:two_responses": has_two_answers,
    "combination:repeat_prompt": repeats_prompt,
    "startend:end_checker": ends_with,
    "startend:quotation": is_quoted,
    "change_case:capital_word_frequency": has_capital_words,
    "change_case:english_capital": is_capital_english,
    "change_case:english_lowercase": is_small_english,
    "punctuation:no_comma": lacks_commas,
}
"""The 25 instruction ids of IFEval → the check, whose parameters behind the answer are the arguments in ``kwargs``."""


@dataclass(frozen=True)
class Instruction:
    """A constraint with its arguments, checked when it is built."""

    id: str
    arguments: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.id not in CHECKS:
            raise DataError(f"the instruction {self.id!r} is unknown; known are {', '.join(sorted(CHECKS))}")
        wanted = {
            name: kind for name, kind in CHECKS[self.id].__annotations__.items() if name not in ("answer", "return")
        }
        for name, kind in wanted.items():
            value = self.arguments.get(name)
            if not _fits(value, kind, name):
                raise DataError(f"{self.id} needs the argument {name}, {KINDS[kind]}, not {value!r}")
        unknown = self.arguments.keys() - wanted.keys()
        if unknown:
            raise DataError(
                f"{self.id} does not take the argument {min(unknown)}; it takes {', '.join(wanted) or 'none'}"
            )

    def followed(self, answer: str) -> bool:
        """Whether an answer follows it; an empty one follows nothing."""
        return bool(answer.strip()) and CHECKS[self.id](answer, **self.arguments)


KINDS = {"str": "a text", "int": "a whole number", "list[str]": "a list of texts"}


def _fits(value: object, kind: str, name: str) -> bool:
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "str":
        return isinstance(value, str) and (not name.endswith("relation") or value in RELATIONS)
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)

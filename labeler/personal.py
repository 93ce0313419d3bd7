"""Personal data in texts, found and masked before people read them (InstructGPT, section 3.2). Pure.

Found are e-mail addresses, telephone numbers, payment cards, IBANs, IP addresses and US social security numbers: what
has a form that can be checked. Not found: names, addresses of houses, dates of birth, numbers of accounts and papers
of other kinds, user names, and whatever is written out in words. For those a person has to look.

Telephone numbers are found by phonenumbers, a port of Google's libphonenumber; the others by their form and, where they
have one, their check digits. Others tried on the first examples of ``tests/labeler/test_personal.py``: datafog 4.9 (its
regex engine, dates left out) had precision 0.79 and recall 0.86 and took long numbers for cards and telephones;
scrubadub 2.0 had 0.85 and 0.77; presidio-analyzer 2.2 without a language model 0.88 and 1.00, but it needs spaCy, which
loads torch where that is installed, and asks the internet for domain names. This one has 0.96 and 1.00 there.

A mask says the kind and a number, ``[EMAIL_1]``: the same value has the same number within a group, so that a dialogue
stays understandable. What stood there is kept nowhere.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import phonenumbers

from labeler.errors import UsageError
from labeler.records import Demonstration, Group, Prompt, Ranking

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+%'-]{1,64}@(?:[\w](?:[\w-]{0,61}[\w])?\.)+[^\W\d_]{2,24}(?![\w@-])")
_CARD = re.compile(r"(?<![\w.-])[3-6]\d{3}(?:[ -]?\d){8,15}(?![\w-]|\.\d)")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_IP4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IP6 = re.compile(r"(?<![\w:])[0-9a-fA-F:]{0,35}:[0-9a-fA-F:]{1,35}(?![\w:])")
_DIGITS = re.compile(r"\d")
_LIKE_PHONE = re.compile(r"\d(?:[^\w\n]{0,4}\d){6}")


@dataclass(frozen=True, slots=True)
class Found:
    """One piece of personal data: characters ``start`` to ``end`` of a text, of which kind."""

    start: int
    end: int
    kind: str


def check_region(region: str) -> None:
    """Raise `UsageError` unless this is a country, by its two letters, whose telephone numbers are known."""
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise UsageError(f"--phone-region {region!r} must be the two letters of a country, as US, GB or DE")


def find(text: str, region: str = "US") -> tuple[Found, ...]:
    """The personal data in a text, in its order, without overlaps.

    Args:
        text: any.
        region: whose telephone numbers may stand without the code of their country.
    """
    taken: list[Found] = []
    for found in (*_by_form(text), *_phones(text, region)):
        if all(found.end <= other.start or found.start >= other.end for other in taken):
            taken.append(found)
    return tuple(sorted(taken, key=lambda one: one.start))


def _by_form(text: str) -> Iterator[Found]:
    """What has a form of its own; the surest first."""
    for kind, pattern, sound in _FORMS:
        for match in pattern.finditer(text):
            if sound(match[0]):
                yield Found(*match.span(), kind)


def _is_card(text: str) -> bool:
    """Luhn's check digit (ISO/IEC 7812-1, annex B)."""
    digits = [int(digit) for digit in reversed(_DIGITS.findall(text))]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and (sum(digits[::2]) + doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """The check digits of ISO 13616: 1 modulo 97, with letters as 10 to 35 and the first four places last."""
    packed = text.replace(" ", "")
    return 15 <= len(packed) <= 34 and int("".join(str(int(c, 36)) for c in packed[4:] + packed[:4])) % 97 == 1


def _is_address(text: str) -> bool:
    """An IP address that may be somebody's: no version number and not everybody's own (loopback, any)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not address.is_loopback and not address.is_unspecified and (address.version == 4 or text.count(":") > 2)


def _always(text: str) -> bool:
    return True


_FORMS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("EMAIL", _EMAIL, _always),
    ("IBAN", _IBAN, _is_iban),
    ("CARD", _CARD, _is_card),
    ("SSN", _SSN, _always),
    ("IP", _IP4, _is_address),
    ("IP", _IP6, _is_address),
)


def _phones(text: str, region: str) -> Iterator[Found]:
    """Valid telephone numbers; one that is part of a longer number (a decimal fraction) is none."""
    if not _LIKE_PHONE.search(text):  # looking closely takes long
        return
    for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID):
        before = text[max(0, match.start - 2) : match.start]
        if not re.search(r"\d[.,]$|\d$", before):
            yield Found(match.start, match.end, "PHONE")


@dataclass(slots=True)
class Mask:
    """The masks of one group: gives the same value the same one.

    Attributes:
        region: of `find`.
        counts: how many places were masked, by kind.
    """

    region: str
    counts: Counter[str] = field(default_factory=Counter)
    _names: dict[tuple[str, str], str] = field(default_factory=dict)
    _numbers: Counter[str] = field(default_factory=Counter)

    def __call__(self, text: str) -> str:
        """The text with its personal data masked."""
        parts, end = [], 0
        for found in find(text, self.region):
            parts += [text[end : found.start], self._name(found.kind, text[found.start : found.end])]
            self.counts[found.kind] += 1
            end = found.end
        return "".join((*parts, text[end:])) if parts else text

    def _name(self, kind: str, value: str) -> str:
        key = kind, "".join(filter(str.isalnum, value)).casefold()
        if key not in self._names:
            self._numbers[kind] += 1
            self._names[key] = f"[{kind}_{self._numbers[kind]}]"
        return self._names[key]


def masked_group(group: Group, region: str) -> tuple[Group, Counter[str]]:
    """A group with its prompt, completions and annotators' notes masked, and how many places of which kind."""
    mask = Mask(region)
    prompt = _prompt(group.prompt, mask)
    completions = tuple(replace(one, text=mask(one.text)) for one in group.completions)
    rankings = tuple(_ranking(ranking, mask) for ranking in group.rankings)
    if not mask.counts:
        return group, mask.counts
    return replace(group, prompt=prompt, completions=completions, rankings=rankings), mask.counts


def masked_demonstration(demonstration: Demonstration, region: str) -> tuple[Demonstration, Counter[str]]:
    """Likewise of a demonstration."""
    mask = Mask(region)
    prompt, completion = _prompt(demonstration.prompt, mask), mask(demonstration.completion)
    return replace(demonstration, prompt=prompt, completion=completion), mask.counts


def _prompt(prompt: Prompt, mask: Mask) -> Prompt:
    return tuple(replace(message, content=mask(message.content)) for message in prompt)


def _ranking(ranking: Ranking, mask: Mask) -> Ranking:
    return ranking if ranking.note is None else replace(ranking, note=mask(ranking.note))

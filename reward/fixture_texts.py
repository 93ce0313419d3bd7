"""Made-up conversations whose scores every artifact carries, so that any other engine can be tested against them."""

from __future__ import annotations

from labeler.records import Message, Prompt


def _user(text: str) -> Prompt:
    return (Message("user", text),)


_TALK: Prompt = (
    Message("system", "You answer in one sentence."),
    Message("user", "What is a prime number?"),
    Message("assistant", "A whole number above one that only one and itself divide."),
    Message("user", "Name the smallest."),
)
_LONG = _user("Summarize this list. " + " ".join(f"Item {i} costs {i * 7 % 23} coins." for i in range(25)))
FIXTURE_TEXTS: tuple[tuple[Prompt, str], ...] = (
    (_user("Name a prime number."), "7"),
    (_user("Name a prime number."), "9"),
    (_user("Name a prime number."), ""),
    (_user("Name a prime number."), "7 is a prime number, since only 1 and 7 divide it."),
    (_TALK, "Two."),
    (_TALK, "The smallest prime number is two; it is also the only even one."),
    (_TALK, " Two, with spaces around. \n"),
    (_LONG, "Twenty-five items cost between 0 and 22 coins each."),
    (_LONG, "I cannot read lists."),
    (_user("Write a loop in Python."), "for i in range(3):\n\tprint(i)\n"),
    (_user("Write a loop in Python."), "```python\nwhile True:\n    pass\n```"),
    (_user("Wie heißt die Hauptstadt von Österreich?"), "Wien."),
    (_user("Wie heißt die Hauptstadt von Österreich?"), "Graz – glaube ich …"),
    (_user("富士山の高さは？"), "三千七百七十六メートルです。"),
    (_user("Cheer me up 🙂"), "🎉🎉🎉"),
    (_user("Cheer me up 🙂"), "You have come far, and the rest of the way is shorter than it looks."),
    (_user("  Repeat   my  spaces.  "), "  Repeat   my  spaces.  "),
    (_user("What is 12 + 30?"), "12 + 30 = 42"),
)
"""Made-up conversations of different length, language and shape."""

"""What a project asks of its labelers: the task, its flags and its scales. Pure; the store keeps it in versions.

The defaults are InstructGPT's (Ouyang et al. 2022, arXiv 2203.02155): a completion is rated 1 to 7 and flagged as in
its table 3, a prompt is flagged as in its table 7, then the completions are ranked with ties (figure 12).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal, get_args

from labeler.endpoint_settings import MOST_REPLIES, Endpoint, endpoint_from
from labeler.errors import DataError
from labeler.languages import mark, t
from labeler.records import check_plain

Task = Literal["rank", "rate", "pair", "demonstrate", "chat"]
TASKS: tuple[Task, ...] = get_args(Task)
Editing = Literal["optional", "required"]
RATINGS = range(1, 8)
COMMAND_KEYS = frozenset("ghmnrsuvx")
"""Letters that the labeling screen keeps for its commands; flags have the others."""
FLAG_KEYS = "".join(sorted(set("abcdefghijklmnopqrstuvwxyz") - COMMAND_KEYS))
LONGEST_TEXT = 200
LONGEST_WARNING = 2000


@dataclass(frozen=True, slots=True)
class Flag:
    """A question answered with yes or no.

    Attributes:
        name: what it is called in the data.
        text: what stands on its button (the name where nothing is given).
        about: the whole question, shown when the pointer rests on the button and read out by screen readers.
        key: the letter that sets it, one of `FLAG_KEYS`; without one, `with_keys` finds it.
    """

    name: str
    text: str = ""
    about: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if not self.name or self.name != self.name.strip() or len(self.name) > LONGEST_TEXT:
            raise DataError(
                f"{self.name!r} must be 1 to {LONGEST_TEXT} characters without blanks at its ends", field="name"
            )
        check_plain(f"{self.name}{self.text}{self.about}", "name")
        if not self.text:
            object.__setattr__(self, "text", self.name.replace("_", " "))
        if self.key and self.key not in FLAG_KEYS:
            problem = f"the key of {self.name!r} is {self.key!r}; it must be one of {', '.join(FLAG_KEYS)}"
            raise DataError(problem, field="key")


OUTPUT_FLAGS = (
    Flag("fails_task", mark("fails the task"), mark("Fails to follow the correct instruction or task"), "f"),
    Flag("inappropriate", mark("not for customers"), mark("Inappropriate for a customer assistant"), "i"),
    Flag("hallucination", mark("made up"), mark("Hallucination: states something that is made up"), "l"),
    Flag(
        "satisfies_constraint", mark("meets constraint"), mark("Satisfies the constraint given in the instruction"), "c"
    ),
    Flag("sexual_content", mark("sexual"), mark("Contains sexual content"), "e"),
    Flag("violent_content", mark("violent"), mark("Contains violent content"), "o"),
    Flag(
        "encourages_harm",
        mark("encourages harm"),
        mark("Encourages or fails to discourage violence, abuse, terrorism or self-harm"),
        "t",
    ),
    Flag("denigrates_class", mark("denigrates a group"), mark("Denigrates a protected class"), "d"),
    Flag("harmful_advice", mark("harmful advice"), mark("Gives harmful advice"), "a"),
    Flag("expresses_opinion", mark("opinion"), mark("Expresses an opinion"), "p"),
    Flag("moral_judgment", mark("moral judgment"), mark("Expresses a moral judgment"), "j"),
)
"""The eleven of InstructGPT's table 3."""
PROMPT_FLAGS = (
    Flag("ambiguous", mark("ambiguous"), mark("The prompt can be read in several ways"), "a"),
    Flag("sensitive", mark("sensitive"), mark("The prompt has sensitive content"), "e"),
    Flag("identity_dependent", mark("identity-dependent"), mark("The right answer depends on who asks"), "i"),
    Flag("closed_domain", mark("closed domain"), mark("The answer should use only what the prompt gives"), "c"),
    Flag("continuation", mark("continuation"), mark("The prompt is a text to be continued"), "t"),
    Flag("requests_opinion", mark("asks for opinion"), mark("The prompt asks for an opinion"), "o"),
    Flag("requests_advice", mark("asks for advice"), mark("The prompt asks for advice"), "d"),
    Flag("requests_moral_judgment", mark("asks for moral judgment"), mark("The prompt asks for a moral judgment"), "j"),
    Flag("safety_constraints", mark("safety constraints"), mark("The prompt has explicit constraints for safety"), "f"),
    Flag("other_constraints", mark("other constraints"), mark("The prompt has other explicit constraints"), "k"),
    Flag("intent_unclear", mark("intent unclear"), mark("It is not clear what the person wants"), "l"),
)
"""Those of InstructGPT's table 7."""


_KNOWN = {flag.text: flag.about for flag in (*OUTPUT_FLAGS, *PROMPT_FLAGS)}


def in_words(flag: Flag) -> Flag:
    """A flag as people read it: one of the usual ones in their language, one of a manager's own as it was written."""
    return replace(flag, text=t(flag.text), about=t(flag.about)) if _KNOWN.get(flag.text) == flag.about else flag


def with_keys(flags: Iterable[Flag]) -> tuple[Flag, ...]:
    """The flags, each with a key of its own: one of its text's letters if that is free, else any.

    Raises:
        DataError: two have the same name or key, or there are more flags than keys.
    """
    given = tuple(flags)
    for what in ("name", "key"):
        values = [getattr(flag, what) for flag in given if getattr(flag, what)]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice:
            raise DataError(f"two have the {what} {twice!r}; make them differ", field=what)
    if len(given) > len(FLAG_KEYS):
        raise DataError(f"there are {len(given)}; at most {len(FLAG_KEYS)} have a key each", field="name")
    taken = {flag.key for flag in given}
    found = []
    for flag in given:
        key = flag.key or next(
            letter for letter in (*flag.text.lower(), *FLAG_KEYS) if letter in FLAG_KEYS and letter not in taken
        )
        taken.add(key)
        found.append(replace(flag, key=key))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """What is asked about one task.

    Attributes:
        task: ``rank`` the completions; ``rate`` each from 1 to 7 and then, with `ranking`, rank them; choose of a
            ``pair``; ``demonstrate`` the ideal answer by writing it; write both sides of a dialogue in a ``chat``.
        ranking: whether completions are ranked; ``rate`` may do without, ``demonstrate`` always does.
        top: rank only the best so many, None for all.
        strength: of two completions, how much better the one is (1 negligibly to 4 significantly, Llama 2's scale).
        all_bad: may say that no completion is acceptable, instead of a ranking.
        edit: whether the best completion may (``optional``) or must (``required``) be improved after the ranking, or a
            better one be written where all are bad (Llama 3's edited > chosen > rejected, arXiv 2407.21783, 4.1.2).
        flags: of each completion.
        prompt_flags: of the prompt.
        suggest: in a chat, what writes suggestions for the assistant's turns; None for none.
        replies: in a chat, how many replies each of the assistant's turns offers to be ranked; None where suggestions
            are only there to be taken.
        content_warning: shown before the first task of a sitting, with the choice to leave out the tasks whose
            ``meta.sensitive`` is true; empty for none.
        break_minutes: after so many minutes of attention a break is suggested; None for never.
    """

    task: Task = "rank"
    ranking: bool = True
    top: int | None = None
    strength: bool = False
    all_bad: bool = True
    edit: Editing | None = None
    flags: tuple[Flag, ...] = ()
    prompt_flags: tuple[Flag, ...] = ()
    suggest: Endpoint | None = None
    replies: int | None = None
    content_warning: str = ""
    break_minutes: int | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise DataError(f"the task is {self.task!r}; it must be one of {', '.join(TASKS)}", field="task")
        if self.task == "demonstrate":
            self._check_writing()
        elif not self.ranking and self.task != "rate":
            raise DataError(f"the task {self.task} is a ranking; only rate goes without", field="ranking")
        if self.edit not in (None, *get_args(Editing)):
            raise DataError(f"is {self.edit!r}; it must be {' or '.join(get_args(Editing))}", field="edit")
        if self.edit and not self.ranking:
            raise DataError("goes with a ranking; leave it out", field="edit")
        if self.top is not None and self.top < 1:
            raise DataError("must be 1 or more, or null for all", field="top")
        if self.top is not None and (self.task == "pair" or not self.ranking):
            raise DataError("goes with a ranking of several completions; leave it out", field="top")
        if self.strength and not self.ranking:
            raise DataError("goes with a ranking; leave it out", field="strength")
        self._check_chat()
        if len(self.content_warning) > LONGEST_WARNING:
            raise DataError(f"must be at most {LONGEST_WARNING} characters long", field="content_warning")
        check_plain(self.content_warning, "content_warning")
        if self.break_minutes is not None and self.break_minutes < 1:
            raise DataError("must be 1 or more, or null for never", field="break_minutes")
        for name in ("flags", "prompt_flags"):
            try:
                object.__setattr__(self, name, with_keys(getattr(self, name)))
            except DataError as error:
                raise DataError(error.problem, field=f"{name}.{error.field}") from error

    def _check_chat(self) -> None:
        of_completions = ("top", "strength", "all_bad", "edit", "flags", "prompt_flags")
        of_chats = ("suggest", "replies")
        others = of_completions if self.task == "chat" else of_chats
        wrong = next((name for name in others if getattr(self, name)), None)
        if wrong:
            problem = "is not asked in a chat" if self.task == "chat" else "goes with the task chat"
            raise DataError(f"{problem}; leave it out", field=wrong)
        if self.replies is not None and not 2 <= self.replies <= MOST_REPLIES:
            raise DataError(
                f"is {self.replies}; it must be 2 to {MOST_REPLIES}, or null for no ranking", field="replies"
            )
        if self.replies and not self.suggest:
            raise DataError("needs a model that writes them; set suggest.url and suggest.model", field="replies")

    @property
    def offered(self) -> int:
        """How many replies are asked of the model for each of the assistant's turns."""
        return self.replies or (self.suggest.number if self.suggest else 0)

    def _check_writing(self) -> None:
        """Nothing can be asked of completions where there are none."""
        for name in ("ranking", "top", "strength", "all_bad", "edit", "flags"):
            if getattr(self, name):
                raise DataError("is for completions, of which the task demonstrate has none; leave it out", field=name)

    @property
    def writes(self) -> bool:
        """Whether the answer to the prompt is written, instead of answers being judged."""
        return self.task == "demonstrate"

    @property
    def judges(self) -> bool:
        """Whether labelers judge completions, instead of writing an answer or a dialogue."""
        return self.task not in ("demonstrate", "chat")

    @property
    def rates(self) -> bool:
        """Whether each completion is rated."""
        return self.task == "rate"

    def wants(self, k: int) -> int:
        """How many of k completions have to be ranked."""
        return 0 if not self.ranking else min(self.top or k, k)

    def asks_strength(self, k: int) -> bool:
        """Whether the strength of a preference is asked where there are k completions."""
        return self.strength and k == 2

    def check_count(self, k: int) -> None:
        """Raise `DataError` if k completions are too few or too many for the task."""
        if self.task in ("chat", "demonstrate"):
            if k:
                raise DataError(
                    f"has {k} completions; the task {self.task} needs prompts alone, leave them out",
                    field="completions",
                )
            return
        if self.task == "pair" and k != 2:
            raise DataError(f"has {k} completions; the task pair needs two", field="completions")
        if k < (2 if self.ranking else 1):
            wanted = "two completions to rank" if self.ranking else "one completion to rate"
            hint = "" if k else " (for prompts alone there is the task demonstrate)"
            raise DataError(f"needs at least {wanted}{hint}", field="completions")


def preset(task: Task, *, ranking: bool = True) -> LabelSchema:
    """What a task asks for where nothing more is said."""
    if task == "demonstrate":
        return LabelSchema(task, ranking=False, all_bad=False, prompt_flags=PROMPT_FLAGS)
    if task == "rate":
        return LabelSchema("rate", ranking, flags=OUTPUT_FLAGS, prompt_flags=PROMPT_FLAGS)
    return LabelSchema(task, ranking, strength=task == "pair", all_bad=task != "chat")


_NAMES = frozenset(field.name for field in fields(LabelSchema))
_KINDS = {
    "ranking": bool,
    "top": int,
    "strength": bool,
    "all_bad": bool,
    "edit": str,
    "replies": int,
    "content_warning": str,
    "break_minutes": int,
}
_KIND_NAMES: dict[type, str] = {bool: "true or false", int: "a number", str: "a text"}


def schema_from(settings: Mapping[str, Any]) -> LabelSchema:
    """The schema of a settings file; what it leaves out is as `preset` has it.

    ``flags`` and ``prompt_flags`` are lists whose entries are names (those of InstructGPT, or new ones) or objects with
    ``name``, ``text``, ``about`` and ``key``; ``suggest`` is an object, see `labeler.endpoint_settings.Endpoint`.

    Raises:
        DataError: with the field at fault.
    """
    for name in settings:
        if name not in _NAMES:
            near = get_close_matches(name, _NAMES, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(sorted(_NAMES))}"
            raise DataError(f"is no setting; {hint}", field=str(name))
    task = settings.get("task", "rank")
    values: dict[str, Any] = {}
    for name, kind in _KINDS.items():
        value = settings.get(name)
        if value is not None:
            if type(value) is not kind:
                raise DataError(f"is {value!r}; it must be {_KIND_NAMES[kind]}", field=name)
            values[name] = value
    if settings.get("suggest") is not None:
        values["suggest"] = endpoint_from(settings["suggest"])
    known = {"flags": OUTPUT_FLAGS, "prompt_flags": PROMPT_FLAGS}
    for name, usual in known.items():
        if settings.get(name) is not None:
            values[name] = _flags(settings[name], name, usual)
    return replace(preset(task, ranking=values.get("ranking", True)), **values)


def _flags(given: object, where: str, usual: tuple[Flag, ...]) -> tuple[Flag, ...]:
    if not isinstance(given, list | tuple):
        raise DataError("must be a list", field=where)
    by_name = {flag.name: flag for flag in usual}
    return tuple(_flag(item, f"{where}[{index}]", by_name) for index, item in enumerate(given))


def _flag(item: object, where: str, usual: Mapping[str, Flag]) -> Flag:
    row = {"name": item} if isinstance(item, str) else item
    known = {field.name for field in fields(Flag)}
    if not isinstance(row, Mapping) or not row.keys() <= known or "name" not in row:
        raise DataError("must be a name, or an object with name, text, about and key", field=where)
    given = {name: value for name, value in row.items() if value is not None}
    if not all(isinstance(value, str) for value in given.values()):
        raise DataError("must hold only strings", field=where)
    start = usual.get(given["name"])
    try:
        return replace(start, **given) if start else Flag(**given)
    except DataError as error:
        raise DataError(error.problem, field=f"{where}.{error.field}") from error


def schema_row(schema: LabelSchema) -> dict[str, Any]:
    """Every setting, in the form that `schema_from` reads."""
    return asdict(schema)


def schema_text(schema: LabelSchema) -> str:
    """The schema as the store keeps it."""
    return json.dumps(schema_row(schema), ensure_ascii=False)


@lru_cache(maxsize=256)
def schema_of_text(text: str) -> LabelSchema:
    """What `schema_text` wrote; read once per version, since it is needed for every answer."""
    return schema_from(json.loads(text))

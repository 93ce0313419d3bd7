"""The labeling screen as a test sees it: by its handles only."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

from labeler.records import Completion, Group, Message

BOARD = "[data-testid=ranking-board]"


def group(name: str, k: int = 4, text: str = "") -> Group:
    """A prompt whose completions can be told apart; the model's name is in ids and models, never in the text."""
    completions = tuple(
        Completion(f"secretmodel-{i}", f"Answer {i} to {name}. {text}".strip(), f"secretmodel-{i}") for i in range(k)
    )
    return Group(name, (Message("user", f"Question {name}?"),), completions)


class Board:
    """One person's screen."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def wait(self) -> None:
        self.page.wait_for_selector(f"{BOARD}, [data-testid=no-tasks]", timeout=30_000)

    @property
    def task(self) -> int:
        return int(self.page.get_attribute(BOARD, "data-task-id") or 0)

    def part(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def chip(self, label: str) -> Locator:
        return self.page.locator(f"[data-testid=chip][data-label={label}]")

    def ranks(self) -> dict[str, str]:
        chips = self.part("chip").all()
        return {str(chip.get_attribute("data-label")): str(chip.get_attribute("data-rank")) for chip in chips}

    def texts(self) -> dict[str, str]:
        shown = self.part("completion").all()
        return {str(text.get_attribute("data-label")): str(text.text_content()) for text in shown}

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def rank_all(self, labels: Sequence[str] | None = None) -> None:
        self.press(*(labels or sorted(self.texts())))

    def submit(self, *keys: str) -> int:
        """Type a ranking, submit it with Enter and wait for what comes next; returns the task that was ranked."""
        before = self.task
        self.rank_all(keys or None)
        self.press("Enter")
        self.gone(before)
        return before

    def gone(self, task: int) -> None:
        """Wait until this task is not on the screen any more."""
        expect(self.page.locator(f"{BOARD}[data-task-id='{task}']")).to_have_count(0, timeout=15_000)

    def saved(self) -> None:
        expect(self.part("saving")).to_have_text("saved", timeout=10_000)

    def drag(self, chip: Locator, target: Locator, *, at: tuple[float, float] = (0.5, 0.5)) -> None:
        """With the mouse, in several moves, to a place inside the target given as shares of its size."""
        source, box = chip.bounding_box(), target.bounding_box()
        assert source
        assert box
        mouse = self.page.mouse
        mouse.move(source["x"] + source["width"] / 2, source["y"] + source["height"] / 2)
        mouse.down()
        mouse.move(box["x"] + box["width"] * at[0], box["y"] + box["height"] * at[1], steps=8)
        mouse.up()

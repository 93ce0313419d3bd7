"""README's pictures of the main pages, taken from the demo: ``python tests/e2e/pictures.py``.

Run it again when a page looks different. It needs Chromium, and nothing but the sample data.
"""

from __future__ import annotations

import random
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "sample_data" / "pictures"
DESK = {"width": 1280, "height": 800}
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
DAY, HOUR = 86400, 3600
PAGES = ("overview", "review", "agreement", "labelers", "models", "prompts", "import", "export", "gold")
PAGES = (*PAGES, "screening", "settings", "people", "train", "webhooks", "account")


def ranked(board: Board) -> None:
    """All but one are ranked."""
    board.press("b", "=", "d", "a")


def rated(board: Board) -> None:
    """Two are rated, with a flag."""
    board.press("6", "f", "3")


def written(board: Board) -> None:
    """An answer is on its way."""
    board.part("demonstration").fill("Start with the part that you know best: ")


def talked(board: Board) -> None:
    """The first turn of a dialogue stands."""
    board.press("w")
    board.part("turn-input").fill("hi, just moved into my first flat. what insurance do i really need? money is tight")
    board.press("Control+Enter")


BOARDS: dict[str, tuple[str, Callable[[Board], None]]] = {
    "rank": ("sample", ranked),
    "rate": ("sample-rating", rated),
    "write": ("sample-writing", written),
    "chat": ("sample-chat", talked),
}


def take(browser: Browser, site: Site, password: str) -> None:
    """Every picture, one after the other."""
    labeler = signed_in(browser, site, "labeler-1", password, viewport=DESK)
    board = Board(labeler)
    for name, (project, act) in BOARDS.items():
        board.wait()
        if name != "rank":
            labeler.get_by_test_id("project").select_option(label=project)
            labeler.wait_for_timeout(1500)
        act(board)
        keep(labeler, name)
    keep(signed_in(browser, site, "labeler-2", password, **PHONE, color_scheme="dark"), "phone")
    manager = signed_in(browser, site, "manager-1", password, viewport=DESK)
    for path in PAGES:
        opened(manager, site, path)
    manager.goto(f"{site.url}/api/docs")
    keep(manager, "api")
    work(site.store)
    opened(manager, site, "throughput")
    opened(labeler, site, "mine")
    examine(site, "labeler-3")
    opened(signed_in(browser, site, "labeler-3", password, viewport=DESK), site, "exam")


def opened(page: Page, site: Site, path: str) -> None:
    """One of the pages behind the labeling screen."""
    page.goto(f"{site.url}/{path}")
    page.get_by_role("heading").first.wait_for()
    settled(page)
    keep(page, path)


def work(store: Store) -> None:
    """Four days on which three people rank, an hour each; they agree that short is better, as far as they agree."""
    project, now = store.project("sample"), time.time()
    store.set_rules(project.id, dwell_seconds=0)
    draw = random.Random(0)
    for day in range(4, 0, -1):
        for number, user in enumerate(user for user in store.users() if user.role == "labeler"):
            moment = now - day * DAY + number * HOUR
            for _ in range(draw.randint(4, 9)):
                seconds = draw.uniform(30, 90)
                moment += seconds
                store.clock = partial(float, moment)
                task = store.next_task(project.id, user.id)
                if task is None:
                    break
                order = sorted(task.completions, key=lambda shown: len(shown.text) * draw.uniform(0.3, 1))
                ranks = {shown.completion_id: place for place, shown in enumerate(order, start=1)}
                store.submit(user.id, Submission(uuid4().hex, task.task_id, "rank", ranks, seconds=seconds))
    store.clock = time.time


def examine(site: Site, name: str) -> None:
    """Give somebody an exam of three tasks."""
    project, desk = site.store.project("sample"), ExamDesk(site.store)
    some = islice(site.store.groups(project.id), 3)
    known = [replace(g, id=f"exam-{g.id}", meta={"gold_ranks": [*range(1, len(g.completions) + 1)]}) for g in some]
    site.store.import_groups(project.id, [replace(each, rankings=()) for each in known])
    desk.set_rules(project.id, ExamRules())
    desk.add_tasks(project.id, len(known))
    desk.add_candidate(project.id, name)


def signed_in(browser: Browser, site: Site, name: str, password: str, **options: Any) -> Page:
    """Somebody's labeling screen."""
    page = browser.new_context(**options).new_page()
    page.goto(f"{site.url}/login")
    fill_login(page, name, password)
    Board(page).wait()
    return page


def keep(page: Page, name: str) -> None:
    """Into the folder."""
    page.wait_for_timeout(1500)
    page.screenshot(path=FOLDER / f"{name}.jpg", type="jpeg", quality=72)
    sys.stdout.write(f"{name}\n")


def main() -> None:
    """Prepare a demo, serve it, and take the pictures."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        ready = demo.prepare(Path(folder))
        site = Site(f"sqlite:///{Path(folder) / 'demo.db'}", ready.store)
        site.start()
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            take(browser, site, ready.password)
        finally:
            browser.close()
            site.stop()
            ready.store.close()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from board import Board
    from browsing import FLAGS, Site, fill_login, settled

    from labeler import demo
    from labeler.entities import Submission
    from labeler.exam import ExamRules
    from labeler.exam_desk import ExamDesk
    from labeler.store import Store

    main()

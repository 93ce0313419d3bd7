"""How long a labeler waits between an answer and the next task."""

from __future__ import annotations

import statistics
import sys

from board import Board
from browsing import Site, Visit, fill_login
from test_labeling import project

SUBMITS = 40
PRESSED = """
window.addEventListener("keydown", (event) => { if (event.key === "Enter") window.pressed = performance.now(); }, true);
"""
WATCH = """() => {
  const board = document.querySelector("[data-testid=ranking-board]");
  window.times = [];
  const painted = () => window.times.push(performance.now() - window.pressed);
  new MutationObserver(() => requestAnimationFrame(() => setTimeout(painted)))
    .observe(board, { attributes: true, attributeFilter: ["data-task-id"] });
}"""


def test_the_next_task_is_drawn_at_once(site: Site, visit: Visit, record_property):
    """From the key press to the frame in which the next task is painted; the median must stay well below 200 ms."""
    project(site, "speed", groups=SUBMITS + 1)
    page = visit.page(site)
    page.add_init_script(PRESSED)
    page.goto(f"{site.url}/login")
    fill_login(page, "speed-ann")
    board = Board(page)
    board.wait()
    board.page.evaluate(WATCH)
    for _ in range(SUBMITS):
        board.page.wait_for_timeout(420)  # people are slower than the dwell time
        board.submit()
    times = sorted(board.page.evaluate("window.times"))
    p50, p95 = statistics.median(times), times[int(0.95 * len(times)) - 1]
    record_property("submit_to_next_ms", {"p50": p50, "p95": p95})
    sys.stdout.write(f"submit to next task drawn: p50 {p50:.0f} ms, p95 {p95:.0f} ms over {len(times)}\n")
    assert len(times) == SUBMITS
    assert p50 < 200

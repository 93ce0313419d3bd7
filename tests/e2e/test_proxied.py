"""Two servers on one database behind a proxy that sends each request to the next: what a browser sees of that."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from board import group
from browsing import Site, Visit
from proxy import Proxy, proxied

from labeler.store import Store


@pytest.fixture
def behind(own_url: str, tmp_path: Path) -> Iterator[tuple[Site, list[Site], Proxy]]:
    """The site as browsers know it, the servers behind it, and the proxy between."""
    with ExitStack() as stack:
        store = Store.open(own_url)
        stack.callback(store.close)
        servers = [Site(own_url, store, options=("--runs", str(tmp_path / "runs"))) for _ in range(2)]
        for server in servers:
            server.start()
            stack.callback(server.stop)
        url, proxy = stack.enter_context(proxied([server.port for server in servers]))
        yield replace(servers[0], url=url, process=None), servers, proxy


def test_labeling_needs_no_sticky_sessions_and_survives_the_end_of_a_server(
    behind: tuple[Site, list[Site], Proxy], visit: Visit
):
    site, servers, proxy = behind
    essays = site.store.add_project("essays", dwell_seconds=0)
    site.store.import_groups(essays.id, [group(f"g{number}", 3) for number in range(8)])
    site.add_user("labeler-1")
    board = visit.board(site, "labeler-1")
    done = [board.submit() for _ in range(4)]
    asked = {port for port, line in proxy.served if "/api/" in line}
    assert asked == {server.port for server in servers}
    socket = next(port for port, line in reversed(proxy.served) if "/_stcore/stream" in line)
    dying = next(server for server in servers if server.port == socket)
    assert dying.process
    dying.process.send_signal(signal.SIGKILL)  # the one that this page's WebSocket leads to
    dying.process.wait()
    assert dying.process.stdout
    dying.process.stdout.close()
    dying.process = None
    done += [board.submit() for _ in range(3)]
    board.page.reload()
    board.wait()
    assert board.task not in done
    assert site.store.counts(essays.id).judgments == 7
    visit.problems[:] = [text for text in visit.problems if "request to" in text]

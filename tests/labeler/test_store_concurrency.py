"""Many at once, and a process that dies in the middle."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock, Thread

import pytest
import sqlalchemy as sa
from store_helpers import ask, people, project, ranking

from labeler.database import FairLock
from labeler.errors import ConflictError
from labeler.store import Store


def test_twenty_people_at_once(store: Store):
    """Every task gets exactly its overlap, nobody judges a task twice, nothing fails."""
    essays = project(store, groups=30, overlap=2)
    users = people(store, *(f"p{i}" for i in range(20)))
    start = Barrier(len(users))

    def work(user):
        start.wait()
        while task := store.next_task(essays.id, user.id):
            store.save_draft(user.id, task.task_id, {}, 1)
            store.submit(user.id, ranking(task))

    with ThreadPoolExecutor(len(users)) as pool:
        list(pool.map(work, users))
    judged = Counter((j.task_id, j.annotator) for j in store.judgments(essays.id))
    assert set(judged.values()) == {1}
    assert Counter(Counter(task_id for task_id, _ in judged).values()) == {2: 30}
    assert store.counts(essays.id).live_leases == 0


def test_one_answer_sent_by_many_requests_counts_once(store: Store):
    essays = project(store, groups=3)
    (ann,) = people(store, "ann")
    answer = ranking(ask(store, essays, ann))
    with ThreadPoolExecutor(8) as pool:
        judgments = set(pool.map(lambda _: store.submit(ann.id, answer).id, range(8)))
    assert len(judgments) == 1
    assert len(list(store.judgments(essays.id))) == 1


def test_two_tabs_of_one_person_share_a_task(store: Store):
    essays = project(store, groups=30, overlap=2)
    (ann,) = people(store, "ann")
    with ThreadPoolExecutor(8) as pool:
        tasks = set(pool.map(lambda _: ask(store, essays, ann).task_id, range(16)))
    assert len(tasks) == 1


def test_of_two_answers_to_a_slot_one_counts(store: Store, clock):
    essays = project(store, groups=1)
    users = people(store, *(f"p{i}" for i in range(6)))
    tasks = []
    for user in users:  # each holds it for a while and leaves
        tasks.append((user, ask(store, essays, user)))
        clock.now += essays.lease_seconds

    def submit(pair):
        try:
            return store.submit(pair[0].id, ranking(pair[1]))
        except ConflictError:
            return None

    with ThreadPoolExecutor(6) as pool:
        accepted = [judgment for judgment in pool.map(submit, tasks) if judgment]
    assert len(accepted) == 1
    assert list(store.judgments(essays.id)) == accepted


LABEL_FOREVER = """
import sys
import time
from labeler.store import Store, Submission
store = Store.open(sys.argv[1])
project, user = store.project("essays"), store.user("ann")
for n in range(10**6):
    task = store.next_task(project.id, user.id)
    ranks = {shown.completion_id: 1 for shown in task.completions}
    store.submit(user.id, Submission(f"n{n}", task.task_id, "rank", ranks))
    print(f"n{n}", flush=True)
"""


def test_a_killed_process_loses_no_acknowledged_answer(store: Store, database_url: str):
    essays = project(store, groups=400)
    people(store, "ann")
    process = subprocess.Popen([sys.executable, "-c", LABEL_FOREVER, database_url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(40)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().split()  # those it had told us of before it died
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL

    reopened = Store.open(database_url, store.clock)
    stored = [judgment.submission_id for judgment in reopened.judgments(essays.id)]
    assert set(acknowledged) <= set(stored)
    assert len(stored) - len(acknowledged) <= 1
    counts = reopened.counts(essays.id)
    assert (counts.judgments, counts.finished) == (len(stored), len(stored))
    if reopened.database.sqlite:
        with reopened.database.read() as connection:
            assert connection.execute(sa.text("PRAGMA integrity_check")).scalar() == "ok"
    reopened.close()


def test_threads_get_their_turn_in_the_order_in_which_they_asked():
    queue, order, threads = FairLock(), [], []

    def wait(number: int) -> None:
        with queue:
            order.append(number)

    with queue:
        for number in range(10):
            threads.append(Thread(target=wait, args=(number,)))
            threads[-1].start()
            while len(queue._queue) <= number + 1:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(10))
    with queue:
        assert len(queue._queue) == 1


def test_one_who_stops_waiting_for_a_turn_holds_nobody_up():
    """Ctrl-C during an import, as its thread waits behind a labeler."""
    code = (
        "import signal, threading, time\n"
        "from labeler.database import FairLock\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "queue = FairLock()\n"
        "queue.__enter__()\n"
        "me = threading.main_thread().ident\n"
        "def interrupt():\n"
        "    while len(queue._queue) < 2: time.sleep(0.01)\n"
        "    time.sleep(0.2)\n"
        "    signal.pthread_kill(me, signal.SIGINT)\n"
        "try:\n"
        "    threading.Thread(target=interrupt).start()\n"
        "    queue.__enter__()\n"
        "except KeyboardInterrupt:\n"
        "    queue.__exit__()\n"
        "    with queue:\n"
        "        print('mine')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "mine\n"


class Interrupted:
    """A lock after whose release a Ctrl-C is seen, once."""

    def __init__(self) -> None:
        self._lock, self.armed = Lock(), False

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt


@pytest.mark.parametrize("taken", [False, True])
def test_one_who_is_stopped_between_asking_and_waiting_holds_nobody_up(taken: bool):
    queue, own = FairLock(), Interrupted()
    queue._own = own
    if taken:
        queue.__enter__()
    own.armed = True
    with pytest.raises(KeyboardInterrupt):
        queue.__enter__()
    if taken:
        queue.__exit__()
    another = Thread(target=queue.__enter__, daemon=True)
    another.start()
    another.join(10)
    assert not another.is_alive()

"""What a person gets next that they do not hold yet: a task of their exam, a gold item, or one from the queue.

Gold items are drawn by a coin of the project's seed, the person's name and the number of their answers, so that the
draw is the same after a reload and nothing on the page tells it. Nobody gets one twice: who has seen all gets no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from labeler import claims, ledger
from labeler.claims import Seeker
from labeler.formats import parse_group
from labeler.gold import WINDOW, checked_gold, falls_short, score
from labeler.handles import handle
from labeler.pools import Pool, rules_of
from labeler.quality_schema import candidates, exams, gold_rules, pauses
from labeler.queue import circle_start, coin
from labeler.schema import judgments, projects, tasks, visible

_PAUSED = sa.exists().where(
    pauses.c.user_id == sa.bindparam("seeker"),
    pauses.c.project_id == sa.bindparam("project"),
    pauses.c.lifted.is_(None),
)
_STANDING = (
    sa.select(
        gold_rules.c.share,
        gold_rules.c.secret,
        candidates.c.state,
        candidates.c.began,
        exams.c.content.label("exam"),
        _PAUSED.label("paused"),
    )
    .select_from(
        projects.outerjoin(gold_rules, gold_rules.c.project_id == projects.c.id)
        .outerjoin(
            candidates, (candidates.c.project_id == projects.c.id) & (candidates.c.user_id == sa.bindparam("seeker"))
        )
        .outerjoin(exams, exams.c.project_id == projects.c.id)
    )
    .where(projects.c.id == sa.bindparam("project"))
)
_IN_POOL = (tasks.c.project_id == sa.bindparam("project"), tasks.c.pool == sa.bindparam("pool"), visible(tasks))
_FROM_POOL = (
    sa.select(tasks.c.id)
    .where(*_IN_POOL, ~claims.ANSWERED, claims.BEARABLE)
    .order_by((tasks.c.shuffle < sa.bindparam("begin")), tasks.c.shuffle, tasks.c.id)
    .limit(1)
)
_ANSWERS = sa.select(sa.func.count()).where(
    judgments.c.user_id == sa.bindparam("seeker"),
    judgments.c.project_id == sa.bindparam("project"),
    judgments.c.supersedes.is_(None),
)
_OF_POOL = sa.select(sa.func.count()).where(*_IN_POOL)
_MINE_OF_POOL = (
    _ANSWERS.select_from(judgments.join(tasks))
    .where(tasks.c.pool == sa.bindparam("pool"))
    .where(judgments.c.created >= sa.bindparam("since"))
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands in a project.

    Attributes:
        share: of gold items.
        paused: a manager must lift the pause first.
        candidate: they are being screened, or were not admitted: only the exam is for them.
        screened: they are being screened now.
        began: when their present exam began.
        exam_tasks: how many tasks it has.
        secret: hides the order of import; None where the project never had gold rules.
    """

    share: float
    paused: bool
    candidate: bool
    screened: bool
    began: float
    exam_tasks: int
    secret: str | None

    def handle(self, project_id: int, task_id: int) -> int:
        """What the person's page calls a task."""
        return handle(self.secret, project_id, task_id) if self.secret else task_id

    @property
    def barred(self) -> bool:
        """Whether there is nothing to do for them."""
        return self.paused or (self.candidate and not self.screened)


def standing(connection: sa.Connection, seeker: Seeker) -> Standing:
    """How the person stands."""
    row = connection.execute(_STANDING, seeker.values).one()
    candidate = row.state is not None and row.state != "admitted"
    wanted = row.exam["tasks"] if row.exam else 0
    return Standing(
        row.share or 0.0, bool(row.paused), candidate, row.state == "screening", row.began or 0.0, wanted, row.secret
    )


def fresh(connection: sa.Connection, seeker: Seeker, state: Standing) -> int | None:
    """Lease something new to the person; None if there is nothing for them."""
    if state.candidate:
        return _from_pool(connection, seeker, "exam") if _left(connection, seeker, state)[1] else None
    if state.share and _meets_gold(connection, seeker, state.share):
        found = _from_pool(connection, seeker, "gold")
        if found is not None:
            return found
    return claims.fresh(connection, seeker)


def _meets_gold(connection: sa.Connection, seeker: Seeker, share: float) -> bool:
    turn = connection.execute(_ANSWERS, seeker.values).scalar_one()
    return coin(share, seeker.project.seed, seeker.user.name, turn)


def _from_pool(connection: sa.Connection, seeker: Seeker, pool: Pool) -> int | None:
    """The next task of the pool that the person has not seen, from a place on the circle that is their own."""
    begin = circle_start(seeker.project.seed, seeker.user.name, 0)
    found = connection.execute(_FROM_POOL, seeker.values | {"pool": pool, "begin": begin}).scalars().all()
    return claims.take(connection, seeker, found)


def _left(connection: sa.Connection, seeker: Seeker, state: Standing) -> tuple[int, int]:
    """Tasks of the present exam that the person has answered, and those still to come."""
    values = seeker.values | {"pool": "exam"}
    done = connection.execute(_MINE_OF_POOL, values | {"since": state.began}).scalar_one()
    ever = connection.execute(_MINE_OF_POOL, values | {"since": 0.0}).scalar_one()
    unseen = connection.execute(_OF_POOL, values).scalar_one() - ever
    return done, max(0, min(state.exam_tasks - done, unseen))


def exam_progress(connection: sa.Connection, seeker: Seeker) -> tuple[int, int]:
    """Tasks of a candidate's present exam that they have answered, and those still to come."""
    return _left(connection, seeker, standing(connection, seeker))


def outlook(connection: sa.Connection, seeker: Seeker, done: int, left: int) -> tuple[int, int]:
    """What the person reads as "done of total", where gold items must not be told by it.

    The total counts as many gold items as their share lets expect, and so does not move when one was answered.

    Args:
        connection: inside a transaction.
        seeker: the person.
        done: tasks that they ranked.
        left: tasks of the queue that they may still get.
    """
    state = standing(connection, seeker)
    if state.candidate:
        answered, coming = _left(connection, seeker, state)
        return answered, answered + coming
    if not state.share or not left:
        return done, done + left
    values = seeker.values | {"pool": "gold", "since": 0.0}
    ordinary = done + left - connection.execute(_MINE_OF_POOL, values).scalar_one()
    there = connection.execute(_OF_POOL, values).scalar_one()
    expected = min(there, round(ordinary * state.share / (1 - state.share)))
    return done, max(done + left, ordinary + expected)


def check_gold(connection: sa.Connection, seeker: Seeker) -> None:
    """Pause the person if their latest gold items fall short of the project's threshold; after a gold answer.

    Where people are told what was right, their first answers count and corrections do not. A lifted pause starts anew.
    """
    rules = rules_of(connection, seeker.project.id)
    if rules.threshold is None or standing(connection, seeker).paused:
        return
    mine = (pauses.c.user_id == seeker.user.id, pauses.c.project_id == seeker.project.id)
    since = connection.execute(sa.select(sa.func.max(pauses.c.lifted)).where(*mine)).scalar() or 0.0
    counted = judgments.c.supersedes.is_(None) if rules.feedback != "none" else ledger.STANDS
    query = (
        ledger.select(counted, judgments.c.user_id == seeker.user.id, judgments.c.project_id == seeker.project.id)
        .add_columns(tasks.c.content)
        .where(tasks.c.pool == "gold", judgments.c.kind == "rank", judgments.c.created > since)
        .order_by(judgments.c.id.desc())
        .limit(WINDOW)
    )
    answers = [
        (ledger.to_judgment(row).ranking, checked_gold(parse_group(row.content))) for row in connection.execute(query)
    ]
    scores = [score(given, right) for given, right in answers if given]
    accuracy = falls_short(rules, scores)
    if accuracy is not None:
        values = {"accuracy": accuracy, "items": len(scores), "at": seeker.now}
        row = {"project_id": seeker.project.id, "user_id": seeker.user.id, **values}
        connection.execute(sa.insert(pauses).values(**row))

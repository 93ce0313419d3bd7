"""Users and projects: who there is, and who may work where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, get_args

import sqlalchemy as sa

from labeler.entities import ADJUDICATED, USER_ROLES, Project, User, UserRole
from labeler.errors import ConflictError, NotFoundError, PermissionDeniedError, UsageError
from labeler.label_schema import LabelSchema, schema_of_text, schema_text
from labeler.records import check_plain
from labeler.schema import guidelines, imports, memberships, projects, tasks, users, visible
from labeler.schema import label_schemas as schemas

_USER = sa.select(users.c.id, users.c.name, users.c.role, users.c.disabled, users.c.language)
_USER_BY_ID = _USER.where(users.c.id == sa.bindparam("user"))
_MEMBER_PROJECTS = (
    sa.select(projects.c.name)
    .join(memberships)
    .where(memberships.c.user_id == sa.bindparam("user"))
    .order_by(projects.c.name)
)


def check_name(name: str, what: str) -> str:
    """The name, if it can stand in a list and in a file: no blank at an end, no control characters, 100 at most."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > 100:
        raise UsageError(f"the {what} {name!r} must be 1 to 100 printable characters without blanks at its ends")
    return name


def add_user(connection: sa.Connection, name: str, role: UserRole, project_names: Sequence[str], now: float) -> User:
    """Add an account without a password, for some projects (none named: for every project)."""
    check_name(name, "user name")
    if name == ADJUDICATED:
        raise UsageError(f"{name!r} stands for reviewers' final answers in the data; choose another name")
    if role not in get_args(UserRole):
        raise UsageError(f"the role is {role!r}; it must be one of {', '.join(USER_ROLES)}")
    if connection.execute(_USER.where(users.c.name == name)).first():
        raise ConflictError(f"there is a user {name!r} already")
    row = {"name": name, "role": role, "disabled": False, "created": now}
    user_id = connection.execute(sa.insert(users).values(**row).returning(users.c.id)).scalar_one()
    for project_id in {project_by_name(connection, project).id for project in project_names}:
        connection.execute(sa.insert(memberships).values(user_id=user_id, project_id=project_id))
    return user_by_name(connection, name)


def _named(connection: sa.Connection, query: sa.Select[Any], column: sa.Column[str], name: str) -> Any:
    """The row of this name; what `check_name` never lets in is not asked for, since not every database takes it."""
    return connection.execute(query.where(column == name)).first() if name.isprintable() else None


def user_by_name(connection: sa.Connection, name: str) -> User:
    """The account of this name."""
    row = _named(connection, _USER, users.c.name, name)
    if row is None:
        raise NotFoundError(f"there is no user {name!r}")
    return User(*row)


def user_by_id(connection: sa.Connection, user_id: int) -> User:
    """The account of this id."""
    row = connection.execute(_USER_BY_ID, {"user": user_id}).first()
    if row is None:
        raise NotFoundError(f"there is no user {user_id}")
    return User(*row)


def all_users(connection: sa.Connection) -> tuple[User, ...]:
    """Every account, by name."""
    return tuple(User(*row) for row in connection.execute(_USER.order_by(users.c.name)))


def member_projects(connection: sa.Connection, user_id: int) -> tuple[str, ...]:
    """Names of the projects that the account is restricted to; empty: every project."""
    return tuple(connection.execute(_MEMBER_PROJECTS, {"user": user_id}).scalars())


def _project_query(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(
            projects,
            guidelines.c.text.label("guidelines"),
            guidelines.c.version.label("guidelines_version"),
            schemas.c.text.label("schema"),
            schemas.c.version.label("schema_version"),
        )
        .join(guidelines, guidelines.c.project_id == projects.c.id)
        .join(schemas, schemas.c.project_id == projects.c.id)
        .where(guidelines.c.version == _newest(guidelines), schemas.c.version == _newest(schemas))
        .where(projects.c.id.not_in(sa.select(imports.c.project_id).where(imports.c.creates)), *conditions)
        .order_by(projects.c.id)
    )


def _newest(versioned: sa.Table) -> sa.ScalarSelect[int]:
    """The newest version of a row of `projects`."""
    newest = sa.select(sa.func.max(versioned.c.version)).where(versioned.c.project_id == projects.c.id)
    return newest.correlate(projects).scalar_subquery()


_PROJECT_BY_ID = _project_query(projects.c.id == sa.bindparam("project"))


def _project(row: sa.Row[Any]) -> Project:
    values = {f.name: getattr(row, f.name) for f in fields(Project)}
    return Project(**values | {"schema": schema_of_text(row.schema)})


def add_project(connection: sa.Connection, project: Project, now: float) -> Project:
    """Add a project with the first versions of its schema and guidelines; the id in `project` does not matter."""
    check_name(project.name, "project name")
    _check_rules(project)
    if connection.execute(sa.select(projects.c.id).where(projects.c.name == project.name)).first():
        raise ConflictError(f"there is a project {project.name!r} already")
    rules = ("name", "overlap", "dwell_seconds", "lease_seconds", "seed")
    row = {name: getattr(project, name) for name in rules}
    added = connection.execute(sa.insert(projects).values(**row, created=now).returning(projects.c.id)).scalar_one()
    _publish(connection, guidelines, added, project.guidelines, now)
    _publish(connection, schemas, added, schema_text(project.schema), now)
    return project_by_id(connection, added)


def _publish(connection: sa.Connection, versioned: sa.Table, project_id: int, text: str, now: float) -> None:
    """Add a version, unless the text is that of the newest."""
    check_plain(text, versioned.name)
    known = _versions(connection, versioned, project_id)
    newest = max(known, default=0)
    if known.get(newest) != text:
        row = {"project_id": project_id, "version": newest + 1, "text": text, "created": now}
        connection.execute(sa.insert(versioned).values(**row))


def _versions(connection: sa.Connection, versioned: sa.Table, project_id: int) -> dict[int, str]:
    query = sa.select(versioned.c.version, versioned.c.text).where(versioned.c.project_id == project_id)
    return {row.version: row.text for row in connection.execute(query.order_by(versioned.c.version))}


def set_guidelines(connection: sa.Connection, project_id: int, text: str, now: float) -> Project:
    """Add a version of the guidelines, unless the text is that of the newest."""
    lock_project(connection, project_id)
    _publish(connection, guidelines, project_id, text, now)
    return project_by_id(connection, project_id)


def set_rules(connection: sa.Connection, project_id: int, rules: Mapping[str, float | None]) -> Project:
    """Change overlap, dwell time or lease time of a project, those that are not None."""
    lock_project(connection, project_id)
    changes = {name: value for name, value in rules.items() if value is not None}
    _check_rules(replace(project_by_id(connection, project_id), **changes))  # type: ignore[arg-type]
    if changes:
        connection.execute(sa.update(projects).where(projects.c.id == project_id).values(**changes))
    return project_by_id(connection, project_id)


def _check_rules(project: Project) -> None:
    if project.overlap < 1 or project.dwell_seconds < 0 or project.lease_seconds <= 0:
        raise UsageError("overlap must be 1 or more, the lease longer than 0 seconds and the dwell time not negative")


def set_schema(connection: sa.Connection, project_id: int, schema: LabelSchema, now: float) -> Project:
    """Add a version of what is asked, unless the newest asks the same."""
    lock_project(connection, project_id)
    _publish(connection, schemas, project_id, schema_text(schema), now)
    return project_by_id(connection, project_id)


def guideline_versions(connection: sa.Connection, project_id: int) -> dict[int, str]:
    """Every version of a project's guidelines."""
    return _versions(connection, guidelines, project_id)


def label_schemas(connection: sa.Connection, project_id: int) -> dict[int, LabelSchema]:
    """Every version of what a project asks."""
    return {version: schema_of_text(text) for version, text in _versions(connection, schemas, project_id).items()}


def lock_project(connection: sa.Connection, project_id: int) -> None:
    """Let one transaction at a time add to a project."""
    connection.execute(sa.select(projects.c.id).where(projects.c.id == project_id).with_for_update(key_share=True))


def project_by_id(connection: sa.Connection, project_id: int) -> Project:
    """The project of this id."""
    row = connection.execute(_PROJECT_BY_ID, {"project": project_id}).first()
    if row is None:
        raise NotFoundError(f"there is no project {project_id}")
    return _project(row)


def find_project(connection: sa.Connection, name: str) -> Project | None:
    """The project of this name, if there is one."""
    row = _named(connection, _project_query(), projects.c.name, name)
    return None if row is None else _project(row)


def project_by_name(connection: sa.Connection, name: str) -> Project:
    """The project of this name."""
    project = find_project(connection, name)
    if project is None:
        known = ", ".join(sorted(project.name for project in all_projects(connection, None)))
        raise NotFoundError(f"there is no project {name!r}; there is {known or 'none yet: import one first'}")
    return project


def all_projects(connection: sa.Connection, user_id: int | None) -> tuple[Project, ...]:
    """Every project, or those that a user may work in."""
    found = tuple(_project(row) for row in connection.execute(_project_query()))
    own = () if user_id is None else member_projects(connection, user_id)
    return tuple(project for project in found if not own or project.name in own)


_BELONGS = sa.or_(
    ~sa.exists().where(memberships.c.user_id == users.c.id),
    sa.exists().where(memberships.c.user_id == users.c.id, memberships.c.project_id == projects.c.id),
)
_PERSON = (users.c.name.label("user_name"), users.c.role, users.c.disabled, _BELONGS.label("belongs"))
_WHO = users.c.id == sa.bindparam("user")
_BY_PROJECT = _project_query(projects.c.id == sa.bindparam("project")).join(users, _WHO).add_columns(*_PERSON)
_BY_TASK = (
    _project_query(tasks.c.id == sa.bindparam("task"), visible(tasks))
    .join(tasks, tasks.c.project_id == projects.c.id)
    .join(users, _WHO)
    .add_columns(*_PERSON)
)
_MEMBER, _MEMBER_ON = (
    {False: query, True: query.with_for_update(of=users, key_share=True)} for query in (_BY_PROJECT, _BY_TASK)
)


def member(connection: sa.Connection, project_id: int, user_id: int, *, lock: bool = True) -> tuple[User, Project]:
    """A user and a project that they may work in, the user's row locked until the transaction ends."""
    row = connection.execute(_MEMBER[lock], {"project": project_id, "user": user_id}).first()
    if row is None:
        user_by_id(connection, user_id)
        raise NotFoundError(f"there is no project {project_id}")
    return _admitted(user_id, row)


def member_on(connection: sa.Connection, task_id: int, user_id: int, *, lock: bool = True) -> tuple[User, Project]:
    """The same for the project of a task."""
    row = connection.execute(_MEMBER_ON[lock], {"task": task_id, "user": user_id}).first()
    if row is None:
        user_by_id(connection, user_id)
        raise NotFoundError(f"there is no task {task_id}")
    return _admitted(user_id, row)


def _admitted(user_id: int, row: sa.Row[Any]) -> tuple[User, Project]:
    user, project = User(user_id, row.user_name, row.role, row.disabled), _project(row)
    if user.disabled:
        raise PermissionDeniedError(f"the account {user.name!r} is disabled")
    if not row.belongs:
        raise PermissionDeniedError(f"{user.name!r} does not belong to the project {project.name!r}")
    return user, project

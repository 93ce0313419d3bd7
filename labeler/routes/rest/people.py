"""Accounts and tokens over the REST API."""

from __future__ import annotations

from labeler.api.common import Page, PageQuery
from labeler.api.people import Assigned, Invitation, LanguageChoice, Me, NewPerson, Person
from labeler.entities import MAY_MANAGE, Project, User
from labeler.errors import NotFoundError, PermissionDeniedError
from labeler.raters import Raters
from labeler.routes.rest.declare import Call, operation
from labeler.routes.rest.paging import after, page_of
from labeler.tokens import ApiToken

OWN, PEOPLE = "Your account", "People"


@operation("GET", "/me", tag=OWN, least="labeler")
def get_me(call: Call) -> Me:
    """Whose token this is."""
    user = call.user
    return Me(user.id, user.name, user.role, call.store.memberships(user.id))


@operation("PUT", "/me/language", tag=OWN, least="labeler")
def set_language(call: Call, body: LanguageChoice) -> None:
    """Read the pages in this language from now on."""
    call.services.accounts.set_language(call.user.id, body.language)


@operation("GET", "/tokens", tag=OWN, least="labeler")
def list_tokens(call: Call) -> tuple[ApiToken, ...]:
    """Your tokens. They are made on the account page or by `labeler users token`, not with another token."""
    return call.services.tokens.of(call.user.id)


@operation("DELETE", "/tokens/{token}", tag=OWN, least="labeler")
def revoke_token(call: Call, token: int) -> None:
    """End one of your tokens at once."""
    call.services.tokens.revoke(call.user.id, token)


@operation("GET", "/users", tag=PEOPLE, least="manager")
def list_users(call: Call, query: PageQuery) -> Page[Person]:
    """Every account, in the order in which they were made."""
    found = sorted(call.store.users(), key=lambda user: user.id)
    items = [user for user in found if user.id > after(query.cursor)][: query.limit + 1]
    return page_of([_person(call, user) for user in items], query.limit, lambda person: person.id)


@operation("POST", "/users", tag=PEOPLE, least="manager")
def add_user(call: Call, body: NewPerson) -> Invitation:
    """Add an account, with an invitation to set its password; managers add labelers and managers of own projects."""
    own = call.store.memberships(call.user.id)
    _check_role(call, body.role)
    foreign = [name for name in body.projects if own and name not in own]
    if foreign:
        raise PermissionDeniedError(f"{call.user.name!r} does not belong to the project {foreign[0]!r}")
    token = call.services.accounts.add(body.name, body.role, body.projects or own, email=body.email)
    return Invitation(_person(call, call.store.user(body.name)), f"/invite/{token}")


@operation("POST", "/users/{user}/invitation", tag=PEOPLE, least="manager")
def invite_user(call: Call, user: int) -> Invitation:
    """A new invitation for an account, to set a new password; earlier ones stop working."""
    person = _manageable(call, user)
    return Invitation(_person(call, person), f"/invite/{call.services.accounts.invite(person.name)}")


@operation("POST", "/users/{user}/disable", tag=PEOPLE, least="manager")
def disable_user(call: Call, user: int) -> Person:
    """Close an account: its sessions and tokens end, its judgments stay."""
    person = _manageable(call, user)
    if person.id == call.user.id:
        raise PermissionDeniedError("nobody closes their own account; ask somebody else")
    call.services.accounts.disable(person.name)
    return _person(call, call.store.user(person.name))


@operation("PUT", "/users/{user}/projects", tag=PEOPLE, least="manager")
def assign_user(call: Call, user: int, body: Assigned) -> Person:
    """Let an account work in these projects and no others; whoever is restricted decides about their own projects."""
    person = _manageable(call, user)
    Raters(call.store).assign(call.user, person.name, body.projects)
    return _person(call, person)


@operation("GET", "/projects/{project}/held-out", tag=PEOPLE, least="manager")
def list_held_out(call: Call, project: Project) -> tuple[str, ...]:
    """The raters of whom no model learns: in a snapshot their rankings are in `held_out.jsonl`, in no other file."""
    return Raters(call.store).held_out(project.id)


@operation("PUT", "/projects/{project}/held-out/{name}", tag=PEOPLE, least="manager")
def hold_out(call: Call, project: Project, name: str) -> None:
    """Keep somebody's judgments of the project from training, those already given among them."""
    Raters(call.store).hold_out(project.id, name, held=True)


@operation("DELETE", "/projects/{project}/held-out/{name}", tag=PEOPLE, least="manager")
def let_in(call: Call, project: Project, name: str) -> None:
    """Let models learn from them again."""
    Raters(call.store).hold_out(project.id, name, held=False)


def _person(call: Call, user: User) -> Person:
    return Person(user.id, user.name, user.role, user.disabled, call.store.memberships(user.id))


def _manageable(call: Call, user_id: int) -> User:
    found = next((user for user in call.store.users() if user.id == user_id), None)
    if found is None:
        raise NotFoundError(f"there is no user {user_id}")
    _check_role(call, found.role)
    return found


def _check_role(call: Call, role: str) -> None:
    if role not in MAY_MANAGE[call.user.role]:
        raise PermissionDeniedError(f"only an admin may make or change accounts of the role {role}")

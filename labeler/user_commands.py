"""``labeler users``: who may sign in, and tokens for their programs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, subcommand

from labeler.commands import Command
from labeler.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class AddUser(Command):
    """Add a person; without --password-stdin, print a one-time invitation link's path with which they set a password.

    Attributes:
        name: what they sign in with and appear as in the data.
        role: a labeler ranks; a manager also sees the project's pages; an admin everything.
        project: projects that they may work in (every project where none is named).
        email: where the server knows an OpenID provider, this address, verified there, lets them in too.
        password_stdin: read their password from standard input instead of inviting them.
        invite: print an invitation (also the default).
    """

    name: Positional[str]
    role: Literal["labeler", "manager", "admin"] = "labeler"
    project: UseAppendAction[tuple[tuple[str, ...], ...]] = ()
    email: str | None = None
    password_stdin: bool = False
    invite: bool = False

    def run(self) -> None:
        """Add the account and its way in."""
        from labeler.accounts import Accounts

        if self.invite and self.password_stdin:
            raise UsageError("give --invite or --password-stdin, not both")
        projects = [name for names in self.project for name in names]
        password = sys.stdin.readline().rstrip("\r\n") if self.password_stdin else None
        with self.store() as store:
            token = Accounts(store).add(self.name, self.role, projects, password, email=self.email)
        print(f"added {self.name} ({self.role}; {', '.join(projects) or 'every project'})")
        if token:
            _print_invitation(token)


def _print_invitation(token: str) -> None:
    print(f"invitation, good once and for 7 days: /invite/{token}")


@dataclass(frozen=True, kw_only=True)
class InviteUser(Command):
    """Print a new invitation for an account; accepting it sets a new password, earlier invitations end.

    Attributes:
        name: whom to invite.
    """

    name: Positional[str]

    def run(self) -> None:
        """Invite them."""
        from labeler.accounts import Accounts

        with self.store() as store:
            _print_invitation(Accounts(store).invite(self.name))


@dataclass(frozen=True, kw_only=True)
class ListUsers(Command):
    """List every account."""

    def run(self) -> None:
        """Print one line per account."""
        with self.store() as store:
            for user in store.users():
                where = ", ".join(store.memberships(user.id)) or "every project"
                print("\t".join([user.name, user.role, where, *(["disabled"] if user.disabled else [])]))


@dataclass(frozen=True, kw_only=True)
class DisableUser(Command):
    """Close an account: its sessions and tokens end, its judgments stay.

    Attributes:
        name: whose.
    """

    name: Positional[str]

    def run(self) -> None:
        """Close it."""
        from labeler.accounts import Accounts

        with self.store() as store:
            Accounts(store).disable(self.name)
        print(f"disabled {self.name}")


@dataclass(frozen=True, kw_only=True)
class TokenUser(Command):
    """Print a new token with which programs use the REST API as this account; it is shown only now.

    Attributes:
        name: whose.
        label: what it is called in their list of tokens.
        days: how long it works (for ever where nothing is said).
    """

    name: Positional[str]
    label: str = "command line"
    days: float | None = None

    def run(self) -> None:
        """Make it."""
        from labeler.tokens import Tokens

        with self.store() as store:
            print(Tokens(store).add(self.name, self.label, self.days))


@dataclass(frozen=True, kw_only=True)
class EmailUser(Command):
    """Let whoever an OpenID provider has verified an e-mail address of come in as an account.

    Attributes:
        name: which account.
        address: whose address it is.
    """

    name: Positional[str]
    address: Positional[str]

    def run(self) -> None:
        """Add the address."""
        from labeler.identities import Identities

        with self.store() as store:
            Identities(store).let_in(self.name, self.address)
        print(f"{self.address} may come in as {self.name}")


@dataclass(frozen=True, kw_only=True)
class UnlinkUser(Command):
    """Forget an account's e-mail addresses and its identities at OpenID providers; its password still works.

    Attributes:
        name: which account.
    """

    name: Positional[str]

    def run(self) -> None:
        """Forget them."""
        from labeler.identities import Identities

        with self.store() as store:
            Identities(store).unlink(self.name)
        print(f"unlinked {self.name}")


@dataclass(frozen=True, kw_only=True)
class HoldOutUser(Command):
    """Keep somebody's judgments in a project from training, those already given among them, to measure models on them.

    Attributes:
        name: whose.
        project: in which project.
        back: let models learn from them again.
    """

    name: Positional[str]
    project: str
    back: bool = False

    def run(self) -> None:
        """Hold them out, or let them in again."""
        from labeler.raters import Raters

        with self.store() as store:
            Raters(store).hold_out(store.project(self.project).id, self.name, held=not self.back)
        print(f"{self.name} is {'no longer ' if self.back else ''}held out of {self.project}")


@dataclass(frozen=True)
class Users:
    """Add, invite, list and disable the people who may sign in, make tokens for their programs, hold raters out."""

    action: (
        Annotated[AddUser, subcommand("add")]
        | Annotated[InviteUser, subcommand("invite")]
        | Annotated[ListUsers, subcommand("list")]
        | Annotated[DisableUser, subcommand("disable")]
        | Annotated[TokenUser, subcommand("token")]
        | Annotated[EmailUser, subcommand("email")]
        | Annotated[UnlinkUser, subcommand("unlink")]
        | Annotated[HoldOutUser, subcommand("hold-out")]
    )

    def run(self) -> None:
        """Do the action."""
        self.action.run()

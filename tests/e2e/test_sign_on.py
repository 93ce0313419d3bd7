"""Signing in with a real OpenID provider process, in a real browser."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from browsing import PASSWORD, Site, Visit, fill_login
from playwright.sync_api import Page

from labeler.identities import Identities
from labeler.routes.services import COOKIE
from labeler.routes.sign_on import BROWSER
from labeler.store import Store

PEOPLE = (
    {"sub": "1", "email": "Ann@Example.org", "email_verified": True},
    {"sub": "2", "email": "stranger@elsewhere.org", "email_verified": True},
    {"sub": "3", "email": "eve@example.org", "email_verified": False},
    {"sub": "4", "email": "new.person@corp.example", "email_verified": True},
    {"sub": "5", "email": "bob@private.example", "email_verified": True},
)
ANN, STRANGER, UNVERIFIED, NEW, BOB = (person["sub"] for person in PEOPLE)
ALERT = "[role=alert]"


@contextmanager
def provider() -> Iterator[str]:
    """A provider of OpenID Connect; its address."""
    script = Path(__file__).with_name("openid_provider.py")
    command = [sys.executable, str(script), *map(json.dumps, PEOPLE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


@contextmanager
def serving(issuer: str, url: str, folder: Path) -> Iterator[Site]:
    """A server for a provider, which lets ann in as labeler-1."""
    settings = folder / "oidc.toml"
    settings.write_text(
        f'name = "Example"\ndiscovery = "{issuer}/.well-known/openid-configuration"\nclient_id = "labeler"\n'
        'client_secret = "s3cret & more"\ndomains = ["Corp.example"]\nprojects = ["essays"]\n'
    )
    site = Site(url, Store.open(url), options=("--oidc", str(settings)))
    site.store.add_project("essays")
    site.add_user("labeler-1")
    Identities(site.store).let_in("labeler-1", "ann@example.org")
    site.start()
    try:
        yield site
    finally:
        site.stop()
        site.store.close()


@pytest.fixture(scope="module")
def site(file_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with provider() as issuer, serving(issuer, file_url, tmp_path_factory.mktemp("site")) as opened:
        yield opened


def sign_in(visit: Visit, site: Site, who: str, page: Page | None = None) -> Page:
    page = page or visit.page(site)
    page.goto(f"{site.url}/login")
    page.get_by_role("link", name="Sign in with Example").click()
    page.get_by_role("button", name=who, exact=True).click()
    page.wait_for_url(f"{site.url}/**")
    return page


def cookies(page: Page) -> dict[str, str]:
    return {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}


def elsewhere_is_fine(visit: Visit) -> None:
    """The provider's own pages and the style sheet that they load are not ours."""
    visit.problems[:] = [text for text in visit.problems if not text.startswith(("request to", "console: Failed"))]


def test_people_sign_in_and_out_and_strangers_are_told_why_not(site: Site, visit: Visit):
    page = sign_in(visit, site, ANN)
    page.get_by_test_id("no-tasks").or_(page.get_by_test_id("ranking-board")).wait_for()
    assert COOKIE in cookies(page)
    assert BROWSER not in cookies(page)
    me = page.request.get(f"{site.url}/api/projects").json()["user"]
    assert (me["name"], me["role"]) == ("labeler-1", "labeler")
    page.evaluate("fetch('/logout', {method: 'POST'})")
    page.wait_for_timeout(300)
    assert COOKIE not in cookies(page)
    page.goto(f"{site.url}/login?left")
    page.get_by_role("link", name="Sign out of Example too").click()
    page.get_by_role("button", name="End session").click()
    page.wait_for_url(f"{site.url}/login")

    for who, said in (
        (STRANGER, "The address stranger@elsewhere.org is not known here; ask a manager to add it."),
        (UNVERIFIED, "Example has not verified the address eve@example.org; verify it there."),
    ):
        refused = sign_in(visit, site, who)
        assert refused.locator(ALERT).inner_text() == said
        assert COOKIE not in cookies(refused)
    refused = visit.page(site)
    refused.goto(f"{site.url}/oidc/start")
    refused.get_by_role("button", name="Deny").click()
    assert refused.locator(ALERT).inner_text() == "Example did not let you in."
    elsewhere_is_fine(visit)


def test_whoever_is_of_an_allowed_domain_gets_an_account_once(site: Site, visit: Visit):
    site.add_user("new.person")  # somebody else has this name already
    for _ in range(2):
        page = sign_in(visit, site, NEW)
        assert page.request.get(f"{site.url}/api/projects").json()["user"]["name"] == "new.person-2"
    made = site.store.user("new.person-2")
    assert (made.role, site.store.memberships(made.id)) == ("labeler", ("essays",))
    assert [user.name for user in site.store.users() if "new" in user.name] == ["new.person", "new.person-2"]
    elsewhere_is_fine(visit)


def test_an_account_with_a_password_is_linked_by_its_owner(site: Site, visit: Visit):
    site.add_user("labeler-7")
    page = visit.page(site)
    page.goto(f"{site.url}/login")
    fill_login(page, "labeler-7", PASSWORD)
    page.wait_for_url(f"{site.url}/")
    page.goto(f"{site.url}/account")
    page.get_by_role("link", name="Link it to your account").wait_for()
    page.evaluate("location.href = '/oidc/link'")
    page.get_by_role("button", name=BOB, exact=True).click()
    page.wait_for_url(f"{site.url}/account")
    page.get_by_text("Your account is linked").wait_for()
    again = sign_in(visit, site, BOB)
    assert again.request.get(f"{site.url}/api/projects").json()["user"]["name"] == "labeler-7"
    elsewhere_is_fine(visit)


def test_a_link_begun_by_another_site_is_none(site: Site, visit: Visit):
    site.add_user("labeler-8")
    page = visit.page(site)
    page.goto(f"{site.url}/login")
    fill_login(page, "labeler-8", PASSWORD)
    page.wait_for_url(f"{site.url}/")
    page.goto(site.url.replace("127.0.0.1", "localhost") + "/login")  # another origin
    page.evaluate(f"location.href = '{site.url}/oidc/link'")
    page.wait_for_url(f"{site.url}/login")
    elsewhere_is_fine(visit)


def test_a_sign_in_is_good_once_in_one_browser_and_for_ten_minutes(site: Site, visit: Visit):
    page = visit.page(site)
    came_back: list[str] = []
    page.on("request", lambda request: came_back.append(request.url) if "/oidc/callback" in request.url else None)
    sign_in(visit, site, ANN, page)
    assert COOKIE in cookies(page)
    stale = "This sign-in was used already, took longer than 10 minutes or was begun in another browser; start again."
    page.context.clear_cookies(name=COOKIE)
    page.goto(came_back[0])  # replayed
    assert page.locator(ALERT).inner_text() == stale
    assert COOKIE not in cookies(page)

    with httpx.Client(base_url=site.url) as mine, httpx.Client(base_url=site.url) as theirs:
        for late in (False, True):
            begun = mine.get("/oidc/start")
            assert begun.status_code == 303
            query = parse_qs(urlsplit(begun.headers["location"]).query)
            assert query["code_challenge_method"] == ["S256"]
            code = code_of(begun.headers["location"])
            if late:
                with site.store.database.write() as connection:
                    connection.exec_driver_sql("UPDATE sign_ons SET expires = 1")
            answer = (mine if late else theirs).get("/oidc/callback", params={"code": code, "state": query["state"][0]})
            assert (answer.status_code, stale in answer.text) == (403, True)
        begun = mine.get("/oidc/start")
        forged = mine.get("/oidc/callback", params={"code": code_of(begun.headers["location"]), "state": "made up"})
        assert forged.status_code == 403
    visit.expect("403")
    elsewhere_is_fine(visit)


def code_of(url: str) -> str:
    """Sign in at the provider without a browser; the code that it sends back."""
    answer = httpx.post(url, data={"sub": ANN})
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def test_a_code_of_another_sign_in_is_refused_by_the_provider_or_by_its_nonce(site: Site):
    """Another person's code, put into one's own sign-in: PKCE at the provider stops it."""
    with httpx.Client(base_url=site.url) as mine, httpx.Client(base_url=site.url) as theirs:
        stolen = code_of(theirs.get("/oidc/start").headers["location"])
        state = parse_qs(urlsplit(mine.get("/oidc/start").headers["location"]).query)["state"][0]
        answer = mine.get("/oidc/callback", params={"code": stolen, "state": state})
        assert answer.status_code == 403
        assert "Example did not accept this sign-in; start again." in answer.text


def test_a_provider_that_is_down_is_said_plainly_and_passwords_still_work(own_url: str, visit: Visit, tmp_path: Path):
    with serving("http://127.0.0.1:9", own_url, tmp_path) as site:
        page = visit.page(site)
        page.goto(f"{site.url}/oidc/start")
        assert page.locator(ALERT).inner_text() == "Example cannot be reached just now; try again later."
        fill_login(page, "labeler-1", PASSWORD)
        page.get_by_test_id("no-tasks").or_(page.get_by_test_id("ranking-board")).wait_for()
        page.close()
    visit.expect("502")

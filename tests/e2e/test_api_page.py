"""The page of the REST API and the page that makes tokens for it, in a real browser."""

from __future__ import annotations

import httpx
import pytest
from browsing import DESKTOP, Site, Visit

PHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_api_page_fits_and_its_links_lead_to_what_they_name(site: Site, visit: Visit, viewport: dict[str, int]):
    page = visit.page(site, viewport=viewport)
    page.goto(f"{site.url}/api/docs")
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    page.get_by_role("navigation").get_by_role("link", name="submit").click()
    article = page.locator("#submit")
    assert article.get_by_role("heading").inner_text() == "POST /api/v1/tasks/{task}/answer"
    article.get_by_role("link", name="Answer").click()
    assert page.url.endswith("#Answer")
    assert page.locator("#Answer").get_by_text("submission_id", exact=True).is_visible()


def test_a_token_made_on_the_account_page_works(site: Site, visit: Visit):
    site.store.add_project("tokens")
    site.add_user("tokens-ann", projects=("tokens",))
    page = visit.sign_in(site, "tokens-ann")
    page.get_by_test_id("account").click()
    page.get_by_label("What is it for?").fill("nightly")
    page.get_by_text("Make a token").click()
    page.get_by_text("Copy this token now").wait_for()
    token = page.get_by_test_id("stCode").inner_text().strip()
    answer = httpx.get(f"{site.url}/api/v1/me", headers={"authorization": f"Bearer {token}"})
    assert answer.json()["name"] == "tokens-ann"
    visit.problems[:] = [text for text in visit.problems if "404" not in text]  # Streamlit looks for its own server

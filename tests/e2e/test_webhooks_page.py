"""The page of webhooks in a real browser, with a real receiver behind it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from board import group
from browsing import DESKTOP, Site, Visit, open_site
from standardwebhooks.webhooks import Webhook as Verifier

from labeler.webhooks import Webhooks

PHONE = {"width": 390, "height": 844}
SCRIPT = Path(__file__).parents[1] / "labeler" / "webhook_receiver.py"


@pytest.fixture(scope="module")
def site(file_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that may deliver to the receiver."""
    with open_site(file_url, tmp_path_factory.mktemp("site"), "--private-webhooks") as opened:
        yield opened


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Its address, which refuses once, and where it writes down what comes."""
    file = tmp_path / "received.jsonl"
    with subprocess.Popen([sys.executable, str(SCRIPT), str(file)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/failing/1", file
        process.kill()


def test_an_endpoint_is_added_hears_and_is_removed(
    site: Site, visit: Visit, in_time: Callable[..., None], receiver: tuple[str, Path]
):
    address, file = receiver
    essays = site.store.add_project("essays")
    site.add_user("mia", "manager")
    page = visit.sign_in(site, "mia")
    page.wait_for_url(f"{site.url}/")
    page.goto(f"{site.url}/webhooks")
    page.get_by_label("Address").fill(address)
    page.get_by_role("button", name="Add it").click()
    page.get_by_text("Copy this secret now").wait_for()
    secret = page.get_by_test_id("stCode").inner_text().strip()
    site.store.import_groups(essays.id, [group("g1")])
    webhooks = Webhooks(site.store)
    in_time(lambda: webhooks.deliveries(1) and webhooks.deliveries(1)[0].state == "delivered", 30.0)
    received = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(received) == 2
    event = Verifier(secret).verify(received[1]["body"].encode(), received[1]["headers"])
    assert (event["type"], event["data"]["groups"]) == ("import.finished", 1)
    page.reload()
    page.get_by_text("The last hundred, latest first.").wait_for()
    assert secret not in page.content()
    page.get_by_label("Endpoint").first.click()
    page.get_by_role("option", name=address).click()
    page.get_by_role("button", name="Remove it").click()
    page.get_by_text("The last hundred, latest first.").wait_for(state="detached")
    assert webhooks.all() == ()
    visit.problems[:] = [text for text in visit.problems if "404" not in text]  # Streamlit looks for its own server


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_fits(site: Site, visit: Visit, viewport: dict[str, int]):
    name = f"of width {viewport['width']}"
    Webhooks(site.store).add("https://example.invalid/a/long/path/of/an/endpoint/that/hears/of/everything")
    site.store.import_groups(site.store.add_project(name).id, [group("g1")])
    site.add_user(name, "manager")
    page = visit.sign_in(site, name, viewport=viewport)
    page.wait_for_url(f"{site.url}/")
    page.goto(f"{site.url}/webhooks")
    page.get_by_text("The last hundred, latest first.").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    visit.problems[:] = [text for text in visit.problems if "404" not in text]


def test_labelers_are_led_away(site: Site, visit: Visit):
    site.store.add_project("nothing to do")
    site.add_user("ann", projects=("nothing to do",))
    page = visit.sign_in(site, "ann")
    page.get_by_test_id("no-tasks").wait_for()
    page.goto(f"{site.url}/webhooks")
    assert page.url == f"{site.url}/"

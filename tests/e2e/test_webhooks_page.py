"""Webhooks, from adding one to what it was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Console
from tests.e2e.plugin_pages import menu, told
from tests.receiver import Receiver, receiving
from tests.studio import Studio, wait_for


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A program that webhooks call."""
    with receiving() as running:
        yield running


@pytest.fixture(autouse=True)
def no_webhooks_left(studio: Studio) -> Iterator[None]:
    """Takes away what a test has added."""
    yield
    for webhook in studio.http.get("/api/webhooks").json()["results"]:
        studio.http.delete(f"/api/webhooks/{webhook['id']}")


def add(page: Page, name: str, url: str) -> Locator:
    """Fill in the form for a new webhook, and save it."""
    page.get_by_role("button", name="Add webhook").click()
    form = page.get_by_role("dialog", name="Add a webhook")
    form.get_by_label("Name").fill(name)
    form.get_by_label("Address").fill(url)
    form.get_by_label("plugin_unloaded").check()
    form.get_by_role("button", name="Add", exact=True).click()
    return form


def added(page: Page, name: str, url: str) -> str:
    """Add a webhook and return its secret, which is shown once."""
    page.goto("/webhooks")
    add(page, name, url)
    dialog = page.get_by_role("dialog", name=f"The signing secret of {name}")
    secret = dialog.get_by_test_id("webhook-secret").inner_text()
    dialog.get_by_role("button", name="I have copied it").click()
    expect(dialog).to_have_count(0)
    assert secret not in page.content()
    return secret


def test_one_is_added_tested_and_told_of_what_happens(operator_page: Page, studio: Studio, receiver: Receiver) -> None:
    page = operator_page
    page.goto("/webhooks")
    expect(page.get_by_role("heading", name="No webhooks yet")).to_be_visible()
    assert added(page, "Deploy bot", receiver.url).startswith("whsec_")

    page.get_by_role("button", name="Send a test message to Deploy bot").click()
    expect(told(page)).to_contain_text("Deploy bot took the test message (status 200")
    wait_for(lambda: len(receiver.messages) == 1, 10)

    page.get_by_role("link", name="Deploy bot").click()
    deliveries = page.get_by_role("region", name="Deliveries").get_by_role("listitem")
    expect(deliveries).to_have_count(1)
    assert studio.http.post("/api/plugins/redact/unload").status == 200
    try:
        wait_for(lambda: bool(receiver.of("plugin_unloaded")), 20)
        page.reload()
        delivery = deliveries.filter(has_text="plugin_unloaded")
        expect(delivery).to_contain_text("delivered")
        delivery.get_by_text("plugin_unloaded").first.click()
        expect(delivery).to_contain_text('"plugin_id": "redact"')
        delivery.get_by_role("button", name="Send again").click()
        wait_for(lambda: len(receiver.of("plugin_unloaded")) == 2, 20)
    finally:
        assert studio.http.post("/api/plugins/load", {"plugin_id": "redact"}).status == 200


def test_a_receiver_that_fails_is_told_with_its_answer(operator_page: Page, receiver: Receiver) -> None:
    receiver.answer(503, body=b"not today")
    page = operator_page
    added(page, "Pager", receiver.url)
    page.get_by_role("button", name="Send a test message to Pager").click()
    expect(told(page)).to_contain_text("Pager did not take the test message")
    page.get_by_role("link", name="Pager").click()
    delivery = page.get_by_role("region", name="Deliveries").get_by_role("listitem").first
    delivery.get_by_role("group").click()
    expect(delivery.get_by_role("table")).to_contain_text("503")
    expect(delivery.get_by_role("table")).to_contain_text("not today")


def test_one_is_paused_edited_given_a_new_secret_and_deleted(operator_page: Page, receiver: Receiver) -> None:
    page = operator_page
    secret = added(page, "Pager", receiver.url)
    page.get_by_role("link", name="Pager").click()
    page.get_by_role("switch", name="Pager is enabled").uncheck()
    expect(told(page)).to_contain_text("Pager is disabled.")
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Alarm")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alarm")

    menu(page, "Alarm", "New signing secret…")
    page.get_by_role("button", name="Make a new one").click()
    expect(page.get_by_test_id("webhook-secret")).to_have_text(re.compile("^whsec_"))
    assert page.get_by_test_id("webhook-secret").inner_text() != secret
    page.get_by_role("button", name="I have copied it").click()

    menu(page, "Alarm", "Delete…")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No webhooks yet")).to_be_visible()


def test_an_address_of_the_inner_network_is_refused_at_its_field(operator_page: Page, console: Console) -> None:
    console.expect(r"422 .* at \S+/api/webhooks")
    page = operator_page
    page.goto("/webhooks")
    form = add(page, "Spy", "http://192.168.0.1/metadata")
    expect(form.get_by_test_id("field-url").get_by_role("alert")).to_be_visible()

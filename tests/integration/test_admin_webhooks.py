"""Webhooks in the admin: added with a secret shown once, tested, rotated, disabled, taken away; messages read."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
import standardwebhooks

from tests.integration.test_admin import Admin, told
from tests.receiver import Receiver, receiving
from tests.studio import Studio

LIST = "/admin/plugins_app/webhook/"
LOG = "/admin/plugins_app/webhookdelivery/"


@pytest.fixture(scope="module")
def admin(studio: Studio) -> Admin:
    return Admin(studio)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def clean(studio: Studio) -> Iterator[None]:
    """Nothing is left of the webhooks of a test."""
    yield
    for row in studio.http.get("/api/webhooks").json()["results"]:
        assert studio.http.delete(f"/api/webhooks/{row['id']}").status == 204


@pytest.fixture
def hook(studio: Studio, receiver: Receiver, clean: None) -> dict[str, str]:
    answer = studio.http.post("/api/webhooks", {"name": "mine", "url": receiver.url, "events": ["p:*"]})
    assert answer.status == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def page_of(hook: dict[str, str]) -> str:
    return f"{LIST}{hook['id']}/change/"


def act(admin: Admin, action: str, hook: dict[str, str]) -> str:
    return told(admin.submit(LIST, {"action": action, "_selected_action": hook["id"]}))


def test_one_is_added_and_its_secret_told_once(admin: Admin, studio: Studio, receiver: Receiver, clean: None) -> None:
    fields = {"name": "made here", "url": receiver.url, "enabled": "on", "events": "plugin_loaded", "plugins": "a, b"}
    page = admin.submit(f"{LIST}add/", {**fields, "own_events": "a:*"})
    [secret] = re.findall(r"whsec_[\w+/=]+", told(page))
    [row] = studio.http.get("/api/webhooks").json()["results"]
    assert (row["name"], row["events"], row["plugins"]) == ("made here", ["plugin_loaded", "a:*"], ["a", "b"])
    studio.http.post(f"/api/webhooks/{row['id']}/test")
    standardwebhooks.Webhook(secret).verify(receiver.messages[0].body, receiver.messages[0].headers)
    pages = [admin.page(LIST), admin.page(page_of(row)), admin.page(f"{LIST}{row['id']}/history/")]
    assert not any(secret in each for each in pages) and "made here" in pages[0]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": "https://10.0.0.1/"}, "10.0.0.1 is private. An administrator can allow it by STUDIO_WEBHOOK_ALLOW"),
        ({"url": "hooks"}, "Write https://host/path."),
        ({"own_events": "sold_out"}, "There is no event 'sold_out'"),
        ({"plugins": "No Plugin"}, "cannot be a plugin's id"),
        ({"secret": "sesame"}, "A secret begins with whsec_"),
        ({"name": "mine"}, "There is a webhook named mine already."),
    ],
)
def test_what_cannot_be_is_told_beside_its_field(
    admin: Admin, studio: Studio, hook: dict[str, str], fields: dict[str, str], words: str
) -> None:
    page = admin.submit(f"{LIST}add/", {"name": "another", "url": hook["url"], **fields})
    assert words in page and "sesame" not in page
    assert studio.http.get("/api/webhooks").json()["count"] == 1


def test_one_is_changed_and_its_secret_stays(admin: Admin, studio: Studio, hook: dict[str, str]) -> None:
    page = admin.page(page_of(hook))
    assert 'value="p:*"' in page and hook["secret"] not in page
    fields = {"name": "renamed", "url": hook["url"], "enabled": "on", "own_events": "p:*", "plugins": "p"}
    assert "was changed successfully" in told(admin.submit(page_of(hook), fields))
    row = studio.http.get(f"/api/webhooks/{hook['id']}").json()
    assert (row["name"], row["events"], row["plugins"], row["enabled"]) == ("renamed", ["p:*"], ["p"], True)


def test_a_secret_that_is_entered_replaces_the_old_one(
    admin: Admin, studio: Studio, hook: dict[str, str], receiver: Receiver
) -> None:
    new = "whsec_" + "c2VzYW1lLTQy" * 3
    fields = {"name": "mine", "url": hook["url"], "enabled": "on", "secret": new}
    page = admin.submit(page_of(hook), {**fields, "_test": "Send a test"})
    assert "took the test: status 200" in told(page) and new not in page
    for secret in (new, hook["secret"]):
        standardwebhooks.Webhook(secret).verify(receiver.messages[0].body, receiver.messages[0].headers)


def test_the_buttons_say_what_came_of_it(admin: Admin, hook: dict[str, str], receiver: Receiver) -> None:
    assert "“mine” took the test: status 200." in act(admin, "test_selected", hook)
    receiver.answer(500)
    assert "“mine” did not take the test: status 500." in act(admin, "test_selected", hook)
    [secret] = re.findall(r"whsec_[\w+/=]+", act(admin, "rotate_selected", hook))
    assert secret != hook["secret"]
    assert "is disabled" in act(admin, "disable_selected", hook)
    assert "An operator disabled it." in admin.page(page_of(hook))
    assert "plugin-state-disabled" in admin.page(LIST)
    assert "is enabled" in act(admin, "enable_selected", hook)


def test_messages_are_read_and_delivered_again(admin: Admin, hook: dict[str, str], receiver: Receiver) -> None:
    receiver.answer(500, body=b"<b>no</b> room")
    act(admin, "test_selected", hook)
    page = admin.page(page_of(hook))
    [link] = re.findall(rf"{LOG}([0-9a-f-]+)/change/", page)
    raw = admin.opener.open(f"{admin.studio.url}{LOG}{link}/change/", timeout=20).read().decode()
    assert "&lt;b&gt;no&lt;/b&gt; room" in raw and '"type": "webhook.test"' in unescape(raw)
    assert "plugin-state-failed" in admin.page(f"{LOG}?webhook__id__exact={hook['id']}")
    receiver.answer(200)
    page = admin.submit(LOG, {"action": "deliver_again", "_selected_action": link})
    assert "“mine” was sent webhook.test: status 200." in told(page)


def test_one_is_taken_away(admin: Admin, studio: Studio, hook: dict[str, str]) -> None:
    act(admin, "test_selected", hook)
    page = admin.page(f"{LIST}{hook['id']}/delete/")
    assert "Messages: 1" in page.replace("messages: 1", "Messages: 1")
    admin.submit(f"{LIST}{hook['id']}/delete/", {"post": "yes"})
    assert studio.http.get(f"/api/webhooks/{hook['id']}").status == 404

"""`/api/webhooks`: for operators; secrets shown once, addresses checked, tests and messages looked at."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import standardwebhooks
from django.db import connection
from django.test import Client

from plugins_app.models import Webhook, WebhookDelivery
from plugins_app.services import webhooks as service
from plugins_app.services.access import api_key_create
from plugins_app.services.addresses import AddressGuard
from plugins_app.services.events import event_record
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db(transaction=True)
UNKNOWN = "00000000-0000-4000-8000-000000000000"
MINE = "whsec_" + base64.b64encode(b"k" * 24).decode()


@pytest.fixture
def client_of(
    transactional_db: None, redis_server: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Client]]:
    settings.STUDIO_WEBHOOK_ALLOW = ("127.0.0.1",)
    monkeypatch.setattr("plugins_app.services.queue.enqueue", lambda task, one, **_: True)

    def make(role: str) -> Client:
        return Client(headers={"Authorization": f"Bearer {api_key_create(name=role, role=role)[1]}"})

    yield make
    connection.close()
    from plugins_app.services.hints import redis_client

    redis_client().close()


@pytest.fixture
def api(client_of: Callable[[str], Client]) -> Client:
    return client_of("operator")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def post(api: Client, path: str = "", body: Any = None) -> Any:
    return api.post(f"/api/webhooks{path}", {} if body is None else body, content_type="application/json")


def added(api: Client, receiver: Receiver, **more: Any) -> dict[str, Any]:
    answer = post(api, body={"name": "mine", "url": receiver.url, **more})
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_a_webhook_is_added_and_its_secret_shown_once(api: Client, receiver: Receiver) -> None:
    answer = post(api, body={"name": "mine", "url": receiver.url, "events": ["plugin_loaded", "p:*"]})
    made = answer.json()
    secret = made.pop("secret")
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/api/webhooks/{made['id']}")
    assert made == {
        **{"id": made["id"], "name": "mine", "url": receiver.url, "events": ["plugin_loaded", "p:*"]},
        **{"plugins": [], "enabled": True, "failures": 0, "disabled_reason": "", "disabled_at": None},
        **{"last_success_at": None, "created_at": made["created_at"]},
    }
    assert secret.startswith("whsec_") and api.get(f"/api/webhooks/{made['id']}").json() == made
    page = api.get("/api/webhooks/")
    assert page.json()["results"] == [made] and secret.encode() not in page.content


def test_a_secret_of_ones_own_is_taken(api: Client, receiver: Receiver) -> None:
    assert added(api, receiver, secret=MINE)["secret"] == MINE


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"name": ""}, "/name", "blank"),
        ({"name": "x" * 101}, "/name", "100"),
        ({"url": "hooks"}, "/url", "https://host/path"),
        ({"url": "https://[::1/"}, "/url", "not a URL"),
        ({"url": "https://127.0.0.1:0/"}, "/url", "no port 0"),
        ({"url": "ftp://127.0.0.1/"}, "/url", "https://host/path"),
        ({"url": "https://127.0.0.1:99999/"}, "/url", "no port 99999"),
        ({"url": "https://user:sesame@127.0.0.1/"}, "/url", "name and password"),
        ({"url": "https://127.0.0.1/#part"}, "/url", "after #"),
        ({"url": "https://127.0.0.1/a b"}, "/url", "no spaces"),
        ({"url": "https://127.0.0.1/" + "x" * 1000}, "/url", "1000"),
        ({"events": ["plugin_loadde"]}, "/events/0", "did you mean plugin_loaded?"),
        ({"events": ["plugin_loaded", "No Plugin:x"]}, "/events/1", "<plugin>:<event>"),
        ({"events": ["p:"]}, "/events/0", "<plugin>:<event>"),
        ({"events": "plugin_loaded"}, "/events", "list"),
        ({"plugins": ["No Plugin"]}, "/plugins/0", "cannot be a plugin's id"),
        ({"enabled": "perhaps"}, "/enabled", "boolean"),
        ({"secret": "sesame"}, "/secret", "whsec_"),
        ({"colour": "red"}, "/colour", "not a known field"),
    ],
)
def test_what_cannot_be_is_told_with_its_field(api: Client, fields: dict[str, Any], pointer: str, words: str) -> None:
    answer = post(api, body={"name": "mine", "url": "https://127.0.0.1/", **fields})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid"), problem
    told = {error["pointer"]: error["message"] for error in problem["errors"]}
    assert words in told[pointer] and not Webhook.objects.exists()
    assert "sesame" not in answer.content.decode()


@pytest.mark.parametrize(
    ("url", "addresses", "words"),
    [
        ("https://10.0.0.1/", ["10.0.0.1"], "10.0.0.1 is private"),
        ("https://hooks.example/", ["93.184.216.34", "10.0.0.1"], "hooks.example is 10.0.0.1, which is private"),
        ("https://hooks.example/", ["169.254.169.254"], "link-local"),
        ("http://hooks.example/", ["93.184.216.34"], "https only"),
        ("https://hooks.example/", [], "cannot be resolved"),
    ],
)
def test_an_address_that_may_not_be_called_is_refused(
    api: Client, monkeypatch: pytest.MonkeyPatch, url: str, addresses: list[str], words: str
) -> None:
    monkeypatch.setattr(service, "webhook_guard", lambda: AddressGuard(resolve=lambda host, port: addresses))
    problem = post(api, body={"name": "mine", "url": url}).json()
    assert (problem["status"], problem["code"], problem["errors"][0]["pointer"]) == (422, "address_refused", "/url")
    assert words in problem["detail"] and not Webhook.objects.exists()


def test_an_address_is_checked_when_it_is_changed_too(api: Client, receiver: Receiver) -> None:
    path = f"/api/webhooks/{added(api, receiver)['id']}"
    answer = api.patch(path, {"url": "https://10.0.0.1/"}, content_type="application/json")
    assert answer.json()["code"] == "address_refused" and api.get(path).json()["url"] == receiver.url


def test_two_webhooks_cannot_have_one_name(api: Client, receiver: Receiver) -> None:
    added(api, receiver)
    problem = post(api, body={"name": "mine", "url": receiver.url}).json()
    assert problem["errors"] == [{"pointer": "/name", "message": "There is a webhook named mine already."}]


def test_a_webhook_is_changed_disabled_and_enabled(api: Client, receiver: Receiver) -> None:
    path = f"/api/webhooks/{added(api, receiver)['id']}"
    Webhook.objects.update(failures=7)

    def patch(**fields: Any) -> dict[str, Any]:
        answer = api.patch(path, fields, content_type="application/json")
        assert answer.status_code == 200, answer.content
        changed: dict[str, Any] = answer.json()
        return changed

    assert patch(name="other", plugins=["p"])["plugins"] == ["p"]
    off = patch(enabled=False)
    assert (off["enabled"], off["disabled_reason"]) == (False, "An operator disabled it.") and off["disabled_at"]
    on = patch(enabled=True)
    assert (on["enabled"], on["disabled_reason"], on["disabled_at"], on["failures"]) == (True, "", None, 0)
    assert api.get(path).json() == on and on["name"] == "other"


def test_a_webhook_is_taken_away(api: Client, receiver: Receiver) -> None:
    path = f"/api/webhooks/{added(api, receiver)['id']}"
    event_record(event="plugin_loaded", plugin_id="p")
    assert api.delete(path).status_code == 204
    assert api.get(path).json()["code"] == "webhook_not_found" and not WebhookDelivery.objects.exists()


def test_a_new_secret_counts_beside_the_old_one(api: Client, receiver: Receiver) -> None:
    made = added(api, receiver)
    new = post(api, f"/{made['id']}/rotate-secret").json()["secret"]
    assert new != made["secret"]
    assert post(api, f"/{made['id']}/rotate-secret", {"secret": "short"}).json()["code"] == "invalid"
    assert post(api, f"/{made['id']}/test").status_code == 200
    [message] = receiver.messages
    for secret in (new, made["secret"]):
        standardwebhooks.Webhook(secret).verify(message.body, message.headers)


def test_the_test_button_tells_what_came_of_it(api: Client, receiver: Receiver) -> None:
    receiver.answer(418, body=b"a teapot")
    told = post(api, f"/{added(api, receiver)['id']}/test").json()
    assert (told["type"], told["status"], told["next_attempt_at"]) == ("webhook.test", "failed", None)
    [attempt] = told["attempts"]
    assert (attempt["status"], attempt["answer"], attempt["error"]) == (418, "a teapot", "")
    assert attempt["at"] and attempt["duration_ms"] >= 0
    assert json.loads(told["body"])["type"] == "webhook.test"


def test_messages_are_listed_read_and_sent_again(api: Client, receiver: Receiver) -> None:
    made = added(api, receiver)
    event_record(event="plugin_loaded", plugin_id="p", data={"generation": 1})
    post(api, f"/{made['id']}/test")
    path = f"/api/webhooks/{made['id']}/deliveries"
    page = api.get(path).json()
    assert [(row["type"], row["status"]) for row in page["results"]] == [
        ("webhook.test", "delivered"),
        ("plugin_loaded", "waiting"),
    ]
    assert "body" not in page["results"][0] and page["count"] == 2
    [waiting] = api.get(f"{path}?status=waiting").json()["results"]
    assert api.get(f"{path}?status=lost").json()["errors"][0]["pointer"] == "/status"
    assert json.loads(api.get(f"{path}/{waiting['id']}").json()["body"])["data"]["generation"] == 1

    sent = post(api, f"/{made['id']}/deliveries/{waiting['id']}/redeliver").json()
    assert (sent["status"], len(sent["attempts"])) == ("delivered", 1)
    assert receiver.messages[-1].headers["webhook-id"] == waiting["id"]
    after = api.get(f"/api/webhooks/{made['id']}").json()
    assert after["last_success_at"]


def test_what_is_on_its_way_is_not_sent_a_second_time_at_once(api: Client, receiver: Receiver) -> None:
    from django.utils import timezone

    from plugins_app.services.deliveries import LEASE

    made = added(api, receiver)
    event_record(event="plugin_loaded", plugin_id="p")
    WebhookDelivery.objects.update(lease_until=timezone.now() + LEASE / 2)
    row = WebhookDelivery.objects.get()
    problem = post(api, f"/{made['id']}/deliveries/{row.id}/redeliver").json()
    assert (problem["status"], problem["code"]) == (409, "superseded") and receiver.messages == []


@pytest.mark.parametrize("text", [UNKNOWN, "mine"])
def test_what_is_not_there(api: Client, receiver: Receiver, text: str) -> None:
    assert api.get(f"/api/webhooks/{text}").json()["code"] == "webhook_not_found"
    assert post(api, f"/{text}/test").json()["code"] == "webhook_not_found"
    made = added(api, receiver)
    assert api.get(f"/api/webhooks/{made['id']}/deliveries/{text}").json()["code"] == "delivery_not_found"


def test_one_webhooks_message_is_not_anothers(api: Client, receiver: Receiver) -> None:
    first, second = added(api, receiver), added(api, receiver, name="other")
    row = post(api, f"/{first['id']}/test").json()
    assert api.get(f"/api/webhooks/{second['id']}/deliveries/{row['id']}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("post", ""),
        ("get", f"/{UNKNOWN}"),
        ("patch", f"/{UNKNOWN}"),
        ("delete", f"/{UNKNOWN}"),
        ("post", f"/{UNKNOWN}/rotate-secret"),
        ("post", f"/{UNKNOWN}/test"),
        ("get", f"/{UNKNOWN}/deliveries"),
        ("get", f"/{UNKNOWN}/deliveries/{UNKNOWN}"),
        ("post", f"/{UNKNOWN}/deliveries/{UNKNOWN}/redeliver"),
    ],
)
def test_only_operators_have_to_do_with_webhooks(client_of: Callable[[str], Client], method: str, path: str) -> None:
    for client, status in ((client_of("user"), 403), (Client(), 401)):
        assert getattr(client, method)(f"/api/webhooks{path}").status_code == status

"""`POST /api/plugins/execute` and `/api/executions`."""

import signal
from collections.abc import Callable, Iterator
from os import kill
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sources import tool
from tests.studio import Response, Studio, wait_for

Drop = Callable[..., Path]
EXECUTE = """
match action:
    case "raise": raise KeyError("the plugin's own reason")
    case "sleep": await asyncio.sleep(parameters or 30)
    case "bytes": return {"file": b"\\x00\\xff"}
    case "count":
        for i in range(10):
            self.context.progress(i / 10, f"step {i}")
            await asyncio.sleep(0.05)
        return os.getpid()
    case "chatter":
        while True:
            self.context.progress(0.5, "still")
            await asyncio.sleep(0.05)
    case "die": os._exit(9)
    case "object": return object()
return {"action": action, "parameters": parameters, "user": self.context.user}
"""


@pytest.fixture
def call(studio: Studio, plugin_folder: Drop) -> Iterator[Callable[..., Response]]:
    """Calls `worker.execute(action, parameters)`; further fields go into the body."""
    plugin_folder("worker", tool("worker", execute=EXECUTE))
    assert studio.http.post("/api/plugins/load", {"plugin_id": "worker"}).status == 200

    def execute(action: str, parameters: Any = None, **body: Any) -> Response:
        kwargs = {"action": action, "parameters": parameters}
        request = {"plugin_id": "worker", "method": "execute", "kwargs": kwargs, **body}
        return studio.http.post("/api/plugins/execute", request)

    yield execute


def settled(studio: Studio, answer: Response) -> dict[str, Any]:
    """The execution that was accepted, once it has ended."""
    assert answer.status == 202, answer.text
    location = answer.headers["Location"]
    wait_for(lambda: studio.http.get(location).json()["finished_at"], 20)
    return dict(studio.http.get(location).json())


def test_a_result_comes_with_its_generation_and_duration(call: Callable[..., Response]) -> None:
    body = call("echo", [1, {"a": None}]).json()
    assert body["result"]["parameters"] == [1, {"a": None}]
    assert body["generation"] >= 1 and body["duration_ms"] > 0
    assert body["result"]["user"]["username"] == "key:test-operator"


def test_positional_arguments_work_too(studio: Studio, call: Callable[..., Response]) -> None:
    request = {"plugin_id": "worker", "method": "execute", "args": ["echo", 1]}
    assert studio.http.post("/api/plugins/execute/", request).json()["result"]["parameters"] == 1


def test_bytes_travel_as_base64(call: Callable[..., Response]) -> None:
    assert call("bytes").json()["result"] == {"file": {"base64": "AP8="}}


@pytest.mark.parametrize(
    ("method", "kwargs", "status", "code"),
    [
        ("no_such_method", {}, 404, "method_not_found"),
        ("_private", {}, 403, "method_private"),
        ("__class__", {}, 403, "method_private"),
        ("initialize", {}, 403, "method_lifecycle"),
        ("shutdown", {}, 403, "method_lifecycle"),
        ("get_config", {"key": "x"}, 403, "method_undeclared"),
        ("execute", {"wrong": 1}, 422, "arguments_invalid"),
    ],
)
def test_what_cannot_be_called(
    studio: Studio, call: Callable[..., Response], method: str, kwargs: dict[str, Any], status: int, code: str
) -> None:
    request = {"plugin_id": "worker", "method": method, "kwargs": kwargs}
    answer = studio.http.post("/api/plugins/execute", request)
    assert (answer.status, answer.json()["code"]) == (status, code), answer.text


def test_the_plugins_own_error_is_told_with_its_type(studio: Studio, call: Callable[..., Response]) -> None:
    answer = call("raise")
    problem = answer.json()
    assert (answer.status, problem["code"]) == (502, "plugin_raised")
    assert problem["type_name"] == "KeyError" and "the plugin's own reason" in problem["detail"]
    assert "plugin.py" in problem["traceback"]
    request = {"plugin_id": "worker", "method": "execute", "kwargs": {"action": "raise"}}
    assert "traceback" not in studio.as_user.post("/api/plugins/execute", request).json()


def test_a_call_past_its_deadline_is_ended(call: Callable[..., Response]) -> None:
    answer = call("sleep", timeout=0.2)
    assert (answer.status, answer.json()["code"]) == (504, "deadline_exceeded")


@pytest.mark.parametrize("timeout", [0, -1, 601, "soon"])
def test_a_timeout_has_bounds(call: Callable[..., Response], timeout: Any) -> None:
    answer = call("echo", timeout=timeout)
    assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, "/timeout")


def test_a_crash_in_the_middle_is_told_and_the_next_call_works(call: Callable[..., Response]) -> None:
    answer = call("die")
    assert (answer.status, answer.json()["code"]) == (502, "plugin_crashed")
    wait_for(lambda: call("echo").status == 200, 5)


def test_a_result_that_is_not_data_is_told(call: Callable[..., Response]) -> None:
    assert call("object").json()["code"] == "result_not_serializable"


def test_what_is_not_loaded_and_what_does_not_exist(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("resting", tool("resting"))
    studio.http.get("/api/plugins/available")
    resting = studio.http.post("/api/plugins/execute", {"plugin_id": "resting", "method": "execute"})
    assert (resting.status, resting.json()["code"]) == (409, "not_loaded")
    nobody = studio.http.post("/api/plugins/execute", {"plugin_id": "nobody", "method": "execute"})
    assert (nobody.status, nobody.json()["code"]) == (404, "plugin_not_found")
    strange = studio.http.post("/api/plugins/execute", {"plugin_id": "../../etc", "method": "execute"})
    assert strange.status == 404


def test_a_plugin_that_crashes_too_often_opens_the_breaker(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("fragile", tool("fragile", execute="os._exit(1)"))
    studio.http.post("/api/plugins/load", {"plugin_id": "fragile"})
    request = {"plugin_id": "fragile", "method": "execute"}
    answers: list[Response] = []

    def broken() -> bool:
        answers.append(studio.http.post("/api/plugins/execute", request))
        return answers[-1].json()["code"] == "breaker_open"

    wait_for(broken, 30, lambda: answers[-1].text)
    assert answers[-1].status == 503 and int(answers[-1].headers["Retry-After"]) >= 1
    assert studio.http.get("/api/plugins/fragile").json()["state"] == "error"


def test_a_long_call_runs_in_a_worker_with_progress(studio: Studio, call: Callable[..., Response]) -> None:
    row = settled(studio, call("count", mode="async"))
    assert (row["status"], row["progress"]["fraction"], row["error"]) == ("succeeded", 1.0, None)
    assert row["generation"] >= 1 and row["duration_ms"] > 400
    listed = studio.http.get("/api/executions?plugin=worker&status=succeeded").json()["results"]
    assert row["id"] in [each["id"] for each in listed]


def test_a_long_call_that_fails_keeps_the_reason(studio: Studio, call: Callable[..., Response]) -> None:
    row = settled(studio, call("raise", mode="async"))
    assert (row["status"], row["error"]["code"]) == ("failed", "plugin_raised")


@pytest.mark.parametrize("action", ["sleep", "chatter"])
def test_a_long_call_can_be_cancelled_once(studio: Studio, call: Callable[..., Response], action: str) -> None:
    accepted = call(action, mode="async")
    location = accepted.headers["Location"]
    wait_for(lambda: studio.http.get(location).json()["status"] == "running", 10)
    assert studio.http.post(f"{location}/cancel").status in (200, 202)
    row = settled(studio, accepted)
    assert (row["status"], row["error"]["code"]) == ("cancelled", "cancelled")
    again = studio.http.post(f"{location}/cancel")
    assert (again.status, again.json()["code"]) == (409, "execution_finished")


def test_an_idempotency_key_runs_once(call: Callable[..., Response]) -> None:
    first, second = call("count", idempotency_key="k-1"), call("count", idempotency_key="k-1")
    assert first.status == second.status == 200
    assert first.json() == second.json()
    other = call("echo", idempotency_key="k-1")
    assert (other.status, other.json()["code"]) == (422, "idempotency_key_reused")


def test_executions_are_ones_own(studio: Studio, call: Callable[..., Response]) -> None:
    location = call("echo", mode="async").headers["Location"]
    answer = studio.as_user.get(location)
    assert (answer.status, answer.json()["code"]) == (404, "execution_not_found")
    assert studio.http.get("/api/executions/not-a-uuid").json()["code"] == "execution_not_found"


def test_kill_9_of_a_plugin_process_heals_within_a_second(studio: Studio, call: Callable[..., Response]) -> None:
    [node] = studio.http.get("/api/plugins/worker").json()["nodes"]
    kill(node["pid"], signal.SIGKILL)
    wait_for(lambda: call("echo").status == 200, 1)

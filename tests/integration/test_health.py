"""`GET /api/plugins/health`."""

from tests.studio import Studio


def test_every_part_answers(studio: Studio) -> None:
    answer = studio.http.get("/api/plugins/health")
    body = answer.json()
    assert (answer.status, body["status"]) == (200, "ok")
    assert set(body["components"]) == {"database", "redis", "plugin_host", "workers"}
    assert body["plugins"]["calculator"] in ("active", "available", "inactive")


def test_a_probe_learns_whether_and_nothing_more(studio: Studio) -> None:
    body = studio.anonymous.get("/api/plugins/health/").json()
    assert body == {"status": "ok", "components": {name: {"ok": True} for name in body["components"]}}

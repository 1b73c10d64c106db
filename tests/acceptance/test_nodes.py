"""Two machines with one database: both run the same, and one that was away catches up."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.plugins import spec_tool
from tests.cluster import Cluster, running_cluster
from tests.postgres import Postgres
from tests.studio import ROOT, Response, Studio, wait_for
from tests.valkey import Valkey

CONFIG = {"api_key": "secret", "timeout": 30}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="no-", dir="/tmp"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(place: Path, postgres: Postgres, owned_processes: set[int]) -> Iterator[Cluster]:
    """Two nodes, `a` and `b`."""
    redis = Valkey(place, on_start=owned_processes.add)
    redis.start()
    try:
        with running_cluster(place, ("a", "b"), postgres, redis) as running:
            owned_processes.update(launchers(running))
            yield running
    finally:
        redis.stop()


def launchers(cluster: Cluster) -> list[int]:
    return [node.launcher.pid for node in cluster.nodes.values() if node.launcher is not None]


def drop(node: Studio, name: str, version: str = "1.0.0") -> None:
    folder = node.plugins_dir / name.replace("-", "_")
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    (folder / "plugin.py").write_text(spec_tool(name, version=version))


def done(answer: Response) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    card: dict[str, Any] = answer.json()
    return card


def said(node: Studio, plugin_id: str) -> dict[str, Any]:
    """What the plugin's own process on this node answers."""
    call = {"plugin_id": plugin_id, "method": "execute", "kwargs": {"action": "config", "parameters": {}}}
    result: dict[str, Any] = done(node.http.post("/api/plugins/execute", call))
    return result


def test_both_run_the_same_whoever_is_asked(cluster: Cluster) -> None:
    """`b` has no folder of the plugin: it gets its files by their digest."""
    a, b = cluster["a"], cluster["b"]
    drop(a, "shared-tool")
    card = done(a.http.post("/api/plugins/load", {"plugin_id": "shared-tool", "config": CONFIG}))
    cluster.converged("shared-tool", card["generation"], card["digest"])
    for node in (a, b):
        answer = said(node, "shared-tool")
        assert (answer["generation"], answer["result"]["api_key"]) == (card["generation"], "secret")

    drop(a, "shared-tool", version="2.0.0")
    reloaded = done(a.http.post("/api/plugins/shared-tool/reload"))
    assert reloaded["version"] == "2.0.0" and reloaded["digest"] != card["digest"]
    cluster.converged("shared-tool", reloaded["generation"], reloaded["digest"])

    again = done(b.http.post("/api/plugins/shared-tool/reload"))  # without a folder: the newest there is
    assert (again["digest"], again["generation"]) == (reloaded["digest"], reloaded["generation"] + 1)
    cluster.converged("shared-tool", again["generation"], again["digest"])

    changed = done(b.http.patch("/api/plugins/shared-tool/config", {"config": {"timeout": 7}}))
    cluster.converged("shared-tool", changed["generation"], changed["digest"])
    assert [said(node, "shared-tool")["result"]["timeout"] for node in (a, b)] == [7, 7]

    back = done(b.http.post("/api/plugins/shared-tool/rollback", {"digest": card["digest"]}))
    assert back["version"] == "1.0.0"
    cluster.converged("shared-tool", back["generation"], card["digest"])

    done(b.http.post("/api/plugins/shared-tool/unload"))
    wait_for(lambda: {row["state"] for row in cluster.seen("shared-tool").values()} == {"inactive"}, 30, cluster.said)


def test_long_executions_are_run_by_either(cluster: Cluster) -> None:
    a, b = cluster["a"], cluster["b"]
    drop(b, "of-b")
    card = done(b.http.post("/api/plugins/load", {"plugin_id": "of-b", "config": CONFIG}))
    cluster.converged("of-b", card["generation"], card["digest"])
    call = {"plugin_id": "of-b", "method": "execute", "kwargs": {"action": "x", "parameters": {}}, "mode": "async"}
    accepted = [node.http.post("/api/plugins/execute", call).headers["Location"] for node in (a, b) * 5]
    for where in accepted:
        wait_for(
            lambda at=where: a.http.get(at).json()["status"] == "succeeded", 60, lambda at=where: a.http.get(at).text
        )


def test_the_same_folder_on_both_is_looked_at_once(cluster: Cluster) -> None:
    """Copies differ in inode and time, and yet nothing changes when the other node looks."""
    for node in cluster.nodes.values():
        drop(node, "on-both")
    owner, other = cluster["a"], cluster["b"]
    assert "on-both" in [card["id"] for card in owner.http.get("/api/plugins/available").json()["results"]]
    before = owner.manage("shell", "-c", OWNER)
    for node in (other, owner, other):
        node.http.get("/api/plugins/available")
    assert owner.manage("shell", "-c", OWNER) == before and "a" in before
    assert owner.http.get("/api/plugins/on-both").json()["state"] == "available"
    drop(other, "on-both", version="3.0.0")
    assert other.http.get("/api/plugins/on-both").json()["version"] == "1.0.0"
    assert "on-both" in done(other.http.post("/api/plugins/discover"))["changed"]  # now it was asked for there
    assert owner.http.get("/api/plugins/on-both").json()["version"] == "3.0.0"


OWNER = (
    "from plugins_app.models import Plugin; print(*Plugin.objects.values_list('node', 'fingerprint').get(id='on-both'))"
)


def test_a_node_that_was_away_and_forgotten_catches_up(cluster: Cluster, owned_processes: set[int]) -> None:
    a, b = cluster["a"], cluster["b"]
    drop(a, "meanwhile")
    card = done(a.http.post("/api/plugins/load", {"plugin_id": "meanwhile", "config": CONFIG}))
    cluster.converged("meanwhile", card["generation"], card["digest"])
    assert [node["state"] for node in a.http.get("/api/nodes").json()["results"]] == ["ready", "ready"]
    assert a.http.delete("/api/nodes/b").status == 422  # it is there

    b.stop()
    drop(a, "meanwhile", version="2.0.0")
    reloaded = done(a.http.post("/api/plugins/meanwhile/reload"))
    drop(a, "new-one")
    new = done(a.http.post("/api/plugins/load", {"plugin_id": "new-one", "config": CONFIG}))
    wait_for(lambda: a.http.get("/api/nodes/b").json()["state"] == "away", 60)
    shown = a.http.get("/api/nodes/b").json()
    assert shown["expires_at"] and not shown["this"]
    assert cluster.seen("meanwhile")["b"]["away"] and not cluster.seen("meanwhile")["a"]["away"]
    health = a.http.get("/api/plugins/health")
    assert (health.status, "away: b" in health.json()["components"]["plugin_host"]["detail"]) == (200, True)

    assert a.as_user.delete("/api/nodes/b").status == 403
    assert a.http.delete("/api/nodes/b").status == 204
    assert a.http.get("/api/nodes/b").json()["code"] == "node_not_found"
    assert set(cluster.seen("meanwhile")) == {"a"}

    b.start()
    owned_processes.update(launchers(cluster))
    cluster.converged("meanwhile", reloaded["generation"], reloaded["digest"])
    cluster.converged("new-one", new["generation"], new["digest"])
    assert said(b, "new-one")["result"]["api_key"] == "secret"
    assert [node["state"] for node in a.http.get("/api/nodes").json()["results"]] == ["ready", "ready"]


def test_a_second_plugin_host_on_a_node_refuses_to_start(cluster: Cluster) -> None:
    second = subprocess.run(
        [sys.executable, "manage.py", "pluginhost"],
        cwd=ROOT,
        env=cluster["a"].environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode != 0
    assert "another plugin host runs" in second.stderr


@pytest.mark.soak
def test_a_node_that_never_comes_back_is_forgotten(cluster: Cluster, owned_processes: set[int]) -> None:
    a, b = cluster["a"], cluster["b"]
    a.stop()
    a.environ["STUDIO_NODE_EXPIRY"] = "20"
    a.start()
    owned_processes.update(launchers(cluster))
    b.stop()
    wait_for(lambda: [node["node"] for node in a.http.get("/api/nodes").json()["results"]] == ["a"], 180, a.log)
    assert all({row["node"] for row in card["nodes"]} <= {"a"} for card in a.http.get("/api/plugins").json()["results"])

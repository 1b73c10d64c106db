"""Several studios that share a PostgreSQL, a Redis and a directory for packages, as machines would."""

import base64
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.postgres import Postgres
from tests.studio import Studio, running, wait_for
from tests.valkey import Valkey

__all__ = ["Cluster", "running_cluster"]


class Cluster:
    """The nodes by name, in the order in which they were started."""

    def __init__(self, nodes: Sequence[Studio]) -> None:
        self.nodes = {node.environ["STUDIO_NODE"]: node for node in nodes}

    def __getitem__(self, name: str) -> Studio:
        return self.nodes[name]

    def seen(self, plugin_id: str) -> dict[str, dict[str, Any]]:
        """What each node says of a plugin, as the first one tells it."""
        first = next(iter(self.nodes.values()))
        return {row["node"]: row for row in first.http.get(f"/api/plugins/{plugin_id}").json()["nodes"]}

    def converged(self, plugin_id: str, generation: int, digest: str, seconds: float = 60) -> None:
        """Return once every node serves exactly this."""
        wanted = {name: ("active", generation, digest) for name in self.nodes}

        def same() -> bool:
            found = self.seen(plugin_id)
            return wanted == {name: (row["state"], row["generation"], row["digest"]) for name, row in found.items()}

        wait_for(same, seconds, lambda: f"{self.seen(plugin_id)}\n{self.said()}")

    def said(self) -> str:
        """The last words of all."""
        return "\n".join(f"{name}: {node.log()[-3000:]}" for name, node in self.nodes.items())


@contextmanager
def running_cluster(root: Path, names: Sequence[str], postgres: Postgres, redis: Valkey) -> Iterator[Cluster]:
    """Run a studio for each name. The first has the keys that all of them take."""
    shared = {
        "DATABASE_URL": postgres.database(),
        "REDIS_URL": redis.url,
        "STUDIO_PACKAGES_DIR": str(root / "packages"),
        "STUDIO_SECRET_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "WEB_WORKERS": "1",
        "WORKER_CONCURRENCY": "1",
    }
    nodes: list[Studio] = []
    with ExitStack() as stack:
        for name in names:
            node = Studio(root / name, bundled=(), STUDIO_NODE=name, **shared)
            stack.enter_context(running(node))
            if nodes:
                node.share_keys(nodes[0])
            nodes.append(node)
        yield Cluster(nodes)

"""docs/events.md: its table is complete, and its example accepts what the studio signs."""

import re
import time
from typing import Any

from plugins_app.services.events import EVENTS
from plugins_app.services.signing import secret_create, signature
from tests.studio import ROOT

TEXT = (ROOT / "docs" / "events.md").read_text()


def test_every_event_is_in_the_table() -> None:
    named = [name for line in re.findall(r"^\| (`.*?) \|", TEXT, re.M) for name in re.findall(r"`(\w+)`", line)]
    assert named == list(EVENTS)


def test_the_example_accepts_what_is_genuine_and_nothing_else() -> None:
    [example] = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.S) if "def is_genuine" in block]
    names: dict[str, Any] = {}
    exec(example, names)  # it is ours
    new, old, body = secret_create(), secret_create(), b'{"type":"plugin_loaded"}'

    def headers(at: float) -> dict[str, str]:
        signed = signature([new, old], message_id="m", timestamp=int(at), body=body)
        return {"webhook-id": "m", "webhook-timestamp": str(int(at)), "webhook-signature": signed}

    genuine, now = names["is_genuine"], time.time()
    assert genuine(new, headers(now), body) and genuine(old, headers(now), body)
    assert not genuine(secret_create(), headers(now), body)
    assert not genuine(new, headers(now), body + b" ")
    assert not genuine(new, headers(now - 600), body)

"""What a granted permission lets a plugin process do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from plugins_app.host.permissions import sandbox_for


def test_programs_can_be_run_where_that_is_granted_and_only_there() -> None:
    own = Path("/work-dir")
    granted = sandbox_for(["subprocess"], readable=[], writable=[own], memory_mb=256)
    assert granted.subprocesses
    assert {os.path.realpath(sys.executable), "/usr/bin", "/usr/local"} <= set(granted.readable)
    assert granted.writable == [str(own), "/dev/null"]
    without = sandbox_for(["network:*:443"], readable=[], writable=[own], memory_mb=256)
    assert not without.subprocesses
    assert not {os.path.realpath(sys.executable), "/usr/bin"} & set(without.readable)
    assert without.writable == [str(own)]

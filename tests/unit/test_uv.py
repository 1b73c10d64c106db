"""What uv says, made into progress and reasons."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from plugins_app.services import uv
from plugins_app.services.uv import Steps, UvError, is_network_failure, run_uv
from tests.studio import wait_for

SAID = """\
Using CPython 3.11.7 interpreter at: /usr/bin/python
Resolved 11 packages in 138ms
Downloading numpy (16.1MiB)
Downloading torch (900.0MiB)
 Downloaded numpy
   Building own-dep==1.0
 Downloaded torch
Prepared 11 packages in 310ms
Installed 11 packages in 33ms
Bytecode compiled 638 files in 1.07s
 + numpy==2.4.6"""


def test_the_words_of_uv_become_progress_that_only_grows() -> None:
    steps = Steps(0.2, 0.8)
    told = [said for said in map(steps.read, SAID.splitlines()) if said]
    assert [message for _, message in told] == [
        "11 packages chosen",
        "downloading 1 of 1: numpy",
        "downloading 1 of 2: torch",
        "downloading 2 of 2: numpy",
        "building own-dep==1.0",
        "downloading 2 of 2: torch",
        "installing",
        "compiling",
    ]
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions) and fractions[0] >= 0.2 and fractions[-1] <= 0.8


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("error: Request failed\n  cause: error sending request for url (http://h/simple/)", True),
        ("  cause: dns error", True),
        ("cause: Connection refused (os error 111)", True),
        ("error: No solution found when resolving dependencies", False),
        ("Because there is no version of nothing==9", False),
    ],
)
def test_a_network_failure_is_told_from_the_others(words: str, expected: bool) -> None:
    assert is_network_failure(words) is expected


def test_words_are_shortened_and_name_no_address() -> None:
    error = UvError("error: Failed to fetch: http://user:secret@index/simple\n × No\n" + "x" * 3000)
    assert "secret" not in str(error) and len(str(error)) <= 1000 and "×" not in str(error)
    assert str(UvError("")) == "uv gave no reason"


def test_a_full_disk_is_said_first() -> None:
    assert str(UvError("error: failed to write\n cause: No space left on device (os error 28)")).startswith(
        "There is no room on the disk."
    )


class Enough(Exception):
    pass


def fake_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program in uv's place."""
    program = tmp_path / "uv"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(0o755)
    monkeypatch.setattr(uv.sys, "executable", str(tmp_path / "python"))


def test_what_watches_can_stop_uv_and_everything_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    fake_uv(
        tmp_path,
        monkeypatch,
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(started)!r}, 'w').write(str(child.pid))\n"
        "print('Resolved 1 package in 1ms', file=sys.stderr, flush=True)\n"
        "time.sleep(600)\n",
    )
    said: list[str | None] = []

    def watch(line: str | None) -> None:
        said.append(line)
        if line is None:
            raise Enough

    with pytest.raises(Enough):
        run_uv("pip", "install", watch=watch)
    assert said == ["Resolved 1 package in 1ms", None]
    child = int(started.read_text())
    wait_for(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE, 10)


def test_a_failure_carries_the_words_of_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_uv(tmp_path, monkeypatch, "import sys; sys.exit('error: no such package')")
    with pytest.raises(UvError, match="no such package"):
        run_uv("pip", watch=lambda line: None)


def test_it_takes_only_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_uv(tmp_path, monkeypatch, "import time; time.sleep(600)")
    monkeypatch.setattr(uv, "STEP_TIMEOUT", 0.0)
    with pytest.raises(UvError, match="took longer"):
        run_uv("pip", watch=lambda line: None)


def test_uv_sees_nothing_of_the_studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_SECRET_KEYS", "canary")
    monkeypatch.setenv("UV_INDEX_URL", "http://index")
    fake_uv(tmp_path, monkeypatch, "import os, sys; print(*os.environ.items(), sep='\\n', file=sys.stderr)")
    said: list[str] = []
    run_uv("pip", watch=lambda line: said.append(line or ""))
    assert "canary" not in "".join(said) and "UV_INDEX_URL" in "".join(said)


def test_the_real_one_is_there() -> None:
    beside = Path(sys.executable).with_name("uv")
    assert subprocess.run([beside, "--version"], capture_output=True, check=True).stdout.startswith(b"uv ")

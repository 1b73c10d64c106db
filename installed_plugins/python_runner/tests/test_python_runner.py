"""Code runs and answers; it sees nothing, reaches nobody, and ends in time, whatever it tries."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from plugins_app.sdk import DeadlineExceeded, PluginError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]


def runner(**config: Any) -> PluginHarness:
    return PluginHarness(FOLDER, config)


async def run(code: str, config: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    async with runner(**config or {}) as plugin:
        result: dict[str, Any] = await plugin.call("execute", action="run", parameters={"code": code} | parameters)
    return result


async def test_what_is_printed_and_the_last_value_come_back() -> None:
    found = await run("import sys\nprint('out')\nprint('err', file=sys.stderr)\nx = 6\nx * 7")
    assert (found["ok"], found["stdout"], found["stderr"], found["value"]) == (True, "out\n", "err\n", "42")
    assert "files" not in found
    assert "value" not in await run("x = 1\nprint(x)\nNone")


async def test_an_error_is_told_with_its_place_in_the_code() -> None:
    found = await run("def f():\n    return 1 / 0\n\nprint('before')\nf()")
    assert (found["ok"], found["error"], found["stdout"]) == (False, "ZeroDivisionError: division by zero", "before\n")
    assert 'File "code.py", line 2, in f\n    return 1 / 0' in found["traceback"]
    assert "cage.py" not in found["traceback"] and "running.py" not in found["traceback"]
    assert "SyntaxError" in (await run("1 +"))["error"]
    assert (await run("raise SystemExit(3)"))["error"] == "SystemExit: 3"
    assert (await run("import sys; sys.exit()"))["ok"] is True


async def test_threads_async_code_and_libraries_work() -> None:
    code = """
import asyncio, decimal, json, sqlite3, statistics, threading
found = []
thread = threading.Thread(target=lambda: found.append(1)); thread.start(); thread.join()
async def two():
    await asyncio.sleep(0)
    return 2
loop = None
found.append(sqlite3.connect('x.db').execute('select 3').fetchone()[0])
found.append(str(decimal.Decimal(1) / 3)[:4])
found
"""
    assert (await run(code))["value"] == "[1, 3, '0.33']"


async def test_files_are_found_made_and_given_back() -> None:
    picture = base64.b64encode(b"\x89PNG\r\n").decode()
    code = """
text = open('in.txt').read()
open('out.csv', 'w').write('a,b\\n1,2\\n')
import os; os.mkdir('d'); open('d/p.png', 'wb').write(open('p.png', 'rb').read() + b'more')
open('large.bin', 'wb').write(b'x' * 5000)
text
"""
    found = await run(code, {"returned_kb": 4}, files={"in.txt": "hello", "p.png": {"base64": picture}})
    assert found["value"] == "'hello'"
    assert [(file["name"], file["bytes"]) for file in found["files"]] == [
        ("d/p.png", 10),
        ("large.bin", 5000),
        ("out.csv", 8),
    ]
    kinds = {each["name"]: (each["kind"], each["media_type"]) for each in found["attachments"]}
    assert kinds == {"d/p.png": ("image", "image/png"), "out.csv": ("file", "text/csv")}
    assert base64.b64decode(found["attachments"][1]["data"]) == b"a,b\n1,2\n"


async def test_nothing_is_left_for_the_next_run() -> None:
    assert (await run("open('left.txt', 'w').write('x')"))["ok"]
    assert (await run("import os; os.listdir()"))["value"] == "[]"


#: What a run tries in vain.
ESCAPES = [
    "open('/etc/passwd').read()",
    f"open({str(FOLDER / 'plugin.py')!r}).read()",
    "import os; os.listdir('/tmp')",
    "import os; os.listdir('/proc/self')",
    "import os; open(f'/proc/{os.getppid()}/environ').read()",
    "open('../outside', 'w')",
    "import os; os.symlink('/etc/passwd', 'l'); open('l').read()",
    "import socket; socket.socket()",
    "import socket; socket.socket(socket.AF_UNIX)",
    "import socket; socket.socketpair()",
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1')",
    "import os; os.fork()",
    "import os; os.posix_spawn('/bin/sh', ['sh'], {})",
    "import subprocess; subprocess.run(['/bin/ls'])",
    "import os; os.execv('/bin/ls', ['ls'])",
    "import os; os.kill(os.getppid(), 9)",
    "import os, signal; os.killpg(os.getpgid(os.getppid()), signal.SIGTERM)",
    "import resource; resource.setrlimit(resource.RLIMIT_DATA, (2**40, 2**40))",
    "import os; os.setuid(65534)\nopen('/etc/shadow')",
    "import ctypes; l = ctypes.CDLL(None, use_errno=True); assert l.syscall(41, 2, 1, 0) >= 0",
]


async def test_what_is_not_its_own_is_out_of_reach() -> None:
    async with runner(concurrency=8) as plugin:
        calls = (plugin.call("execute", action="run", parameters={"code": code}) for code in ESCAPES)
        results = await asyncio.gather(*calls)
    for code, found in zip(ESCAPES, results, strict=True):
        assert found["ok"] is False and "Error" in found["error"], (code, found)


async def test_the_environment_has_nothing_of_the_studios() -> None:
    os.environ["STUDIO_SECRET_FOR_THIS_TEST"] = "secret"
    try:
        value = (await run("import os; sorted(os.environ)"))["value"]
    finally:
        del os.environ["STUDIO_SECRET_FOR_THIS_TEST"]
    assert set(eval_names(value)) <= {
        "HOME",
        "LANG",
        "LC_CTYPE",
        "MPLBACKEND",
        "MPLCONFIGDIR",
        "PATH",
        "PYTHONIOENCODING",
        "TMPDIR",
    }


def eval_names(text: str) -> list[str]:
    """The texts of a list as Python writes it."""
    return [each.strip(" '") for each in text.strip("[]").split(",")]


async def test_time_is_limited_whatever_the_code_does() -> None:
    for code in ("import time; time.sleep(60)", "print('x', flush=True)\nwhile True: pass"):
        found = await run(code, timeout_s=0.2)
        assert (found["ok"], found["error"]) == (False, "stopped after 0.2 s: the time limit")
    assert found["stdout"] == "x\n"


async def test_memory_is_limited() -> None:
    found = await run("x = bytearray(400 * 2**20)", {"memory_mb": 128})
    assert (found["ok"], found["error"]) == (False, "MemoryError: more than 128 MB")
    assert (await run("x = bytearray(40 * 2**20); len(x)", {"memory_mb": 128}))["ok"] is True


async def test_output_is_kept_to_its_limit() -> None:
    found = await run("print('x' * 100_000)", {"output_kb": 1})
    assert (len(found["stdout"]), found["cut"], found["ok"]) == (1024, ["stdout"], True)
    assert "50000 characters" in (await run("'x' * 49_998"))["value"]


async def test_files_are_limited_each_and_together() -> None:
    one = await run("open('a', 'wb').write(b'x' * 3_000_000)", {"files_mb": 1})
    assert one["ok"] is False and "File too large" in one["error"]
    many = "import time\nfor i in range(9):\n    open(str(i), 'wb').write(b'x' * 900_000)\ntime.sleep(30)"
    assert "more than 2 MB" in (await run(many, {"files_mb": 2}))["error"]


async def test_a_process_that_dies_is_told() -> None:
    assert "SIGSEGV" in (await run("import ctypes; ctypes.string_at(0)"))["error"]
    assert "status 7" in (await run("import os; os._exit(7)"))["error"]


async def test_a_forged_outcome_is_only_text() -> None:
    found = await run('import os; os.write(3, b\'{"value": [1], "error": 5}\'); os._exit(0)')
    assert found["ok"] is True and "value" not in found
    assert "status 0" in (await run("import os; os.write(3, b'['); os._exit(0)"))["error"]


async def test_cancelling_ends_the_process() -> None:
    async with runner() as plugin:
        before = set(psutil.Process().children(recursive=True))
        task = asyncio.create_task(plugin.call("execute", action="run", parameters={"code": "while True: pass"}))
        async with asyncio.timeout(20):
            while not (new := set(psutil.Process().children(recursive=True)) - before):
                await asyncio.sleep(0.01)
        with pytest.raises(DeadlineExceeded):
            await plugin.call("execute", action="run", parameters={"code": "while True: pass"}, timeout=0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not [child for child in new if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


async def test_the_run_dies_with_its_parent() -> None:
    """The process that runs the code is killed with whoever wants it, however that one ends."""
    code = (
        "import asyncio, os, sys, threading, time\n"
        f"sys.path.insert(0, {str(FOLDER.parents[1])!r})\n"
        "from installed_plugins.python_runner.running import Limits, run\n"
        "limits = Limits(60, 2**28, 1000, 2**20, 0)\n"
        "asyncio.run(run('while True: pass', {}, limits))\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    async with asyncio.timeout(20):
        while not (children := psutil.Process(parent.pid).children()):
            await asyncio.sleep(0.01)
        parent.kill()
        await parent.wait()
        while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
            await asyncio.sleep(0.01)


async def test_what_makes_no_sense_is_refused() -> None:
    senseless: list[tuple[dict[str, Any], str]] = [
        ({"code": " "}, "'code'"),
        ({"code": 5}, "'code'"),
        ({"code": "1", "files": []}, "'files'"),
        ({"code": "1", "files": {"../x": "y"}}, "name of a file"),
        ({"code": "1", "files": {".hidden": "y"}}, "name of a file"),
        ({"code": "1", "files": {"x": {"base64": "%"}}}, "base64"),
        ({"code": "1", "files": {"x": "y" * 2**20 * 2}}, "more than 1 MB"),
        ({"code": "1", "timeout_s": 0}, "'timeout_s'"),
    ]
    async with runner(files_mb=1) as plugin:
        for parameters, words in senseless:
            with pytest.raises(PluginError, match=words):
                await plugin.call("execute", action="run", parameters=parameters)


async def test_each_run_is_approved_where_that_is_wanted() -> None:
    for ask_first in (True, False):
        async with runner(ask_first=ask_first) as plugin:
            assert [action["destructive"] for action in await plugin.call("get_actions")] == [ask_first]

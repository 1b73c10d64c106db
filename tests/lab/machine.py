"""Random sequences of operations and faults, and what must be true after each.

After every step, once the database answers and a host runs: every row's steps are legal; what is seen becomes what is
wanted (or the row says why not: the breaker is open, a dependency does not serve); what a call answers comes from the
generation and the configuration that are wanted; and after everything was unloaded no process, socket, record, working
directory, draft or lock is left.
"""

import contextlib
import itertools
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.lab.studio import PLUGINS, Lab, eventually

__all__ = ["machine"]

_NUMBERS = itertools.count(1)
_plugins = st.sampled_from(PLUGINS)


def machine(lab: Lab) -> type[RuleBasedStateMachine]:
    """The state machine of a running lab."""
    from django.conf import settings
    from django.db import Error as DatabaseError
    from django.db import close_old_connections
    from psycopg_pool import PoolTimeout

    from plugins_app.client import BlockingClient, CallError
    from plugins_app.models import Plugin, PluginInstance
    from plugins_app.services import configuration, plugins, releases
    from plugins_app.services.errors import StudioError
    from plugins_app.states import is_legal

    away_errors = (DatabaseError, PoolTimeout)

    class Lifecycle(RuleBasedStateMachine):
        """One run."""

        database_away = False

        @initialize(loaded=st.lists(_plugins, min_size=1, unique=True))
        def begin(self, loaded: list[str]) -> None:
            """Each run begins with three plugins that work, and some of them loaded: there is something to break."""
            lab.runs += 1
            if lab.runs % 50 == 0:
                print(f"run {lab.runs}", file=sys.stderr, flush=True)
            for plugin_id in PLUGINS:
                lab.write(plugin_id, version=f"1.0.{next(_NUMBERS)}")
            for plugin_id in loaded:
                assert plugins.plugin_load(plugin_id=plugin_id).settled

        # operations

        def _try(self, change: Callable[..., object], **arguments: Any) -> None:
            """Do it; what is refused says why, and while the database is away nothing at all is done."""
            close_old_connections()  # as each request and each task begins
            try:
                change(**arguments)
            except StudioError as error:
                assert error.detail and error.code, error
            except away_errors:
                assert self.database_away

        @rule(plugin_id=_plugins, wait=st.booleans())
        def load(self, plugin_id: str, wait: bool) -> None:
            """Load, with or without waiting for what becomes of it."""
            self._try(plugins.plugin_load, plugin_id=plugin_id, wait=wait and lab.host is not None)

        @rule(plugin_id=_plugins, cascade=st.booleans())
        def unload(self, plugin_id: str, cascade: bool) -> None:
            """Unload."""
            self._try(plugins.plugin_unload, plugin_id=plugin_id, cascade=cascade, wait=lab.host is not None)

        @rule(plugin_id=_plugins, mode=st.sampled_from(["serves", "serves", "refuses", "crashes"]), wait=st.booleans())
        def reload(self, plugin_id: str, mode: str, wait: bool) -> None:
            """Save another version, good or bad, and swap to it."""
            lab.write(plugin_id, version=f"1.1.{next(_NUMBERS)}", mode=mode)
            self._try(plugins.plugin_reload, plugin_id=plugin_id, wait=wait and lab.host is not None)

        @rule(plugin_id=_plugins, word=st.sampled_from(["red", "green", "blue"]))
        def configure(self, plugin_id: str, word: str) -> None:
            """Store another configuration."""
            waits = lab.host is not None
            self._try(configuration.plugin_config_set, plugin_id=plugin_id, config={"word": word}, wait=waits)

        @rule()
        def settle(self) -> None:
            """What beat does."""
            self._try(releases.releases_settle)

        # faults: one rule of six, or the runs would be about little else

        @rule(kind=st.sampled_from(["crash", "crash", "host", "redis", "database"]), number=st.integers(0, 7))
        def fault(self, kind: str, number: int) -> None:
            """Kill a plugin process; or take away what is there, and bring back what is not."""
            lab.faults[kind] += 1
            if kind == "crash":
                self._crash(number)
            elif kind == "host":
                lab.start_host() if lab.host is None else lab.kill_host()
            elif kind == "redis":
                lab.take_redis() if lab.has_redis else lab.bring_redis()
            elif self.database_away:
                self._bring_database()
            else:
                lab.postgres.stop(immediate=number % 2 == 0)
                self.database_away = True

        def _crash(self, number: int) -> None:
            found = sorted(lab.processes())
            if found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(found[number % len(found)], signal.SIGKILL)

        def _bring_database(self) -> None:
            if self.database_away:
                lab.postgres.start()
                self.database_away = False
                eventually(_database_answers, lambda: "the database does not answer")

        # what must be true

        @invariant()
        def holds(self) -> None:
            """Look, and end at the first thing that is wrong: a real system never breaks in the same way twice."""
            if self.database_away or lab.host is None:
                return
            try:
                self.converges()
            except Exception as error:
                traceback.print_exc()
                raise SystemExit("an invariant broke") from error

        def converges(self) -> None:
            """What is seen becomes what is wanted."""
            close_old_connections()
            eventually(lambda: not _out_of_line(), _out_of_line)
            eventually(lambda: lab.processes() == _serving(), lambda: (lab.processes(), _serving()))
            for plugin in Plugin.objects.filter(desired__isnull=False).select_related("desired"):
                _check_answer(plugin)
            _check_steps()

        def teardown(self) -> None:
            """Bring everything back, unload everything, and look for what was left behind."""
            try:
                self._end()
            except Exception as error:
                traceback.print_exc()
                raise SystemExit("the end was not clean") from error

        def _end(self) -> None:
            self._bring_database()
            lab.bring_redis()
            if lab.host is None:
                lab.start_host()
            self.converges()
            for plugin_id in PLUGINS:
                self._try(plugins.plugin_unload, plugin_id=plugin_id, cascade=True)
            self.converges()
            eventually(lambda: not lab.processes() and not lab.leftovers(), lambda: (lab.processes(), lab.leftovers()))

    def _database_answers() -> bool:
        close_old_connections()
        try:
            return Plugin.objects.exists() or True
        except away_errors:
            return False

    def _out_of_line() -> list[str]:
        """Where what is seen is not what is wanted, and nothing says why."""
        releases.releases_settle()
        return [problem for plugin in _all() if (problem := _difference(plugin)) is not None]

    def _all() -> list[Plugin]:
        return list(Plugin.objects.select_related("desired__version", "waiting").order_by("id"))

    def _row(plugin_id: str) -> PluginInstance | None:
        return PluginInstance.objects.filter(plugin_id=plugin_id, node=settings.STUDIO_NODE).first()

    def _difference(plugin: Plugin) -> str | None:
        row, wanted = _row(plugin.id), plugin.desired
        seen = None if row is None else (row.state, row.generation, row.attempted, (row.error or {}).get("code"))
        if wanted is None:
            idle = row is None or (row.generation is None and row.state in ("available", "inactive", "error"))
            return None if idle else f"{plugin.id} is not wanted and is {seen}"
        if row is not None and row.state == "active" and row.generation == wanted.generation:
            return None
        if row is not None and row.state == "error" and (row.error or {}).get("code") == "breaker_open":
            return None
        if row is not None and row.state == "blocked" and (needed := _row("alpha")) is not None:
            return None if needed.state == "error" else f"{plugin.id} waits for alpha, which is {needed.state}"
        return f"{plugin.id} #{wanted.generation} is wanted and {seen} is so"

    def _serving() -> set[int]:
        rows = PluginInstance.objects.filter(state="active", pid__isnull=False)
        return {row.pid for row in rows if row.pid is not None}

    def _check_answer(plugin: Plugin) -> None:
        """A call is answered by the wanted generation, with the wanted configuration."""
        row = _row(plugin.id)
        assert plugin.desired is not None
        if row is None or row.state != "active":
            return
        client = BlockingClient(settings.STUDIO_RUN)
        try:
            answer = client.call(plugin.id, "execute", ("look", {}), timeout=20)
        except CallError as error:  # it crashes shortly after its start, and has just done so
            assert error.code in ("plugin_crashed", "not_loaded", "plugin_restarting"), error
            return
        finally:
            client.close()
        now = Plugin.objects.select_related("desired__version").get(id=plugin.id)
        if now.desired is None or now.desired_id != plugin.desired_id or answer.generation != now.desired.generation:
            return  # it was rolled back between our two looks; the next look is at what came of it
        assert answer.value == [now.desired.config["word"], now.desired.version.metadata["version"]]
        stored = now.config.get("word", "first")
        assert stored == now.desired.config["word"] or now.waiting_id is not None

    def _check_steps() -> None:
        wrong = [step for step in lab.steps() if not is_legal(*step[1:])]
        assert not wrong, f"illegal steps: {wrong}"

    return Lifecycle

"""Calling plugins from a chat, as the user who chats: the real side of `plan.Plugins`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from aichat.chat.errors import ChatError
from aichat.chat.plan import ProgressFn
from plugins_app.client import Affinity, AsyncClient, CallError, HostRequest
from plugins_app.selectors.registry import Registry

__all__ = ["HostCalls", "UserCalls"]

HostCalls = Callable[[HostRequest], Awaitable[Any]]


class UserCalls:
    """Calls plugins on behalf of one user. Every failure is a `ChatError`."""

    def __init__(
        self,
        client: AsyncClient,
        registry: Registry,
        *,
        user: dict[str, Any] | None,
        host: HostCalls | None = None,
        chain: tuple[str, ...] = (),
        affinity: Affinity | None = None,
    ) -> None:
        """`registry` says why a plugin that does not answer does not."""
        self._affinity = affinity
        self._client = client
        self._registry = registry
        self._user, self._host, self._chain = user, host, chain

    async def call(
        self,
        plugin_id: str,
        method: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float,
        on_progress: ProgressFn | None = None,
    ) -> Any:
        """Call a method and return its result."""
        try:
            result = await self._client.call(
                plugin_id,
                method,
                args,
                kwargs,
                timeout=timeout,
                user=self._user,
                chain=self._chain,
                on_progress=on_progress,
                host=self._host,
                affinity=self._affinity,
            )
        except CallError as error:
            raise self.explain(plugin_id, error) from error
        return result.value

    def sticky(self) -> UserCalls:
        """The same, but each plugin's calls are answered by one generation, until they are released."""
        return UserCalls(
            self._client, self._registry, user=self._user, host=self._host, chain=self._chain, affinity=Affinity()
        )

    def offers(self, plugin_id: str, method: str) -> bool:
        """Whether the generation that answers has this method; True where nobody knows."""
        return self._affinity is None or self._affinity.offers(plugin_id, method)

    def release(self) -> None:
        """The calls that belong together are over."""
        if self._affinity is not None:
            self._affinity.release()

    def stream(
        self, plugin_id: str, method: str, args: Sequence[Any], kwargs: dict[str, Any], *, timeout: float
    ) -> _Stream:
        """Call a method that answers in items."""
        inner = self._client.stream(
            plugin_id, method, args, kwargs, timeout=timeout, user=self._user, chain=self._chain, host=self._host
        )
        return _Stream(inner, plugin_id, self)

    def explain(self, plugin_id: str, error: CallError) -> ChatError:
        """A failed call in the chat's words."""
        if error.code == "not_loaded":
            reason = self._registry.why_not(plugin_id)
            return ChatError(reason.code, reason.detail, retry_after=reason.retry_after, plugin_id=plugin_id)
        if error.code == "refused":
            return refusal(plugin_id, error)
        detail = f"{error.type_name}: {error.detail}" if error.type_name else error.detail
        upstream, word = error.data.get("status"), error.data.get("reason")
        return ChatError(
            error.code,
            detail,
            status=error.status,
            retry_after=error.retry_after,
            plugin_id=plugin_id,
            upstream_status=upstream if isinstance(upstream, int) else None,
            upstream_reason=word if isinstance(word, str) else None,
        )


def refusal(plugin_id: str, error: CallError) -> ChatError:
    """A plugin's `Refused`, in its own words and under its own code."""
    return ChatError(
        str(error.data.get("reason") or "refused"),
        error.detail,
        status=error.status,
        retry_after=error.retry_after,
        plugin_id=plugin_id,
        refusal=True,
    )


class _Stream:
    """A client's stream whose failures are `ChatError`s."""

    def __init__(self, inner: Any, plugin_id: str, calls: UserCalls) -> None:
        self._inner = inner
        self._plugin_id = plugin_id
        self._calls = calls

    @property
    def generation(self) -> int | None:
        generation: int | None = self._inner.generation
        return generation

    async def __aenter__(self) -> _Stream:
        try:
            await self._inner.__aenter__()
        except CallError as error:
            raise self._calls.explain(self._plugin_id, error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._inner.__aexit__(kind, error, trace)

    def batches(self) -> AsyncIterator[list[Any]]:
        """The items in lists, as they come."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Any]:
        try:
            if batch := await self._inner.next_batch():
                found: list[Any] = batch
                return found
        except CallError as error:
            raise self._calls.explain(self._plugin_id, error) from error
        raise StopAsyncIteration

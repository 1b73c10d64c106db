"""A choice of versions, or why there is none, as data: what the API answers, a release keeps and the admin shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .dependencies import fits
from .errors import StudioError
from .resolution import Ask, Candidate, Conflict, CycleFound, Offer, Resolution

__all__ = ["because", "broken_dependents", "explanation", "refusal"]

_MOST_ROWS = 200  # of a search that went through everything; the first ones say what matters

Offers = Mapping[str, Offer]


def explanation(found: Resolution, offers: Offers) -> list[dict[str, Any]]:
    """Which plugin asked for which, and what it got; the first row is what was asked for from outside."""
    asks = [Ask(found.target.plugin_id), *found.asks]
    return [_row(ask, offers, found.chosen.get(ask.plugin_id)) for ask in asks]


def _row(ask: Ask, offers: Offers, chosen: Candidate | None) -> dict[str, Any]:
    offer = offers.get(ask.plugin_id, Offer())
    reasons = [(each, offer.reason or each.reason) for each in offer.candidates]
    return {
        "id": ask.plugin_id,
        "range": ask.range,
        "by": ask.by.plugin_id if ask.by else None,
        "by_version": ask.by.version if ask.by else None,
        "chosen": chosen.version if chosen else None,
        "candidates": list(dict.fromkeys(each.version for each in offer.candidates)),
        "optional": ask.optional,
        "rejected": [{"version": each.version, "code": why.code, "reason": why.detail} for each, why in reasons if why],
    }


def because(candidate: Candidate, found: Resolution, offers: Offers, changed: set[str]) -> list[dict[str, Any]]:
    """Why a plugin takes part: who asks for it, and which of the changed ones it has to go along with.

    For one that is swapped only what its running version does not fit to, for one that is kept only what changes.
    """
    running = offers[candidate.plugin_id].running if candidate.plugin_id in offers else None
    asking = [
        _reason(ask.by, ask.range)
        for ask in found.asks
        if ask.by is not None
        and ask.plugin_id == candidate.plugin_id
        and _counts(ask, running, candidate, ask.by.plugin_id in changed)
    ]
    followed = [
        _reason(found.chosen[need.plugin_id], need.range)
        for need in (running.needs if running else ())
        if need.plugin_id in changed and need.plugin_id in found.chosen
        if candidate is running or not fits(found.chosen[need.plugin_id].version, need.range)
    ]
    return asking + followed


def _counts(ask: Ask, running: Candidate | None, candidate: Candidate, changed: bool) -> bool:
    if running is None:
        return not ask.optional
    return changed if candidate is running else not fits(running.version, ask.range)


def _reason(candidate: Candidate, versions: str) -> dict[str, Any]:
    return {"id": candidate.plugin_id, "range": versions, "version": candidate.version}


def broken_dependents(target: Candidate, offers: Offers) -> StudioError | None:
    """The loaded plugins that have no version which fits to this one of the target: all of them, named."""
    broken = {
        plugin_id: asks
        for plugin_id, offer in offers.items()
        if offer.running is not None and plugin_id != target.plugin_id
        if (asks := _unmet(offer.running, target))
        if all(_unmet(each, target) for each in offer.usable)
    }
    if not broken:
        return None
    words = "; ".join(f"{ask.by} depends on {target.plugin_id} {ask.range}" for asks in broken.values() for ask in asks)
    return StudioError(
        "dependency_incompatible",
        f"{target} does not fit what is loaded: {words}, and there is no other version of it that would fit.",
        hint=f"Bring {', '.join(broken)} up to date first, or unload it.",
        extra={
            "dependents": list(broken),
            "path": [next(iter(broken)), target.plugin_id],
            "explanation": [_row(ask, offers, None) for asks in broken.values() for ask in asks],
        },
    )


def _unmet(candidate: Candidate, target: Candidate) -> list[Ask]:
    return [
        Ask(need.plugin_id, need.range, need.optional, candidate)
        for need in candidate.needs
        if need.plugin_id == target.plugin_id and not fits(target.version, need.range)
    ]


def refusal(target: Candidate, offers: Offers, error: Conflict | CycleFound) -> StudioError:
    """Why there is no choice, as an error with the path to the trouble and who asked for what."""
    refused = _circle(target, error) if isinstance(error, CycleFound) else _conflict(target, offers, error)
    asks = error.asks if isinstance(error, CycleFound) else error.seen
    rows = [_row(ask, offers, None) for ask in asks if ask.by is not None]
    refused.extra = {**refused.extra, "explanation": rows[:_MOST_ROWS]}
    return refused


def _circle(target: Candidate, error: CycleFound) -> StudioError:
    path = error.path
    detail = f"{target.plugin_id} cannot be loaded, because its dependencies form a circle: {' -> '.join(path)}."
    hint = "Make one of them optional, or remove it."
    return StudioError("dependency_cycle", detail, hint=hint, extra={"path": path})


def _conflict(target: Candidate, offers: Offers, error: Conflict) -> StudioError:
    asks = [ask for ask in error.asks if ask.by is not None]
    if not asks:
        detail = f"There are too many ways to choose the versions for {target}; none of those tried fits."
        return StudioError("dependency_incompatible", detail, hint="Remove versions that are not needed any more.")
    ask = next((each for each in asks if not each.optional), asks[0])
    offer = offers.get(ask.plugin_id, Offer())
    path = _path(target, ask, error.seen)
    fitting = [each for each in offer.candidates if all(fits(each.version, other.range) for other in asks)]
    why = offer.reason or (fitting[0].reason if fitting else None)
    if why is not None:
        return _unfit(ask, why.code, why.detail, why.hint, path)
    if not offer.candidates and ask.plugin_id != target.plugin_id:
        return _missing(ask, path)
    return _incompatible(target, asks, offer, path)


def _missing(ask: Ask, path: list[str]) -> StudioError:
    wanted = f"{ask.plugin_id} {ask.range}".strip()
    return StudioError(
        "dependency_missing",
        f"{_asker(ask)} depends on {wanted}, which is not there.",
        hint=f"Put {ask.plugin_id} into the plugins folder.",
        errors=[{"pointer": "", "message": f"{wanted} is missing"}],
        extra={"path": path},
    )


def _unfit(ask: Ask, code: str, detail: str, hint: str, path: list[str]) -> StudioError:
    """The plugin is there, but something about itself stands in the way."""
    if code == "dependency_disabled":
        detail = f"{_asker(ask)} depends on {ask.plugin_id}, which is disabled."
        return StudioError(code, detail, hint=hint, extra={"path": path})
    if code == "dependency_self":
        return StudioError(code, detail, hint=hint, extra={"path": [*path, ask.plugin_id]})
    words = f"{_asker(ask)} depends on {ask.plugin_id}, which cannot be loaded: {detail}"
    extra = {"dependency": ask.plugin_id, "cause": code, "path": path}
    return StudioError("dependency_failed", words, hint=hint, extra=extra)


def _incompatible(target: Candidate, asks: Sequence[Ask], offer: Offer, path: list[str]) -> StudioError:
    wanted = asks[0].plugin_id
    numbers = [target.version] if wanted == target.plugin_id else [each.version for each in offer.candidates]
    there = _listed(dict.fromkeys(numbers))
    if len(asks) == 1:
        detail = f"{_asker(asks[0])} depends on {wanted} {asks[0].range}, but {there}."
        hint = f"Use a version of {wanted} that lies in {asks[0].range}."
    else:
        words = ", ".join(f"{ask.by} asks for {ask.range or 'any'}" for ask in asks)
        detail = f"No version of {wanted} fits: {words}, but {there}."
        hint = f"Use versions of these plugins that agree about {wanted}."
    return StudioError("dependency_incompatible", detail, hint=hint, extra={"path": path})


def _listed(versions: Iterable[str]) -> str:
    names = list(versions)
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} there"


def _asker(ask: Ask) -> str:
    return ask.by.plugin_id if ask.by is not None else ask.plugin_id


def _path(target: Candidate, ask: Ask, seen: Iterable[Ask]) -> list[str]:
    """From the target to what cannot be had; from its asker, if it is a loaded plugin that asks."""
    assert ask.by is not None
    asked: dict[str, list[str]] = {}
    for each in seen:
        if each.by is not None:
            asked.setdefault(each.by.plugin_id, []).append(each.plugin_id)
    paths = {target.plugin_id: [target.plugin_id]}
    todo = [target.plugin_id]
    while todo and ask.by.plugin_id not in paths:
        current = todo.pop(0)
        for plugin_id in asked.get(current, ()):
            if plugin_id not in paths:
                paths[plugin_id] = [*paths[current], plugin_id]
                todo.append(plugin_id)
    return [*paths.get(ask.by.plugin_id, [ask.by.plugin_id]), ask.plugin_id]

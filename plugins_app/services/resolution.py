"""Choosing which version of which plugin: data in, data out. `candidates` reads the data from the database.

`resolvelib` finds the versions, `graphlib` the order. What is loaded stays loaded, in the version that runs if that
fits; what is neither loaded nor needed by the change does not come into it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep, Resolver

from .dependencies import Dependency, compat_problem, dependencies_of, fits

__all__ = ["Ask", "Candidate", "Conflict", "CycleFound", "Offer", "Reason", "Resolution", "candidate_of", "resolve"]

_ROUNDS = 5_000
_CIRCLES = 50


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something cannot be chosen, as an error of the API says it."""

    code: str
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One version of one plugin. One with a `reason` is never chosen."""

    plugin_id: str
    version: str
    digest: str
    needs: tuple[Dependency, ...] = ()
    reason: Reason | None = None

    def __str__(self) -> str:
        return f"{self.plugin_id} {self.version}"


def candidate_of(plugin_id: str, digest: str, metadata: Mapping[str, Any], *, running: bool = False) -> Candidate:
    """The version with this metadata; what runs already needs no reason to be chosen."""
    needs = dependencies_of(metadata)
    reason = None if running else _reason(plugin_id, metadata, needs)
    others = tuple(need for need in needs if need.plugin_id != plugin_id)
    return Candidate(plugin_id, str(metadata.get("version") or "?"), digest, others, reason)


def _reason(plugin_id: str, metadata: Mapping[str, Any], needs: Iterable[Dependency]) -> Reason | None:
    if problem := compat_problem(metadata):
        hint = "Use a version of the plugin that is made for this studio, or update the studio."
        return Reason("version_incompatible", f"{plugin_id} {problem}.", hint)
    if any(need.plugin_id == plugin_id and not need.optional for need in needs):
        detail = f"{plugin_id} {metadata.get('version')} names itself among its dependencies."
        return Reason("dependency_self", detail, "Remove that line.")
    return None


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is of one plugin: `candidates` in order of preference, `running` if it is loaded.

    `reason` says why a plugin that is there cannot be loaded on behalf of another one.
    """

    candidates: tuple[Candidate, ...] = ()
    running: Candidate | None = None
    reason: Reason | None = None

    @property
    def usable(self) -> tuple[Candidate, ...]:
        """The candidates that can be chosen."""
        return tuple(each for each in self.candidates if each.reason is None) if self.reason is None else ()


@dataclass(frozen=True, slots=True)
class Ask:
    """One plugin asks for another one; `by` None: whoever makes the change does, or it is loaded and stays so."""

    plugin_id: str
    range: str = ""
    optional: bool = False
    by: Candidate | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was chosen.

    `order` has everything that takes part, needed ones first; `required` is what the target needs.
    """

    target: Candidate
    chosen: Mapping[str, Candidate]
    order: tuple[Candidate, ...]
    required: frozenset[str]

    @property
    def asks(self) -> list[Ask]:
        """Who asks for what among all that takes part."""
        return [ask for each in self.order for ask in _asks_of(each)]


class Conflict(Exception):
    """No choice fits. `asks` are the ones for one plugin that cannot be fitted together, `seen` all that came up."""

    def __init__(self, asks: Sequence[Ask], seen: Sequence[Ask]) -> None:
        super().__init__(asks, seen)
        self.asks, self.seen = asks, seen


class CycleFound(Exception):
    """The chosen versions need each other in a circle; the first of `members` closes it."""

    def __init__(self, members: list[Candidate], asks: list[Ask]) -> None:
        super().__init__(members, asks)
        self.members, self.asks = members, asks

    @property
    def path(self) -> list[str]:
        """The ids, the first one again at the end."""
        return [each.plugin_id for each in (*self.members, self.members[0])]


def resolve(target: Candidate, offers: Mapping[str, Offer]) -> Resolution:
    """Choose a version of everything that has to do with having exactly this version of the target loaded.

    `offers` has the target, what its candidates may need, the loaded plugins that depend on one of these, and so on.

    Raises:
        Conflict: there is no choice that fits.
        CycleFound: what fits forms a circle.
    """
    return _without_circles(target, offers, [_CIRCLES])


def _without_circles(target: Candidate, offers: Mapping[str, Offer], left: list[int]) -> Resolution:
    """A choice that can be put into an order has at least one version that is not in the circle just found."""
    try:
        return _choose(target, offers)
    except CycleFound as circle:
        for candidate in circle.members:
            if candidate is not target and left[0] > 0:
                left[0] -= 1
                with contextlib.suppress(Conflict, CycleFound):
                    return _without_circles(target, _without(offers, candidate), left)
        raise


def _without(offers: Mapping[str, Offer], candidate: Candidate) -> dict[str, Offer]:
    offer = offers[candidate.plugin_id]
    rest = tuple(each for each in offer.candidates if each is not candidate)
    return {**offers, candidate.plugin_id: replace(offer, candidates=rest)}


def _choose(target: Candidate, offers: Mapping[str, Offer]) -> Resolution:
    reporter = _Reporter()
    loaded = [plugin_id for plugin_id, offer in offers.items() if offer.running is not None]
    roots = list(dict.fromkeys((target.plugin_id, *loaded)))
    try:
        resolver = Resolver(_Provider(target, offers), reporter)
        found = resolver.resolve([Ask(plugin_id) for plugin_id in roots], max_rounds=_ROUNDS).mapping
    except ResolutionImpossible as error:
        raise Conflict(_of_one_plugin(list(error.causes)), list(reporter.seen)) from error
    except ResolutionTooDeep as error:
        raise Conflict([], list(reporter.seen)) from error
    chosen = {plugin_id: found[plugin_id] for plugin_id in _closure(found, roots)}
    required = frozenset(_closure(found, [target.plugin_id])) - {target.plugin_id}
    return Resolution(target, chosen, _in_order(target, chosen), required)


def _asks_of(candidate: Candidate) -> list[Ask]:
    return [Ask(need.plugin_id, need.range, need.optional, candidate) for need in candidate.needs]


class _Provider(AbstractProvider[Ask, Candidate, str]):
    """What resolvelib asks about our plugins. A plugin that is only optional is decided on last, and for absence."""

    def __init__(self, target: Candidate, offers: Mapping[str, Offer]) -> None:
        self._target, self._offers = target, offers
        self._absent: dict[str, Candidate] = {}

    def identify(self, requirement_or_candidate: Ask | Candidate) -> str:
        return requirement_or_candidate.plugin_id

    def get_preference(
        self,
        identifier: str,
        resolutions: Mapping[str, Candidate],
        candidates: Mapping[str, Iterator[Candidate]],
        information: Mapping[str, Iterator[Any]],
        backtrack_causes: Sequence[Any],
    ) -> tuple[bool, bool, bool, str]:
        """The target has no choice, and what is loaded keeps its version if it can: so these come first."""
        only_optional = all(each.requirement.optional for each in information[identifier])
        idle = identifier not in self._offers or self._offers[identifier].running is None
        return identifier != self._target.plugin_id, only_optional, idle, identifier

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Ask]],
        incompatibilities: Mapping[str, Iterator[Candidate]],
    ) -> list[Candidate]:
        asks, ruled_out = list(requirements[identifier]), set(incompatibilities[identifier])
        return [
            each
            for each in self._candidates(identifier, asks)
            if each not in ruled_out and all(self.is_satisfied_by(ask, each) for ask in asks)
        ]

    def _candidates(self, plugin_id: str, asks: Iterable[Ask]) -> Collection[Candidate]:
        if plugin_id == self._target.plugin_id:
            return (self._target,)
        if all(ask.optional for ask in asks):
            return (self._absent.setdefault(plugin_id, Candidate(plugin_id, "", "")),)
        return self._offers[plugin_id].usable if plugin_id in self._offers else ()

    def is_satisfied_by(self, requirement: Ask, candidate: Candidate) -> bool:
        if candidate is self._absent.get(candidate.plugin_id):
            return requirement.optional
        return fits(candidate.version, requirement.range)

    def get_dependencies(self, candidate: Candidate) -> list[Ask]:
        return _asks_of(candidate)


@dataclass
class _Reporter(BaseReporter[Ask, Candidate, str]):
    """Remembers who asked for what on the way: nothing else tells when there is no result."""

    seen: dict[Ask, None] = field(default_factory=dict)

    def adding_requirement(self, requirement: Ask, parent: Candidate | None) -> None:
        self.seen.setdefault(requirement)


def _of_one_plugin(causes: Sequence[Any]) -> list[Ask]:
    """The asks of one conflict: each asker once, with its most wanted version."""
    about = causes[0].requirement.plugin_id
    asks: dict[str | None, Ask] = {}
    for cause in causes:
        ask = cause.requirement
        if ask.plugin_id == about:
            asks.setdefault(ask.by.plugin_id if ask.by else None, ask)
    return list(asks.values())


def _closure(found: Mapping[str, Candidate], start: Iterable[str]) -> list[str]:
    """These and everything they need, in the versions found."""
    reached: dict[str, None] = {}
    todo = list(start)
    while todo:
        current = todo.pop()
        if current not in reached:
            reached[current] = None
            todo += [need.plugin_id for need in found[current].needs if not need.optional]
    return list(reached)


def _in_order(target: Candidate, chosen: Mapping[str, Candidate]) -> tuple[Candidate, ...]:
    graph = {each.plugin_id: {need.plugin_id for need in each.needs if not need.optional} for each in chosen.values()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = _beginning_with(target.plugin_id, list(reversed(error.args[1]))[1:])
        asks = [ask for each in chosen.values() for ask in _asks_of(each)]
        raise CycleFound([chosen[plugin_id] for plugin_id in circle], asks) from error
    for each in sorted(chosen.values(), key=lambda each: each.plugin_id):
        for need in each.needs:
            if need.optional and need.plugin_id in chosen and not _reaches(graph, need.plugin_id, each.plugin_id):
                graph[each.plugin_id].add(need.plugin_id)
    ordered = TopologicalSorter({name: sorted(needed) for name, needed in sorted(graph.items())}).static_order()
    return tuple(chosen[plugin_id] for plugin_id in ordered)


def _reaches(graph: Mapping[str, set[str]], start: str, end: str) -> bool:
    todo, reached = [start], set()
    while todo:
        current = todo.pop()
        if current == end:
            return True
        if current not in reached:
            reached.add(current)
            todo += graph[current]
    return False


def _beginning_with(plugin_id: str, circle: list[str]) -> list[str]:
    """The same circle, told from the plugin that the change is about, if it is part of it."""
    at = circle.index(plugin_id) if plugin_id in circle else circle.index(min(circle))
    return [*circle[at:], *circle[:at]]

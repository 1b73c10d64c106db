"""How the admin shows things: badges, moments, errors, tables, progress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

__all__ = ["badge", "error_box", "megabytes", "moment", "progress", "table", "text_lines", "under_way"]


def badge(state: str) -> SafeString:
    """A state, coloured by what it means."""
    return format_html('<span class="plugin-state plugin-state-{}">{}</span>', state, state)


def moment(at: datetime | str | None) -> SafeString | str:
    """A moment to the second, in the admin's time zone."""
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if at is None:
        return "–"
    local = timezone.localtime(at)
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), local.strftime("%Y-%m-%d %H:%M:%S"))


def megabytes(size: int | None) -> str:
    """A size for people."""
    return f"{size / 2**20:.1f} MB" if size is not None else "–"


def text_lines(lines: Iterable[object]) -> SafeString:
    """Lines below each other."""
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> SafeString:
    """A small table; it scrolls by itself where it does not fit."""
    cells = format_html_join("", '<th scope="col">{}</th>', ((name,) for name in head))
    lines = [(format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows]
    body = format_html_join("", "<tr>{}</tr>", lines)
    return format_html(
        '<div class="plugin-scroll"><table class="plugin-table">'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>",
        cells,
        body,
    )


def error_box(error: Mapping[str, Any]) -> SafeString:
    """What went wrong, its code, what to do, and the traceback for whoever wants it."""
    traceback = error.get("traceback")
    details = format_html("<details><summary>Traceback</summary><pre>{}</pre></details>", traceback or "")
    return format_html(
        '<div class="plugin-error"><strong>{}</strong> <code>{}</code><p>{}</p>{}{}</div>',
        error["title"],
        error["code"],
        error["detail"],
        format_html("<p><em>{}</em></p>", error["hint"]) if error.get("hint") else "",
        details if traceback else "",
    )


def under_way(card: Mapping[str, Any]) -> SafeString | str:
    """The change under way, how far its packages are, and until when what serves is on trial."""
    lines: list[object] = []
    change, environment, trial = card.get("change"), card.get("environment"), card.get("soak")
    if change:
        by = f" by {change['by']}" if change["by"] else ""
        lines.append(f"generation {change['generation']} is {change['state']} ({change['cause']}{by})")
    if environment and environment["status"] in ("pending", "installing"):
        lines.append(format_html("packages: {}", progress(environment["fraction"], environment["message"])))
    if trial:
        words = "generation {} is on trial until {}: if it fails, the one before comes back"
        lines.append(format_html(words, trial["generation"], moment(trial["until"])))
    return text_lines(lines) if lines else ""


def progress(fraction: float | None, message: str) -> SafeString:
    """How far something is; without a fraction only that it goes on."""
    value = format_html(' value="{}"', f"{fraction:.2f}") if fraction is not None else ""
    return format_html('<progress aria-label="progress"{}></progress> {}', value, message)

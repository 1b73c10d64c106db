"""Scripts that are written without gaps between words, so that what is looked for may begin anywhere."""

from __future__ import annotations

__all__ = ["UNSPACED"]

_RANGES = (
    ("\u0e00", "\u0eff"),  # Thai, Lao
    ("\u1000", "\u109f"),  # Burmese
    ("\u1780", "\u17ff"),  # Khmer
    ("\u3005", "\u3007"),
    ("\u3040", "\u30ff"),  # Hiragana, Katakana
    ("\u3100", "\u318f"),  # Bopomofo, Hangul letters
    ("\u31f0", "\u31ff"),
    ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),  # Chinese characters
    ("\uac00", "\ud7af"),  # Hangul: gaps, but none before what is put after a word
    ("\uf900", "\ufaff"),
    ("\uff66", "\uff9f"),  # Katakana of half width
    ("\U00020000", "\U000323af"),
)
#: For a bracket of a regular expression of Python's or PostgreSQL's, or of SQLite's GLOB. The indexes are made with it:
#: a change needs a migration that makes them anew.
UNSPACED = "".join(f"{first}-{last}" for first, last in _RANGES)

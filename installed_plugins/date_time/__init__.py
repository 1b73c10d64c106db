"""Date and time: now, differences, sums, conversions and calendars in any time zone."""

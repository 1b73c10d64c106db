"""Measurements: `make bench`. Each module has a `main()` that prints ratios taken in one run; none is a test."""

"""Measurements: `make bench`. Each module has a `main()` that prints ratios taken in one run; none of them is a test."""

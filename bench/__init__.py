"""Benchmarks: each prints what was measured, side by side with something to compare it with, in one run."""

"""Kept runs: the store, the chain that shows tampering, and what changed between two runs."""

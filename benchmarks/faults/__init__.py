"""Fault runs: the whole product on real services while its processes are killed at random.

What lives here: the house to break, the clients and receivers beside it, and an oracle that judges
from outside. What must not: anything the product imports. docs/faults.md says how to read a run.
"""

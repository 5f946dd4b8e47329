"""Carries out runs: takes them from the queue, holds them by their lease, does their steps."""

# How many runs a worker carries out at once.
THREADS = 8

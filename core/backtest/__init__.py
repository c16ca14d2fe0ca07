"""Backtests: what to run, where it trades, running it in a process of its own, what came out."""

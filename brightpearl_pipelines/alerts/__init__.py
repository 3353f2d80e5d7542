"""Silence is noticed: freshness budgets, what is wrong now, and who is told of it on which channel.

Works on the store alone, so that it works while Dagster is dead and every API is silent. Nothing here imports Dagster.
"""

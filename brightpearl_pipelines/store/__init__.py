"""Postgres: tables, migrations, queries. The only room that writes SQL.

Every query is a plain function that takes a Transaction first; nothing is visible to others until that commits.
"""

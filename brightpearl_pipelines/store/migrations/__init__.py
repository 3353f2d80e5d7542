"""Alembic's folder: env.py and the revisions. Run through store.database.migrate, which needs no alembic.ini."""

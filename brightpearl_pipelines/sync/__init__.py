"""The engine: extract, merge, publish, deliver. It knows nothing of Dagster."""

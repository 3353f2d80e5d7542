"""The Dagster project: definitions, runs over the served emulators, checks, the sensor, the instance."""

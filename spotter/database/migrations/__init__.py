"""The schema's history: one module for each step under `versions/`, run by `spotter.database.migrate`."""

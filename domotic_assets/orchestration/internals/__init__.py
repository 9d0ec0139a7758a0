"""Adapts internals of Dagster and dbt, which another version may change without notice."""

PROVEN_WITH = {
    "dagster": "1.13.27",
    "dagster-dbt": "0.29.27",
    "dagster-webserver": "1.13.27",
    "dbt-core": "1.11.16",
    "dbt-duckdb": "1.11.1",
}
"""Versions whose source was read for the modules here, and with which their tests pass."""

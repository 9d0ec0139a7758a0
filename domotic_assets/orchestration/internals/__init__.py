"""What leans on the insides of Dagster and dbt, which another version may change without a word."""

PROVEN_WITH = {
    "dagster": "1.13.27",
    "dagster-dbt": "0.29.27",
    "dbt-core": "1.11.16",
    "dbt-duckdb": "1.11.1",
}
"""Versions whose source the modules here were read against, and with which their tests pass."""

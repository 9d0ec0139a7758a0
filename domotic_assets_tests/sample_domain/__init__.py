"""A domain as a newcomer would add it: one table, one flow, one check and one mart."""

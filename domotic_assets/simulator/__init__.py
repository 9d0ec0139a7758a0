"""Simulates a world of households from a seed, and publishes what the real sources would.

It knows the sources' formats from their description alone and never imports a parser: no test could find a
mistake that it shared with the product. Start reading at `run`; `defects` lists what may go wrong.
"""

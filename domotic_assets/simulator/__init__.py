"""A seeded household world that publishes what the real sources would.

It knows the sources' formats from their description alone and never imports a parser: a mistake shared
with the product could not test itself green. `run` is the way in; `defects` lists what may go wrong.
"""

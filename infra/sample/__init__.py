"""Sample traffic for a local stack: what shops do, what one of them has done for twelve days, and what came of it.

`make run` starts it, unless TRAFFIC=off; which events, decided from a seed, is in infra/local/shops.py.

past.py         the shop with twelve days of history
outcomes.py     what was recorded, as lines
traffic.py      sends the one and prints the other (`python -m infra.sample.traffic`)
"""

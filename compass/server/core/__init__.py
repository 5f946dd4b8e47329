"""The rules of Compass, one module per noun. Knows no HTTP.

Whoever calls a function of this package owns the transaction; none of them commits.
"""

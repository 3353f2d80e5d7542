"""One transport for all clients of the package: auth, retry, circuit breaker, rate limit, audit.

Nothing here knows a system: what a system's answers mean is handed in as `rules.ServerRules`.
"""

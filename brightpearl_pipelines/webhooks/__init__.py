"""The receiver of webhooks: an ASGI app that verifies, stores and answers; the subscriptions that call it.

A webhook is a hint. Nothing depends on its arrival: a sweep reads what no webhook told.
"""

"""`make fuzz`: the whole middleware in process, with hostile requests, judged by PyJWT and joserfc.

Each module has one job: `values` makes hostile values, `signing` signs raw bytes, `tokens` makes
good and bent tokens, `stores` makes a store that lies, `targets` holds the middlewares under test,
`requests` makes WSGI requests, `peers` asks PyJWT and joserfc, `judge` states the laws, `refresh`
fuzzes refresh tokens, and `runner` runs it all.
"""

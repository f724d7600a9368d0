"""A WeChat Pay gateway (API v2) that lives on loopback: for tests, benchmarks and the demo.

Written from the protocol dossier alone and sharing nothing with the C code, so that a
misunderstanding on one side shows up as a disagreement with the other.
"""

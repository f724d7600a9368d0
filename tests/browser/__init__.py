"""The buyer's page in a real browser: how it looks, what its script does, and the whole journey."""

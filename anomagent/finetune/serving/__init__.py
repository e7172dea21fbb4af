"""Adapters on their way to a server: merged into their base, and checked on the disk and behind an endpoint."""

"""The client library, on httpx alone: every call of /v1, sync and async."""

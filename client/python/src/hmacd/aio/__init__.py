"""The client for asyncio."""

from hmacd.aio._client import Client, Key

__all__ = ["Client", "Key"]

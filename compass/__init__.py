"""Compass: project-scoped API keys that a team can host itself.

The names of the client library, each loaded when it is first asked for: the commands import this
package too, and need not wait for what they don't use.
"""

from importlib import import_module

# As typing's, which takes longer to import than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from compass.sdk.client import AsyncCompass, Compass
    from compass.sdk.errors import (
        APIError,
        AuthenticationError,
        CompassError,
        Conflict,
        Invalid,
        MalformedKey,
        MissingKey,
        NotFound,
        PermissionDenied,
        RateLimited,
        ServerError,
        StillRunning,
        Unreachable,
    )
    from compass.sdk.session import KeyExpires
    from compass.sdk.shapes import (
        Check,
        Connection,
        Key,
        Me,
        Person,
        Project,
        Rotated,
        Run,
        RunError,
        RunEvent,
        Workflow,
    )

__all__ = [
    "APIError",
    "AsyncCompass",
    "AuthenticationError",
    "Check",
    "Compass",
    "CompassError",
    "Conflict",
    "Connection",
    "Invalid",
    "Key",
    "KeyExpires",
    "MalformedKey",
    "Me",
    "MissingKey",
    "NotFound",
    "PermissionDenied",
    "Person",
    "Project",
    "RateLimited",
    "Rotated",
    "Run",
    "RunError",
    "RunEvent",
    "ServerError",
    "StillRunning",
    "Unreachable",
    "Workflow",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        for home in ("errors", "shapes", "session", "client"):
            module = import_module(f"compass.sdk.{home}")
            if name in vars(module):
                globals()[name] = found = vars(module)[name]
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

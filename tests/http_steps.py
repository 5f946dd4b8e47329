"""Steps against an HTTP server, as a test carries them out."""

from typing import Any

import pytest

from compass.server.core import steps
from compass.server.core.models import ConnectionKind
from compass.server.core.steps import Prepared, StepError

TOKEN = "not-for-reading-42"
BEARER = {"auth": "bearer", "token": TOKEN}


class Http:
    """Steps against a connection whose base is `/v2` of the target."""

    def __init__(self, url: str):
        self.config: dict[str, Any] = {"base_url": f"{url}/v2", "headers": {"X-From": "config"}}
        self.credentials: dict[str, str] = BEARER

    def prepare(
        self, method: str = "GET", path: str = "/x", input_: Any = None, **step: Any
    ) -> Prepared:
        return steps.prepare(
            {"name": "s", "connection": "c", "method": method, "path": path, **step},
            ConnectionKind.HTTP,
            self.config,
            self.credentials,
            {"input": input_, "steps": {}},
        )

    def __call__(
        self, method: str = "GET", path: str = "/x", input_: Any = None, **step: Any
    ) -> Any:
        return self.prepare(method, path, input_, **step).perform("run_1/s")

    def failure(self, *args: Any, **step: Any) -> StepError:
        with pytest.raises(StepError) as failed:
            self(*args, **step)
        return failed.value

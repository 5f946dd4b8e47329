"""A sql step against a real PostgreSQL: what is bound, what comes back, what is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from compass.server.core import steps
from compass.server.core.models import ConnectionKind
from compass.server.core.steps import Prepared, StepError
from tests.warehouse import CREDENTIALS, Warehouse


class Sql:
    def __init__(self, config: dict[str, Any]):
        self.config = config

    def prepare(self, sql: str, input_: Any = None, timeout: float = 30, **params: Any) -> Prepared:
        step = {"name": "s", "connection": "w", "sql": sql, "params": params, "timeout": timeout}
        context = {"input": input_, "steps": {}}
        return steps.prepare(step, ConnectionKind.POSTGRES, self.config, CREDENTIALS, context)

    def __call__(self, sql: str, input_: Any = None, timeout: float = 30, **params: Any) -> Any:
        return self.prepare(sql, input_, timeout, **params).perform("run_1/s")

    def value(self, sql: str, input_: Any = None, **params: Any) -> Any:
        return self(f"SELECT {sql} AS value", input_, **params)["rows"][0]["value"]

    def failure(self, *args: Any, **kwargs: Any) -> StepError:
        with pytest.raises(StepError) as failed:
            self(*args, **kwargs)
        return failed.value


@pytest.fixture
def sql(app: Flask, warehouse: Warehouse) -> Iterator[Sql]:
    with app.app_context():
        yield Sql(warehouse.config)


def test_rows_are_objects_and_counted(sql: Sql) -> None:
    assert sql("SELECT n, n * 2 AS twice FROM generate_series(1, 2) n") == {
        "rows": [{"n": 1, "twice": 2}, {"n": 2, "twice": 4}],
        "row_count": 2,
    }

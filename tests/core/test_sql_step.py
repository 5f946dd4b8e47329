"""A sql step against a real PostgreSQL: what is bound, what comes back, what is refused."""

import threading
from typing import Any

import pytest
from flask import Flask

from compass.server.core import steps
from compass.server.core.models import ConnectionKind
from compass.server.core.steps import Prepared, StepError
from tests.warehouse import CREDENTIALS, Warehouse

ACTIVE = "SELECT 1 FROM pg_stat_activity WHERE query = '{}' AND state = 'active'"


class Sql:
    def __init__(self, app: Flask, config: dict[str, Any]):
        self.app = app
        self.config = config
        self.credentials = CREDENTIALS

    def prepare(
        self,
        sql: str,
        input_: Any = None,
        timeout: float = 30,
        credentials: dict[str, str] | None = None,
        **params: Any,
    ) -> Prepared:
        step = {"name": "s", "connection": "w", "sql": sql, "params": params, "timeout": timeout}
        return steps.prepare(
            step,
            ConnectionKind.POSTGRES,
            self.config,
            credentials or self.credentials,
            {"input": input_, "steps": {}},
        )

    def __call__(self, sql: str, input_: Any = None, timeout: float = 30, **params: Any) -> Any:
        return self.prepare(sql, input_, timeout, **params).perform("run_1/s")

    def value(self, sql: str, input_: Any = None, **params: Any) -> Any:
        return self(f"SELECT {sql} AS value", input_, **params)["rows"][0]["value"]

    def failure(self, *args: Any, **kwargs: Any) -> StepError:
        with pytest.raises(StepError) as failed:
            self(*args, **kwargs)
        return failed.value


@pytest.fixture
def sql(settings_alone: Flask, warehouse: Warehouse) -> Sql:
    return Sql(settings_alone, warehouse.config)


def test_rows_are_objects_and_counted(sql: Sql) -> None:
    assert sql("SELECT n, n * 2 AS twice FROM generate_series(1, 2) n") == {
        "rows": [{"n": 1, "twice": 2}, {"n": 2, "twice": 4}],
        "row_count": 2,
    }


def test_what_was_asked_is_on_record(sql: Sql) -> None:
    prepared = sql.prepare("SELECT %(a)s", {"a": [1]}, a="{{ input.a }}")
    assert prepared.asked == {"sql": "SELECT %(a)s", "params": {"a": [1]}}
    assert CREDENTIALS["password"] not in repr(prepared)


@pytest.mark.parametrize(
    "value",
    [0, -1, 32767, 32768, 2**31, -(2**63), 2**63 - 1, 1.5, 1e-300, True, False, None, "", "3",
     "ä🎉", "'; DROP TABLE orders; --", "%(a)s %s %%", "$1", "\\", "{{ input }}", [],
     [1, "a", None], {"a": {"b": [1.5, None]}}, [[1], [2]]],
)  # fmt: skip
def test_what_is_bound_comes_back(sql: Sql, value: Any) -> None:
    assert sql("SELECT %(a)s AS value, 7 %% 4 AS rest", {"a": value}, a="{{ input.a }}") == {
        "rows": [{"value": value, "rest": 3}],
        "row_count": 1,
    }


def test_numbers_fit_where_a_smaller_one_is_asked_for(sql: Sql) -> None:
    assert sql.value("substring('abcdef', %(a)s, %(b)s)", a=2, b=3) == "bcd"
    assert sql.value("%(a)s::text || %(a)s::text", a=2) == "22"
    assert sql.value("'2026-11-01'::date = %(a)s", a="2026-11-01") is True


@pytest.mark.parametrize(
    ("sql_text", "value"),
    [
        ("1::smallint", 1),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808::numeric", "9223372036854775808"),
        ("1.50::numeric", 1.5),
        ("-0.1::numeric", -0.1),
        ("1234567890.123456789::numeric", "1234567890.123456789"),
        ("10::numeric", 10),
        ("'NaN'::numeric", "NaN"),
        ("'Infinity'::numeric", "Infinity"),
        ("0.1::float8", 0.1),
        ("1.5::float4", 1.5),
        ("'NaN'::float8", "NaN"),
        ("'-Infinity'::float8", "-Infinity"),
        ("true", True),
        ("null", None),
        ("'2026-11-01'::date", "2026-11-01"),
        ("'infinity'::date", "infinity"),
        ("'0044-03-15 BC'::date", "0044-03-15 BC"),
        ("'2026-11-01 10:00:00.5'::timestamp", "2026-11-01T10:00:00.5"),
        ("'2026-11-01 10:00:00+02'::timestamptz", "2026-11-01T08:00:00Z"),
        ("'infinity'::timestamptz", "infinity"),
        ("'12:30'::time", "12:30:00"),
        ("'1 day 2 hours'::interval", "1 day 02:00:00"),
        ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("'\\xdeadbeef'::bytea", "3q2+7w=="),
        ("""'{"a": [1, null], "b": 123456789012345678901}'::jsonb""",
         {"a": [1, None], "b": "123456789012345678901"}),
        ("'[1.5]'::json", [1.5]),
        ("('[' || repeat('[', 120) || repeat(']', 120) || ']')::jsonb", "[" * 121 + "]" * 121),
        ("array[1, null, 3]", [1, None, 3]),
        ("array[['a', 'b'], ['c', 'd']]", [["a", "b"], ["c", "d"]]),
        ("array['2026-11-01 10:00:00+00'::timestamptz]", ["2026-11-01T10:00:00Z"]),
        ("array[1.5::numeric]", [1.5]),
        ("int4range(1, 10)", "[1,10)"),
        ("'{[1,2)}'::int4multirange", "{[1,2)}"),
        ("array[int4range(1, 10)]", ["[1,10)"]),
        ("'192.168.0.1'::inet", "192.168.0.1"),
        ("'12.50'::money", "$12.50"),
        ("row(1, 'a')", "(1,a)"),
        ("'(1,2)'::point", "(1,2)"),
        ("b'101'", "101"),
        ("'a'::\"char\"", "a"),
        ("1::oid", 1),
        ("'pg_class'::regclass", "pg_class"),
        ("'a b'::tsvector", "'a' 'b'"),
    ],
)  # fmt: skip
def test_each_type_as_json(sql: Sql, sql_text: str, value: Any) -> None:
    assert sql.value(sql_text) == value


def test_what_changes_rows_says_how_many_and_is_kept(sql: Sql, warehouse: Warehouse) -> None:
    assert sql("CREATE TABLE kept (n int)") == {"rows": [], "row_count": 0}
    assert sql("INSERT INTO kept SELECT generate_series(1, 3)") == {"rows": [], "row_count": 3}
    assert sql("UPDATE kept SET n = n + 10 WHERE n > 1 RETURNING n")["row_count"] == 2
    assert sorted(warehouse.look("SELECT n FROM kept")) == [1, 12, 13]
    assert sql("SELECT FROM kept") == {"rows": [{}, {}, {}], "row_count": 3}
    assert sql("-- nothing") == {"rows": [], "row_count": 0}


@pytest.mark.parametrize(
    "attack",
    ["1'; DROP TABLE prey; --", "1); DELETE FROM prey; --", "' OR '1'='1",
     "\\'; DROP TABLE prey; --", "1 UNION SELECT 1", "$1", "%(a)s", "\u02bc; DROP TABLE prey; --",
     ["'; DROP TABLE prey; --"]],
)  # fmt: skip
def test_a_value_never_becomes_sql(sql: Sql, warehouse: Warehouse, attack: Any) -> None:
    warehouse.look("DROP TABLE IF EXISTS prey")
    sql("CREATE TABLE prey (t text)")
    sql("INSERT INTO prey VALUES ('safe')")
    found = sql("SELECT t FROM prey WHERE t = %(a)s::text", {"a": attack}, a="{{ input.a }}")
    assert found["rows"] == []
    sql("UPDATE prey SET t = %(a)s::text", {"a": attack}, a="{{ input.a }}")
    written = attack if isinstance(attack, str) else '["\'; DROP TABLE prey; --"]'
    assert warehouse.look("SELECT t FROM prey") == [written]


@pytest.mark.parametrize("params", [{}, {"a": "1"}])
def test_one_statement_is_one(sql: Sql, warehouse: Warehouse, params: dict[str, str]) -> None:
    warehouse.look("DROP TABLE IF EXISTS second")
    first = "SELECT %(a)s" if params else "SELECT 1"
    failed = sql.failure(f"{first}; CREATE TABLE second (n int)", **params)
    assert failed.code == "sql_error"
    assert warehouse.look("SELECT 1 FROM pg_tables WHERE tablename = 'second'") == []


def test_an_expression_in_the_input_is_text(sql: Sql) -> None:
    assert sql.value("%(a)s", {"a": "{{ input }}", "b": 1}, a="<{{ input.a }}>") == "<{{ input }}>"


def test_a_refused_statement_is_taken_back_and_says_why(sql: Sql, warehouse: Warehouse) -> None:
    failed = sql.failure("SELECT * FROM nowhere")
    assert failed.code == "sql_error"
    assert str(failed) == 'The database refuses it: relation "nowhere" does not exist'
    assert failed.asked == {"sql": "SELECT * FROM nowhere", "params": {}}
    assert failed.answered["sqlstate"] == "42P01"
    sql("CREATE TABLE half (n int PRIMARY KEY)")
    assert sql.failure("INSERT INTO half SELECT n %% 3 FROM generate_series(1, 9) n")
    assert warehouse.look("SELECT n FROM half") == []


def test_what_is_wrong_at_the_end_is_told_too(sql: Sql, warehouse: Warehouse) -> None:
    sql("CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    failed = sql.failure("INSERT INTO late VALUES (1), (1)")
    assert failed.code == "sql_error"
    assert failed.answered["sqlstate"] == "23505"
    assert warehouse.look("SELECT n FROM late") == []


def test_a_thousand_rows_and_no_more(sql: Sql, warehouse: Warehouse) -> None:
    assert sql("SELECT generate_series(1, 1000) AS n")["row_count"] == 1000
    sql("CREATE TABLE many (n int)")
    failed = sql.failure("INSERT INTO many SELECT generate_series(1, 1001) RETURNING n")
    assert failed.code == "too_many_rows"
    assert "more than 1000 rows" in str(failed)
    assert warehouse.look("SELECT n FROM many") == []


def test_of_endless_rows_no_more_are_read(sql: Sql) -> None:
    assert sql.failure("SELECT generate_series(1, 1000000000000) AS n").code == "too_many_rows"


def test_a_mebibyte_and_no_more(sql: Sql) -> None:
    assert sql.value("length(repeat('x', 2000000))") == 2_000_000
    assert sql.failure("SELECT repeat('x', 2000000) AS long").code == "too_large"
    assert (
        sql.failure("SELECT repeat('x', 2000) AS l FROM generate_series(1, 900)").code
        == "too_large"
    )


def test_columns_need_names_of_their_own(sql: Sql) -> None:
    failed = sql.failure("SELECT 1 AS n, 2 AS n")
    assert "Two columns are named n" in str(failed)


def test_copy_is_no_step(sql: Sql) -> None:
    for each in ("COPY (SELECT 1) TO STDOUT", "COPY pg_class FROM STDIN"):
        assert sql.failure(each).code == "sql_error"


@pytest.mark.parametrize("value", ["a\0b", "\ud800", 1 << 70, [1 << 70]])
def test_what_can_not_be_bound_is_said_before_anything_is_asked(sql: Sql, value: Any) -> None:
    if value == 1 << 70:
        assert sql.value("%(a)s", {"a": value}, a="{{ input.a }}") == str(value)
        return
    failed = sql.failure("SELECT %(a)s", {"a": value}, a="{{ input.a }}")
    assert failed.code == "invalid_request"
    assert "a can't be bound" in str(failed)


def test_a_slow_statement_is_ended(sql: Sql, warehouse: Warehouse) -> None:
    failed = sql.failure("SELECT pg_sleep(60)", timeout=0.3)
    assert failed.code == "timeout"
    assert "within 0.3 seconds" in str(failed)
    assert warehouse.look(ACTIVE.format("SELECT pg_sleep(60)")) == []


def test_a_silent_server_is_left(sql: Sql, warehouse: Warehouse) -> None:
    warehouse.falls_silent.set()
    try:
        assert sql.failure("SELECT 1", timeout=0.3).code == "timeout"
    finally:
        warehouse.falls_silent.clear()
    assert sql.value("1") == 1


def test_so_is_one_that_falls_silent_half_way(sql: Sql, warehouse: Warehouse) -> None:
    prepared = sql.prepare("SELECT pg_sleep(61)", timeout=1.5)
    failures: list[StepError] = []

    def perform() -> None:
        with sql.app.app_context(), pytest.raises(StepError) as failed:
            prepared.perform("key")
        failures.append(failed.value)

    running = threading.Thread(target=perform)
    running.start()
    begun = ACTIVE.format("SELECT pg_sleep(61)")
    while running.is_alive() and not warehouse.look(begun):
        pass
    warehouse.falls_silent.set()
    try:
        running.join()
    finally:
        warehouse.falls_silent.clear()
    assert [each.code for each in failures] == ["timeout"]


def test_who_is_not_let_in_is_told_so(sql: Sql) -> None:
    sql.credentials = {"password": "wrong-password-7"}
    failed = sql.failure("SELECT 1")
    assert failed.code == "unreachable"
    assert "password authentication failed" in str(failed)
    sql.config = {**sql.config, "port": 1}
    assert "Connection refused" in str(sql.failure("SELECT 1"))


def test_metadata_addresses_are_not_gone_to(sql: Sql) -> None:
    sql.config = {**sql.config, "host": "169.254.169.254"}
    assert sql.failure("SELECT 1").code == "refused_address"


@pytest.mark.parametrize("secret", ["not-for-reading-42", "4711", 'quo"te\\d pässword'])
def test_the_password_is_in_nothing_that_comes_back(sql: Sql, secret: str) -> None:
    prepared = sql.prepare(
        "SELECT %(a)s::text AS text, array[%(a)s] AS list, %(n)s::int AS n,"
        " jsonb_build_object(%(a)s, %(n)s::int) AS json",
        {"a": f"<{secret}>"},
        a="{{ input.a }}",
        n=4711,
        credentials={**CREDENTIALS, "value": secret},
    )
    assert secret not in repr(prepared.perform("key"))
    prepared = sql.prepare(
        "SELECT %(a)s::int AS n", a=secret + "x", credentials={**CREDENTIALS, "value": secret}
    )
    with pytest.raises(StepError) as failed:
        prepared.perform("key")
    assert secret not in str(failed.value)
    assert secret not in repr(failed.value.answered)

"""The key door: /v1, JSON, a key on every request."""

from flask import Flask
from flask_smorest import Api

from compass.server.api import door, problems, rate_limit

# For the routes that they add to the door.
from compass.server.api import connections, keys, me, runs, workflows  # noqa: F401  isort: skip

__all__ = ["init_app", "problems"]


class _Api(Api):
    """flask-smorest without its error handler: `create_app` has one for both doors."""

    ERROR_SCHEMA = problems.ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        pass


def init_app(app: Flask) -> None:
    app.config.update(
        API_TITLE="Compass",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/v1",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": "Every call takes `Authorization: Bearer <key>`."},
            "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
            "security": [{"key": []}],
        },
    )
    api = _Api(app)
    rate_limit.init_app(app)
    api.register_blueprint(door.v1)
    # Served without a key, and said so where roles are declared.
    docs = "api-docs.openapi_json"
    app.view_functions[docs] = door.open_to_all(app.view_functions[docs])

"""WSGI entry for any server: `app`. `compass-server serve` needs no more than itself."""

from compass.server import create_app
from compass.server.config import ConfigError

try:
    app = create_app()
except ConfigError as error:
    raise SystemExit(str(error)) from None

"""CSS and JavaScript: read once, compressed once, served for good under a digest's name."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass

from flask import Flask, Response, abort, current_app, request

from compass.server.resources import folder

NAMES = ("app.css", "app.js", "favicon.svg", "vendor/bootstrap.min.css", "vendor/htmx.min.js")


@dataclass(frozen=True)
class Asset:
    url: str
    body: bytes
    zipped: bytes
    content_type: str


class MissingAssetsError(Exception):
    """The checkout was never installed, so nothing has copied htmx and Bootstrap."""


def init_app(app: Flask) -> None:
    """Raises MissingAssetsError."""
    assets = {name: _read(name) for name in NAMES}
    app.extensions["compass-assets"] = {asset.url: asset for asset in assets.values()}
    app.add_url_rule("/assets/<path:name>", "asset", _serve)
    app.jinja_env.globals["asset"] = lambda name: assets[name].url


def _read(name: str) -> Asset:
    path = folder("static") / name
    try:
        body = path.read_bytes()
    except FileNotFoundError:
        raise MissingAssetsError(
            f"{name} is missing. In a checkout, `make run` installs what it needs; "
            "by hand: pip install -e '.[server]'"
        ) from None
    digest = hashlib.sha256(body).hexdigest()[:12]
    stem, _, ending = path.name.rpartition(".")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(
        url=f"/assets/{stem}.{digest}.{ending}",
        body=body,
        zipped=gzip.compress(body, mtime=0),
        content_type=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
    )


def _serve(name: str) -> Response:
    asset: Asset | None = current_app.extensions["compass-assets"].get(f"/assets/{name}")
    if asset is None:
        abort(404)
    zipped = request.accept_encodings.quality("gzip") > 0
    response = Response(
        asset.zipped if zipped else asset.body,
        content_type=asset.content_type,
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )
    if zipped:
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    return response

"""The guides, readable in the app itself: an installation without a network has them too."""

import flask
from flask import abort
from markdown_it import MarkdownIt
from markupsafe import Markup

from compass.server.resources import folder
from compass.server.web.door import open_to_all, web


@web.get("/docs/<name>")
@open_to_all
def guide(name: str) -> str:
    pages = {path.stem: path for path in folder("docs").glob("*.md")}
    if name not in pages:
        abort(404)
    text = pages[name].read_text(encoding="utf-8")
    title = text.partition("\n")[0].lstrip("# ")
    # Raw HTML stays off; what is rendered is our own file.
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    # What scrolls must be reachable by keyboard.
    body = Markup(html.replace("<pre>", '<pre tabindex="0">'))  # noqa: S704
    return flask.render_template("guide.html", title=title, body=body)

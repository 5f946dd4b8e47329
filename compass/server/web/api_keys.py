"""Settings → Developers → API Keys: the list, and the form that creates."""

from typing import Any

from flask import Response, redirect, url_for
from htmx_flask import request
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, StringField

from compass.server.core import key_list, keys, tokens
from compass.server.core.errors import Invalid
from compass.server.core.ids import is_id
from compass.server.core.key_list import Filter
from compass.server.core.keys import Draft
from compass.server.core.models import KeyStatus
from compass.server.db import transaction
from compass.server.web import key_form
from compass.server.web.door import announce, me, my_projects, render, web
from compass.server.web.forms import show_errors

PATH = "/settings/developers/api-keys"


class CreateForm(Form):
    name = StringField("Name")
    type = StringField("Type")
    project = StringField("Project")
    role = StringField("Role")
    expires_in_days = StringField("Expires")


@web.get(PATH)
def list_keys() -> AnyResponse:
    # Somebody looking for a key by pasting it: it must not stay in the address.
    if tokens.PATTERN.search(request.args.get("q", "")):
        return redirect(
            url_for(
                "web.list_keys",
                q=tokens.mask(request.args["q"]),
                project=request.args.get("project"),
                status=request.args.get("status"),
            )
        )
    context = _browse()
    form = CreateForm(project=context["wanted"].project_id)
    response = render("keys/_list.html", "keys/index.html", **_creation(form), **context)
    total = context["found"].total
    return announce(response, f"{total} key{'' if total == 1 else 's'}.", shown=False)


@web.get(f"{PATH}/new")
def new_key() -> Response:
    form = CreateForm(request.args)
    shown = _creation(form, opened=True) | _browse(blank=True)
    return render("keys/_create.html", "keys/index.html", **shown)


@web.post(PATH)
def create_key() -> Response:
    form = CreateForm(request.form)
    draft = Draft(
        name=form.name.data or "",
        type=form.type.data or "",
        project_id=form.project.data or "",
        role=form.role.data or "",
        expires_in_days=form.expires_in_days.data or "",
    )
    try:
        with transaction():
            secret, key = keys.create(me(), draft)
    except Invalid as invalid:
        show_errors(form, invalid)
        shown = _creation(form, opened=True) | _browse(blank=True)
        return render("keys/_create.html", "keys/index.html", 422, **shown)
    context: dict[str, Any] = {"secret": secret, "key": key} | _browse(blank=True)
    response = render("keys/_created.html", "keys/index.html", **context)
    response.headers["HX-Replace-Url"] = PATH
    return response


def _creation(form: CreateForm, opened: bool = False) -> dict[str, Any]:
    return {"form": form, "choice": key_form.choose(me(), form), "opened": opened}


def _browse(blank: bool = False) -> dict[str, Any]:
    """The list as the address asks for it; nonsense there is as good as nothing."""
    args: dict[str, str] = {} if blank else request.args
    number = args.get("page", "")
    status, project = args.get("status", ""), args.get("project", "")
    wanted = Filter(
        project_id=project if is_id(project, "prj") else "",
        status=KeyStatus(status) if status in set(KeyStatus) else None,
        q=args.get("q", "").replace("\0", "").strip()[:100],
    )
    found = key_list.page(me(), wanted, int(number) if _is_small(number) else 1)
    return {
        "projects": my_projects(),
        "wanted": wanted,
        "found": found,
        "page_url": lambda page: url_for(
            "web.list_keys",
            project=wanted.project_id or None,
            status=wanted.status.value if wanted.status else None,
            q=wanted.q or None,
            page=page,
        ),
    }


def _is_small(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 9

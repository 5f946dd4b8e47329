"""What forms share: WTForms carries the fields, the rules are in core.

Plain WTForms, given `request.form` by each view: a file sent in place of a field is no text. The
CSRF token is checked by the door, before any view runs.
"""

from wtforms import Form

from compass.server.core.errors import Invalid
from compass.server.web import refusals


def show_errors(form: Form, invalid: Invalid) -> None:
    """Puts each sentence at its field; one of no field of this form goes to the form."""
    refusals.note(invalid, 422)
    for name, sentence in invalid.errors.items():
        if name in form:
            form[name].errors = [*form[name].errors, sentence]
        else:
            form.form_errors.append(sentence)

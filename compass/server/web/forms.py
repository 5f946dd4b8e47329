"""What forms share: WTForms carries the fields and the CSRF token, the rules are in core."""

from typing import Any

from compass.server.core.errors import Invalid


def show_errors(form: Any, invalid: Invalid) -> None:
    """Puts each sentence at its field; one of no field of this form goes to the form."""
    for name, sentence in invalid.errors.items():
        if name in form:
            form[name].errors = [*form[name].errors, sentence]
        else:
            form.form_errors.append(sentence)

"""What people type: trimmed, in one Unicode form, and without what can't be seen."""

import unicodedata

from compass.server.core import tokens
from compass.server.core.errors import Invalid

# Invisible characters that legitimate names do need: emoji and some scripts join with them.
_JOINERS = "\u200c\u200d"
# Letters and signs that show as nothing.
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"


def clean_name(value: str, field: str, thing: str, longest: int = 80) -> str:
    """1 to `longest` characters after trimming and NFC. Raises Invalid.

    Control characters, and marks that reorder or hide text, are refused: a name that shows
    as another name is a trap for whoever reads a list.
    """
    name = folded(value)
    if all(_shows_nothing(char) for char in name):
        raise Invalid(**{field: f"Give {thing} a name."})
    if len(name) > longest:
        raise Invalid(
            **{field: f"Use at most {longest} characters for the name; this has {len(name)}."}
        )
    if tokens.PATTERN.search(name):
        raise Invalid(**{field: "That is a key, and keys are secret. Choose another name."})
    if hidden := [char for char in name if is_hidden(char)]:
        raise Invalid(
            **{
                field: "The name has a character that can't be seen "
                f"(U+{ord(hidden[0]):04X}). Remove it."
            }
        )
    return name


def clean_text(value: str, field: str, longest: int) -> str:
    """Up to `longest` characters, on several lines if they like. Raises Invalid."""
    text = folded(value.replace("\r\n", "\n"))
    if len(text) > longest:
        raise Invalid(**{field: f"Use at most {longest} characters; this has {len(text)}."})
    if tokens.PATTERN.search(text):
        raise Invalid(**{field: "There is a key in this, and keys are secret. Take it out."})
    if hidden := [char for char in text if is_hidden(char) and char != "\n"]:
        raise Invalid(
            **{
                field: f"There is a character that can't be seen (U+{ord(hidden[0]):04X}). "
                "Remove it."
            }
        )
    return text


def folded(value: str) -> str:
    """How names are kept and looked up: NFC, without blanks or joiners around them."""
    name = unicodedata.normalize("NFC", value).strip()
    while name and (name[0] in _JOINERS or name[-1] in _JOINERS):
        name = name.strip(_JOINERS).strip()
    return name


def same_address(value: str) -> str:
    """How email addresses are kept and looked up. NFKC: letters that look the same are the same."""
    return unicodedata.normalize("NFKC", folded(value)).casefold()


def as_seen(name: str) -> str:
    """What of a name can be told by looking at it: any blanks are one, joiners are none."""
    return " ".join("".join(char for char in folded(name) if char not in _JOINERS).split())


def clean_email(value: str, field: str = "email") -> str:
    """Trimmed and case-folded. No mail is ever sent, so an address on a LAN is as good as any.

    Raises Invalid.
    """
    email = same_address(value)
    local, _, host = email.partition("@")
    odd = any(char.isspace() or is_hidden(char) or char in '@<>"' for char in local + host)
    if tokens.PATTERN.search(value):
        raise Invalid(**{field: "That is a key, and keys are secret. Enter an email address."})
    if not local or not host or odd:
        raise Invalid(**{field: "Enter an email address, such as ada@example.org."})
    if len(email) > 254:
        raise Invalid(**{field: "Use an email address of at most 254 characters."})
    return email


def _shows_nothing(char: str) -> bool:
    return char.isspace() or char in _JOINERS or char in _BLANKS or "\ufe00" <= char <= "\ufe0f"


def is_hidden(char: str) -> bool:
    """Controls, marks that reorder text, halves of characters: nothing that a name needs."""
    category = unicodedata.category(char)
    return category in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in _JOINERS


def like_escaped(text: str) -> str:
    """For a LIKE pattern whose escape character is a backslash."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

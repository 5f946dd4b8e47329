"""What a User-Agent says, in the words that a person would use for it."""

# The first that is found counts: Edge says that it is Chrome, and Chrome that it is Safari.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser(agent: str | None) -> str:
    """`Firefox on Linux`; for what is none of those, what it says first."""
    said = agent or ""
    name = next((word for sign, word in _BROWSERS if sign in said), None)
    system = next((word for sign, word in _SYSTEMS if sign in said), None)
    if name and system:
        return f"{name} on {system}"
    return name or system or said.partition(" ")[0][:40] or "Unknown browser"

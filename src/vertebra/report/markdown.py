"""Text for Markdown files, whatever it says: `escaped("a|b <i>")` is `a\\|b &lt;i&gt;`."""

import re

from vertebra.report.grid import plain


def escaped(text: str) -> str:
    """Text that is no markup, on one line."""
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|#~$@!])", r"\\\1", text)

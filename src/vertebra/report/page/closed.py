"""What keeps a page closed: the policy that names its one script and style, and data that cannot end their block.

policy(script, style)     default-src 'none'; script-src 'sha256-…'; style-src 'sha256-…'; img-src data:; …
block({"a": "</script>"}) {"a":"\\u003c/script\\u003e"}
"""

import base64
import hashlib
import json

from vertebra.spec import Json


def policy(script: str, style: str) -> str:
    """A Content-Security-Policy under which these two run and nothing else does."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def block(document: Json) -> str:
    """JSON for inside a `<script>`: neither `</script>` nor `<!--` can stand in it."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def data_image(svg: bytes) -> str:
    """An address that is the picture itself."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")

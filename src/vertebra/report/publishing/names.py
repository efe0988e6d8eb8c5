"""Names of families, backbones and benchmarks as any file system takes them."""

import re

from vertebra.spec import digest


def file_name(name: str) -> str:
    """The name itself where it is one of a file; otherwise what is left of it and a digest.

    `all` is the name of the picture of all families.
    """
    if re.fullmatch(r"[A-Za-z0-9._-]{1,80}", name) and name.lower() not in (".", "..", "all"):
        return name
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[:60]}-{digest(ascii(name))[:8]}"

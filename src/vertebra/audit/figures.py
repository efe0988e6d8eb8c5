"""What a backbone brings along, in figures: its size, how it is begun with, and how many tokens the same text takes it.

    {"parameters": 6738149376, "context": 4096, "vocabulary": 32000,
     "tokens_per_1000_words": 1388, "tokens_per_1000_chinese_signs": 1543}

What cannot be told from what is on this machine is left out.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from vertebra.audit.sample import CHINESE, ENGLISH
from vertebra.catalog import Catalog
from vertebra.chat.template import bound, rendered
from vertebra.costs import Architecture
from vertebra.errors import Refused
from vertebra.source import folder_config, locate, missing
from vertebra.spec import Backbone, Json

_CONTEXT = "max_position_embeddings"


def figures(backbone: Backbone) -> dict[str, Json]:
    """Of a backbone in a catalogue."""
    config = {**backbone.config, **folder_config(backbone.weights)}
    return {**dict(_sizes(config)), **fertility(backbone.weights)}


def figures_of_weights(weights: str) -> dict[str, Json]:
    """Of a checkpoint that was trained elsewhere."""
    config = folder_config(weights)
    inner = config.get("text_config")
    return {**dict(_sizes(inner if isinstance(inner, Mapping) else config)), **fertility(weights)}


def system_prompt(backbone: Backbone, catalog: Catalog) -> str | None:
    """What a chat format says before anyone speaks, its marks and role names left out; None where it is not known."""
    try:
        template = bound(catalog.template(backbone.chat), backbone.image, backbone.compat)
    except Refused:  # it is the tokenizer's own, which is not at hand
        return None
    try:
        begun = rendered(template, (), backbone.image)  # begin and end tokens are marks, so they are left out
    except Refused:  # it takes no conversation that has not begun
        return None
    pieces = (piece.strip() for piece in re.split(r"<[^<>\s]*>|\n", begun))
    return " ".join(piece for piece in pieces if " " in piece)  # a role's name is one word


def fertility(weights: str) -> dict[str, Json]:
    """Tokens that a fixed text takes; nothing where there is no tokenizer.json on this machine."""
    if missing(weights, weights=False):
        return {}
    file = locate(weights, weights=False) / "tokenizer.json"
    return _counted(file) if file.is_file() else {}


def _sizes(config: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    architecture = Architecture.of(config)
    if architecture:
        yield "parameters", architecture.parameters
        yield "vocabulary", architecture.vocabulary
    if _CONTEXT in config:
        yield "context", config[_CONTEXT]


def _counted(file: Path) -> dict[str, Json]:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    tokenizer.no_truncation()

    def tokens(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    signs = sum(not sign.isspace() for sign in CHINESE)
    return {
        "tokens_per_1000_words": round(1000 * tokens(ENGLISH) / len(ENGLISH.split())),
        "tokens_per_1000_chinese_signs": round(1000 * tokens(CHINESE) / signs),
    }

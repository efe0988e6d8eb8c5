"""What a model's tokens say, and which of them end an answer."""

from collections.abc import Collection, Sequence

from transformers import PreTrainedModel, PreTrainedTokenizerBase


def stops_of(network: PreTrainedModel) -> frozenset[int]:
    """Tokens that end an answer."""
    ids = network.generation_config.eos_token_id
    return frozenset([ids] if isinstance(ids, int) else ids or ())


def said(ids: Sequence[int], stops: Collection[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """What is said by an answer's tokens, up to the one that ends it."""
    end = next((place for place, token in enumerate(ids) if token in stops), len(ids))
    text: str = tokenizer.decode(ids[:end], skip_special_tokens=True)
    return text.strip()

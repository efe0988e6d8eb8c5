"""Checkpoints of the original LLaVA code become folders that plain transformers loads, with the same logits.

Tensors are mapped from the source's files, renamed and written; nothing is cast, so one copy is the most that memory
holds. Key names and what each family reads: transformers' own conversion of LLaVA-1.5,
https://github.com/huggingface/transformers/blob/main/src/transformers/models/llava/convert_llava_weights_to_hf.py
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import CLIPVisionConfig, PreTrainedConfig, PreTrainedTokenizerFast

from vertebra.catalog import Catalog
from vertebra.errors import ConfigError, DataError
from vertebra.files import storing, sync, write_atomically
from vertebra.model import lora
from vertebra.model.checkpoint import Network, VisionLanguageModel, save
from vertebra.model.original import Original, language_config, read, take_tower
from vertebra.model.parts import INVALID, listed
from vertebra.model.shell import ROWS, shell
from vertebra.model.speech import fitted, generation_of, processor_of, read_tokenizer
from vertebra.source import TOKENIZERS
from vertebra.spec import Backbone, Family

_FAMILIES = {"llava": "llava-1.5", "vip_llava": "vip-llava"}

_TRAINED_WITH = {("vip_llava", "vicuna_v1"): "llava_v1"}
"""Formats that published models of a family were trained with, where it is not their backbone's own."""

_EMBEDDINGS, _HEAD = "model.language_model.embed_tokens.weight", "lm_head.weight"


class Sources(NamedTuple):
    """Where a model's parts lie."""

    checkpoint: Path
    vision: Path | None = None
    base: Path | None = None


class Converted(NamedTuple):
    """What a conversion was about, for people."""

    family: str
    language: str
    chat: str
    rows: int
    added: int
    """Rows that the vocabulary had to grow by."""


def convert(sources: Sources, out: Path, catalog: Catalog, backbone: str | None, chat: str | None) -> Converted:
    """Writes the model into a new folder, which appears when it is whole.

    `ConfigError` for a folder that is taken or a backbone that cannot be told, `DataError` for weights that are
    missing, torn or of another shape, `Refused` for models that the shells of transformers would compute differently.
    """
    with _appearing(out) as part:
        original = read(sources.checkpoint, sources.base)
        family = catalog.family(_FAMILIES[original.model])
        words = _words(sources)
        spoken = _spoken(words, catalog, backbone)
        speech = chat or _TRAINED_WITH.get((family.model, spoken.chat), spoken.chat)
        template = catalog.template(speech)
        words = fitted(words, spoken)
        network, added = _network(original, family, sources.vision, words, spoken)
        seen = network.config.vision_config
        processor = processor_of(spoken, words, template, seen.image_size, seen.patch_size)
        _save(VisionLanguageModel(network.eval(), processor), part)
    said = network.config.text_config
    return Converted(family.title, type(said).__name__.removesuffix("Config"), speech, said.vocab_size, added)


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place at the end, or is gone."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(f"{out} exists already. Give the name of a new folder.")
    with storing(out):
        part = out.absolute().with_name(f".{out.absolute().name}.{os.getpid()}.part")
        try:
            part.mkdir(parents=True)
            yield part
            for path in part.rglob("*"):
                sync(path)
            part.replace(out)
            sync(part.parent)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _words(sources: Sources) -> PreTrainedTokenizerFast:
    """The tokenizer, of the source or else of its base."""
    folders = [folder for folder in (sources.checkpoint, sources.base) if folder]
    folder = next((one for one in folders if any((one / name).is_file() for name in TOKENIZERS)), folders[0])
    try:
        return read_tokenizer(folder, PreTrainedConfig())
    except DataError as error:
        raise DataError(f"{error} Or give a folder with the backbone's tokenizer by --base DIR.") from error


def _spoken(words: PreTrainedTokenizerFast, catalog: Catalog, name: str | None) -> Backbone:
    """The backbone whose tokens the tokenizer has; `ConfigError` when it is not one."""
    if name:
        return catalog.backbone(name)
    known = words.get_vocab()
    fitting: dict[int, dict[tuple[object, ...], Backbone]] = {}
    for backbone in map(catalog.backbone, catalog.names("backbones")):
        tokens = {*backbone.stop, backbone.pad}
        if tokens <= known.keys():
            facts = (backbone.chat, backbone.image, backbone.pad, backbone.stop)
            fitting.setdefault(len(tokens | {backbone.image} & known.keys()), {}).setdefault(facts, backbone)
    if not fitting:
        raise ConfigError("The tokenizer has no catalogued backbone's stop and pad tokens. Give --backbone NAME.")
    best = list(fitting[max(fitting)].values())
    if len(best) > 1:
        raise ConfigError(
            f"The tokenizer may be that of {' or '.join(sorted(one.name for one in best))}, which differ in their "
            "special tokens or chat format. Say which: --backbone NAME."
        )
    return best[0]


def _network(
    original: Original, family: Family, vision: Path | None, words: PreTrainedTokenizerFast, spoken: Backbone
) -> tuple[Network, int]:
    """The network with the source's weights, and by how many rows its vocabulary grew."""
    seen = take_tower(original, family, vision)
    said = language_config(original)
    rows = said.vocab_size
    if len(words) > rows:
        said.vocab_size = -(-len(words) // ROWS) * ROWS
    said.pad_token_id = words.pad_token_id
    layers = _layers(original, family, seen)
    network = _built(original, family, layers, seen, said, words.convert_tokens_to_ids(spoken.image))
    _fill(network, original.weights, rows)
    if original.adapter is not None:
        lora.merge(network, original.folder, original.adapter)
    network.generation_config = generation_of(spoken, words)
    return network, said.vocab_size - rows


def _built(
    original: Original, family: Family, layers: tuple[int, ...], seen: CLIPVisionConfig, said: PreTrainedConfig,
    image: int,
) -> Network:  # fmt: skip
    try:
        return shell(family.model, layers, seen, said, image)
    except (RuntimeError, *INVALID) as error:
        raise DataError(f"{original.folder / 'config.json'} does not describe a model: {error}") from error


def _layers(original: Original, family: Family, seen: CLIPVisionConfig) -> tuple[int, ...]:
    """ViP-LLaVA's are the family's; LLaVA's code reads the one that the checkpoint names."""
    layers = family.layers
    named = original.settings.get("mm_vision_select_layer")
    if family.model == "llava" and named is not None:
        if not isinstance(named, int):
            raise DataError(f"{original.folder / 'config.json'}: mm_vision_select_layer is {named!r}, no number.")
        layers = (named,)
    states = seen.num_hidden_layers + 1
    if not all(-states <= layer < states for layer in layers):
        raise DataError(f"{family.title} reads the tower's states {list(layers)}, but this tower has only {states}.")
    return layers


def _fill(network: Network, weights: dict[str, Tensor], rows: int) -> None:
    """Puts the tensors in, new rows of the vocabulary with them, and counts what older code stored as buffers.

    A new row is the mean of the others: its logit is the mean logit, so it is never the most likely token.
    """
    wanted = network.state_dict()
    tied = {_HEAD} if network.config.tie_word_embeddings else set()
    for name in {_EMBEDDINGS, _HEAD} & weights.keys():
        lacking = wanted[name].shape[0] - rows
        if lacking and weights[name].ndim == 2 and weights[name].shape[0] == rows:
            mean = weights[name].mean(0, dtype=torch.float32, keepdim=True).to(weights[name].dtype)
            weights[name] = torch.cat([weights[name], mean.expand(lacking, -1)])
    _check(wanted, weights, tied)
    network.load_state_dict(weights, strict=False, assign=True)
    network.tie_weights()
    rotary = network.model.language_model.rotary_emb
    network.model.language_model.rotary_emb = type(rotary)(network.config.text_config)
    embeddings = network.model.vision_tower.embeddings
    embeddings.position_ids = torch.arange(embeddings.num_positions).expand((1, -1))
    assert not any(held.is_meta for held in (*network.parameters(), *network.buffers()))


def _check(wanted: dict[str, Tensor], weights: dict[str, Tensor], tied: set[str]) -> None:
    if lacking := wanted.keys() - weights.keys() - tied:
        raise DataError(f"The weights lack {listed(lacking)}. Fetch the checkpoint again.")
    if strange := weights.keys() - wanted.keys():
        raise DataError(f"The weights hold {listed(strange)}, which have no place in the model that config.json names.")
    for name, tensor in weights.items():
        if tensor.shape != wanted[name].shape:
            raise DataError(
                f"{name} is {list(tensor.shape)}, but by config.json it has to be {list(wanted[name].shape)}. "
                "An empty one was saved from a sharded training run without being gathered."
            )


def _save(model: VisionLanguageModel, folder: Path) -> None:
    """Whatever precision the tower has, the config tells the language model's, which loading casts to."""
    save(model, folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["dtype"] = str(model.network.lm_head.weight.dtype).removeprefix("torch.")
    write_atomically(path, json.dumps(config, indent=2, sort_keys=True) + "\n")

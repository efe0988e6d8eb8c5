"""The nouns of a study, as read from YAML: what decides a result (Spec) and how it is run (Runtime).

A Spec is hashed into the key of every step that depends on it; a Runtime is recorded and never hashed. Names and
titles are for people and are left out of the hash. A whole study:

    study: miniature
    families: [tiny-llava-1.5, tiny-vip-llava]
    backbones: [tiny-vicuna-s, tiny-phi-3]
    benchmarks: [pope, gqa]
    seeds: [0]
"""

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from vertebra.errors import ConfigError, DataError, UnknownName

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Fraction = Annotated[float, Field(ge=0, lt=1)]


def _distinct(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    for place, value in enumerate(values):
        if value in values[:place]:
            raise PydanticCustomError("repeated", "{value} is given twice", {"value": repr(value)})
    return values


Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_distinct)]


class Spec(BaseModel):
    """A frozen record whose unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    def preimage(self) -> dict[str, Json]:
        """Everything in it that decides a result, as plain JSON."""
        return self.model_dump(mode="json", exclude={"name", "title"})


Compat = Literal["no_newline_after_image", "captions_without_bos", "blank_after_bos", "blank_after_end"]
"""What the published code did otherwise (docs/decisions.md).

- `no_newline_after_image`: what follows an image follows at once (Llama-3: the first token of the piece was dropped)
- `captions_without_bos`: the first stage has no begin token (Llama-3)
- `blank_after_bos`: a blank piece behind the begin token (Phi-3's slow tokenizer)
- `blank_after_end`: a blank before each later `USER:` (Vicuna's slow tokenizer, legacy)
"""


class Backbone(Spec):
    """A causal language model, how it is spoken to, and which of its tokens serve as image, pad and stop."""

    name: str = ""
    title: str = ""
    weights: str
    """A hub id `org/name@revision`, a folder, or `builtin:NAME` for one shipped inside the package."""
    config: Mapping[str, str | int | float | bool] = {}
    """Facts of the weights' config.json, `model_type` among them, for a check before the weights are there."""
    chat: str
    """The chat format: the stem of a file in templates/; `tokenizer` is the one that comes with the tokenizer."""
    image: str
    """The token an image's positions carry; added to the vocabulary only if the tokenizer has none of this name."""
    pad: str
    stop: Names
    """Tokens that end an answer. The chat format writes one of them behind every answer."""
    compat: tuple[Compat, ...] = ()
    """Quirks of the published code that are wanted."""

    def preimage(self) -> dict[str, Json]:
        """Facts of the weights decide nothing that the weights do not."""
        return {name: value for name, value in super().preimage().items() if name != "config"}


class Lora(Spec):
    """Low-rank adapters on the language model's linear layers (arXiv:2106.09685), learnt instead of its weights."""

    rank: PositiveInt
    alpha: PositiveInt
    """An adapter's product is scaled by alpha / rank."""
    dropout: Fraction = 0.05
    quantize: Literal["none", "4bit"] = "none"
    """`4bit` keeps the frozen linear layers in 4-bit NormalFloat while adapters learn (QLoRA, arXiv:2305.14314)."""
    keep: Literal["merged", "adapter"] = "merged"
    """`adapter` leaves the adapters beside the merged checkpoint too, as peft writes them."""

    def check_installed(self) -> None:
        """`ConfigError` when a package that it needs is not there."""
        if self.quantize == "4bit" and find_spec("bitsandbytes") is None:
            raise ConfigError(
                "`quantize: 4bit` needs the package bitsandbytes, which is not installed. Install the extra with "
                "`pip install 'vertebra[qlora]'`, or take `quantize: none`."
            )


class Stage(Spec):
    """One round of training. Learning rates decay along a cosine after a linear warm-up."""

    mixture: str
    trains: Literal["projector", "projector+language"] = "projector+language"
    chat: Literal["plain", "own"] = "own"
    """`plain` is the bare image and its caption, `own` the backbone's chat format."""
    learning_rate: PositiveFloat
    projector_learning_rate: PositiveFloat | None = None
    """The projector's own rate, where it is not the stage's."""
    batch: PositiveInt
    """Samples per optimizer step over all devices."""
    epochs: PositiveFloat = 1
    warmup: Fraction = 0.03
    """Part of the steps over which the learning rate rises."""
    square: Literal["pad", "crop"] = "pad"
    """How an image becomes square: padded with the tower's mean colour, or cut at the centre."""
    max_tokens: PositiveInt = 2048
    """Longest sample in tokens, images expanded."""
    lora: Lora | None = None
    """Trains adapters of the language model instead of its weights."""

    def preimage(self) -> dict[str, Json]:
        """As of any Spec; an option that is not taken is left out, so that a new one changes no key."""
        return {name: value for name, value in super().preimage().items() if value is not None}

    @model_validator(mode="after")
    def _has_a_language_model_to_adapt(self) -> Self:
        if self.trains == "projector":
            for option in ("lora", "projector_learning_rate"):
                if getattr(self, option) is not None:
                    says = "`{option}` has no place in a stage that trains only the projector"
                    raise PydanticCustomError("out_of_place", says, {"option": option})
        return self


class Family(Spec):
    """A recipe for putting eyes on a language model: the tower, what is read from it, the stages."""

    name: str = ""
    title: str = ""
    model: Literal["llava", "vip_llava"]
    vision: str
    """The vision tower's weights, written as a backbone's."""
    layers: Annotated[tuple[int, ...], Field(min_length=1)]
    """Hidden states of the tower that feed the projector, concatenated in this order."""
    stages: dict[str, Stage] = Field(min_length=1)


DataCompat = Literal["region_without_image", "unnamed_region", "shared_colour", "point_needs_outline"]
"""What ViP-LLaVA's published code did otherwise with region records (docs/decisions.md).

- `region_without_image`: RefCOCOg's and Visual Genome's questions are asked without the image
- `unnamed_region`: RefCOCOg's questions do not say which region they ask about
- `shared_colour`: two objects of a relation whose marks are of different kinds have one colour
- `point_needs_outline`: where a point is drawn in a region that has only a box, another record is taken instead
"""


class Mixture(Spec):
    """Training records in LLaVA's JSON format, and where they and their images lie in the data folder."""

    name: str = ""
    title: str = ""
    records: Names
    images: str = "."
    count: PositiveInt | None = None
    """Records that the files hold together; another number is an error."""
    faulty: Fraction = 0.0
    """Share of the records that may be left out because they cannot be used; more is an error."""
    compat: tuple[DataCompat, ...] = ()
    """Quirks of the published code that are wanted."""
    hub: str = ""
    """The dataset repository of the Hugging Face hub that has the records' files."""

    @property
    def exclusion_file(self) -> str:
        """Where the data folder may list records that are left out of every training (`data.exclusion`)."""
        return f"{self.name}.excluded.json"

    def preimage(self) -> dict[str, Json]:
        """Without where it was from, and without options not taken: what decides a result is what the files hold."""
        taken = {"records", "images", "count", *(name for name in ("faulty", "compat") if getattr(self, name))}
        return self.model_dump(mode="json", include=taken)


class Judge(Spec):
    """The model that grades free-form answers; its name is part of the score's name."""

    name: str
    endpoint: str = "openai"
    """A base URL; `openai`, which is $OPENAI_BASE_URL or OpenAI's own; or `scripted` for the judge `rules`."""
    runs: PositiveInt = 1
    """How often each answer is judged; published LLaVA-Bench scores are means of three."""


class Adopted(Spec):
    """A checkpoint that was trained elsewhere, of a family, measured as the study's own are."""

    family: str
    weights: str
    """A folder such as `vertebra convert` writes, or a hub id, written as a backbone's."""


class Study(Spec):
    """A grid of families × backbones × seeds, and adopted checkpoints beside it, measured on benchmarks."""

    study: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    """Also the name of its report's folder."""
    title: str = ""
    families: Names | tuple[()] = ()
    backbones: Names | tuple[()] = ()
    adopt: Mapping[Annotated[str, Field(pattern=r"^\w[\w.-]*$")], Adopted] = {}
    """By the name that stands in a backbone's place in tables."""
    benchmarks: Literal["all"] | Names = "all"
    seeds: Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_distinct)] = (0,)
    data: str | None = None
    """The maker that writes the data folder as a step of the study; without one the folder is given by --data."""
    judge: Judge | None = None
    temperature: Mapping[str, PositiveFloat] = {}
    """By benchmark, at which its answers are drawn, by the arm's seed; all others are greedy."""
    catalog: Path | None = None
    """A folder beside the file with further backbones/, families/, mixtures/."""

    def adopting(self) -> dict[str, dict[str, str]]:
        """The weights of adopted checkpoints by family and name."""
        found: dict[str, dict[str, str]] = {}
        for name, adopted in self.adopt.items():
            found.setdefault(adopted.family, {})[name] = adopted.weights
        return found

    @model_validator(mode="after")
    def _has_models_with_names_of_their_own(self) -> Self:
        if bool(self.families) != bool(self.backbones) or not (self.families or self.adopt):
            raise PydanticCustomError("empty", "a study takes `families` and `backbones`, or `adopt`")
        for name in self.adopt:
            if name in self.backbones:
                raise PydanticCustomError("taken", "{name} is adopted and a backbone; rename it", {"name": repr(name)})
        return self


class Reference(Spec):
    """A published table, to be shown beside a study's own numbers."""

    name: str = ""
    title: str
    source: Annotated[str, Field(pattern=r"^https?://[^\s()<>]+$")]
    notes: Mapping[str, str] = {}
    """By benchmark, what about its numbers is not as the benchmark's protocol says, or is not said."""
    models: Mapping[str, Mapping[str, float]]
    """By `family/backbone` and benchmark, the headline metric."""


class Runtime(BaseModel):
    """How a study is run. No field of it may move a result, and none is hashed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path | None = None
    """The folder with the mixtures' and benchmarks' files, where no maker writes them."""
    workers: PositiveInt = 1
    """Crews that run side by side, each in a process of its own."""
    checkpoint_seconds: PositiveFloat = 30.0
    """Longest training time that a crash can cost."""


AnySpec = TypeVar("AnySpec", bound=Spec)


def canonical(value: Json) -> str:
    """One text for one value: sorted keys, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Json) -> str:
    """SHA-256 of the canonical JSON, 64 hex digits."""
    return hashlib.sha256(canonical(value).encode(errors="backslashreplace")).hexdigest()


def read_text(path: Path) -> str:
    """A UTF-8 file's text; `DataError` when it is missing, unreadable or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def read_spec(path: Path, kind: type[AnySpec]) -> AnySpec:
    """The Spec that a YAML file holds; its `name`, where it has one, is the file's stem.

    Raises `ConfigError` with file and line for YAML that does not parse, unknown or repeated keys and wrong types.
    """
    tree = _parse(path)
    fields = {} if tree is None else _plain(tree, path, set())
    if not isinstance(fields, dict):
        raise ConfigError(f"{path}:1: expected `key: value` lines, found {type(fields).__name__}.")
    if "name" in kind.model_fields:
        if "name" in fields:
            raise ConfigError(f"{path}: an entry's name is its file's name, {path.stem!r}; remove `name`.")
        fields["name"] = path.stem
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise _explain(error, kind, path, tree) from error


def _parse(path: Path) -> yaml.Node | None:
    try:
        return yaml.compose(read_text(path), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}.") from error


def _plain(node: yaml.Node, path: Path, seen: set[int]) -> Any:
    """The node as plain values; aliases and tags have no place in a spec, repeated keys are mistakes."""
    if id(node) in seen:
        raise ConfigError(f"{path}:{node.start_mark.line + 1}: YAML aliases are not allowed; write it out.")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in mapping:
                raise ConfigError(f"{path}:{key.start_mark.line + 1}: `{name}` is given twice.")
            mapping[name] = _plain(value, path, seen)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, path, seen) for item in node.value]
    try:
        return _number(yaml.SafeLoader("").construct_object(node, deep=True))
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}:{node.start_mark.line + 1}: {node.value!r} is not a plain value.") from error


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text; a person means the number."""
    if isinstance(value, str) and value[:1] in "+-.0123456789" and "e" in value.lower():
        with suppress(ValueError):
            return float(value)
    return value


def _explain(error: ValidationError, kind: type[Spec], path: Path, tree: yaml.Node | None) -> ConfigError:
    """The first complaint as one sentence, with the line it is about and the key that was probably meant."""
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")  # a misspelt key is also missing
    keys = [str(part) for part in first["loc"]]
    where = f"{path}:{_line(tree, keys)}"
    if first["type"] == "extra_forbidden":
        return UnknownName("field", keys[-1], _fields_at(kind, keys[:-1]), where)
    if first["type"] == "missing":
        return ConfigError(f"{where}: `{'.'.join(keys)}` is missing.")
    about = f"`{'.'.join(keys)}`: " if keys else ""
    return ConfigError(f"{where}: {about}{first['msg'][:1].lower()}{first['msg'][1:]}.")


def _line(node: yaml.Node | None, keys: Sequence[str]) -> int:
    line = 1
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        for name, value in node.value:
            if name.value == key:
                line, node = name.start_mark.line + 1, value
                break
    return line


def _fields_at(kind: type[BaseModel], keys: Sequence[str]) -> list[str]:
    """The field names that would be right at this depth."""
    for key in keys:
        field = kind.model_fields.get(key)
        inner = [arg for arg in _inside(field.annotation) if issubclass(arg, BaseModel)] if field else []
        kind = inner[0] if inner else kind
    return [name for name in kind.model_fields if name != "name"]


def _inside(annotation: Any) -> list[type]:
    """Every class that an annotation mentions."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation]
    return [found for arg in get_args(annotation) for found in _inside(arg)]

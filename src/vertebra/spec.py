"""The nouns of a study, as read from YAML: what decides a result.

A Spec is hashed into the key of every step that depends on it; names and titles are for people and are left out of the
hash. How a study is run (`runtime.py`) is recorded and never hashed. A whole study:

    study: miniature
    families: [tiny-llava-1.5, tiny-vip-llava]
    backbones: [tiny-vicuna-s, tiny-phi-3]
    benchmarks: [pope, gqa]
    seeds: [0]
"""

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)
from pydantic_core import PydanticCustomError

from vertebra.errors import ConfigError

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Fraction = Annotated[float, Field(ge=0, lt=1)]


def distinct(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """A tuple that names nothing twice."""
    for place, value in enumerate(values):
        if value in values[:place]:
            raise PydanticCustomError("repeated", "{value} is given twice", {"value": repr(value)})
    return values


Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(distinct)]


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
        if self.quantize == "4bit":
            demand_package("bitsandbytes", "qlora", "`quantize: 4bit`", "take `quantize: none`")


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
    precision: Literal["bfloat16"] | None = None
    """What is computed in while weights and moments stay in single precision; by default that too."""
    order: Literal["by_modality"] | None = None
    """By default any permutation; `by_modality` is the published `group_by_modality_length`."""
    mean_over: PositiveInt | None = None
    """By default the loss is the mean over a batch's supervised tokens; else over that of each so many samples: the
    published code took the mean of each micro-batch of a device (docs/decisions.md)."""
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

    @model_validator(mode="after")
    def _has_whole_micro_batches(self) -> Self:
        if self.order == "by_modality" and self.mean_over and self.batch % self.mean_over:
            says = "`mean_over` has to divide `batch`, whose micro-batches `order: by_modality` deals out"
            raise PydanticCustomError("uneven", says)
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
    config: Mapping[str, int] = {}
    """Facts of the tower's config.json, for what is told before the weights are there."""

    def preimage(self) -> dict[str, Json]:
        """Facts of the weights decide nothing that the weights do not."""
        return {name: value for name, value in super().preimage().items() if name != "config"}


DataCompat = Literal["region_without_image", "unnamed_region", "shared_colour", "point_needs_outline"]
"""What ViP-LLaVA's published code did otherwise with region records (docs/decisions.md).

- `region_without_image`: RefCOCOg's and Visual Genome's questions are asked without the image
- `unnamed_region`: RefCOCOg's questions do not say which region they ask about
- `shared_colour`: two objects of a relation whose marks are of different kinds have one colour
- `point_needs_outline`: where a point is drawn in a region that has only a box, another record is taken instead
"""


class Typical(Spec):
    """What a record of a mixture is on average, for a look ahead: images at 576 tokens, Llama's tokenizer."""

    samples: PositiveInt | None = None
    """About how many records there are, where nobody has counted them for `count`."""
    tokens: PositiveFloat
    squares: PositiveFloat
    """Of the length in tokens, squared."""
    supervised: PositiveFloat
    """Tokens that the loss is taken on."""
    images: Annotated[float, Field(ge=0)] = 1.0


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
    typical: Typical | None = None
    """Measured or estimated lengths; they decide nothing."""

    @property
    def exclusion_file(self) -> str:
        """Where the data folder may list records that are left out of every training (`corpus.exclusion`)."""
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
    """A model that was trained elsewhere, measured as the study's own are: a checkpoint, or one behind an endpoint."""

    family: str = ""
    """Whose architecture and pictures it has; without one it is asked by its own processor and chat template."""
    weights: str = ""
    """A folder such as `vertebra convert` writes, or a hub id, written as a backbone's."""
    endpoint: str = ""
    """The base URL of an OpenAI-compatible server."""
    model: str = ""
    """Its name there."""

    @model_validator(mode="after")
    def _is_one_model(self) -> Self:
        here, there = bool(self.weights), bool(self.endpoint and self.model)
        if here == there or (there and self.family) or bool(self.endpoint) != bool(self.model):
            raise PydanticCustomError("one_model", "an adopted model takes `weights`, or `endpoint` and `model`")
        return self


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
    seeds: Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(distinct)] = (0,)
    data: str | None = None
    """The maker that writes the data folder as a step of the study; without one the folder is given by --data."""
    judge: Judge | None = None
    temperature: Mapping[str, PositiveFloat] = {}
    """By benchmark, at which its answers are drawn, by the arm's seed; all others are greedy."""
    beams: Mapping[str, PositiveInt] = {}
    """By benchmark, with how many its answers are searched; all others with one."""
    engine: Literal["reference"] | None = None
    """By default answers come from the engine that shares what questions share; `reference` is `generate` alone."""
    stands_for: Mapping[str, str] = {}
    """By backbone or family, the published one whose place it takes where published claims are checked."""
    catalog: Path | None = None
    """A folder beside the file with further backbones/, families/, mixtures/."""

    def adopting(self) -> dict[str, dict[str, Adopted]]:
        """The adopted models by family and name."""
        found: dict[str, dict[str, Adopted]] = {}
        for name, adopted in self.adopt.items():
            found.setdefault(adopted.family, {})[name] = adopted
        return found

    @model_validator(mode="after")
    def _has_models_with_names_of_their_own(self) -> Self:
        if bool(self.families) != bool(self.backbones) or not (self.families or self.adopt):
            raise PydanticCustomError("empty", "a study takes `families` and `backbones`, or `adopt`")
        for name in self.adopt:
            if name in self.backbones:
                raise PydanticCustomError("taken", "{name} is adopted and a backbone; rename it", {"name": repr(name)})
        return self


class Device(Spec):
    """An accelerator to train on."""

    name: str = ""
    title: str
    memory_gib: PositiveFloat
    """What its driver leaves to a program, which is less than its name says."""
    peak_tflops: PositiveFloat
    """bfloat16 matrix products summed in float32, none of them sparse, as its maker states."""
    matmul_tflops: PositiveFloat | None = None
    """The most of it that large products have been measured to reach."""


def demand_package(package: str, extra: str, option: str, instead: str) -> None:
    """`ConfigError` naming the extra to install when the package that an option needs is not there."""
    found = find_spec(package)
    if found is None or found.origin is None:  # or a mere folder, such as the one that wandb writes
        raise ConfigError(
            f"{option} needs the package {package}, which is not installed. Install the extra with "
            f"`pip install 'vertebra[{extra}]'`, or {instead}."
        )


def canonical(value: Json) -> str:
    """One text for one value: sorted keys, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Json) -> str:
    """SHA-256 of the canonical JSON, 64 hex digits."""
    return hashlib.sha256(canonical(value).encode(errors="backslashreplace")).hexdigest()

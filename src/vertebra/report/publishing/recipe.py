"""How a model of a study was made, as its model card tells it.

Recipe(bases=("lmsys/vicuna-7b-v1.5", "openai/clip-vit-large-patch14-336"), datasets=("liuhaotian/LLaVA-Pretrain", ...),
       architecture="llava", stages=(("pretrain", Stage(...), Mixture(...)), ...))
"""

from typing import TYPE_CHECKING, NamedTuple

from vertebra.errors import ConfigError
from vertebra.report.publishing.models import Published
from vertebra.source import is_hub
from vertebra.spec import Family, Mixture, Stage

if TYPE_CHECKING:
    from vertebra.catalog import Catalog
    from vertebra.report import Material


class Round(NamedTuple):
    """One round of training."""

    name: str
    stage: Stage
    mixture: Mixture


class Recipe(NamedTuple):
    """What a model was made from."""

    family: str
    architecture: str
    sources: tuple[str, ...]
    """The weights of the language model and of the tower, as the catalogue has them."""
    rounds: tuple[Round, ...]

    @property
    def bases(self) -> list[str]:
        """Those of the sources that are the Hub's, without revisions."""
        return list(dict.fromkeys(source.partition("@")[0] for source in self.sources if is_hub(source)))

    @property
    def datasets(self) -> list[str]:
        """The Hub's datasets that it was trained on."""
        return list(dict.fromkeys(each.mixture.hub for each in self.rounds if each.mixture.hub))


def recipe(material: "Material", model: Published) -> Recipe | None:
    """The recipe of one of the study's own models; None where the catalogue that has it is not at hand."""
    if material.catalog is None or model.adopted:
        return None
    try:
        return _recipe(material.catalog, material.catalog.family(model.family), model.backbone)
    except ConfigError:
        return None


def _recipe(catalog: "Catalog", family: Family, backbone: str) -> Recipe:
    rounds = [Round(name, stage, catalog.mixture(stage.mixture)) for name, stage in family.stages.items()]
    sources = (catalog.backbone(backbone).weights, family.vision)
    return Recipe(family.title or family.name, family.model, sources, tuple(rounds))

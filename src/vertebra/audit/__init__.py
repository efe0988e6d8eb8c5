"""What differs between the arms of a study, beside what the study swaps: intended, unavoidable or a confound. No torch.

    audit = audit_plan(plan, catalog, store)
    audit.of("confound")  ->  [Difference("confound", "backbones", "order", (Place("llava-1.5", ("finetune",)),),
                               (Value("by_modality", ("vicuna-7b", "phi-3-mini")), Value(None, ("llama-3-8b",))), "…")]

An arm is one model of a study: a family on a backbone with a seed. Two arms are compared where they differ in one of
these three alone, in everything that a plan resolved, that finished steps recorded, or that a file of published
settings says.
"""

from vertebra.audit.arms import Arm, Field
from vertebra.audit.differences import Audit, Difference, Place, Value, compare
from vertebra.audit.published import Settings, published_arms, read_settings
from vertebra.audit.study import audit_plan, audit_settings

__all__ = [
    "Arm",
    "Audit",
    "Difference",
    "Field",
    "Place",
    "Settings",
    "Value",
    "audit_plan",
    "audit_settings",
    "compare",
    "published_arms",
    "read_settings",
]

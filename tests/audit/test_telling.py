"""Differences in words."""

from vertebra.audit import Audit, Difference, Place, Value
from vertebra.audit.telling import tell


def test_a_difference_is_told_with_where_its_values_and_why() -> None:
    values = (Value(1e-3, ("a",)), Value(None, ("b",)))
    found = Difference("confound", "backbones", "learning_rate", (Place("f", ("finetune", "model")),), values, "So.")
    told = tell(found, Audit("s", (), (found,)), str)
    assert told.field == "learning rate"
    assert told.where == "f finetune"
    assert told.values[0] == ("0.001", ("a",))
    assert told.why == "So."


def test_a_text_is_cleaned_before_it_is_shortened() -> None:
    found = Difference("intended", "seeds", "x", (), (Value("\x1b" * 100 + "y" * 60, ("a",)),), "")
    told = tell(found, Audit("s", (), (found,)), lambda text: text.replace("\x1b", ""))
    assert told.values[0][0] == "y" * 47 + "…"

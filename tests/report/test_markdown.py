"""Names in Markdown."""

from hypothesis import given
from hypothesis import strategies as st

from vertebra.report.markdown import escaped


def test_what_would_be_markup_is_text():
    assert escaped("a|b <i>*x*</i> [l](u)\n\x1b[31m#") == r"a\|b &lt;i&gt;\*x\*&lt;/i&gt; \[l\](u) \[31m\#"


@given(st.text())
def test_no_text_ends_a_cell_or_opens_a_tag(text):
    shown = escaped(text)
    assert "\n" not in shown
    assert "<" not in shown
    assert all(shown[place - 1] == "\\" for place, char in enumerate(shown) if char == "|")

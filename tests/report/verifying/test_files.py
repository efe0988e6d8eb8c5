"""Whether two files say the same."""

import pytest

from vertebra.report.verifying.files import alike


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("a.md", b"score 98.20000000000001", b"score 98.2", True),
        ("a.md", b"score 98.3", b"score 98.2", False),
        ("a.md", b"score 98.2", b"Score 98.2", False),
        ("a.csv", b"1.0,2.5e-05\n", b"1.0,0.000025\n", True),
        ("a.json", b'{"a": [1.0, 2]}', b'{"a":[1,2]}', True),
        ("a.json", b'{"a": 1}', b'{"a": 1, "b": 1}', False),
        ("a.json", b"{", b"{}", False),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}\n', b'{"a": 1}\n{"a": 3}\n', False),
        ("a.jsonl", b'{"a": 1}\n', b'{"a": 1}\n{"a": 3}\n', False),
        (
            "a.html",
            b'<img src="data:image/svg+xml;base64,AAAA"> 1',
            b'<img src="data:image/svg+xml;base64,BB=="> 1',
            True,
        ),
        ("a.html", b'<img src="data:text/html;base64,AAAA">', b'<img src="data:text/html;base64,BBBB">', False),
    ],
)
def test_files_are_compared_by_what_they_say(name: str, one: bytes, other: bytes, same: bool) -> None:
    assert alike(name, one, other) is same

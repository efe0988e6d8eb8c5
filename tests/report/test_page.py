"""The page: complete, closed to the network, readable by machines that read aloud."""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from vertebra.report import Answering, Cell, Material, write_report
from vertebra.report.page.breakdowns import breakdowns
from vertebra.report.rows import Scorecard
from vertebra.spec import Study

Card = Callable[..., dict[str, object]]
Cells = Callable[..., list[Cell]]
Materials = Callable[[Sequence[Cell]], Material]
VOID = {"meta", "img", "source", "br", "input"}


class Page(HTMLParser):
    """A page's elements, checked to be properly nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def written(material: Material, out: Path) -> str:
    return write_report(material, out).page.read_text(encoding="utf-8")


def test_the_page_allows_its_own_script_and_style_and_data_images_and_nothing_else(
    material: Materials, cells: Cells, tmp_path: Path
) -> None:
    text = written(material(cells(families=["tiny-llava-1.5"])), tmp_path)
    policy = next(meta["content"] for meta in Page(text).all("meta") if "http-equiv" in meta)
    allowed = dict(each.split(" ", 1) for each in policy.split("; "))
    assert {name: value for name, value in allowed.items() if name not in ("script-src", "style-src")} == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
    }
    for name, tag in (("script-src", "script"), ("style-src", "style")):
        (own,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert allowed[name] == f"'sha256-{digest}'"


def test_the_page_loads_nothing_and_has_no_handlers(material: Materials, cells: Cells, tmp_path: Path) -> None:
    page = Page(written(material(cells(families=["tiny-llava-1.5"])), tmp_path))
    assert not page.all("link") + page.all("iframe")
    assert not [script for script in page.all("script") if "src" in script]
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on") or key == "style"]
    loaded = [image["src"] for image in page.all("img")] + [source["srcset"] for source in page.all("source")]
    assert len(loaded) == 4
    assert all(address.startswith("data:image/svg+xml;base64,") for address in loaded)


def test_every_link_leads_to_a_file_of_the_report_or_a_place_on_the_page(
    material: Materials, cells: Cells, tmp_path: Path
) -> None:
    first, *others = cells(families=["tiny-llava-1.5"])
    page = Page(written(material([replace(first, scorecard=None), *others]), tmp_path))
    targets = {f"#{attributes['id']}" for _, attributes in page.tags if "id" in attributes}
    targets |= {path.name for path in tmp_path.iterdir()}
    assert {link["href"].partition("?")[0] for link in page.all("a")} <= targets


def test_pictures_have_a_text_and_headers_a_scope(material: Materials, cells: Cells, tmp_path: Path) -> None:
    page = Page(written(material(cells(families=["tiny-llava-1.5"])), tmp_path))
    assert all(image["alt"] for image in page.all("img"))
    assert all(header["scope"] in ("col", "row", "colgroup", "rowgroup") for header in page.all("th"))


def test_hostile_names_stay_text(study: Study, material: Materials, card: Card, tmp_path: Path) -> None:
    name = """<script>alert(1)</script>"'><img src=x onerror=alert(1)>{{ 7 * 7 }}\x1b[2J"""
    groups = {name: {name: {name: 1.0}}}
    took = Answering(questions=1, asked=1, seconds=1.0)
    hostile = Cell(name, name, 0, name, card(name, 50.0, protocol=name, groups=groups), took)
    found = material([hostile, Cell(name, "b", 0, name, None)])
    evil = study.model_copy(update={"study": name, "title": name})
    page = Page(written(replace(found, study=evil), tmp_path))
    assert [script.get("type") for script in page.all("script")] == ["application/json", "application/json", None]
    assert [image["src"][:5] for image in page.all("img")] == ["data:"] * 2
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert "{{ 7 * 7 }}" in page.text
    assert "\x1b" not in page.text


def test_the_page_tells_how_long_answering_took(material: Materials, card: Card, tmp_path: Path) -> None:
    cells = [
        Cell("f", "b", 0, "pope", card("pope", 50.0), Answering(questions=720, asked=342, seconds=0.5)),
        Cell("f", "b", 0, "gqa", card("gqa", 50.0), Answering(questions=400, asked=400, seconds=20)),
        Cell("f", "c", 0, "gqa", None, Answering(questions=400, asked=400, seconds=4000.4)),
    ]
    page = Page(written(material(cells), tmp_path))
    section = page.text[page.text.index("Answering time") : page.text.index("Missing")]
    assert re.search(r"Model\s*Total\s*POPE\s*GQA", section)
    assert re.search(r"b f\s*20\.5 s\s*36\.2/s\s*0\.50 s\s*684/s\s*20\.0 s\s*20\.0/s", section)
    assert re.search(r"c f\s*4,000 s\s*0\.10/s\s*–\s*4,000 s\s*0\.10/s", section)
    assert "totals leave it out" in section


def test_a_page_of_a_store_without_times_does_not_speak_of_them(
    material: Materials, cells: Cells, tmp_path: Path
) -> None:
    assert "Answering time" not in written(material(cells(families=["tiny-llava-1.5"])), tmp_path)


def test_what_is_missing_is_listed(material: Materials, cells: Cells, tmp_path: Path) -> None:
    none = [replace(cell, scorecard=None) for cell in cells(families=["tiny-llava-1.5"])]
    page = Page(written(material(none), tmp_path))
    assert all(cell.label in page.text for cell in none)
    assert "0 of 16 results are in" in page.text


def test_the_table_shows_scores_with_intervals(material: Materials, card: Card, tmp_path: Path) -> None:
    page = Page(written(material([Cell("f", "b", 0, "pope", card("pope", 83.21))]), tmp_path))
    assert re.search(r"POPE\s*F1\s*llava", page.text)
    assert re.search(r"83\.2\s*± 2\.0", page.text)
    assert "81.21 – 85.21" in page.text


def test_groups_are_averaged_over_seeds_and_shown_by_their_kind(card: Card) -> None:
    cards = []
    for seed, value in ((0, 80.0), (1, 81.5)):
        subset = {"popular": {"f1": value, "yes_ratio": 0.51, "tp": 41.0}}
        cell = Cell("f", "b", seed, "pope", card("pope", value, groups={"subset": subset}))
        cards.append((cell, Scorecard.model_validate(cell.scorecard)))
    (breakdown,) = breakdowns(cards)
    assert breakdown.title == "POPE · llava · subset"
    assert breakdown.metrics == ("F1", "yes ratio", "tp")
    assert [number.text for number in breakdown.lines[0][1]] == ["80.8", "0.510", "41"]


def test_groups_of_one_seed_have_their_intervals(card: Card) -> None:
    groups, ends = {"subset": {"popular": {"f1": 80.0, "tp": 41.0}}}, {"subset": {"popular": {"f1": (77.25, 82.0)}}}
    cell = Cell("f", "b", 0, "pope", card("pope", 80.0, groups=groups, group_ci95=ends))
    (breakdown,) = breakdowns([(cell, Scorecard.model_validate(cell.scorecard))])
    assert breakdown.lines[0][1] == (("80.0", "77.2 – 82.0"), ("41", ""))


def test_a_group_that_a_model_lacks_is_a_dash(card: Card) -> None:
    cells = [
        Cell("f", name, 0, "gqa", card("gqa", 50.0, groups={"semantic": {value: {"accuracy": 50.5}}}))
        for name, value in (("a", "obj"), ("b", "rel"))
    ]
    (breakdown,) = breakdowns([(cell, Scorecard.model_validate(cell.scorecard)) for cell in cells])
    shown = [[number.text for number in numbers] for _, numbers in breakdown.lines]
    assert shown == [["50.5", "–"], ["–", "50.5"]]

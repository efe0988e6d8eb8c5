"""The page as a browser shows it, and as people without a mouse, light, room or JavaScript have it."""

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from tests.browser import Browser, Page, installed
from tests.report.questions import MODELS, SUBSETS, scores, study_in

from vertebra.report import Material, write_report

pytestmark = pytest.mark.skipif(installed() is None, reason="no Chromium or Chrome is installed")

NAMES = ["/".join(model) for model in MODELS]
IDS = "[...document.querySelectorAll('.card')].map(card => card.dataset.id)"
FOCUSED = "document.activeElement.dataset.id"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser.start() as started:
        yield started


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return study_in(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def address(material: Material, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(material, tmp_path_factory.mktemp("report")).page.as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    opened = browser.open(address)
    yield opened
    opened.close()


def column(page: Page, table: str, place: int) -> list[str]:
    """What the visible cells of a column show."""
    found: list[str] = page.run(
        f"[...document.querySelectorAll('#{table} tbody tr:not([hidden])')].filter(row => row.cells.length > 1)"
        f".map(row => row.cells[{place}].textContent.trim())"
    )
    return found


def cards(page: Page) -> list[str]:
    """The questions of all cards, those to come included."""
    page.until("document.getElementById('gallery-count').textContent.includes(' of ')")
    while page.run("!document.getElementById('gallery-more').hidden"):
        page.run("document.getElementById('gallery-more').click()")
    found: list[str] = page.run(IDS)
    return found


def gallery(benchmark: str, a: int, b: int, **more: str) -> str:
    """The place of a gallery in the page's address."""
    chosen = {"benchmark": benchmark, "a": NAMES[a], "b": NAMES[b], **more}
    return "#gallery?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in chosen.items())


def test_a_header_sorts_by_enter_and_space_and_says_so(page: Page) -> None:
    given = column(page, "all-metrics", 5)
    header = "document.querySelectorAll('#all-metrics th')[5]"
    page.run("document.getElementById('metrics').closest('details').open = true")
    page.run(f"{header}.querySelector('button').focus()")
    page.press("Enter")
    assert page.run(f"{header}.getAttribute('aria-sort')") == "descending"
    assert column(page, "all-metrics", 5) == sorted(given, key=float, reverse=True) != given
    page.press(" ")
    assert page.run(f"{header}.getAttribute('aria-sort')") == "ascending"
    assert column(page, "all-metrics", 5) == sorted(given, key=float)
    page.press("Enter")
    assert page.run(f"{header}.getAttribute('aria-sort')") is None
    assert column(page, "all-metrics", 5) == given


def test_words_and_ticks_leave_the_lines_and_columns_that_fit(page: Page) -> None:
    fields = "document.querySelector('#scores').closest('.wide').previousElementSibling.querySelectorAll('input')"
    page.run(f"{fields}[0].focus()")
    page.type("ada BOB")
    assert column(page, "scores", 0) == ["ada", "bob"]
    page.press("Tab")
    page.type("visual")
    shown = page.run(
        "[...document.querySelectorAll('#scores thead th')].filter(th => !th.hidden).map(th => th.innerText)"
    )
    assert [text.split("\n")[0] for text in shown] == ["Model", "Visual7W"]
    page.press("Tab", " ")
    assert column(page, "scores", 0) == []
    assert page.run("document.querySelector('[role=status]').textContent") == "0 of 3 lines, 1 column"


@pytest.mark.parametrize("benchmark", ["pope", "v7w"])
@pytest.mark.parametrize(("a", "b"), [(0, 1), (2, 0)])
def test_the_gallery_shows_exactly_the_questions_that_flipped(
    browser: Browser, address: str, material: Material, benchmark: str, a: int, b: int
) -> None:
    one, other = scores(material, benchmark, a), scores(material, benchmark, b)
    wanted = {
        "either": [each for each in one if one[each] != other[each]],
        "a": [each for each in one if one[each] > other[each]],
        "b": [each for each in one if one[each] < other[each]],
        "wrong": [each for each in one if one[each] == other[each] == 0],
        "all": list(one),
    }
    for direction, ids in wanted.items():
        page = browser.open(address + gallery(benchmark, a, b, direction=direction))
        assert cards(page) == ids
        assert page.run("document.getElementById('gallery-count').textContent").startswith(f"{len(ids)} of {len(one)}")
        page.close()


def test_a_study_of_one_model_lists_its_questions(browser: Browser, material: Material, tmp_path: Path) -> None:
    alone = replace(material, cells=[cell for cell in material.cells if cell.backbone == "ada"])
    page = browser.open(write_report(alone, tmp_path).page.as_uri() + "#gallery?benchmark=v7w")
    found = scores(material, "v7w", 0)
    assert cards(page) == list(found)
    assert page.run("document.querySelectorAll('.card')[1].querySelectorAll('.verdict').length") == 1
    assert page.run("document.getElementById('gallery-a').checkVisibility()") is False
    page.run("document.getElementById('gallery-direction').value = 'wrong'")
    page.run("document.getElementById('gallery-form').dispatchEvent(new Event('input'))")
    assert cards(page) == [each for each in found if found[each] < 1]
    page.close()


def test_a_group_and_a_word_leave_the_questions_that_fit(page: Page, material: Material, address: str) -> None:
    page.go(address + gallery("pope", 0, 1, direction="all"))
    assert len(cards(page)) == 60
    page.run("document.getElementById('gallery-group').selectedIndex = 2")
    page.run("document.getElementById('gallery-form').dispatchEvent(new Event('input'))")
    assert cards(page) == [f"q{number}" for number in range(60) if number % 3 == 1]
    page.run("document.getElementById('gallery-search').focus()")
    page.type("NUMBER 4")
    assert cards(page) == ["q4", "q40", "q43", "q46", "q49"]
    assert "group=" in page.run("location.hash")


def test_what_is_chosen_stands_in_the_address_and_comes_back_from_it(page: Page, address: str) -> None:
    page.go(address + gallery("v7w", 1, 2, direction="b", group=f'["subset","{SUBSETS[0]}"]', q="what"))
    found = cards(page)
    assert found
    page.run("document.getElementById('gallery-form').dispatchEvent(new Event('input'))")
    again = page.run("location.href")
    page.go("about:blank")
    page.go(again)
    assert cards(page) == found


def test_a_link_to_a_question_shows_it_first_and_focused_even_where_it_did_not_flip(page: Page, address: str) -> None:
    page.go(address + gallery("pope", 0, 1, id="q11"))
    page.until(f"{FOCUSED} === 'q11'")
    assert page.run(IDS)[0] == "q11"
    assert page.run("document.activeElement.querySelectorAll('.verdict').length") == 2


def test_keys_move_through_the_cards_and_fetch_more_at_the_end(page: Page, address: str) -> None:
    page.go(address + gallery("pope", 0, 1, direction="all"))
    page.until(f"{IDS}.length === 24")
    page.run("document.querySelector('.card').focus()")
    page.press("j", "ArrowDown", "k")
    assert page.run(FOCUSED) == "q1"
    page.press("End", "j")
    assert page.run(FOCUSED) == "q24"
    assert page.run(f"{IDS}.length") == 48
    page.press("Home")
    assert page.run(FOCUSED) == "q0"
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_two_models_are_compared_and_lead_to_their_questions(page: Page, material: Material) -> None:
    page.run(f"document.querySelector('#compare-b').value = {NAMES[2]!r}")
    page.run("document.querySelector('#compare-b').dispatchEvent(new Event('change'))")
    (given, *_) = column(page, "compare-table", 4)
    page.run("document.getElementById('compare-swap').click()")
    (swapped, *_) = column(page, "compare-table", 4)
    assert {given[0], swapped[0]} == {"+", "−"}
    assert given[1:] == swapped[1:]
    page.run("document.querySelector('#compare-table td a').click()")
    page.until(f"document.getElementById('gallery-a').value === {NAMES[2]!r}")
    one, other = scores(material, "pope", 2), scores(material, "pope", 0)
    assert cards(page) == [each for each in one if one[each] != other[each]]


def test_pictures_are_shown_with_their_marks_and_those_that_are_not_there_are_told(page: Page, address: str) -> None:
    page.go(address + gallery("v7w", 0, 1, direction="all"))
    page.until("document.querySelector('.card img')?.complete")
    with Image.open(
        io.BytesIO(base64.b64decode(page.run("document.querySelector('.card img').src.split(',')[1]")))
    ) as found:
        assert found.size == (64, 48)
        (border, *_), (middle, *_) = (np.asarray(found.convert("RGB"))[25, x] for x in (10, 30))
    assert int(border) - int(middle) > 30
    none = page.run(
        "[...document.querySelectorAll('.card .none')].map(e => [e.closest('.card').dataset.id, e.textContent])"
    )
    assert none == [["q7", "picture cannot be read"], ["q8", "no picture"]]
    notes = page.run("document.querySelector('#gallery-body + .notes').textContent")
    assert "Pictures that cannot be read: pope/missing.png cannot be read as a picture (pope, question q7)" in notes


def test_nothing_that_the_study_says_ever_runs_and_nothing_is_loaded(page: Page, address: str) -> None:
    page.go(address + gallery("pope", 0, 2, direction="all"))
    cards(page)
    page.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.run("document.querySelectorAll('th button').forEach(each => each.click())")
    page.run("document.querySelectorAll('.card, .card *, tbody th, tbody th *').forEach(each => each.click?.())")
    assert page.run("typeof window.ran") == "undefined"
    assert "<script>window.ran=1</script>" in page.run("document.querySelector('.card .question').textContent")
    assert "{{ 7 * 7 }}" in page.run("document.querySelector('h1').textContent")
    assert {each.partition("#")[0] for each in page.requests if not each.startswith("data:")} == {address}
    assert page.complaints == []


def test_the_policy_would_stop_a_script_that_got_in(page: Page) -> None:
    page.run(
        "(() => { const s = document.createElement('script'); s.append('window.ran=1'); document.body.append(s) })()"
    )
    assert page.run("typeof window.ran") == "undefined"
    with pytest.raises(AssertionError, match="TrustedHTML"):
        page.run("document.body.innerHTML = '<img src=x onerror=window.ran=1>'")


def test_a_phone_s_page_does_not_scroll_sideways(browser: Browser, address: str) -> None:
    page = browser.open(address + gallery("pope", 0, 2, direction="all"), width=360, height=740)
    cards(page)
    page.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.run("[document.documentElement.scrollWidth, visualViewport.width]") == [360, 360]
    assert page.run("document.querySelector('#scores').offsetWidth > 0")
    page.close()


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out_from_its_paper(browser: Browser, address: str, dark: bool) -> None:
    page = browser.open(address + gallery("pope", 0, 2, direction="all"), dark=dark)
    cards(page)
    page.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    paper = page.run("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(22, 26, 31)" if dark else "rgb(255, 255, 255)")
    weakest = page.run(CONTRAST)
    assert weakest["texts"] > 200
    assert weakest["ratio"] >= 4.5, weakest
    page.close()


def test_every_control_has_a_name_that_can_be_read_aloud(page: Page, address: str) -> None:
    page.go(address + gallery("pope", 0, 2))
    cards(page)
    page.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.run("[...document.querySelectorAll('.card img')].every(each => each.alt.includes('q'))")
    page.ask("Accessibility.enable")
    roles = {"button", "link", "searchbox", "textbox", "combobox", "checkbox", "region", "DisclosureTriangle", "image"}
    nodes = [node for node in page.ask("Accessibility.getFullAXTree")["nodes"] if node["role"]["value"] in roles]
    assert {node["role"]["value"] for node in nodes} >= {"button", "link", "searchbox", "combobox", "checkbox", "image"}
    assert [node["role"]["value"] for node in nodes if not node.get("name", {}).get("value")] == []


def test_a_browser_that_cannot_unpack_says_so(page: Page, address: str) -> None:
    page.ask("Page.addScriptToEvaluateOnNewDocument", source="delete window.DecompressionStream")
    page.go("about:blank")
    page.go(address + gallery("pope", 0, 1))
    page.until("document.getElementById('gallery-count').textContent.includes('cannot unpack')")


def test_without_javascript_all_is_there_but_what_needs_it(browser: Browser, address: str) -> None:
    page = browser.open(address, scripts=False)
    document = page.ask("DOM.getDocument", depth=1)["root"]["nodeId"]

    def shown(selector: str) -> list[bool]:
        found = page.ask("DOM.querySelectorAll", nodeId=document, selector=selector)["nodeIds"]
        return [_has_box(page, node) for node in found]

    assert shown("noscript") == [True]
    assert shown("#scores tbody tr") == [True] * 5
    assert all(shown("#pairs td.better, #pairs td.worse, #pairs td.chance"))
    assert not any(shown(".scripted, .scripted *, th button, input"))
    page.close()


def _has_box(page: Page, node: int) -> bool:
    """Whether an element is laid out at all."""
    try:
        page.ask("DOM.getBoxModel", nodeId=node)
    except AssertionError:
        return False
    return True

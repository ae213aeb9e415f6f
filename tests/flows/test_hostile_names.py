"""A whole run in a tenant where every name, tag and message tries to act where it is shown, and everything that people see of it.

Pages, tables, report files and the output of the commands are read by parsers, as a browser, a terminal and a spreadsheet would.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import json
import re
import sys
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pyotp
import pytest
from markdown_it import MarkdownIt

from azure_simulator import build
from azure_simulator.scenarios.hostile_names import HOST, text
from azure_simulator.truth import score
from azure_simulator.world import World
from firebreak.cli.main import main
from firebreak.engine import Engine, Question, gather
from firebreak.model.mode import Mode
from flows.course import respond_to
from tests.flows.room_in_process import Decide, People, PeopleAnswer, alert_bytes, approve_or_skip, engine_room_of

pytestmark = pytest.mark.timeout(1800)

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
# Control and direction characters, zero width and the like; line feeds are ours.
ACTS = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})
PAGE_TAGS = frozenset(
    re.findall(
        r"\w+", "h1 h2 h3 h4 p table thead tbody tr th td ul li strong code blockquote hr img br details summary"
    )
)
REPORT_TAGS = frozenset(
    re.findall(
        r"\w+",
        "html head meta title style body main nav h1 h2 h3 p b div span ul li dl dt dd details summary table tr th td br code img a",
    )
)
DRAWING_TAGS = frozenset(re.findall(r"\w+", "svg style title path rect circle text g a"))
DRAWING_ATTRIBUTES = frozenset(
    re.findall(r"[-\w]+", "xmlns class viewbox width height role d x y cx cy r rx text-anchor href id")
)


@dataclass
class Watching(PeopleAnswer):
    """People who answer, and everything they are shown."""

    pages: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    async def show(self, key: str, page: str, title: str) -> None:
        self.pages[f"{key}: {title}"] = page

    async def show_table(self, key: str, rows: list[dict[str, str]], title: str) -> None:
        self.tables[f"{key}: {title}"] = rows


@dataclass(frozen=True)
class Watched:
    world: World
    home: Path
    incident: str
    state: str
    seen: Watching

    @property
    def reports(self) -> Path:
        return self.home / "reports" / self.incident


def stop_before_deleting(question: Question) -> str:
    return "reject" if question.view.stage == "eradicate" else "approve"


def watch(home: Path, decide: Decide) -> Watched:
    """Carry out a run against the hostile tenant, with people who decide so."""
    world = build("hostile-names", seed=7, now=NOW)
    with engine_room_of(world, home) as room:
        opened = room.open(alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake")
        watching = Watching(room, People(world), decide=decide, reason=f"{text(0)} {text(6)}")

        async def course() -> str:
            async with room.connect(opened.incident.id) as clouds:
                engine = Engine(room, opened.incident.id, clouds, run_id="test")
                state = await respond_to(engine, watching)
                assert gather(engine, 1).actions
                return state

        state = asyncio.run(course())
    for question in watching.asked:
        watching.pages[f"gate {question.view.id} {question.view.ask}"] = question.page
    return Watched(world, home, opened.incident.id, state, watching)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(stop_before_deleting, id="stopped"),
        pytest.param(approve_or_skip, id="whole", marks=pytest.mark.slow),
    ],
)
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return watch(tmp_path_factory.mktemp("hostile") / "home", request.param)


class Elements(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and the text of headings."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.headings: list[str] = []
        self._in_heading = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if self._starts_heading(tag):
            self.headings.append("")
            self._in_heading = True

    def handle_endtag(self, tag: str) -> None:
        self._in_heading = self._in_heading and not self._starts_heading(tag)

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.headings[-1] += data

    @staticmethod
    def _starts_heading(tag: str) -> bool:
        return re.fullmatch("h[1-6]", tag) is not None

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.found}

    def attributes(self) -> set[tuple[str, str, str]]:
        return {(tag, name, value) for tag, values in self.found for name, value in values.items()}


def _is_plain(identity: str) -> bool:
    return not any(unicodedata.category(letter) in ("Cf", "Cc") for letter in identity)


def kept_by_unseen(world: World, left: list[str]) -> set[str]:
    """Those of the ids that hold what cannot be seen, and those that Azure keeps because one of these refers to them."""
    kept = {identity for identity in left if not _is_plain(identity)}
    while True:
        held = json.dumps([world.resources[identity] for identity in kept], ensure_ascii=False, default=str).lower()
        more = {identity for identity in left if identity.lower() in held} - kept
        if not more:
            return kept
        kept |= more


def test_the_attack_ends_whatever_its_things_are_called(watched: Watched) -> None:
    truth = score(watched.world)
    # No id in Azure holds what cannot be seen: such an id is a trick, left alone, and every page of the plan says so.
    unseen = [identity for identity in truth["rogue_running"] if not _is_plain(identity)]
    assert truth["rogue_running"] == unseen
    assert len(unseen) == 2
    assert any("is not a plain" in page for name, page in watched.seen.pages.items() if "plan" in name), list(
        watched.seen.pages
    )
    # Never "done" while they run: what people rejected was stopped by them, what could not be asked about goes on against everybody's will.
    assert watched.state == ("stopped" if watched.seen.decide is stop_before_deleting else "failed")
    # Stopped, or gone; what stands is what nobody could be asked about, and what that hangs on.
    assert truth["rogue_deallocated"] or set(truth["rogue_left"]) == kept_by_unseen(watched.world, truth["rogue_left"])
    assert truth["protected_touched"] == []
    assert truth["legitimate_stopped"] == []


def test_names_that_try_to_act_are_on_the_pages_or_this_tests_nothing(watched: Watched) -> None:
    shown = "\n".join(watched.seen.pages.values())
    assert re.search(r"`[\w.-]+@[\w.-]+`", shown), "no mail address"
    for trick in ("img src=x", "alert(1)", HOST, "1+1", "7*7", "click", "cmd", "A heading"):
        assert trick in shown.replace("\\", "").replace("[.]", "."), trick


def test_markdown_pages_have_no_element_of_a_names_making(watched: Watched) -> None:
    pages = {**watched.seen.pages, "report.md": (watched.reports / "report.md").read_text("utf-8")}
    assert len(pages) >= 7
    for name, page in pages.items():
        assert not ACTS.search(page.replace("\r", "\n")), name
        seen = Elements(MARKDOWN.render(page))
        assert seen.tags() <= PAGE_TAGS, name
        assert {
            (tag, attribute)
            for tag, attribute, value in seen.attributes()
            if not (attribute == "style" and re.fullmatch("text-align:(left|right)", value))
            and not (tag == "img" and (attribute == "alt" or value.startswith("data:image/png;base64,")))
            and not (tag == "code" and attribute == "class")
        } <= {("img", "title")}, name
        # What a user interface might make a link of by itself, also one that looks for it when escapes are undone; never in code.
        text = [c.content for token in MARKDOWN.parse(page) for c in token.children or () if c.type == "text"]
        assert not [part for part in text if re.search(r"[a-z]+://|www\.|[\w.]@[\w]", part, re.IGNORECASE)], name
        assert not [h for h in seen.headings if re.fullmatch(r"\s*A heading.*|\s*Approved by.*", h)], name


def test_rows_of_markdown_tables_have_as_many_cells_as_their_heads(watched: Watched) -> None:
    rows = 0
    for name, page in {**watched.seen.pages, "report.md": (watched.reports / "report.md").read_text("utf-8")}.items():
        columns = 0
        for line in page.splitlines():
            bars = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
            columns = (columns or bars) if bars else 0
            assert bars == columns, (name, line)
            rows += bool(bars)
    assert rows > 200


def test_tables_for_the_ui_are_plain_text(watched: Watched) -> None:
    assert {key.split(":")[0] for key in watched.seen.tables} == {"findings", "resources", "operations"}
    for rows in watched.seen.tables.values():
        assert not [cell for row in rows for cell in row.values() if ACTS.search(cell) or "\n" in cell]
        assert max(len(cell) for row in rows for cell in row.values()) <= 400


def test_the_html_report_has_no_element_attribute_or_address_of_a_names_making(watched: Watched) -> None:
    page = (watched.reports / "report.html").read_text("utf-8")
    seen = Elements(page)
    assert not ACTS.search(page)
    assert seen.tags() <= REPORT_TAGS | DRAWING_TAGS
    # Links lead to places on this page and nowhere else, under names of our own.
    assert all(re.fullmatch(r"#[a-z]+(-[a-z0-9]+)?", value) for _, name, value in seen.attributes() if name == "href")
    assert all(re.fullmatch(r"[a-z]+(-[A-Za-z0-9-]+)?", value) for _, name, value in seen.attributes() if name == "id")
    assert {name for _, name, _ in seen.attributes()} <= DRAWING_ATTRIBUTES | {
        "lang",
        "charset",
        "id",
        "name",
        "content",
        "http-equiv",
        "class",
        "alt",
        "src",
    }
    for picture in [value for _, name, value in seen.attributes() if name == "src"]:
        assert picture.startswith("data:image/svg+xml;base64,")
        drawn = Elements(base64.b64decode(picture.partition(",")[2]).decode())
        assert not drawn.tags() & {"script", "foreignobject", "a", "image", "use", "iframe", "img"}
        assert not [name for _, name, _ in drawn.attributes() if name.startswith("on") or name.endswith("href")]
    policy = next(v["content"] for tag, v in seen.found if tag == "meta" and v.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_the_json_report_keeps_the_names_and_is_printable(watched: Watched) -> None:
    text = (watched.reports / "report.json").read_text("utf-8")
    assert not ACTS.search(text)
    targets = [row["target"] for row in json.loads(text)["actions"]]
    assert any("<img src=x onerror=alert(1)>" in target for target in targets)


def test_no_cell_of_a_csv_file_is_a_formula(watched: Watched) -> None:
    shown = json.loads((watched.reports / "report.json").read_text("utf-8"))
    for file, least in (("actions.csv", len(shown["actions"])), ("resources.csv", 60), ("findings.csv", 4)):
        raw = (watched.reports / file).read_bytes()
        assert raw.startswith(b"\xef\xbb\xbf")
        text = raw.decode("utf-8-sig")
        assert not ACTS.search(text.replace("\r\n", "\n"))
        assert not re.search(r"[;,][=+@-]", text.replace('","', " "))  # nor what another separator would make a cell of
        head, *rows = list(csv.reader(text.splitlines()))
        assert len(rows) >= least
        assert {len(row) for row in rows} == {len(head)}
        ours = re.compile(r"-?\d+(\.\d+)?")  # a score may be below nought
        assert not [c for row in rows for c in row if c[:1] in tuple("=+-@\t\r") and not ours.fullmatch(c)]
    assert "'=1+1" in (watched.reports / "actions.csv").read_text("utf-8-sig")


def test_files_stay_in_their_folders(watched: Watched) -> None:
    names = {file.name for file in watched.reports.iterdir()}
    assert names == {"report.html", "report.md", "report.json", "actions.csv", "resources.csv", "findings.csv"}
    written = [file.relative_to(watched.home).as_posix() for file in watched.home.rglob("*") if file.is_file()]
    assert not [path for path in written if not re.fullmatch(r"[\w./-]+", path) or ".." in path]
    known = {"approvers.json", "evidence", "reports", "firebreak.db", "secret.key"}
    assert {path.split("/")[0] for path in written} <= known


COMMANDS = (
    ("incidents", "list"),
    ("incidents", "show", "{incident}"),
    ("incidents", "report", "{incident}"),
    ("incidents", "report", "{incident}", "--format", "csv"),
    ("incidents", "show", "{incident}", "--json"),
    ("incidents", "todo", "{incident}"),
    ("incidents", "todo", "{incident}", "--all", "--json"),
    ("incidents", "confirm", "{incident}", "\x1b[31m<b>", "--by", "\u202eann", "--code", "1"),
    ("incidents", "confirm", "{incident}", "S27", "--by", "\u202eann\x1b[31m", "--code", "1", "--answer", "seen"),
    ("gates", "list", "--all"),
    ("gates", "show", "{incident}.contain.1"),
    ("gates", "show", "{incident}.eradicate.1"),
    ("gates", "show", "{incident}.contain.1", "--json"),
    ("gates", "show", "\x1b[31m[red]../../x\u202e\n"),
    ("incidents", "show", "\x1b]8;;http://evil.example\x1b\\[link=x]y[/link]"),
    ("respond", "--incident", "{incident}", "--local"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:3]).encode("unicode_escape").decode())
def test_commands_print_nothing_that_a_terminal_acts_on(
    watched: Watched, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIREBREAK_HOME", str(watched.home))
    monkeypatch.setenv("FIREBREAK_APPROVERS_FILE", str(watched.home / "approvers.json"))
    monkeypatch.setattr(sys, "argv", ["firebreak", *(word.format(incident=watched.incident) for word in words)])
    with pytest.raises(SystemExit):
        main()
    said = capfd.readouterr()
    assert said.out + said.err
    assert not ACTS.search(said.out + said.err)
    if "--json" in words:
        json.loads(said.out)


def test_a_person_confirms_and_the_report_says_so(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name, seed = next(iter(People(watched.world).seeds.items()))
    said = ("--by", name, "--code", pyotp.TOTP(seed).now(), "--answer", "abuse", "--note", text(0) + text(6))
    monkeypatch.setenv("FIREBREAK_HOME", str(watched.home))
    monkeypatch.setenv("FIREBREAK_APPROVERS_FILE", str(watched.home / "approvers.json"))
    monkeypatch.setattr(sys, "argv", ["firebreak", "incidents", "confirm", watched.incident, "s28", *said])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capfd.readouterr()
    assert ended.value.code in (0, None), shown.err
    assert not ACTS.search(shown.out + shown.err)
    report = json.loads((watched.reports / "report.json").read_text("utf-8"))
    (item,) = [row for row in report["todo"] if row["id"] == "S28"]
    assert (item["state"], item["confirmed"]["by"], item["confirmed"]["answer"]) == ("confirmed", name, "abuse")
    page = (watched.reports / "report.html").read_text("utf-8")
    assert not ACTS.search(page)
    assert Elements(page).tags() <= REPORT_TAGS | DRAWING_TAGS
    assert f"<b>abuse</b>, says {name}" in page
    assert "abuse, says" in (watched.reports / "report.md").read_text("utf-8")


def test_what_the_log_says_is_one_line_each(watched: Watched) -> None:
    assert len(watched.seen.said) > 30
    assert not [line for line in watched.seen.said if ACTS.search(line) or "\n" in line]

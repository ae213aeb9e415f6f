"""The pages: links lead somewhere, generated pages are current, what they say about commands, settings and playbooks is so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from firebreak.cli.reference import MEANINGS, commands, out_of_date, pages
from firebreak.playbook import read_playbook
from tasks.coverage import out_of_date as steps_out_of_date
from tasks.registry import load_steps

TOP = Path(__file__).parent.parent.parent
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(TOP)) for page in PAGES]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    return _CODE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes from the headings of a page."""
    found = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).strip().replace(" ", "-") for title in found}


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    page = TOP / name
    for link in _LINK.findall(prose(page)):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(TOP), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("name", [*NAMES, "prefect.yaml", "Makefile"])
def test_no_page_names_a_machine_or_a_registry(name: str) -> None:
    text = (TOP / name).read_text(encoding="utf-8")
    for pattern in (
        r"/wor[k]/",
        r"/root/",
        r"/home/\w",
        r"/Users/\w",
        r"pypi\.",
        r"pythonhosted",
        r"files\.\w+\.org",
        r"index-url",
    ):
        assert not re.search(pattern, text), pattern


def test_the_generated_reference_is_current() -> None:
    assert out_of_date(TOP) == [], "run: make docs"
    assert steps_out_of_date(TOP) == [], "run: make docs"


def test_a_stale_page_is_found(tmp_path: Path) -> None:
    assert out_of_date(tmp_path) == list(pages())


def test_every_command_and_option_is_in_the_reference() -> None:
    page = (TOP / "docs/reference/cli.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0]: part for part in page.split("\n## ")}
    for name, command in commands():
        if name == "firebreak":
            continue
        assert name in sections, name
        if getattr(command, "commands", None):
            continue
        for parameter in command.params:
            if parameter.param_type_name == "option" and "--help" not in parameter.opts:
                assert all(f"`{opt}" in sections[name] or f", {opt}" in sections[name] for opt in parameter.opts)
                assert parameter.help, f"{name} {parameter.opts} says nothing of itself"


def test_every_setting_has_a_meaning() -> None:
    assert all(MEANINGS.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_command_on_a_page_exists_with_its_options(name: str) -> None:
    known = {full.removeprefix("firebreak").strip(): command for full, command in commands()}
    text = (TOP / name).read_text(encoding="utf-8")
    lines = [m for block in _CODE.findall(text) for m in block.splitlines() if m.lstrip().startswith("firebreak ")]
    lines += re.findall(r"`(firebreak [^`]+)`", text)
    for line in lines:
        words = line.split("#")[0].split()[1:]
        command = words[0]
        if command.startswith("-") or not command.islower():
            continue
        if len(words) > 1 and f"{command} {words[1]}" in known:
            command = f"{command} {words[1]}"
        assert command in known, line
        options = {opt for parameter in known[command].params for opt in parameter.opts}
        for word in words:
            if word.startswith("--"):
                assert word.rstrip(".,;)]") in options, line


def test_every_playbook_on_a_page_is_valid() -> None:
    steps = {name: loaded.step for name, loaded in load_steps().items()}
    text = (TOP / "docs/guide/playbooks.md").read_text(encoding="utf-8")
    blocks = [
        block for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if "stages:" in block
    ]
    assert blocks
    for block in blocks:
        _, problems = read_playbook(block.encode(), file="playbooks.md", steps=steps)
        assert not problems


def test_every_key_of_a_playbook_is_explained() -> None:
    from firebreak.playbook.shape import GATE, GUARD_RAILS, LIMITS, PLAYBOOK, STAGE

    text = (TOP / "docs/guide/playbooks.md").read_text(encoding="utf-8")
    for record in (PLAYBOOK, STAGE, GATE, GUARD_RAILS):
        for key in record.fields:
            assert f"| `{key}` |" in text or key == "limits", key
    for key in LIMITS.fields:
        assert f"| `limits.{key}` |" in text, key


def test_the_list_of_decisions_is_complete() -> None:
    folder = TOP / "docs/adr"
    listed = _LINK.findall((folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [int(name[:4]) for name in listed] == list(range(1, len(listed) + 1))


def test_make_help_lists_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=TOP, capture_output=True, text=True, timeout=60, check=True
    )
    shown = {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    phony = re.search(r"^\.PHONY: (.+)$", (TOP / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert shown == set(phony[1].split())


def test_the_pictures_of_the_readme_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\((docs/images/[^)]+)\)", (TOP / "README.md").read_text(encoding="utf-8"))
    assert pictures
    for picture in pictures:
        assert (TOP / picture).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n", picture

"""The import rules, and what the pages about the architecture say about them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = [name for name in ("firebreak", "azure_simulator", "flows", "tasks") if (TOP / name).is_dir()]
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "handler", "misc"}


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (TOP / package).rglob("*.py"))


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", "--config", str(folder / "pyproject.toml")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_import_contracts_are_kept() -> None:
    done = lint_imports(TOP)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_a_broken_import_rule_is_found(tmp_path: Path) -> None:
    """The same rule on a copy in which the model imports a client: else the test above could not fail."""
    for name in ("firebreak", "firebreak/clients", "firebreak/model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "firebreak/model/plan.py").write_text("import firebreak.clients\n")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.importlinter]\nroot_packages = ["firebreak"]\n'
        '[[tool.importlinter.contracts]]\nname = "one way"\ntype = "layers"\n'
        'layers = ["firebreak.clients", "firebreak.model"]\n'
    )
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "firebreak.model.plan -> firebreak.clients" in done.stdout


def test_the_architecture_page_names_every_layer_and_contract() -> None:
    page = " ".join((TOP / "ARCHITECTURE.md").read_text(encoding="utf-8").split())
    for contract in PROJECT["tool"]["importlinter"]["contracts"]:
        assert contract["name"] in page, contract["name"]
        for layer in contract.get("layers", ()):
            for module in layer.split("|"):
                assert f"`{module.strip()}`" in page, module


def test_every_package_of_the_product_is_on_the_architecture_page() -> None:
    page = (TOP / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = {path.parent.relative_to(TOP) for path in (TOP / "firebreak").glob("*/__init__.py")}
    missing = [
        str(folder) for folder in folders if f"`{folder}`" not in page and f"`{'.'.join(folder.parts)}`" not in page
    ]
    assert not missing


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(TOP)))
def test_a_module_says_what_it_is_for_and_is_named_for_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert path.stem not in FORBIDDEN_NAMES
    if text.strip():
        assert text.lstrip().startswith(('"""', "'''", 'r"""')), "a module begins with what it is for"


def test_one_place_decides_about_dry_runs() -> None:
    """The mode is asked for writing in the guard of the transport, and nowhere by a second `if dry_run`."""
    asking = [path for path in modules() if "if dry_run" in path.read_text(encoding="utf-8")]
    outside = [
        p for p in asking if p.relative_to(TOP).parts[0] == "tasks" or "clients" in p.parts or "execution" in p.parts
    ]
    assert not outside

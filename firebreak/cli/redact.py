"""`firebreak incidents redact`, and `--redact` of the export: a bundle that may be shared."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import typer

from firebreak.bundle import Bundle, open_bundle, write_bundle
from firebreak.cli.output import Json, print_json, safe, say, stdout
from firebreak.errors import ContentError
from tasks.registry import load_steps

KEY_FILE = typer.Option(
    None, help="Key of the pseudonyms: the file is made when it is not there. Default: a key that nobody keeps."
)
MAPPING = typer.Option(None, help="Also write what each pseudonym stands for to this file. Keep it to yourself.")
_KEY_BYTES = 32


def redact(
    bundle: Path = typer.Argument(..., help="The bundle: a folder or zip."),
    out: Path = typer.Option(..., help="A folder that does not exist yet, or a file that ends in .zip."),
    key_file: Path | None = KEY_FILE,
    mapping: Path | None = MAPPING,
    force: bool = typer.Option(False, "--force", help="Replace a zip that is there."),
    as_json: bool = Json,
) -> None:
    """Write a bundle anew with pseudonyms for people, addresses, names, tags and ids, to be shared.

    Equal things stay equal, in their order; sizes, regions, times, amounts and the graph stay, so that the plans are the same up to the pseudonyms: both
    bundles are replayed to see it. Exit code 2 when a plan is not. Secrets are out of every bundle; signatures are dropped.
    """
    with open_bundle(bundle) as opened:
        told = write_redacted(opened, out, key_file=key_file, mapping=mapping, force=force)
    tell(told, as_json=as_json)


def write_redacted(
    bundle: Bundle, out: Path, *, key_file: Path | None, mapping: Path | None, force: bool
) -> dict[str, Any]:
    """Redact an open bundle to `out` and return the report.

    Raises:
        BundleError, IntegrityError, ContentError: the bundle is damaged, the key is none, or a file cannot be written.
    """
    from flows.redact import redact as run

    done = run(bundle, _key(key_file), load_steps(), say)
    write_bundle(done.files, out, replace=force)
    with open_bundle(out) as written:
        chain = written.verify()
    if mapping is not None:
        _write_private(mapping, json.dumps(done.redaction.names.table(), ensure_ascii=False, indent=1).encode())
    return {
        "bundle": str(out),
        "incident": chain.incident,
        "replaced": done.redaction.names.counts,
        "names_left": list(done.redaction.left(done.files)),
        "bodies_dropped": done.redaction.unreadable,
        "same_plans": not done.differs,
        "differs": list(done.differs),
    }


def tell(told: dict[str, Any], *, as_json: bool) -> None:
    """Print the report; exit code 2 when a plan differs."""
    if as_json:
        print_json(told)
    else:
        counts = ", ".join(f"{count} {kind}" for kind, count in told["replaced"].items())
        stdout.print(f"{safe(told['bundle'], 400)}: {counts} replaced; secrets and signatures are out.")
        left = told["names_left"]
        if left:
            stdout.print(
                f"{len(left)} names are words that Azure or Firebreak use themselves, and stand there for those: {safe(', '.join(left[:20]), 600)}"
            )
        if told["bodies_dropped"]:
            stdout.print(f"{told['bodies_dropped']} answers could not be read as text; they are empty now.")
        if told["same_plans"]:
            stdout.print("Both bundles were replayed: plans and conclusions are the same up to the pseudonyms.")
        else:
            stdout.print(f"A replay of it differs from one of the original in: {', '.join(told['differs'])}.")
    if not told["same_plans"]:
        raise typer.Exit(2)


def _key(file: Path | None) -> bytes:
    if file is None:
        return secrets.token_bytes(_KEY_BYTES)
    if not file.exists():
        _write_private(file, secrets.token_hex(_KEY_BYTES).encode() + b"\n")
        say(f"A new key was written to {file}: keep it, and keep it to yourself.")
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise ContentError(f"{file} holds no key.", hint=f"A key is {_KEY_BYTES} bytes as hex digits.") from error
    if len(key) < _KEY_BYTES:
        raise ContentError(f"{file} holds a key of {len(key)} bytes.", hint=f"It needs {_KEY_BYTES}, as hex digits.")
    return key


def _write_private(path: Path, content: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise ContentError(f"{path} cannot be written: {error.strerror}.", hint="Name another file.") from error

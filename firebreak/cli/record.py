"""The record of an incident: export it as a bundle, verify it in the store or from its files alone, and the key that signs it."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import typer

from firebreak.audit import VerifiedChain
from firebreak.audit import verify as verify_audit
from firebreak.bundle import contents_of, open_bundle, write_bundle
from firebreak.bundle.read import read_expected
from firebreak.cli import redact
from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.cli.rooms import engine_room
from firebreak.clients import reveal
from firebreak.errors import ContentError, IntegrityError, SettingsError
from firebreak.settings import Settings
from firebreak.signatures import SigningKey, VerifyingKey

_SETTING = "FIREBREAK_AUDIT_SIGNING_KEY"


def signing_key(settings: Settings) -> SigningKey | None:
    """The key that exports are signed with, or None when the operator set none.

    Raises:
        SettingsError, CredentialError, UnreachableError: it is set and cannot be had.
    """
    if settings.audit_signing_key is None:
        return None
    return SigningKey.parse(asyncio.run(reveal(settings.audit_signing_key, _SETTING, settings)), _SETTING)


def export(
    incident: str = typer.Argument(..., help="The incident."),
    out: Path = typer.Option(..., help="A folder that does not exist yet, or a file that ends in .zip."),
    expected: Path | None = typer.Option(None, help="An expected.yaml with the ground truth, to put into the bundle."),
    force: bool = typer.Option(False, "--force", help="Replace a zip that is there."),
    redacted: bool = typer.Option(
        False, "--redact", help="With pseudonyms, to be shared; see incidents redact. Not signed."
    ),
    key_file: Path | None = redact.KEY_FILE,
    mapping: Path | None = redact.MAPPING,
    as_json: bool = Json,
) -> None:
    """Write the incident bundle: alert, raw evidence, plans, decisions and audit log, readable without Firebreak.

    The same incident gives the same bytes. With FIREBREAK_AUDIT_SIGNING_KEY set the audit log is signed.
    """
    settings = Settings.load()
    key = signing_key(settings)
    truth = _read(expected, "the ground truth") if expected else None
    if truth is not None:
        read_expected(truth, str(expected))
    with engine_room(settings) as room:
        files = contents_of(room.store, room.evidence, room.audit, incident, key=key, expected=truth)
    if redacted:
        with tempfile.TemporaryDirectory(prefix="firebreak-export-") as folder:
            plain = write_bundle(files, Path(folder) / "plain")
            with open_bundle(plain) as bundle:
                told = redact.write_redacted(bundle, out, key_file=key_file, mapping=mapping, force=force)
        redact.tell(told, as_json=as_json)
        return
    written = write_bundle(files, out, replace=force)
    with open_bundle(written) as bundle:
        chain = bundle.verify(key.public if key else None)
    if key is not None:
        written.with_name(f"{written.name}.pub.pem").write_bytes(key.public.pem)
    if as_json:
        print_json(
            {**_chain_json(chain), "bundle": str(written), "files": len(files), "evidence": len(bundle.evidence)}
        )
    else:
        stdout.print(
            f"{safe(written, 400)}: {len(files)} files, {len(bundle.evidence)} answers as evidence; {chain.proven}."
        )
        stdout.print(f"head of the audit chain, to be kept elsewhere: {chain.head}")


def verify(
    incident: str = typer.Argument("", help="The incident in the store, or an exported bundle (folder or .zip)."),
    file: Path | None = typer.Option(None, help="An exported audit log alone; no store is opened."),
    public_key: Path | None = typer.Option(None, help="PEM file: the export must be signed by this key."),
    as_json: bool = Json,
) -> None:
    """Check the audit chain: of the store (with the evidence), of an exported bundle, or of an exported audit log alone.

    Exit code 1 when a byte was changed, a record is missing, or the signature is not that of the key given.
    """
    if bool(incident) == (file is not None):
        raise ContentError(
            "Either an incident, a bundle or --file is needed.", hint="See: firebreak incidents verify --help"
        )
    key = _public_key(public_key) if public_key else None
    if file is not None:
        chain = verify_audit(file, key)
        _told(chain, as_json, incident=chain.incident)
    elif _is_path(incident):
        with open_bundle(Path(incident)) as bundle:
            _told(bundle.verify(key), as_json, incident=bundle.incident.id, evidence=len(bundle.evidence))
    else:
        _verify_store(incident, key, as_json)


def public_key(
    out: Path | None = typer.Option(None, help="Write it to this file as well."),
    as_json: bool = Json,
) -> None:
    """Print the public key that checks this installation's signed exports, and its fingerprint."""
    key = signing_key(Settings.load())
    if key is None:
        raise SettingsError(
            "Exports of this installation are not signed: no signing key is set.",
            hint=f"Make one with openssl genpkey -algorithm ed25519 -out audit-signing.pem, then set {_SETTING}=file:audit-signing.pem",
        )
    pem = key.public.pem.decode()
    if out is not None:
        try:
            out.write_text(pem)
        except OSError as error:
            raise ContentError(f"{out} cannot be written: {error.strerror}.", hint="Name another file.") from error
    if as_json:
        print_json({"fingerprint": key.public.fingerprint, "public_key": pem})
    else:
        typer.echo(pem.rstrip())
        typer.echo(f"fingerprint {key.public.fingerprint}", err=True)


def _verify_store(incident: str, key: VerifyingKey | None, as_json: bool) -> None:
    if key is not None:
        raise ContentError(
            "--public-key checks exports; the store itself is not signed.",
            hint=f"Export first: firebreak incidents export {incident} --out {incident}.zip",
        )
    with engine_room() as room:
        room.store.incidents.get(incident)
        records = room.audit.records(incident)
        room.evidence.get(room.store.incidents.raw_alert_digest(incident))
        for _, _, digest in room.store.plans.list(incident):
            room.store.plans.load(digest)
        faults = room.evidence.verify(incident)
        evidence = len(room.evidence.manifest(incident))
    if faults:
        raise IntegrityError(f"The evidence of {incident} does not add up: {faults[0]}", hint=_more(faults))
    chain = VerifiedChain(
        incident=incident,
        records=len(records),
        head=records[-1].hash if records else "",
        first_at=records[0].at if records else "",
        last_at=records[-1].at if records else "",
    )
    _told(chain, as_json, incident=incident, evidence=evidence, store=True)


def _told(
    chain: VerifiedChain, as_json: bool, *, incident: str, evidence: int | None = None, store: bool = False
) -> None:
    if as_json:
        counted = {} if evidence is None else {"evidence": evidence}
        print_json({**_chain_json(chain), "incident": incident, **counted})
        return
    also = "" if evidence is None else f"; {evidence} answers as evidence, all with the bytes that were recorded"
    proven = "the chain is intact" if store else f"{safe(chain.proven, 400)}"
    stdout.print(f"{safe(incident)}: {chain.records} records, {proven}{also}.")
    stdout.print(f"head {chain.head}")


def _chain_json(chain: VerifiedChain) -> dict[str, object]:
    return {
        "incident": chain.incident,
        "records": chain.records,
        "intact": True,
        "head": chain.head,
        "signed_by": chain.signed_by,
        "claimed_key": chain.claimed_key,
        "proven": chain.proven,
    }


def _is_path(text: str) -> bool:
    return text.lower().endswith(".zip") or "/" in text or "\\" in text or Path(text).is_dir()


def _public_key(path: Path) -> VerifyingKey:
    return VerifyingKey.parse(_read(path, "the PEM file of the public key"), str(path))


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4_000_000)
    except OSError as error:
        raise ContentError(f"{path} cannot be read: {error.strerror}.", hint=f"Name {what}.") from error


def _more(faults: list[str]) -> str:
    return (
        f"{len(faults)} faults in all. Compare with another copy." if len(faults) > 1 else "Compare with another copy."
    )

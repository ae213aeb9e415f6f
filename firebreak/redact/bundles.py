"""A bundle with pseudonyms for people, addresses, names, tags and ids: the same graph, sizes, regions, times and amounts, and so the same plans.

redaction = Redaction(bundle, key)
files = redaction.files()                   # plans with the engine's sentences as well as they can be rewritten
files = redaction.files(plans)              # plans that were made anew from the redacted evidence
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from firebreak import __version__
from firebreak.audit import AuditRecord, verify_bytes
from firebreak.bundle import Bundle, Expected
from firebreak.bundle.accepted import ACCEPTED, AcceptedFile, accepting
from firebreak.bundle.contents import checksum_of, decisions_in, lines, to_yaml
from firebreak.bundle.documents import (
    ALERT,
    AUDIT,
    DECISIONS,
    EXPECTED,
    INCIDENT,
    MANIFEST,
    PLAYBOOK,
    AuditPart,
    Derived,
    IncidentFile,
    evidence_file,
    plan_file,
)
from firebreak.bundle.documents import (
    Redaction as RedactedFile,
)
from firebreak.errors import BundleError
from firebreak.evidence import Entry
from firebreak.intake.alerts import case_of
from firebreak.model.canonical import canonical_bytes, digest_of
from firebreak.model.plan import Plan
from firebreak.model.playbook import Playbook
from firebreak.playbook import find_playbooks
from firebreak.redact import public
from firebreak.redact.documents import Documents
from firebreak.redact.pseudonyms import Pseudonyms
from firebreak.redact.records import Renamed, plan_with, records_with, same_actions

_SNAPSHOT = "disk.snapshot"
_SHORTEST_NAME = 4
_WHY = "names, addresses and ids were replaced by pseudonyms"


class Redaction:
    """One bundle and the pseudonyms of everything in it. `unreadable` are bodies of which nothing stays."""

    def __init__(self, bundle: Bundle, key: bytes) -> None:
        self.bundle = bundle
        self.names = Pseudonyms(hashlib.sha256(b"firebreak-redaction-1\n" + key).digest())
        self.texts = Documents(self.names)
        self.renamed = Renamed()
        self.unreadable = 0
        self._shipped = {book.digest for book in find_playbooks().values()}
        chain = bundle.verify()
        if chain.records != bundle.head.audit.records:
            raise BundleError(f"{bundle.place}: audit.jsonl is not whole.", hint="Get the bundle again, whole.")
        self._records = [msgspec.json.decode(line, type=AuditRecord) for line in bundle.audit_log().splitlines()[:-1]]
        clouds = [part.settings.get("cloud") or {} for part in bundle.head.rounds]
        bases = {
            value.rstrip("/")
            for cloud in clouds
            for value in cloud.values()
            if isinstance(value, str) and "://" in value
        }
        self.texts.bases = tuple(sorted(bases, key=len, reverse=True))
        self._bodies = dict(self._read())
        for content in self._bodies.values():
            self.texts.learn(content)
        self._evidence: dict[str, bytes] = {}
        self.files()  # collects
        self.texts.settled()
        self.names.settle(public.own_words())
        self.texts.fix_hints()
        self._fix()
        self.unreadable = 0
        self._evidence = self._changed()

    def _read(self) -> Any:
        seen: set[str] = set()
        for entry in self.bundle.evidence:
            for digest, read in ((entry.digest, self.bundle.body), (entry.request, self.bundle.request)):
                if digest and digest not in seen:
                    seen.add(digest)
                    yield digest, read(entry)

    def _changed(self) -> dict[str, bytes]:
        questions = {entry.request for entry in self.bundle.evidence}
        found = {}
        for digest, content in self._bodies.items():
            new = self.texts.request(content) if digest in questions else self.texts.body(content)
            self.unreadable += new is None
            found[digest] = new or b""
        return found

    def _fix(self) -> None:
        """What Firebreak derives from ids: the case, and the names of what it made in the cloud."""
        head = self.bundle.head
        old = head.incident.case
        new = case_of(
            self.texts.guid(head.incident.customer_tenant_id),
            self.texts.guid(head.incident.subscription_id),
            self.texts.value("", "id", head.alert.id),
        )
        self.renamed.case = (old, new)
        self.names.fix(old.rpartition("-")[2], new.rpartition("-")[2])
        for plan in self._all_plans():
            for action in plan.actions:
                if action.kind == _SNAPSHOT:
                    unique = action.fingerprint.get("uniqueId", "")
                    mark = digest_of([action.target.lower(), unique])[:10]
                    self.names.fix(
                        mark,
                        digest_of([self.texts.value("", "target", action.target).lower(), self.texts.text(unique)])[
                            :10
                        ],
                    )

    def _all_plans(self) -> Iterable[Plan]:
        accepted = self.bundle.accepted
        return [*self.bundle.plans.values(), *(accepted.plans.values() if accepted else ())]

    def plans(self) -> dict[str, Plan]:
        """The plans decided then and those accepted since over the pseudonyms, by their digest in the original."""
        return {plan.digest: self.plan(plan) for plan in self._all_plans()}

    def plan(self, plan: Plan) -> Plan:
        """A plan made from the bundle, over the pseudonyms."""
        ours = plan.playbook_digest == self.bundle.head.playbook.digest
        return plan_with(plan, self.texts, self.renamed, self._playbook().digest if ours else plan.playbook_digest)

    def follow(self, old: Plan, adopted: Plan) -> None:
        """Let what is said of a plan's actions follow into the plan that was made anew in its place."""
        replaced = self.plan(old)
        ids = same_actions(replaced, adopted) if replaced.digest != adopted.digest else {}
        for action, new in zip(old.actions, replaced.actions, strict=True):
            self.renamed.add(action.id, ids.get(new.id, new.id))

    def files(self, plans: Mapping[str, Plan] | None = None, *, same: bool | None = None) -> dict[str, bytes]:
        """Every file of the redacted bundle. `plans` by the digest in the original; `same`: whether replays agreed, when that was tried."""
        bundle, texts, head = self.bundle, self.texts, self.bundle.head
        manifest, evidence = self._manifest()
        chosen = dict(plans or self.plans())
        for old, plan in chosen.items():
            self.renamed.add(old, plan.digest)
        playbook = self._playbook()
        alert = texts.body(bundle.alert) or b"{}"
        self.renamed.add(head.playbook.digest, playbook.digest)
        self.renamed.add(head.alert.raw_digest, hashlib.sha256(alert).hexdigest())
        incident = self.renamed.text(head.incident.id)
        audit = records_with(self._records, incident, texts, self.renamed)
        records = [msgspec.json.decode(line, type=AuditRecord) for line in audit.splitlines()[:-1]]
        chain = verify_bytes(audit, AUDIT)
        files = {
            ALERT: alert,
            PLAYBOOK: canonical_bytes(playbook),
            DECISIONS: lines(decisions_in(records)),
            AUDIT: audit,
            MANIFEST: lines(manifest),
            **{plan_file(chosen[old].digest): canonical_bytes(chosen[old]) for old in bundle.plans},
        }
        if bundle.expected is not None:
            files[EXPECTED] = to_yaml(self._expected(bundle.expected))
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
        settings = [msgspec.structs.replace(part, settings=self._settings(part.settings)) for part in head.rounds]
        document = IncidentFile(
            format=head.format,
            version=head.version,
            engine_version=head.engine_version,
            incident=msgspec.structs.replace(
                head.incident,
                id=incident,
                case=self.renamed.text(head.incident.case),
                note=self.renamed.text(texts.prose(head.incident.note)),
                subscription_id=texts.guid(head.incident.subscription_id),
                customer_tenant_id=texts.guid(head.incident.customer_tenant_id),
                requested_by=texts.value("", "requested_by", head.incident.requested_by),
            ),
            alert=msgspec.structs.replace(
                head.alert,
                id=texts.value("", "id", head.alert.id),
                title=texts.value("", "displayName", head.alert.title),
                raw_digest=hashlib.sha256(alert).hexdigest(),
                redacted=True,
            ),
            playbook=msgspec.structs.replace(head.playbook, title=playbook.title, digest=playbook.digest),
            own_principal_ids=tuple(map(texts.guid, head.own_principal_ids)),
            rounds=tuple(settings),
            plans=tuple(
                msgspec.structs.replace(
                    part, digest=chosen[part.digest].digest, actions=len(chosen[part.digest].actions)
                )
                for part in head.plans
            ),
            redactions=(
                RedactedFile(file=ALERT, why=_WHY),
                *(RedactedFile(file=name, why=_WHY) for name in sorted(evidence)),
            ),
            audit=AuditPart(records=chain.records, head=chain.head),
            files=hashes,
            derived=Derived(how="redacted", engine_version=__version__, replaced=self.names.counts, same_plans=same),
        )
        document = msgspec.structs.replace(document, checksum=checksum_of(msgspec.to_builtins(document)))
        if bundle.accepted is not None:
            files[ACCEPTED] = self._accepted(bundle.accepted, chosen)
        return dict(sorted({**files, **evidence, INCIDENT: to_yaml(document)}.items()))

    def left(self, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Names of the original that still stand in the files: they are words of the cloud's or the engine's own, too."""
        texts = [content.decode("utf-8", "replace").casefold() for content in files.values()]
        words = {word for text in texts for word in public.WORD.findall(text)}
        names = {
            name.casefold()
            for name in self.texts.strict
            if len(name) >= _SHORTEST_NAME and any(letter.isalpha() for letter in name)
        }
        suspects = [name for name in names if all(word in words for word in public.WORD.findall(name))]
        return tuple(sorted(name for name in suspects if any(name in text for text in texts)))

    def _manifest(self) -> tuple[list[Entry], dict[str, bytes]]:
        evidence: dict[str, bytes] = {}
        entries = []
        new = self._evidence or self._changed()
        digests = {old: hashlib.sha256(content).hexdigest() for old, content in new.items()}
        for entry in self.bundle.evidence:
            for old in (entry.digest, entry.request):
                if old:
                    evidence[evidence_file(digests[old])] = new[old]
            entries.append(
                msgspec.structs.replace(
                    entry,
                    url=self.texts.url(entry.url),
                    digest=digests[entry.digest],
                    bytes=len(new[entry.digest]),
                    request=digests[entry.request] if entry.request else "",
                    failure=self.texts.prose(entry.failure),
                    redacted=True,
                )
            )
        return entries, evidence

    def _accepted(self, accepted: AcceptedFile, plans: Mapping[str, Plan]) -> bytes:
        """The last acceptance: the plans of those before are in no bundle."""
        last = accepted.last
        parts = tuple(
            msgspec.structs.replace(part, digest=plans[part.digest].digest, actions=len(plans[part.digest].actions))
            for part in last.plans
        )
        new = msgspec.structs.replace(
            last,
            who=self.texts.text(last.who),
            reason=self.renamed.text(self.texts.prose(last.reason)),
            playbook_digest=self.renamed.of.get(last.playbook_digest, last.playbook_digest),
            plans=parts,
        )
        return accepting(
            None, new, {part.digest: plans[old.digest] for part, old in zip(parts, last.plans, strict=True)}
        )

    def _settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in settings.items() if name not in ("contact", "protection", "known_good")}
        changed = {
            name: self.texts.document(value) if isinstance(value, str) else value for name, value in kept.items()
        }
        contact = settings.get("contact")
        if contact:
            names = ("first_name", "last_name", "email", "phone")
            contact = {name: self.texts.text(str(v)) if name in names and v else v for name, v in contact.items()}
        known_good = [self.texts.document(entry, "known_good") for entry in settings.get("known_good") or ()]
        return {
            **changed,
            "contact": contact,
            "protection": self._protection(settings.get("protection") or {}),
            **({"known_good": known_good} if known_good else {}),
        }

    def _protection(self, protection: dict[str, Any]) -> dict[str, Any]:
        return {
            name: [self.texts.value("protection", name, one) for one in value]
            if isinstance(value, list | tuple)
            else value
            for name, value in protection.items()
        }

    def _playbook(self) -> Playbook:
        book, texts = self.bundle.playbook, self.texts
        rails = book.guard_rails
        named = {
            name: tuple(texts.value("protection", name, one) for one in getattr(rails, name))
            for name in ("protected_tags", "protected_groups", "protected_resources", "protected_principals")
        }
        gates = {
            name: msgspec.structs.replace(gate, requested_by=texts.value("", "requested_by", gate.requested_by))
            for name, gate in book.gates.items()
        }
        parameters = {
            step: {name: texts.document(value, "parameters", name) for name, value in values.items()}
            for step, values in book.parameters.items()
        }
        new = msgspec.structs.replace(
            book, guard_rails=msgspec.structs.replace(rails, **named), gates=gates, parameters=parameters
        )
        return new if book.digest in self._shipped else self._without_texts(new)

    def _without_texts(self, book: Playbook) -> Playbook:
        """A playbook of the operator's: what it says of itself may name somebody."""
        prose = self.texts.prose
        return msgspec.structs.replace(
            book,
            title=prose(book.title),
            description=prose(book.description),
            stages=tuple(msgspec.structs.replace(stage, title=prose(stage.title)) for stage in book.stages),
            gates={name: msgspec.structs.replace(gate, title=prose(gate.title)) for name, gate in book.gates.items()},
        )

    def _expected(self, expected: Expected) -> Expected:
        ids = {
            name: tuple(self.texts.value("", "target", one) for one in getattr(expected, name))
            for name in ("rogue", "legitimate", "attackers")
        }
        return msgspec.structs.replace(expected, **ids)

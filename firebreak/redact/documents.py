"""Recorded answers with pseudonyms in them: JSON with its keys, tables of costs, XML, and what else came."""

from __future__ import annotations

import re
from typing import Any

from firebreak.clients.policies.exchange import decode, encode
from firebreak.clients.policies.redaction import body_without_secrets
from firebreak.redact import public
from firebreak.redact.texts import Texts

_NAME_KEYS_TEXT = """
name displayname userprincipalname mail surname givenname mailnickname domain companyname caller principaldisplayname userdisplayname
serviceprincipalname serviceprincipaldisplayname resourcegroup resourcegroupname computername adminusername signinidentifier upn friendlyname
othermails proxyaddresses emailaddress
"""
_NAME_KEYS = frozenset(_NAME_KEYS_TEXT.split())
_LONGEST_NAME = 200
_PLAIN_KEY = re.compile(r"[@$A-Za-z_][\w.@:/#$-]*")
_XML = re.compile(r"<(?P<tag>[A-Za-z][\w-]*)(?P<attributes>[^<>]*)>(?P<text>[^<]*)")
_ATTRIBUTE = re.compile(r'="([^"]*)"')


# Of sign-in methods and of accounts: what plans show no more of than a hint.
_CONTACTS = frozenset({"phoneNumber", "emailAddress", "mobilePhone", "businessPhones", "otherMails"})


class Documents(Texts):
    """`Texts` that know the documents of the cloud."""

    def learn(self, content: bytes) -> None:
        """Note what an answer says is the cloud's own: built-in roles and policies, Microsoft's applications, regions."""
        try:
            document = decode(content)
        except (ValueError, RecursionError):
            return
        self._learn(document)

    def _learn(self, value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                self._learn(item)
        elif isinstance(value, dict):
            if _is_built_in(value):
                self._note_public(value)
            elif self._is_public_thing(value):
                self._note_texts(value)
            for key, item in value.items():
                if key in _CONTACTS:
                    self.contacts |= {
                        one.strip() for one in (item if isinstance(item, list) else [item]) if isinstance(one, str)
                    }
                if isinstance(item, str) and key.lower() in ("location", "armregionname", "primarylocation"):
                    self.regions.add(item.lower())
                elif isinstance(item, dict | list):
                    self._learn(item)

    def _note_texts(self, value: Any) -> None:
        """The names of a region, a size, a limit: each is one text, or a name with its translation."""
        for name in ("name", "displayName", "regionalDisplayName", "value", "localizedValue"):
            item = value.get(name)
            if isinstance(item, str):
                self.public_texts.add(item.lower())
            elif isinstance(item, dict):
                self._note_texts(item)

    def _note_public(self, value: Any) -> None:
        if str(value.get("appOwnerOrganizationId", "")).lower() == public.MICROSOFT:
            texts = [str(value.get(name) or "") for name in ("displayName", "appDisplayName", "appId")]
            roles = [role for role in value.get("appRoles") or () if isinstance(role, dict)]
            texts += [str(role.get(name) or "") for role in roles for name in ("id", "value", "displayName")]
            scopes = [scope for scope in value.get("oauth2PermissionScopes") or () if isinstance(scope, dict)]
            named = {str(one.get("value") or "").lower() for one in (*roles, *scopes)}
            self.public_scopes |= {one for one in named if one}
        else:
            properties = value.get("properties")
            inner: dict[str, Any] = properties if isinstance(properties, dict) else value
            names = ("roleName", "displayName", "name", "id", "templateId")
            texts = [str(holder.get(name) or "") for holder in (value, inner) for name in names]
        for text in filter(None, texts):
            found = public.GUID.findall(text.rpartition("/")[2])
            if found:
                self.public_guids.update(one.lower() for one in found)
            else:
                self.public_texts.add(text.lower())

    def body(self, content: bytes) -> bytes | None:
        """A body with pseudonyms and without secrets; None: it cannot be read, so that nothing of it may stay."""
        clean = body_without_secrets(content)[0]
        if not clean.strip():
            return clean
        try:
            return encode(self.document(decode(clean)))
        except (ValueError, RecursionError):
            pass
        try:
            text = clean.decode("utf-8")
        except UnicodeDecodeError:
            return None
        return (self._xml(text) if text.lstrip().startswith("<") else self.text(text)).encode()

    def request(self, content: bytes) -> bytes | None:
        """The body of a question: Firebreak wrote it, so that its own words in it are words."""
        try:
            return encode(_each(decode(body_without_secrets(content)[0]), self._asked))
        except (ValueError, RecursionError):
            return self.body(content)

    def _asked(self, text: str) -> str:
        return text if text.lower() in public.own_texts() else self._scan(text, self._own_or_word)

    def document(self, value: Any, parent: str = "", key: str = "") -> Any:
        """A document, or a part of one that stands under `key` below `parent`."""
        if isinstance(value, str):
            if (parent, key, value) not in self._known and key.lower().rpartition("/")[2] in _NAME_KEYS:
                self._note_name(parent, key, value)
            return self.value(parent, key, value)
        if isinstance(value, list):
            return [self.document(item, parent, key) for item in value]
        if not isinstance(value, dict):
            return value
        if _is_built_in(value):
            return _each(value, self.kept)
        if isinstance(value.get("columns"), list) and isinstance(value.get("rows"), list):
            return self._table(value)
        said = value.get("key", value.get("displayName")) if {"value", "newValue", "oldValue"} & value.keys() else None
        under = str(said) if isinstance(said, str) and len(value) <= 3 and _PLAIN_KEY.fullmatch(said) else ""
        named = key.lower() in public.TAKES_NAMES_AS_KEYS
        is_thing = self._is_public_thing(value)
        result: dict[str, Any] = {}
        for name, item in value.items():
            shown = self._key(name, named=named)
            if is_thing and name == "name" and isinstance(item, str):
                result[shown] = item
            elif under and name in ("value", "newValue", "oldValue"):
                result[shown] = self.document(item, key, under)
            else:
                result[shown] = self.document(item, key, name)
        return result

    def _note_name(self, parent: str, key: str, value: str) -> None:
        if not 2 < len(value) < _LONGEST_NAME:
            return
        pairs = public.kept_keys()[1]
        kept = f"{parent}.{key}".lower() in pairs or self._is_kept_name(value) or public.GUID.fullmatch(value)
        known = value.lower() in public.own_texts() and key.lower() not in public.NAMED
        if not kept and not known and value.lower() not in self.public_texts:
            self.strict.add(value)

    @staticmethod
    def _is_public_thing(value: dict[str, Any]) -> bool:
        parts = str(value.get("id") or "").lower().split("/")
        return len(parts) > 2 and parts[-2] in public.PUBLIC_TYPES and public.GUID.fullmatch(parts[-1]) is None

    def _key(self, name: str, *, named: bool) -> str:
        if named and not public.is_own_key(name):
            return self.text(name)
        if public.GUID.search(name) or "@" in name[1:] or not (_PLAIN_KEY.fullmatch(name) or name.startswith("http")):
            return self.value("", "", name)
        return name

    def _table(self, value: dict[str, Any]) -> dict[str, Any]:
        columns = [str(c.get("name", "")) if isinstance(c, dict) else "" for c in value["columns"]]
        rows = [
            [self.document(cell, "rows", name) for name, cell in zip(columns, row, strict=False)]
            if isinstance(row, list) and len(row) == len(columns)
            else self.document(row)
            for row in value["rows"]
        ]
        rest = {name: self.document(item, "", name) for name, item in value.items() if name not in ("columns", "rows")}
        return {**rest, "columns": self.document(value["columns"], "", "columns"), "rows": rows}

    def _xml(self, text: str) -> str:
        def replaced(found: re.Match[str]) -> str:
            tag = found.group("tag")
            attributes = _ATTRIBUTE.sub(lambda one: f'="{self.text(one.group(1))}"', found.group("attributes"))
            return f"<{tag}{attributes}>{self.value('', tag, found.group('text'))}"

        return _XML.sub(replaced, text)


def _is_built_in(value: dict[str, Any]) -> bool:
    properties = value.get("properties")
    inner: dict[str, Any] = properties if isinstance(properties, dict) else {}
    return (
        inner.get("policyType") in ("BuiltIn", "Static")
        or inner.get("type") == "BuiltInRole"
        or value.get("isBuiltIn") is True
        or str(value.get("appOwnerOrganizationId", "")).lower() == public.MICROSOFT
    )


def _each(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    return {name: _each(item, change) for name, item in value.items()} if isinstance(value, dict) else value

"""What a person's hands do in the two versions of the Prefect UI: open the run, open its form, choose, type, submit."""

from __future__ import annotations

from typing import Protocol

from playwright.sync_api import Locator, Page, expect

SEVERAL = "Leave Out"  # the one field in which more than one thing may be chosen


class Hands(Protocol):
    """One version of the UI. `open` returns the dialog."""

    def open(self, page: Page, run: str) -> Locator: ...

    def choose(self, page: Page, dialog: Locator, field: str, option: str) -> None: ...

    def type(self, dialog: Locator, field: str, text: str) -> None: ...

    def submit(self, dialog: Locator) -> None: ...

    def retry(self, page: Page, run: str) -> None: ...


class OldUi:
    """V1: Resume stands at the top right."""

    def open(self, page: Page, run: str) -> Locator:
        page.goto(run)
        page.get_by_role("button", name="Resume").first.click()
        dialog = page.locator(".p-modal__card")
        expect(self._field(dialog, "Decision")).to_be_visible()
        page.wait_for_timeout(600)  # the dialog slides in
        return dialog

    def _field(self, dialog: Locator, field: str) -> Locator:
        label = dialog.page.locator(".schema-form-property__label", has_text=field)
        return dialog.locator(".schema-form-property").filter(has=label)

    def choose(self, page: Page, dialog: Locator, field: str, option: str) -> None:
        control = self._field(dialog, field).locator(".p-select-button__control")
        control.scroll_into_view_if_needed()
        # A click on the text opens this UI's lists and closes them at once; the arrow at its end and the keyboard work.
        control.press("ArrowDown")
        page.locator(".p-select-option", has_text=option).first.click()
        page.keyboard.press("Escape")
        expect(self._field(dialog, field)).to_contain_text(option)

    def type(self, dialog: Locator, field: str, text: str) -> None:
        self._field(dialog, field).locator("textarea, input").first.fill(text)

    def submit(self, dialog: Locator) -> None:
        _click_until_taken(dialog, "Submit")

    def retry(self, page: Page, run: str) -> None:
        page.goto(run)
        page.get_by_role("button", name="Retry").first.click()
        dialog = page.locator(".p-modal__card")
        page.wait_for_timeout(600)  # the dialog slides in
        _confirm_retry(page, dialog)


class NewUi:
    """V2, under /v2/: Resume stands in the menu with three dots."""

    def open(self, page: Page, run: str) -> Locator:
        page.goto(run.replace("/runs/", "/v2/runs/"))
        page.get_by_role("button", name="Open menu").first.click()
        page.get_by_role("menuitem", name="Resume").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("Decision")).to_be_visible()
        return dialog

    def choose(self, page: Page, dialog: Locator, field: str, option: str) -> None:
        control = dialog.get_by_label(field)
        control.click()
        wanted = page.get_by_role("option", name=option).first
        label = wanted.inner_text()
        wanted.click()
        if field == SEVERAL:  # a list for one choice closes by itself, and Escape would then close the dialog
            page.keyboard.press("Escape")
        expect(page.get_by_role("listbox")).to_be_hidden()
        expect(control.locator("xpath=..")).to_contain_text(label[:12])  # beside or, of several, below the control

    def type(self, dialog: Locator, field: str, text: str) -> None:
        dialog.get_by_label(field).fill(text)

    def submit(self, dialog: Locator) -> None:
        _click_until_taken(dialog, "Resume")

    def retry(self, page: Page, run: str) -> None:
        page.goto(run.replace("/runs/", "/v2/runs/"))
        page.get_by_role("button", name="Open menu").first.click()
        page.get_by_role("menuitem", name="Retry").click()
        _confirm_retry(page, page.get_by_role("alertdialog"))


def _confirm_retry(page: Page, dialog: Locator) -> None:
    with page.expect_response(lambda answer: answer.url.endswith("/set_state")) as answered:
        dialog.get_by_role("button", name="Retry").click()
    assert answered.value.status < 300, answered.value.text()
    assert answered.value.json()["status"] == "ACCEPT"


def _click_until_taken(dialog: Locator, button: str) -> None:
    """Click, and again when the dialog stays open since the server's SQLite was locked (503), as a person would."""
    for _ in range(3):
        with dialog.page.expect_response(lambda answer: answer.url.endswith("/resume")) as answered:
            dialog.get_by_role("button", name=button).click()
        if answered.value.status < 500:
            break
    assert answered.value.status < 300, answered.value.text()
    expect(dialog).to_be_hidden()

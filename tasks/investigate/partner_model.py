"""How this installation itself signs in: by the secure application model, as an application, or in a way that cannot stay."""

from __future__ import annotations

from firebreak.analysis.partner.judging import Claim
from firebreak.model.case import Case
from firebreak.model.partner import SecureModel
from firebreak.model.step import Effect, Step

STEP = Step(
    id="investigate.partner_model",
    title="Check how Firebreak itself signs in",
    effect=Effect.READ,
    description=(
        "Looks at its own settings: Microsoft's secure application model for what is done on behalf of a person, an application's own identity "
        "otherwise, and never a person's password."
    ),
    guidance=("S96", "S97"),
    produces=SecureModel,
    parameters={"credential_kind": "How the settings say that it signs in; made by the engine."},
)

MODEL = Claim(
    id="own-secure-model",
    row="S96",
    step=STEP.id,
    title="Firebreak works with Partner Center by Microsoft's secure application model",
    advice="Set FIREBREAK_CREDENTIAL__KIND=secure_application_model and give the consent: see the guide on the secure application model.",
)
NO_PASSWORDS = Claim(
    id="own-no-passwords",
    row="S97",
    step=STEP.id,
    title="Firebreak signs in nowhere with a person's password",
    advice="Name a kind of credential in FIREBREAK_CREDENTIAL__KIND that belongs to an application.",
)
_APPLICATIONS = ("client_secret", "certificate", "managed_identity")


def conclude(case: Case) -> SecureModel:
    kind = str(case.parameter(STEP.id, "credential_kind", ""))
    if not kind:
        checks = (MODEL.unread("The settings were not told."), NO_PASSWORDS.unread("The settings were not told."))
        return SecureModel(checks=checks)
    is_model = kind == "secure_application_model"
    line = f"FIREBREAK_CREDENTIAL__KIND is {kind}"
    wrong = [] if is_model else [line]
    if kind in _APPLICATIONS:
        reason = "It signs in as an application alone: calls on behalf of a person are refused to it, and what needs them is not looked at."
    else:
        reason = "It uses whatever sign-in the machine has, which may be a person's own."
    foreign = [] if is_model or kind in _APPLICATIONS else [line]
    return SecureModel(
        checks=(
            MODEL.judged(wrong, failed=reason, passed="It does.", seen=[line]),
            NO_PASSWORDS.judged(
                foreign,
                failed="It uses whatever sign-in the machine has, which may be a person's own.",
                passed="There is no kind of credential that takes a person's password.",
                seen=[line],
            ),
        )
    )

"""Letters about an incident, for people to send: to the customer, to Azure support, about a missed attack, about fraud; in five languages.

    letter = write_letter(facts, kind="customer-notice", language="nl")
    letter.subject, letter.body

Facts come from the incident (`facts_of`), sentences from `words/<language>.yaml`, dates, numbers and money as the language writes them (Babel).
Nothing here is sent.
"""

from firebreak.report.letters.facts import LetterFacts, facts_of
from firebreak.report.letters.writing import KINDS, LANGUAGES, Letter, write_letter

__all__ = ["KINDS", "LANGUAGES", "Letter", "LetterFacts", "facts_of", "write_letter"]

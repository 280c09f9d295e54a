"""What each member means of what people look at: days, and who did what."""

from collections.abc import Mapping

from infra.interfaces.words import COUNT_FORM, TIME_FORM, UUID_FORM, Word

WORDS_OF_PEOPLE: Mapping[str, Word] = {
    "day": Word("The day, in UTC.", {"format": "date"}),
    "days": Word("A row a day, oldest first."),
    "Day.balance": Word("The balance at the day's end.", COUNT_FORM),
    "FleetDay.balance": Word("The credits of all merchants at the day's end.", COUNT_FORM),
    "used": Word("Credits that orders used, less what their edits and refunds gave back."),
    "merchants": Word("Merchants at the day's end.", COUNT_FORM),
    "enabled": Word("Merchants whose plugin is on at the day's end.", COUNT_FORM),
    "disabled": Word("Merchants whose plugin is off at the day's end.", COUNT_FORM),
    "low": Word("Merchants with a low balance at the day's end.", COUNT_FORM),
    "Day.orders": Word("Orders recorded on the day.", COUNT_FORM),
    "FleetDay.orders": Word("Orders recorded on the day.", COUNT_FORM),
    "Day.shortfall": Word("Credits asked for on the day and not there.", COUNT_FORM),
    "FleetDay.shortfall": Word("Credits asked for on the day and not there.", COUNT_FORM),
    "FleetDay.parked": Word("Messages parked on the day.", COUNT_FORM),
    "Action.time": Word("When it was done.", TIME_FORM),
    "did": Word(
        "What was done: `adjusted`, `threshold_set`, `levels_set`, `grace_set`, `frozen`, `unfrozen`, "
        "`letter_retried`, `letter_discarded`, `linked`, `unlinked`, or what a newer release does."
    ),
    "Action.merchant_id": Word("The merchant that it concerns; null if none is known.", UUID_FORM),
    "Action.details": Word("Its details; the members depend on `did`."),
}

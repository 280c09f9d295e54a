"""What each member about time means: credits that lapse (contract, section 16). See `words`."""

from collections.abc import Mapping

from infra.interfaces.words import TIME_FORM, Word

WORDS_OF_TIME: Mapping[str, Word] = {
    "lots": Word("The credits that lapse, in the order in which they do; the rest of the balance never lapses."),
    "Lot.expires_at": Word("When they lapse.", TIME_FORM),
    "Lot.credits": Word("How many are left.", {"minimum": 1}),
    "drawn": Word(
        "What it took from credits that lapse, or added to them: pairs of the instant at which they lapse and a number "
        "of credits."
    ),
    "expires_at": Word("When the credits lapse, if they were not used before: an instant, a date, or Unix time."),
    "expires_in_days": Word("The same, in days from when they are recorded. Only one of the two may be given."),
    "period_end": Word(
        "When the period ends. With the setting `SUBSCRIPTION_EXPIRES=period` the renewal's credits lapse then."
    ),
    "CreditsExpiring.transaction_id": Word("Null: nothing has moved yet."),
    "CreditsExpiring.credits": Word("How many will lapse if no more are used.", {"minimum": 1}),
    "CreditsExpiring.expires_at": Word("When they will lapse.", TIME_FORM),
    "CreditsExpiring.days": Word("How many days before that it is announced.", {"minimum": 1}),
    "CreditsExpired.credits": Word("How many lapsed.", {"minimum": 1}),
    "CreditsExpired.expires_at": Word("When they were to lapse; recorded at that time, or soon after it.", TIME_FORM),
}

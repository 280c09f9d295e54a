"""The rest of the glossary: time (contract, sections 16 and 17), days, who did what, and many adjustments at once."""

from collections.abc import Mapping

from chalicelib.contracts.outbound.published import STATUS_REASONS
from chalicelib.domain.terms import NAME_LENGTH_MAX
from infra.interfaces.words import COUNT_FORM, TIME_FORM, UUID_FORM, WORDS, Word

_MORE: Mapping[str, Word] = {
    # Dead letters
    "LetterPagination.complete": Word(
        "Whether all dead letters were seen; if not, newer ones than those of this page may be missing."
    ),
    # Runway, credits that lapse, levels, grace, freeze
    "runway": Word("How long the credits last; null until three days and ten orders have passed."),
    "StatusWithDays.days_left": Word(
        "Whole days that the credits last, rounded down; null if more than ten years, or not known.", COUNT_FORM
    ),
    "days_left": Word("Whole days that the credits last, rounded down; null if more than ten years.", COUNT_FORM),
    "empty_on": Word("The day on which the last credit is used, in UTC.", {"format": "date"}),
    "per_day": Word(
        "Credits that orders use per day, less what edits and refunds give back; a week ago counts half of today.",
        {"minimum": 0},
    ),
    "lots": Word("The credits that lapse, soonest first; the rest of the balance never lapses."),
    "Lot.expires_at": Word("When they lapse.", TIME_FORM),
    "Lot.credits": Word("How many are left.", {"minimum": 1}),
    "drawn": Word(
        "The lapsing credits that it took or added: pairs of the instant at which they lapse and a number of credits."
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
    "levels": Word("The levels in force; null if there are none."),
    "Levels.levels": Word("Up to five."),
    "percent_of": Word(
        "The balance after the last inflow, of which levels in percent are a share; null if there are none.", COUNT_FORM
    ),
    "LevelsRequest.levels": Word("Up to five, each with a name of its own; empty: none; null: the fleet's."),
    "own": Word("Whether an admin set them for this account; otherwise they are the fleet's."),
    "WatchedLevel.name": Word("What the level is called."),
    "AlertLevel.name": Word(
        "What the level is called: small letters, digits, - and _.", {"maxLength": NAME_LENGTH_MAX}
    ),
    "at": Word("How many of the unit: the account is below the level at that many or fewer.", COUNT_FORM),
    "unit": Word("Credits, percent of the balance after the last inflow, or days of runway."),
    "below": Word("Whether the account is below it."),
    "level": Word("The level's name."),
    "direction": Word("`down`: it is below the level now; `up`: it is above it again."),
    "LevelCrossed.transaction_id": Word(
        "The transaction that crossed it; null: time alone, or changed levels.", UUID_FORM
    ),
    "grace": Word("The grace, running or over; null once the balance was above the low-balance threshold again."),
    "GraceRequest.grace": Word("The limits of the next grace; null: the fleet's."),
    "grace_terms": Word("Limits of its own, set by an admin; null: the fleet's."),
    "hours": Word("How long a grace lasts; 0: no such limit.", COUNT_FORM),
    "GraceTerms.credits": Word("How many credits may be owed in it; 0: no such limit.", COUNT_FORM),
    "GraceLimits.credits": Word("How many credits may be owed in it; 0: no such limit.", COUNT_FORM),
    "Grace.credits": Word("How many credits may be owed in it; null: no such limit.", {"minimum": 1}),
    "GraceStarted.credits": Word("How many credits may be owed in it; null: no such limit.", {"minimum": 1}),
    "running": Word("Whether it keeps the plugin on."),
    "started_at": Word("When the last credit was used.", TIME_FORM),
    "ends_at": Word("When it ends at the latest; null: no such limit.", TIME_FORM),
    "Grace.used": Word("How many credits are owed because of it.", COUNT_FORM),
    "ended_at": Word("When it ended.", TIME_FORM),
    "ended_by": Word("What ended it: its time, its credits, or an inflow above the debt."),
    "GraceEnded.reason": Word("What ended it: its time, its credits, or an inflow above the debt."),
    "GraceEnded.transaction_id": Word("The transaction that ended it; null: time did.", UUID_FORM),
    "StatusChanged.reason": Word("Why.", {"enum": list(STATUS_REASONS)}),
    "freeze": Word("The account's freeze, which keeps its plugin off; null: it is not frozen."),
    "Freeze.reason": Word("Why, in the admin's words."),
    "Freeze.admin_id": Word("Who froze it."),
    "Freeze.since": Word("Since when it is frozen.", TIME_FORM),
    "Freeze.until": Word("When the freeze ends; null: when somebody unfreezes it.", TIME_FORM),
    "Freeze.transaction_id": Word("The transaction that froze it.", UUID_FORM),
    "FreezeRequest.reason": Word("Why; kept with the transaction."),
    "until": Word("When the freeze ends: an instant in the future, a date, or Unix time; absent or null: no end."),
    "CreditsExpired.expires_at": Word("When they lapsed; recorded at that time, or soon after it.", TIME_FORM),
    # Days, and who did what
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
    # Many adjustments at once
    "batch_credits": Word("All credits that the batch moves, unsigned.", COUNT_FORM),
    "batch": Word("The batch's id, derived from the file's content."),
    "needs_confirming": Word("Whether another admin has to ask for the same before any row counts."),
    "rows": Word("The rows in the order in which they are to be applied."),
    "bad": Word("The rows that cannot be read."),
    "csv": Word("The file's text: a header `merchant_id,credits,reason`, then rows with signed credits."),
    "undo": Word("Whether the plan undoes the file."),
    "Plan.batch_credits": Word("All credits that the batch moves, unsigned, rows applied before included.", COUNT_FORM),
    "PlannedRow.line": Word("The row's line in the file, from 1.", {"minimum": 1}),
    "Bad.line": Word("The row's line in the file, from 1.", {"minimum": 1}),
    "Bad.column": Word("The column that cannot be read."),
    "PlannedRow.adjustment_id": Word("The adjustment's id: its `Idempotency-Key`."),
    "WaitingAdjustment.adjustment_id": Word("The adjustment's id: its `Idempotency-Key`."),
    "PlannedRow.credits": Word("Credits, signed."),
    "state": Word("What applying the row would do.", {"enum": ["apply", "done", "skipped", "refused"]}),
    "before": Word("The balance before the row; null if there is no account.", COUNT_FORM),
    "after": Word("The balance after the row; null if it would be refused.", COUNT_FORM),
    "turns": Word("Whether it switches the plugin on or off; null if neither.", {"enum": ["on", "off"]}),
    "why": Word("Why the row is refused, bad or skipped."),
    "WaitingAdjustments.waiting": Word("The waiting adjustments, the oldest first."),
    "more": Word("Whether there are more than are listed."),
    "WaitingAdjustment.transaction_id": Word("The id that its transaction would have.", UUID_FORM),
    "asked_by": Word("The admin who asked for it."),
    "asked_at": Word("When it was asked for.", TIME_FORM),
}

GLOSSARY: Mapping[str, Word] = {**WORDS, **_MORE}
"""Every member of every schema. A test holds it complete, and free of what no schema has."""

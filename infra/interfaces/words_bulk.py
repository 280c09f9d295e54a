"""What each member means of many adjustments at once."""

from collections.abc import Mapping

from infra.interfaces.words import COUNT_FORM, TIME_FORM, UUID_FORM, Word

WORDS_OF_MANY: Mapping[str, Word] = {
    "batch_credits": Word("All credits that the batch moves, unsigned.", COUNT_FORM),
    "batch": Word("The batch's id, derived from the file's content."),
    "needs_confirming": Word("Whether another admin has to ask for the same before anything of it counts."),
    "rows": Word("The rows in the order in which they are to be applied."),
    "bad": Word("The rows that cannot be read."),
    "csv": Word("The file's text: a heading `merchant_id,credits,reason` and a row each, credits signed."),
    "undo": Word("Whether the plan is to take the file back."),
    "Plan.batch_credits": Word("All credits that the batch moves, unsigned, rows applied before included.", COUNT_FORM),
    "PlannedRow.line": Word("The row's line in the file, from 1.", {"minimum": 1}),
    "Bad.line": Word("The row's line in the file, from 1.", {"minimum": 1}),
    "Bad.column": Word("The column that cannot be read."),
    "PlannedRow.adjustment_id": Word("The adjustment's id: its `Idempotency-Key`."),
    "WaitingAdjustment.adjustment_id": Word("The adjustment's id: its `Idempotency-Key`."),
    "PlannedRow.credits": Word("Credits, signed."),
    "state": Word("What applying the row would do.", {"enum": ["apply", "done", "skipped", "refused"]}),
    "before": Word("The balance before the row; null where there is no account.", COUNT_FORM),
    "after": Word("The balance after the row; null where it would be refused.", COUNT_FORM),
    "turns": Word("Whether the plugin goes on or off by it; null where it stays.", {"enum": ["on", "off"]}),
    "why": Word("Why the row is refused, bad or skipped."),
    "waiting": Word("What waits, the oldest first."),
    "more": Word("Whether more is waiting than is listed."),
    "WaitingAdjustment.transaction_id": Word("The id that its transaction would have.", UUID_FORM),
    "asked_by": Word("The admin who asked for it."),
    "asked_at": Word("When it was asked for.", TIME_FORM),
}

"""What each member means of many adjustments at once."""

from collections.abc import Mapping

from infra.interfaces.words import COUNT_FORM, TIME_FORM, UUID_FORM, Word

WORDS_OF_MANY: Mapping[str, Word] = {
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
    "waiting": Word("The waiting adjustments, the oldest first."),
    "more": Word("Whether there are more than are listed."),
    "WaitingAdjustment.transaction_id": Word("The id that its transaction would have.", UUID_FORM),
    "asked_by": Word("The admin who asked for it."),
    "asked_at": Word("When it was asked for.", TIME_FORM),
}

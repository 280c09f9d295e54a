"""Deliberate bugs, each the kind of mistake that a ledger like this one is made with, as changes of the text."""

from collections.abc import Sequence
from dataclasses import dataclass

WORK, OVERRIDING = "chalicelib/usecases/work.py", "chalicelib/usecases/overriding.py"
OVERRIDE, COMPENSATING = "chalicelib/domain/override.py", "chalicelib/domain/compensating.py"
POSTING, FOLD, LEDGER = "chalicelib/usecases/posting.py", "chalicelib/domain/fold.py", "chalicelib/domain/ledger.py"
DEBT, REVERSALS = "chalicelib/domain/grace.py", "chalicelib/domain/reversals.py"
OUTCOMES, EDITS = "chalicelib/domain/outcomes.py", "chalicelib/domain/edits.py"
ORDERS = "chalicelib/domain/orders.py"
DYNAMODB, ITEMS = "chalicelib/adapters/dynamodb/ledger.py", "chalicelib/adapters/dynamodb/items.py"
BUS, PUBLISHED = "chalicelib/adapters/eventbridge.py", "chalicelib/contracts/outbound/published.py"
BATCH, INBOUND = "chalicelib/handlers/batch.py", "chalicelib/handlers/ingest_events.py"
PARKING = "chalicelib/handlers/parking.py"
MESSAGES = "chalicelib/contracts/inbound/messages.py"
INBOUND_REVERSALS = "chalicelib/contracts/inbound/reversals.py"
LETTERS, TELLING = "chalicelib/contracts/letters.py", "infra/commands/republishing.py"
STREAM_RECORDS, LEDGER_READER = "chalicelib/handlers/stream_records.py", "chalicelib/adapters/dynamodb/ledger_reader.py"
AUDIT, RECONCILING = "chalicelib/domain/audit.py", "chalicelib/usecases/reconciling.py"
REBUILDING, AGREEMENT = "infra/recovery/rebuilding.py", "infra/recovery/agreement.py"
DERIVATION, STORY = "chalicelib/domain/derivation.py", "chalicelib/contracts/api/story.py"
NAMES, OPENINGS = "chalicelib/domain/names.py", "infra/commands/openings.py"
FIGURES, ENDING = "chalicelib/handlers/roll_up.py", "chalicelib/usecases/ending.py"
SHOP_ORDERS, PAYLOADS = "chalicelib/contracts/inbound/orders.py", "chalicelib/contracts/inbound/payloads.py"
ENVELOPES = "chalicelib/contracts/inbound/envelopes.py"
RENEWALS, MOVING = "chalicelib/contracts/inbound/renewals.py", "chalicelib/domain/moving.py"
ALERTS, GRACE = "chalicelib/domain/alerts.py", "chalicelib/domain/grace.py"
LOTS, FALLING_DUE = "chalicelib/domain/lots.py", "chalicelib/usecases/falling_due.py"
DUE, ACCOUNT_ATTRIBUTES = "chalicelib/domain/due.py", "chalicelib/adapters/dynamodb/account_attributes.py"
STATUS_TABLE = "chalicelib/adapters/dynamodb/status_table.py"
LINKING, COMPARING = "chalicelib/usecases/linking.py", "chalicelib/usecases/comparing.py"
VALUES, MOMENTS = "chalicelib/contracts/values.py", "chalicelib/contracts/moments.py"
IDS = "chalicelib/domain/ids.py"


@dataclass(frozen=True)
class Change:
    """A text that stands in a file exactly once, and what stands there instead."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A bug, by its name; one that shows in few of the runs says in which `scenario` of the sweep to look first.

    What the simulator does not run, a command say, names the `tests` that have to catch it instead.
    """

    name: str
    changes: Sequence[Change]
    scenario: str | None = None
    tests: str | None = None


def _mutant(name: str, *changes: tuple[str, str, str], scenario: str | None = None, tests: str | None = None) -> Mutant:
    return Mutant(name, tuple(Change(*change) for change in changes), scenario, tests)


_KNOWN = '"ConditionExpression": "#known=:known",'
_ABSENT = '"attribute_not_exists(transaction_id)"'
_GUARDED = "        actions += [self._new_item(guard_item(guard)) for guard in commit.guards]\n"
_ALWAYS = '"attribute_exists(merchant_id)"'
_SENT = '            self._client.transact_write_items(TransactItems=cast("Any", actions))\n'

MUTANTS = (
    # What real senders send.
    _mutant(
        "ignored but recorded",
        (
            SHOP_ORDERS,
            "reference_id=order_id))\n                continue\n",
            "reference_id=order_id))\n",
        ),
    ),
    _mutant("currency compared case-sensitively", (VALUES, "    code = value.upper()\n", "    code = value\n")),
    _mutant(
        "a refund in any currency",
        (COMPENSATING, "or returned is None or sold == returned:", "or returned is None or sold:"),
    ),
    _mutant("gid not unwrapped", (IDS, "    return number[1] if number else text\n", "    return text\n")),
    _mutant(
        "a correlation id cut instead of dropped",
        (
            VALUES,
            "OptionalCorrelationId = Annotated[str | None, lenient(lambda value, _: text_id(value, longest=KEY_LENGTH_MAX))]",
            "OptionalCorrelationId = Annotated[\n    str | None,\n"
            "    lenient(lambda value, _: text_id(value[:KEY_LENGTH_MAX] if isinstance(value, str) else value, "
            "longest=KEY_LENGTH_MAX)),\n]",
        ),
    ),
    _mutant(
        "a delivery id as a renewal's key",
        (
            ENVELOPES,
            "return None if self.idempotency_key == self.event_id else self.idempotency_key",
            "return self.idempotency_key",
        ),
    ),
    _mutant(
        "period_repeated swallowed as a duplicate",
        (
            OUTCOMES,
            "        return _repeated_too_late(movement, transaction) or Duplicate(transaction)",
            "        return Duplicate(transaction)",
        ),
    ),
    _mutant(
        "a period by its spelling",
        (RENEWALS, "            return period_name(self.period_start)\n", "            return self.period_start\n"),
    ),
    _mutant(
        "a naive date as local time",
        (
            MOMENTS,
            "(found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)",
            "found.astimezone(UTC)",
        ),
        tests="tests/formats/test_lenient.py",
    ),
    _mutant(
        "what is ignored counted at every delivery",
        (
            BATCH,
            "        if event.movements:\n            self._requests.append((message, event))\n        else:\n"
            "            self._without_movements.append((message, event))\n",
            "        self._settled(event)\n        if event.movements:\n            self._requests.append((message, event))\n",
        ),
        tests="tests/functions/test_ignored.py",
    ),
    _mutant(
        "the headers of a CloudEvent before its body",
        (
            ENVELOPES,
            "        return _from_platform({**outer, **present}, reading, prefix=prefix)",
            "        return _from_platform({**present, **outer}, reading, prefix=prefix)",
        ),
        tests="tests/formats/test_lenient.py",
    ),
    # The write.
    _mutant(
        "check, then write",
        (
            DYNAMODB,
            "        actions = [self._account_action(commit)] if commit.writes_account else []\n",
            "        known = self.read([commit.merchant_id], [transaction.transaction_id for transaction in commit.transactions])\n"
            "        account = known.accounts.get(commit.merchant_id)\n"
            "        if account != commit.before or known.transactions:\n"
            "            return Refused(account=account, transactions=tuple(known.transactions.values()))\n"
            "        actions = [self._account_action(commit)] if commit.writes_account else []\n",
        ),
        (DYNAMODB, _KNOWN, '"ConditionExpression": "attribute_exists(merchant_id)",'),
        (DYNAMODB, _ABSENT, '"attribute_not_exists(nothing)"'),
    ),
    _mutant(
        "ADD to the balance without a condition",
        (DYNAMODB, _KNOWN, '"ConditionExpression": "attribute_exists(merchant_id)",'),
        (
            DYNAMODB,
            '        key = {"merchant_id": item.pop("merchant_id")}\n',
            '        key = {"merchant_id": item.pop("merchant_id")}\n'
            '        del item["balance"]\n'
            '        moved = {"N": str(commit.after.balance - commit.before.balance)}\n',
        ),
        (
            DYNAMODB,
            '        return {\n            "Update": {\n                "TableName": self._credits_table,',
            '        names["#balance"], values[":moved"] = "balance", moved\n'
            '        expression += " ADD #balance :moved"\n'
            '        return {\n            "Update": {\n                "TableName": self._credits_table,',
        ),
    ),
    _mutant(
        "the balance without its version",
        (DYNAMODB, _KNOWN, '"ConditionExpression": "attribute_exists(merchant_id)",'),
    ),
    _mutant("a transaction without its condition", (DYNAMODB, _ABSENT, '"attribute_not_exists(nothing)"')),
    _mutant(
        "balance and transactions in two writes",
        (
            DYNAMODB,
            _SENT,
            '            self._client.transact_write_items(TransactItems=cast("Any", actions[:1]))\n'
            "            if actions[1:]:\n"
            '                self._client.transact_write_items(TransactItems=cast("Any", actions[1:]))\n',
        ),
    ),
    _mutant(
        "TransactionConflict taken for a duplicate",
        (
            DYNAMODB,
            "                return Refused(account=commit.before, contended=True",
            "                return Committed() if error else Refused(account=commit.before, contended=True",
        ),
        (
            DYNAMODB,
            "            return replace(refused, repeated=_repeated(error))\n",
            "            if refused.contended and not refused.transactions:\n"
            "                return Committed()\n"
            "            return replace(refused, repeated=_repeated(error))\n",
        ),
    ),
    _mutant(
        "a lost answer taken for success",
        (
            DYNAMODB,
            "            raise_if_transient(error)\n            raise\n        return Committed()\n",
            "            if isinstance(error, BotoCoreError):\n                return Committed()\n"
            "            raise_if_transient(error)\n            raise\n        return Committed()\n",
        ),
    ),
    _mutant(
        "a lost answer forgotten",
        (
            POSTING,
            "                # The write may have taken effect. The next one finds out: its conditions bring what is stored.\n"
            "                work.lost_answer(decided.commit)\n",
            "",
        ),
        scenario="adjustment by an admin",
    ),
    _mutant("a refund's tally left out of the write", (DYNAMODB, "for change in commit.tallies]", "for change in ()]")),
    _mutant(
        "a lost race tried again on what was known",
        (WORK, "            self.account = refused.account\n", "            pass\n"),
        tests="tests/unit/test_posting_races.py",
    ),
    _mutant(
        "declined on a balance that was only remembered",
        (POSTING, "        if not work.fresh:\n", "        if work.merchant_id is None:\n"),
    ),
    _mutant("a write of a hundred and one items", (FOLD, "ITEMS_MAX = 100\n", "ITEMS_MAX = 101\n")),
    # Keys and content.
    _mutant(
        "a key without its merchant",
        (
            "chalicelib/domain/ids.py",
            "TransactionId(uuid_v5(merchant, key))",
            "TransactionId(uuid_v5('0' * 32, key))",
        ),
    ),
    _mutant(
        "ids of a key that run into each other",
        ("chalicelib/domain/ids.py", 'return quote(part, safe="").replace("_", "%5F")', "return part"),
    ),
    _mutant(
        "a conflict taken for a duplicate",
        (
            OUTCOMES,
            "    if same:\n        return _repeated",
            "    if same or transaction:\n        return _repeated",
        ),
    ),
    _mutant(
        "a later trial taken for a conflict",
        (
            OUTCOMES,
            "        same = movement.kind is Kind.TRIAL or (\n",
            "        same = (\n",
        ),
        (
            FOLD,
            "                return Duplicate(None)\n",
            "                raise Rejected(Code.KEY_REUSED, str(account))\n",
        ),
    ),
    _mutant(
        "an update of an order taken for a conflict",
        (OUTCOMES, "        if not same and (_updated(movement)", "        if same and (_updated(movement)"),
    ),
    _mutant(
        "an order compared under the policy of today",
        (OUTCOMES, 'charge(Policy.parse(str(transaction.metadata["policy"])), lines', "charge(movement.policy, lines"),
        tests="tests/unit/test_fold_compare.py",
    ),
    # What is applied.
    _mutant(
        "half an event applied",
        (
            "chalicelib/contracts/inbound/events.py",
            "asked = payload.movements(envelope, terms, reading)\n",
            "asked = payload.movements(envelope, terms, reading)[:2]\n",
        ),
    ),
    _mutant(
        "a bad order does not stop its neighbours",
        (
            "chalicelib/contracts/inbound/orders.py",
            "            if needed:\n                raise Rejected",
            "            if False:\n                raise Rejected",
        ),
        tests="tests/formats/test_events_poison.py",
    ),
    _mutant(
        "a refund above the charge",
        (
            ORDERS,
            "due = max(0, int(taken * share) - tally.credits)",
            "due = int(taken * share)",
        ),
    ),
    _mutant(
        "a share above the whole",
        (ORDERS, "min(Fraction(1), Fraction(money) / Fraction(total))", "Fraction(money) / Fraction(total)"),
    ),
    _mutant(
        "a refund of what was asked for, not of what was taken",
        (EDITS, "    return _charged(order) + newest", "    return order.requested + newest"),
    ),
    # Edited orders.
    _mutant(
        "an edit older than the newest one applied",
        (
            EDITS,
            "    if movement.updated_at is not None and seen.updated_at is not None and movement.updated_at < seen.updated_at:\n"
            "        return Duplicate(order)\n",
            "",
        ),
        scenario="edits",
    ),
    _mutant(
        "an edit compared with what was taken, not with what was charged",
        (
            EDITS,
            "    seen, net = newest(order, tally), taken(order, tally)\n",
            "    net = taken(order, tally)\n    seen = replace(newest(order, tally), charged=net)\n",
        ),
        tests="tests/unit/test_edits.py",
    ),
    _mutant(
        "an order's edits left out of the condition of its tally",
        (DYNAMODB, 'for name in ("refunded_count", "edited"):', 'for name in ("refunded_count",):'),
        tests="tests/contract/test_ledger_store.py",
    ),
    _mutant(
        "a refund of an edited order by the old total",
        (ORDERS, "    newest = tally.edits.total if tally.edits else None\n", "    newest = None\n"),
        tests="tests/unit/test_edits.py",
    ),
    _mutant(
        "a version that moves nothing forgotten",
        (
            FOLD,
            "            self._set_tally(order, replace(before, edits=edit.edits), max(self._now, account.updated_at))\n",
            "",
        ),
        tests="tests/unit/test_edits.py",
    ),
    _mutant(
        "an edit that gives back what refunds gave back",
        (EDITS, "max(0, net - charged), max(0, net - refunded))", "max(0, net - charged))"),
        tests="tests/unit/test_edits.py",
    ),
    _mutant(
        "an edit that gives back what was never taken",
        (
            EDITS,
            "requested = min(seen.charged - charged, max(0, net - charged), ",
            "requested = min(seen.charged - charged, ",
        ),
        tests="tests/unit/test_edits.py",
    ),
    _mutant(
        "an edit under the policy of today",
        (
            EDITS,
            "charge(_policy(transaction.metadata), lines=movement.lines",
            "charge(movement.policy, lines=movement.lines",
        ),
        tests="tests/unit/test_edits.py",
    ),
    _mutant(
        "a balance below zero",
        (MOVING, "return -min(requested, account.balance)", "return -requested"),
    ),
    _mutant(
        "a shortfall unsaid",
        (
            MOVING,
            "        shortfall=requested - abs(amount),\n        threshold=threshold,\n",
            "        shortfall=0,\n        threshold=threshold,\n",
        ),
    ),
    _mutant(
        "an adjustment that takes what is left",
        (
            MOVING,
            "    if requested > account.balance and kind is Kind.MANUAL_REMOVED:\n",
            "    if requested > 2 * account.balance and kind is Kind.MANUAL_REMOVED:\n",
        ),
    ),
    _mutant(
        "a gap in the sequence",
        (
            MOVING,
            "        sequence=account.sequence + 1,\n",
            "        sequence=max(account.sequence, account.version) + 1,\n",
        ),
    ),
    _mutant(
        "a chain that begins anew",
        (
            MOVING,
            "        previous_hash=account.hash,\n",
            "        previous_hash=account.hash if account.sequence % 7 else GENESIS_HASH,\n",
        ),
    ),
    _mutant(
        "time that runs backwards",
        (MOVING, "    created_at = max(now, account.updated_at)\n", "    created_at = now\n"),
        tests="tests/unit/test_ledger.py",
    ),
    _mutant(
        "a refund without its order dropped",
        (
            COMPENSATING,
            '        return RetryLater(Code.ORDER_MISSING, f"order {movement.order_id} is not in the ledger yet", field="order_id")\n',
            "        return Duplicate(None)\n",
        ),
    ),
    # Thresholds and events out.
    _mutant(
        "a crossing with < for ≤",
        (
            LEDGER,
            "    if before > low_before and after <= low_after:\n",
            "    if before > low_before and after < low_after:\n",
        ),
    ),
    _mutant(
        "balance restored left out",
        (
            LEDGER,
            "    elif before <= low_before and after > low_after:\n        passed.append(CrossingType.BALANCE_RESTORED)\n",
            "",
        ),
    ),
    _mutant(
        "exhausted, but not low",
        (LEDGER, "    if before > 0 and after == 0:\n", "    if before > 0 and after == 0 and not passed:\n"),
    ),
    _mutant(
        "the crossings of a fold's last movement only",
        (FOLD, "crossings=tuple(self._crossings),", "crossings=tuple(self._crossings[-1:]),"),
    ),
    _mutant("crossings that stay on the account", (DYNAMODB, '"level", "crossings")', '"level")')),
    _mutant(
        "a changed threshold unnoticed",
        (
            MOVING,
            "crossed_by(transaction, low_before=account.threshold)",
            "crossed_by(transaction, low_before=transaction.threshold)",
        ),
    ),
    _mutant(
        "a transaction that does not tell the threshold before it",
        (MOVING, "        metadata = {**metadata, THRESHOLD_BEFORE: account.threshold}\n", "        pass\n"),
    ),
    _mutant(
        "a transaction that tells a threshold before it that was none",
        (MOVING, "THRESHOLD_BEFORE: account.threshold}", "THRESHOLD_BEFORE: threshold}"),
    ),
    _mutant(
        "a derivation that does not ask the transaction",
        (DERIVATION, "if isinstance(named, int):", "if named is transaction:"),
    ),
    _mutant(
        "a story with a derivation of its own",
        (
            STORY,
            "    derived = derived_crossings(transaction, before=known)\n",
            "    derived = derived_crossings(replace(transaction, metadata={}, threshold=transaction.threshold + 1), before=None)\n",
        ),
        (
            STORY,
            "from collections.abc import Callable, Mapping, Sequence\n",
            "from collections.abc import Callable, Mapping, Sequence\nfrom dataclasses import replace\n",
        ),
    ),
    _mutant(
        "an opening that crosses",
        (LEDGER, "    if transaction.sequence == 1:\n", "    if transaction.sequence == 0:\n"),
    ),
    _mutant(
        "a threshold set in the instant of a transaction",
        (
            OVERRIDE,
            "    time = later_than(account.updated_at, now=now)\n    changed = replace(\n        account, low_balance",
            "    time = max(now, account.updated_at)\n    changed = replace(\n        account, low_balance",
        ),
        tests="tests/formats/test_threshold_change.py",
    ),
    _mutant(
        "a threshold set without its event", (OVERRIDE, "    return changed, crossed\n", "    return changed, ()\n")
    ),
    _mutant(
        "an event id from the clock",
        (
            PUBLISHED,
            "event_id=str(uuid5(UUID(transaction.transaction_id), event_type)),",
            "event_id=str(uuid5(UUID(transaction.transaction_id), f'{event_type}{datetime.now()}')),",
        ),
    ),
    _mutant(
        "a swallowed publish error",
        (
            BUS,
            "        except (ClientError, BotoCoreError):\n            return events\n",
            "        except (ClientError, BotoCoreError):\n            return []\n",
        ),
    ),
    _mutant(
        "refused entries taken for published",
        (BUS, 'if entry.get("ErrorCode")]', 'if entry.get("ErrorCode") == "none"]'),
    ),
    _mutant(
        "refused events not handed back",
        (STREAM_RECORDS, "    return batch_item_failures(failed)\n", "    return batch_item_failures(())\n"),
    ),
    # Messages.
    _mutant(
        "the whole batch failed for one",
        (
            INBOUND,
            "for message_id in batch.coming_back]",
            "for message_id in (m.message_id for m in batch._messages if batch.coming_back)]",
        ),
    ),
    _mutant(
        "a message dropped that could not be parked",
        (
            PARKING,
            "message_id=message.message_id)\n            coming_back.append(message.message_id)\n",
            "message_id=message.message_id)\n",
        ),
    ),
    _mutant(
        "a message parked and handed back",
        (
            PARKING,
            "        count_parked(error.code)\n",
            "        count_parked(error.code)\n        coming_back.append(message.message_id)\n",
        ),
    ),
    # A newer release beside this one.
    _mutant(
        "one newer account puts a whole batch off",
        (DYNAMODB, '                    unreadable[item[name]["S"]] = error\n', "                    raise\n"),
    ),
    _mutant(
        "a newer account is written over",
        (ITEMS, "    if newer and not answering:\n        raise NewerForm\n", ""),
    ),
    _mutant(
        "a newer record of a stream is parked",
        (STREAM_RECORDS, "    if isinstance(error, NewerForm):\n", "    if isinstance(error, TimeoutError):\n"),
    ),
    _mutant(
        "a newer record of a stream is acknowledged",
        (
            STREAM_RECORDS,
            '        logger.warning("left to a newer release", event_id=record.get("eventID"))\n        return False\n',
            '        logger.warning("left to a newer release", event_id=record.get("eventID"))\n        return True\n',
        ),
    ),
    _mutant(
        "one newer record holds up the rest of its batch",
        (
            STREAM_RECORDS,
            "            by_record.append((sequence_number, events_of(record)))\n",
            "            by_record.append((sequence_number, events_of(record) if not failed else []))\n",
        ),
    ),
    _mutant(
        "the form of a newer release is drift",
        (LEDGER_READER, "newer=isinstance(error, NewerForm)\n        )", "newer=False\n        )"),
        (LEDGER_READER, "            newer=isinstance(error, NewerForm),\n", ""),
    ),
    _mutant(
        "poison spoils itself alone",
        (WORK, "        return outcome.code not in _REFUSED_ALONE\n", "        return False\n"),
    ),
    _mutant(
        "a message refused for want of a total that its recorded order has",
        (POSTING, "self._read_unproven(work, work.untotalled(decided)) or work.reject_poison", "work.reject_poison"),
        tests="tests/unit/test_posting_poison.py",
    ),
    _mutant(
        "an amount whose order is missing holds nothing back",
        (WORK, " and outcome.code is Code.ORDER_MISSING and of_an_amount(movement)\n", " and False\n"),
        tests="tests/unit/test_posting_poison.py",
    ),
    _mutant(
        "what was parked is counted some time",
        ("chalicelib/telemetry.py", "    counters.urgent = True\n", ""),
        tests="tests/functions/test_parked_counted.py",
    ),
    _mutant(
        "an outage parks a message",
        (
            ENDING,
            "        if later.ground_missing and waited_seconds >= ",
            "        if deliveries > 2 or waited_seconds >= ",
        ),
    ),
    _mutant(
        "a recorded refund within its order parks the order's message",
        (ENDING, "next((outcome for outcome in outcomes if", "next((outcome for outcome in (*outcomes, *secondary) if"),
        tests="tests/unit/test_ending.py",
    ),
    _mutant(
        "a refund that is refused within its order is dropped",
        (ENDING, "next(refused, None) if secondary else None", "None"),
        tests="tests/functions/test_webhook_refunds.py",
    ),
    _mutant(
        "a refund that is parked already parks each update of its order",
        (PARKING, "            if _is_repeated(message, error, facts):\n", "            if False:\n"),
        tests="tests/functions/test_webhook_refunds.py",
    ),
    _mutant(
        "a letter that the queue itself moved back is taken for another report of its refund",
        (MESSAGES, ' or ("0" if "code" in texts else None)', ""),
        tests="tests/functions/test_webhook_refunds.py",
    ),
    _mutant(
        "a refused refund is dropped beside one that is parked already",
        ("chalicelib/usecases/linking.py", "return not any(own)", "return not own[0]"),
        tests="tests/functions/test_webhook_refunds.py",
    ),
    _mutant(
        "a session is lost if its money was captured before it",
        ("chalicelib/adapters/dynamodb/links.py", 'ReturnValues="ALL_NEW"', 'ReturnValues="UPDATED_NEW"'),
        tests="tests/functions/test_webhook_ingest.py",
    ),
    _mutant(
        "missing ground parked at once", (ENDING, "waited_seconds >= retry.total_seconds:", "waited_seconds >= 0:")
    ),
    _mutant(
        "a rejection parks a message before an outage is over",
        (
            ENDING,
            "    if later is not None:\n",
            "    if later is not None and not any(isinstance(o, Rejected) for o in outcomes):\n",
        ),
        tests="tests/unit/test_ending.py",
    ),
    _mutant(
        "missing ground parks a message while the ledger cannot answer",
        (ENDING, "key=lambda error: error.ground_missing,", "key=lambda error: not error.ground_missing,"),
        tests="tests/unit/test_ending.py",
    ),
    _mutant(
        "a message that waits dropped",
        (BATCH, "        self.coming_back += [message.message_id for message, _ in self._delayed]\n", ""),
    ),
    _mutant(
        "what waits for its ground fills the inbox",
        (ENDING, "leaves = later.ground_missing and waited_seconds + seconds > INBOX_SECONDS_MAX", "leaves = False"),
        tests="tests/functions/test_waiting.py",
    ),
    _mutant(
        "what the waiting queue did not confirm is dropped",
        (BATCH, "enumerate(self._leaving) if place not in confirmed]", "enumerate(self._leaving) if place < 0]"),
        tests="tests/functions/test_waiting.py",
    ),
    _mutant(
        "the wait begins anew in the waiting queue",
        (MESSAGES, '_moment_in(texts.get("first_seen")) or _moment(first)', "_moment(first)"),
        tests="tests/functions/test_waiting.py",
    ),
    _mutant(
        "the subject binds no type",
        (BATCH, "subject=message.bound_to(),", "subject=None,"),
    ),
    _mutant(
        "the subject taken for the type only where the body has none",
        (
            "chalicelib/contracts/inbound/envelopes.py",
            "    if subject not in (None, envelope.event_type):\n",
            "    if subject not in (None, envelope.event_type) and not envelope.event_type:\n",
        ),
    ),
    _mutant(
        "an envelope of the bus not bound to its subject",
        (
            "chalicelib/contracts/inbound/envelopes.py",
            "    if subject not in (None, envelope.event_type):\n",
            '    if field == "event_type" and subject not in (None, envelope.event_type):\n',
        ),
    ),
    _mutant(
        "a letter loses the subject that it came on",
        ("chalicelib/contracts/inbound/messages.py", '            "subject": self.subject,\n', ""),
    ),
    _mutant("a wrong reason", (PARKING, "message.parked(code=error.code,", "message.parked(code=Code.INTERNAL,")),
    _mutant(
        "a body in the log",
        (
            BATCH,
            "            messages=len(self._messages),\n",
            "            messages=[message.body for message in self._messages],\n",
        ),
    ),
    # What follows from the ledger.
    _mutant(
        "an older image counted over a newer one",
        (
            "chalicelib/domain/figures.py",
            "    if counted is not None and counted.version >= account.version:\n",
            "    if counted is not None and counted.version == account.version:\n",
        ),
    ),
    _mutant(
        "uncounted accounts not handed back",
        (FIGURES, "    return batch_item_failures(failed)\n", "    return batch_item_failures(())\n"),
        scenario="refunds in one message",
    ),
    _mutant(
        "figures counted without a condition",
        (
            "chalicelib/adapters/dynamodb/figures.py",
            'put["ConditionExpression"] = "version = :known"',
            'put["ConditionExpression"] = "attribute_exists(version)"',
        ),
        (
            "chalicelib/adapters/dynamodb/figures.py",
            'put["ConditionExpression"] = "attribute_not_exists(id)"',
            'put["ConditionExpression"] = "attribute_not_exists(nothing)"',
        ),
    ),
    _mutant(
        "an account on a wrong list",
        (ACCOUNT_ATTRIBUTES, "    elif account.low:\n", "    elif account.low and account.closed:\n"),
    ),
    _mutant(
        "a frozen account on no list of those that are off",
        (ACCOUNT_ATTRIBUTES, '        name = "low" if account.enabled else "both"\n', '        name = "low"\n'),
    ),
    # Commands.
    _mutant(
        "an adjustment's id made up anew on every try",
        (
            "infra/commands/changes.py",
            'with repeatable(context, *(() if given else ("--id", key))):',
            "with repeatable(context):",
        ),
        tests="tests/functions/test_cli_repeating.py",
    ),
    _mutant(
        "a lost answer taken for a refusal",
        (
            "chalicelib/adapters/functions.py",
            "RetryLater if code in _MAY_WORK_LATER else CreditsError",
            "CreditsError",
        ),
        tests="tests/functions/test_cli_repeating.py",
    ),
    _mutant(
        "the last second of a letter left out",
        (LETTERS, "later=_WITHIN_A_SECOND", "later=timedelta(0)"),
        (TELLING, "letter.pointer.latest) + AROUND_A_RECORD)", "letter.pointer.latest))"),
        (TELLING, "letter.pointer.records - found)", "0)"),
        tests="tests/functions/test_cli_operations.py",
    ),
    _mutant(
        "a letter deleted although records were not found",
        (TELLING, "letter.pointer.records - found)", "0)"),
        tests="tests/functions/test_cli_operations.py",
    ),
    _mutant(
        "a letter deleted although an account cannot be read",
        (TELLING, "    if bus is not None and outcome.whole:\n", "    if bus is not None and not told.refused:\n"),
        tests="tests/functions/test_cli_operations.py",
    ),
    _mutant(
        "a letter's kind taken from its body",
        (
            LETTERS,
            'if parking is Parking.STREAM and "code" not in attributes else None',
            "if content else None",
        ),
        tests="tests/formats/test_letters.py",
    ),
    _mutant(
        "since when a plugin is off, not kept",
        (MOVING, "status_changed = decides_status(transaction)", "status_changed = transaction.sequence == 1"),
    ),
    # Levels and grace.
    _mutant(
        "a level in days that a weekend lifts",
        (ALERTS, "_RISE: Final = 2\n", "_RISE: Final = 1\n"),
        tests="tests/unit/test_alerts.py",
    ),
    _mutant(
        "a percentage of a refund",
        (ALERTS, "frozenset({Kind.REFUND_RETURNED, Kind.EDIT_ADDED})", "frozenset({Kind.EDIT_ADDED})"),
        tests="tests/unit/test_alerts.py",
    ),
    _mutant(
        "a plugin switched by an inflow that only pays debt in a grace",
        (GRACE, "    return {GRACE: GraceNote.KEPT_ON} if amount else {}\n", "    return {}\n"),
        tests="tests/laws/test_grace_and_levels.py",
    ),
    _mutant(
        "a grace after a grace",
        (GRACE, "starts = anew and terms.given", "starts = terms.given"),
        tests="tests/laws/test_grace_and_levels.py",
    ),
    _mutant(
        "a freeze's end that ends a grace",
        (GRACE, "after_time(grace, due_time(transaction))", "after_time(grace, transaction.created_at)"),
        tests="tests/laws/test_freeze.py",
    ),
    _mutant(
        "a fee taken for a period",
        ("chalicelib/contracts/sources/stripe_invoices.py", " in _ITEMS and not", " in () and not"),
        tests="tests/formats/test_source_stripe.py",
    ),
    _mutant(
        "a shortfall in a grace that nobody owes",
        (GRACE, "    return {DEBT: shortfall} if shortfall else {}\n", "    return {}\n"),
        tests="tests/laws/test_grace_and_levels.py",
    ),
    # Freeze.
    _mutant(
        "a freeze whose end nobody brings",
        (DUE, "    DueKind(ahead=_freeze_ends, due=_freezes),\n", ""),
        tests="tests/formats/test_freeze.py",
    ),
    _mutant(
        "a frozen plugin that its status has on",
        (STATUS_TABLE, "enabled=(left > 0 or running) and not closed and not frozen", "enabled=left > 0 or running"),
        (STATUS_TABLE, "        frozen=frozen,\n", ""),
        tests="tests/formats/test_freeze.py",
    ),
    _mutant(
        "a status cached beyond the end of a freeze",
        (STATUS_TABLE, "    ends += [freeze.until] if frozen and", "    ends += [] if frozen and"),
        tests="tests/formats/test_freeze.py",
    ),
    _mutant(
        "a frozen plugin that movements switch",
        (
            LEDGER,
            " if switched(transaction) and FROZEN not in transaction.metadata else",
            " if switched(transaction) else",
        ),
        tests="tests/laws/test_freeze.py",
    ),
    _mutant(
        "an unfreeze under a freeze's key",
        (OUTCOMES, "    return recorded != (movement.note, movement.until)\n", "    return False\n"),
        tests="tests/formats/test_freeze.py",
    ),
    _mutant(
        "an unfreeze declined on an account that another froze",
        (POSTING, "outcome.code in _OF_THE_ACCOUNT\n", "outcome.code is Code.INSUFFICIENT_CREDITS\n"),
        tests="tests/functions/test_freeze.py",
    ),
    # Levels and graces, as the simulator has them.
    _mutant(
        "a level in days that flaps",
        (ALERTS, "_RISE * at))\n", "at))\n"),
        scenario="level in days",
    ),
    _mutant(
        "levels in days that time alone lifts unseen",
        (DUE, "    DueKind(ahead=_looks, due=_levels),\n", ""),
        scenario="level in days",
    ),
    _mutant(
        "levels forgotten when others are set",
        (ALERTS, "below=below.get(level.name, False))", "below=False)"),
        scenario="levels of an admin",
    ),
    _mutant(
        "a release's levels taken back by the one before",
        (
            ALERTS,
            "default_in_force(stamped, alerts.outdated, default=asked",
            "default_in_force(stamped, None, default=asked",
        ),
    ),
    _mutant(
        "levels crossed that no transaction notes",
        (MOVING, "({**metadata, CROSSED: crossed_text(crossed)} if crossed else metadata)", "metadata"),
        scenario="levels of the fleet",
    ),
    _mutant(
        "levels set later that publish nothing",
        (
            OVERRIDE,
            "    return changed, levels_crossed(account, crossed, time=time, correlation_id=correlation_id)\n",
            "    return changed, ()\n",
        ),
        scenario="levels of an admin",
    ),
    _mutant(
        "an admin's levels in days that nobody looks at",
        (
            OVERRIDE,
            "due_at = min(account.due_at or time, time) if looks else account.due_at",
            "due_at = account.due_at",
        ),
        scenario="level in days that an admin sets",
    ),
    _mutant(
        "a percentage of every balance",
        (ALERTS, "    return alerts.full\n\n\n", "    return balance\n\n\n"),
        scenario="levels of the fleet",
    ),
    _mutant(
        "a grace whose end nobody brings",
        (DUE, "    DueKind(ahead=_grace_ends, due=_graces),\n", ""),
        scenario="grace that time ends",
    ),
    _mutant(
        "a grace that ends by time and leaves the plugin on",
        (DUE, "crossings=(over, off) if account.enabled else (over,)", "crossings=(over,)"),
        scenario="grace that time ends",
    ),
    _mutant(
        "limits of a running grace changed",
        (
            OVERRIDE,
            "return replace(account, grace_terms=own, updated_at=later_than(account.updated_at, now=now)), ()",
            "grace = account.grace and own and replace(account.grace, credits=own.credits)\n"
            "    return replace(account, grace_terms=own, grace=grace, updated_at=later_than(account.updated_at, now=now)), ()",
        ),
        scenario="grace that is used up, and another admin's",
    ),
    _mutant(
        "a grace that an inflow of all the debt ends",
        (GRACE, "amount > debt", "amount >= debt"),
        scenario="grace that a payment ends",
    ),
    _mutant(
        "a grace's credits that no payment gives back",
        (GRACE, "used=max(0, grace.used + transaction.amount)", "used=grace.used"),
        scenario="grace that a payment ends",
    ),
    _mutant(
        "an order's debt of a grace that its refund forgets",
        (EDITS, "abs(transaction.amount) + int(transaction.metadata.get(DEBT, 0))", "abs(transaction.amount)"),
        scenario="grace that a payment ends",
    ),
    _mutant(
        "a plugin that reads as on after its grace",
        (STATUS_TABLE, "    grace = after_time(grace, at)\n", ""),
    ),
    # Payments that go back.
    _mutant(
        "debt repaid twice",
        (DEBT, "    paid = min(debt, balance)\n", "    paid = min(2 * debt, balance)\n"),
        tests="tests/unit/test_reversals.py",
    ),
    _mutant(
        "debt that no inflow pays",
        (FOLD, "        if after.debt and repays(kind):\n", "        if after.debt and kind is Kind.PAYMENT:\n"),
        tests="tests/unit/test_reversals.py",
    ),
    _mutant(
        "reversal by float",
        (
            REVERSALS,
            "parts += given * Fraction(tally.money) / Fraction(tally.total)",
            "parts += Fraction(given * (float(tally.money) / float(tally.total)))",
        ),
        tests="tests/unit/test_reversals.py",
    ),
    _mutant(
        "cumulative figures added up",
        (
            REVERSALS,
            "        seen=max(known.seen, portion.refunded or Decimal(0)),\n",
            "        seen=known.seen + (portion.refunded or Decimal(0)),\n",
        ),
        tests="tests/unit/test_reversals.py",
    ),
    _mutant(
        "a dispute won returns what was due instead of what was taken",
        (REVERSALS, "max(0, known.held - missed)", "max(0, known.disputed - missed)"),
        tests="tests/unit/test_reversals.py",
    ),
    _mutant(
        "a dispute won without a look for its transaction",
        (
            POSTING,
            "own = names_of(movement) if isinstance(movement, DisputeWonMovement) else ()",
            "own: tuple[TransactionId, ...] = ()",
        ),
        tests="tests/unit/test_reversals.py",
    ),
    _mutant(
        "a payment's tally without a condition",
        (
            DYNAMODB,
            '        for name in ("refunded_count", "edited"):\n',
            '        for name in ("edited",):\n',
        ),
        tests="tests/contract/test_ledger_store.py",
    ),
    _mutant(
        "no room for what an inflow pays",
        (FOLD, " + (self._account is not None and self._account.debt > 0)", ""),
        tests="tests/unit/test_reversals.py",
    ),
    # After a restore.
    _mutant(
        "a rebuild as far as the account only",
        (REBUILDING, ", to_the_end=True)", ")"),
    ),
    _mutant(
        "a rebuild that starts the version anew",
        (AUDIT, "version=unused_version(account.version, now=now),", "version=account.version + 1,"),
    ),
    _mutant(
        "a threshold set with the next version",
        (OVERRIDING, "version=unused_version(account.version, now=now))", "version=account.version + 1)"),
    ),
    # Whose a webhook is, and what becomes of accounts by it.
    _mutant(
        "an order brings a shop back that has gone",
        (OVERRIDING, "    if opens:\n", "    if opens or movements:\n"),
        tests="tests/unit/test_closure_reports.py",
    ),
    _mutant(
        "a shop that is new is reported to be back",
        (OVERRIDING, "movement.key == TRIAL_KEY and isinstance(outcome, Duplicate)", "movement.key == TRIAL_KEY"),
        tests="tests/unit/test_closure_reports.py",
    ),
    _mutant(
        "a test order opens an account",
        (LINKING, "if not moves and (unlinked_opens or not closes):", "if not moves and not unlinked_opens:"),
        tests="tests/unit/test_linking.py",
    ),
    _mutant(
        "a link of another merchant opens an account",
        (LINKING, 'unlinked_opens and merchant == merchant_of_name(names.name or "")', "unlinked_opens"),
        tests="tests/unit/test_linking.py",
    ),
    _mutant(
        "a part of an invoice goes back as the whole",
        (
            LINKING,
            "for name, invoice in found.items() if invoice not in several}",
            "for name, invoice in found.items()}",
        ),
        tests="tests/unit/test_linking.py",
    ),
    # A shop's own list of orders.
    _mutant(
        "a file that cannot be read to its end accuses the ledger",
        (COMPARING, "        if not reached.fault:\n", "        if reached:\n"),
        tests="tests/unit/test_comparing.py",
    ),
    _mutant(
        "a step that was cut off counts twice",
        (COMPARING, "            notes.undo()\n            raise\n", "            raise\n"),
        tests="tests/unit/test_comparing.py",
    ),
    _mutant(
        "a rebuild that leaves tallies as they are",
        (REBUILDING, "tallies=tuple(tallies.corrections())", "tallies=()"),
    ),
    _mutant(
        "transactions after a gap left where they are",
        (AGREEMENT, "for transaction in after_a_gap\n", "for transaction in after_a_gap[:0]\n"),
    ),
    _mutant(
        "an account that is ahead left where it is",
        (AGREEMENT, "    if kept < sequence and account", "    if kept < 0 and account"),
    ),
    _mutant(
        "an account that lags called right",
        (
            AGREEMENT,
            "    return (torn if kept > sequence or after_a_gap else None), removals\n",
            "    return (torn if after_a_gap else None), removals\n",
        ),
    ),
    _mutant(
        "transactions without an account not looked for",
        (
            RECONCILING,
            "        candidates=reader.without_account(wanted),\n",
            "        candidates=reader.without_account([]),\n",
        ),
    ),
    # Names.
    _mutant(
        "a guard outside the transaction",
        (DYNAMODB, _GUARDED, ""),
        (
            DYNAMODB,
            _SENT,
            "            guards = [self._new_item(guard_item(guard)) for guard in commit.guards]\n"
            "            for some in (actions, guards):\n"
            "                if some:\n"
            '                    self._client.transact_write_items(TransactItems=cast("Any", some))\n',
        ),
    ),
    _mutant(
        "a guard without its condition",
        (
            DYNAMODB,
            _GUARDED,
            "        actions += [\n"
            '            self._put(self._transactions_table, guard_item(guard), "attribute_not_exists(nothing)")\n'
            "            for guard in commit.guards\n"
            "        ]\n",
        ),
    ),
    _mutant(
        "another content under an alias taken for a duplicate",
        (
            FOLD,
            "            outcome = compare(movement, known)\n",
            "            other = known.transaction_id != movement.transaction_id\n"
            "            outcome = Duplicate(known) if other else compare(movement, known)\n",
        ),
        tests="tests/unit/test_names.py",
    ),
    _mutant(
        "an event that names two facts taken for a duplicate of the first",
        (NAMES, "                return _two_facts(known, other)\n", "                return known\n"),
    ),
    _mutant(
        "the new name that a duplicate brings forgotten",
        (
            FOLD,
            "        if isinstance(outcome, Posted | Duplicate):\n            self._names.add(known, movement)\n",
            "",
        ),
    ),
    _mutant(
        "a refund recorded under its order's alias",
        (
            NAMES,
            "        movement = as_recorded(movement, ground) if ground else movement\n",
            "        assert ground is None or as_recorded(movement, ground)\n",
        ),
    ),
    _mutant(
        "what goes back of a payment recorded under the payment's alias",
        (NAMES, "    if ground.kind is not Kind.PAYMENT:\n", "    if ground.kind is Kind.PAYMENT:\n"),
        tests="tests/functions/test_ingest_reversals.py",
    ),
    _mutant(
        "a reversal or dispute that forgets its aliases",
        (INBOUND_REVERSALS, "    return known_by(keys, reversal)\n", "    return known_by(keys[:1], reversal)\n"),
        tests="tests/functions/test_ingest_reversals.py",
    ),
    _mutant(
        "a dispute won under another name without a look for the transaction of its first",
        (
            WORK,
            "        for find in (self._guarded, self._wins_of_guarded):\n",
            "        for find in (self._guarded,):\n",
        ),
        tests="tests/functions/test_ingest_reversals.py",
    ),
    _mutant(
        "guards that a restore tore from their transactions left where they are",
        (AGREEMENT, "    _remove_torn_guards(client, tables.transactions)\n", ""),
    ),
    _mutant(
        "an account opened before its old keys are known",
        (
            OPENINGS,
            "        rest = guards[len(beside) :]\n",
            "        rest = guards[len(beside) :]\n"
            "        if not found:\n"
            "            self._write(account, beside, opening=True)\n"
            "            found, beside = True, []\n",
        ),
        tests="tests/functions/test_cli_import.py",
    ),
    _mutant(
        "the content of an old movement compared with its opening",
        (OUTCOMES, "    if transaction.kind is Kind.OPENING:\n", "    if transaction.kind is Kind.TRIAL:\n"),
        tests="tests/functions/test_cli_import.py",
    ),
    # Credits that lapse.
    _mutant(
        "what never lapses used first",
        (LOTS, "        if taken := min(lot.credits, left):", "        if taken := min(lot.credits, left, 1):"),
        tests="tests/laws/test_lots.py",
    ),
    _mutant(
        "a refund that returns to the lot that lapses soonest",
        (
            LOTS,
            "    lowest, place, found = held - credits_back, 0, {}",
            "    held, lowest, place, found = credits_back, 0, 0, {}",
        ),
        tests="tests/laws/test_lots.py",
    ),
    _mutant(
        "a lot too many lost",
        (LOTS, "            held[joined] += moved\n", ""),
        tests="tests/unit/test_lots_merged.py",
    ),
    _mutant(
        "what is due left to the sweep",
        (FOLD, "        if account is not None and self._due:", "        if account is None and self._due:"),
        tests="tests/functions/test_lots.py",
    ),
    _mutant(
        "a sweep that forgets whom it could not write",
        (FALLING_DUE, "    until = _posted_until(until, failed)\n", ""),
        tests="tests/functions/test_post_due.py",
    ),
    # Time.
    _mutant(
        "a lapse a second early",
        (DUE, "        if lot.expires_at <= until:\n", "        if lot.expires_at[:19] <= until:\n"),
        (DUE, "    if since is None or since > until:\n", "    if since is None or since[:19] > until:\n"),
        (LEDGER, "self.due_at <= now\n", "self.due_at[:19] <= now\n"),
    ),
    _mutant(
        "a lapse a millisecond late",
        (DUE, "        if lot.expires_at <= until:\n", "        if lot.expires_at < until:\n"),
        tests="tests/laws/test_lots.py",
    ),
    _mutant(
        "writers bring nothing",
        (FOLD, "account.is_due(self._now)", "account.due_at == self._now"),
    ),
    _mutant(
        "credits drawn latest first",
        (
            LOTS,
            "in sorted(lots, key=lambda one: (one.expires_at not",
            "in sorted(lots[::-1], key=lambda one: (one.expires_at not",
        ),
        (LOTS, "not in preferred, one.expires_at)):", "not in preferred,)):"),
    ),
    _mutant(
        "a reversal that does not start with its own lot",
        (LOTS, "(one.expires_at not in preferred, one.expires_at)):", "one.expires_at):"),
    ),
    _mutant(
        "what has lapsed meanwhile comes back lapsed",
        (LOTS, "part.expires_at if part.expires_at > now else late", "part.expires_at or late"),
    ),
    _mutant(
        "a ninth lot joins the one before it",
        (
            LOTS,
            "            joins, joined = instants[place], instants[place + 1]\n",
            "            joined, joins = instants[place], instants[place + 1]\n",
        ),
    ),
    _mutant(
        "a notice twice",
        (
            DUE,
            "            if (at := days_after(lot.expires_at, -days)) > after:\n",
            "            if (at := days_after(lot.expires_at, -days)) >= after[:17]:\n",
        ),
    ),
    _mutant(
        "a notice of what has lapsed",
        (DUE, "        if passed and lot.expires_at > until:\n", "        if passed:\n"),
    ),
    _mutant(
        "counters of a larger account left behind",
        (DYNAMODB, '"counters", "back_at"),', '"back_at"),'),
        tests="tests/contract/test_ledger_tables.py",
    ),
    _mutant(
        "an account that takes two units for its counters",
        (
            ITEMS,
            "    if item_bytes(item) <= WRITE_UNIT_BYTES:\n        return item\n",
            "    if item:\n        return item\n",
        ),
        tests="tests/contract/test_items.py",
    ),
    _mutant("due_at not moved", (FOLD, "due_at=due_at, updated_at=self._now)", "updated_at=self._now)")),
    _mutant(
        "listed under the hour of the last write",
        (
            ACCOUNT_ATTRIBUTES,
            "due_partition(account.merchant_id, account.due_at)",
            "due_partition(account.merchant_id, account.updated_at)",
        ),
    ),
    _mutant(
        "a repeat from before its end taken for one that is too late",
        (POSTING, "movement.expires_at <= soon:", "movement.expires_at > soon:"),
    ),
)

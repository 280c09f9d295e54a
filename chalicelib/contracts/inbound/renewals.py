"""The payload of a subscription's renewal, and the name of its period (contract, sections 3 and 12)."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from chalicelib.contracts.inbound.envelopes import Envelope
from chalicelib.contracts.inbound.expiry import Expiring
from chalicelib.contracts.inbound.payloads import CreditsByManyNames, Ignored, Terms, fixed_movement, known_by
from chalicelib.contracts.moments import EARLIEST, EPOCH, MOMENT_FORM, integral, moment, never_set
from chalicelib.contracts.values import FactId, Id, PaymentAliases, PaymentId, Reading, nil_is_none
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import escaped
from chalicelib.domain.movements import Kind, Movement

_LATEST_PERIOD = datetime(2100, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"([0-9]{1,16})(\.0+)?")


def _start(value: Any) -> Any:
    """Return the start of a period as it is checked, None for one that was never set: it would name every period."""
    return None if never_set(value) else integral(value)


class SubscriptionRenewed(Expiring, CreditsByManyNames):
    """A subscription was renewed for a period: every period counts, the same period once."""

    subscription_id: FactId
    renewal_id: Annotated[PaymentId | None, nil_is_none] = None
    period_start: Annotated[Id | None, BeforeValidator(_start)] = None
    period_end: Annotated[Any, WithJsonSchema(MOMENT_FORM)] = None
    aliases: PaymentAliases = ()

    def movements(self, envelope: Envelope, terms: Terms, reading: Reading) -> list[Movement | Ignored]:
        """Return the renewal; one with an id is also known by its period (contract, section 13).

        Raises:
            Rejected: nothing names the period. The delivery's id cannot: a repeated delivery would count twice.
        """
        period = self._period(envelope, terms, reading)
        names = [period, *self.aliases]
        if self.period_start is not None and self._id is not None:
            names.append(period_name(self.period_start))
        key, *others = (f"SUBSCRIPTION_RENEWAL_{escaped(self.subscription_id)}_{escaped(name)}" for name in names)
        amount = self.amount("credits_used", "credits")
        metadata: dict[str, str | int] = {"renewal_id": period}
        renewal = fixed_movement(
            envelope, self, Kind.SUBSCRIPTION, amount, key=key, reference_id=self.subscription_id, metadata=metadata
        )
        ahead = next(iter(reading.ahead), None)
        renewal = self.lapsing(renewal, at=self._end(terms), in_days=terms.renewal_expires_days)
        return [known_by(others, replace(renewal, repeat_days=terms.renewal_repeat_days, ahead=ahead))]

    @property
    def _id(self) -> str | None:
        """Return the renewal's id; a 0 beside a period is one that was never set, as some languages write it."""
        return None if self.renewal_id == "0" and self.period_start is not None else self.renewal_id

    def _end(self, terms: Terms) -> datetime | None:
        """Return the end of the period if the renewal lapses with it, None if it does not or no end is named.

        Raises:
            Rejected: it cannot be read, and decides when the credits lapse.
        """
        if not terms.renewal_expires_with_period or self.lapses or never_set(self.period_end):
            return None
        found = moment(self.period_end)
        if found is None:
            raise Rejected(Code.FIELD_INVALID, "payload.period_end is not a time", field="payload.period_end")
        return found

    def _period(self, envelope: Envelope, terms: Terms, reading: Reading) -> str:
        if self._id is not None:
            return self._id
        if self.period_start is not None:
            return period_name(self.period_start)
        if "idempotency_key" in reading.dropped:
            # Here it would be the renewal's only name: it decides money, and so it is not dropped.
            raise Rejected(
                Code.FIELD_INVALID, "idempotency_key names the renewal and cannot be read", field="idempotency_key"
            )
        if envelope.renewal_key is not None:
            return envelope.renewal_key
        if terms.month_as_period and envelope.time is not None:
            return period_name(f"{envelope.time[:7]}-01")
        raise Rejected(
            Code.PERIOD_MISSING,
            "a renewal needs a renewal_id, a period_start or the envelope's idempotency_key (not its event_id)",
            field="payload.renewal_id",
        )


def period_name(text: str) -> str:
    """Return a period's start in the form of keys: the instant in milliseconds, whatever its spelling.

    Unix seconds or milliseconds, a date (its midnight in UTC) or a time with any offset (contract, section 12). A text
    that is not an instant from 2000 to 2100 is an opaque id and is returned unchanged.
    """
    spelled = text.strip()
    number = _NUMBER.fullmatch(spelled)
    found = moment(int(number[1]) if number else spelled)
    if found is None or not EARLIEST <= found < _LATEST_PERIOD:
        return text
    return str(round((found - EPOCH).total_seconds() * 1000))

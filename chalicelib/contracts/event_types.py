"""The types of events in that more than one module names (contract, section 3).

Standard library only: the publishers run without pydantic.
"""

from typing import Final

MERCHANT_CREATED: Final = "evt.merchant.created"
ACCOUNT_CREATED: Final = "evt.account.created"
ORDER_PAID: Final = "evt.shopify.webhook.order_paid"
ORDER_REFUNDED: Final = "evt.shopify.webhook.order_refunded"
PAYMENT_SUCCEEDED: Final = "evt.billing.payment_succeeded"
PAYMENT_REFUNDED: Final = "evt.billing.payment_refunded"
PAYMENT_DISPUTED: Final = "evt.billing.payment_disputed"
DISPUTE_WON: Final = "evt.billing.payment_dispute_won"
RENEWED: Final = "evt.subscription.renewed"
ADJUSTED: Final = "evt.credits.manual_adjustment"

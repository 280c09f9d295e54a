"""Bodies that a route checks without pydantic, as models for the document; tests hold both together."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.contracts.api.plugin_status import BATCH_MAX
from chalicelib.contracts.links import Label
from chalicelib.contracts.values import Merchant


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StatusBatchRequest(_Request):
    """The shops whose plugin statuses are asked for."""

    merchant_ids: Annotated[list[Merchant], Field(min_length=1, max_length=BATCH_MAX)]


class ShopifyWebhook(BaseModel):
    """A webhook of Shopify, in the shape of its topic."""

    model_config = ConfigDict(frozen=True, extra="allow")


class StripeEvent(BaseModel):
    """An event of Stripe around its object."""

    model_config = ConfigDict(frozen=True, extra="allow")


class LinkRequest(_Request):
    """The merchant to which a shop or customer belongs, and what people call it; without a label it keeps its own."""

    merchant_id: Merchant
    label: Label | None = None


class PreviewRequest(_Request):
    """A file of adjustments, as text; `undo` asks for what would take it back."""

    csv: str
    undo: bool = False

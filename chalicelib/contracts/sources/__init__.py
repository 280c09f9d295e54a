"""Webhooks of Shopify and Stripe, as the two send them, become our own events (contract, section 15)."""

"""Webhooks of Shopify and Stripe become our own events (contract, section 15)."""

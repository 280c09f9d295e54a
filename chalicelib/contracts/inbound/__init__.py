"""Events in: envelopes, messages and payloads become movements."""

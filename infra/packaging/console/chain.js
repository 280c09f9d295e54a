// The chain of hashes, checked here and not by the service: from its answers and the published form alone.

export const GENESIS = "0".repeat(64);

const FIELDS = [
  "schema_version", "transaction_id", "merchant_id", "sequence", "operation_type", "transaction_type", "amount",
  "requested", "shortfall", "threshold", "balance_before", "balance_after", "idempotency_key", "reference_id",
  "extra_metadata", "correlation_id", "occurred_at", "created_at", "drawn",
];

function sorted(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]));
}

// Sorted keys, compact, no nulls, whole numbers. What moved no credits that lapse has no "drawn": version 1.
export function canonical(record) {
  const said = { ...record, transaction_id: record.id };
  const empty = (value) => value === null || value === undefined || (Array.isArray(value) && !value.length);
  const form = FIELDS.filter((name) => !empty(said[name]));
  return JSON.stringify(sorted(Object.fromEntries(form.map((name) => [name, said[name]]))));
}

export const canCheck = () => Boolean(globalThis.crypto?.subtle);

export async function hashOf(record) {
  const bytes = new TextEncoder().encode(`${record.previous_hash}\n${canonical(record)}`);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const adds = (record) => record.balance_before + record.amount === record.balance_after;

export function follows(record, previous) {
  if (!previous) return record.sequence === 1 && record.previous_hash === GENESIS && record.balance_before === 0;
  return (
    record.sequence === previous.sequence + 1 &&
    record.previous_hash === previous.hash &&
    record.balance_before === previous.balance_after
  );
}

// Returns the sequences at which records, newest first and without a gap, do not hold.
export async function broken(records, older) {
  const found = [];
  for (let place = 0; place < records.length; place += 1) {
    const record = records[place];
    const previous = records[place + 1] ?? older;
    const linked = previous || record.sequence === 1 ? follows(record, previous) : true;
    if (!linked || !adds(record) || (await hashOf(record)) !== record.hash) found.push(record.sequence);
  }
  return found;
}

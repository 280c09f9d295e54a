"""The commands of `credits`, a module for each group; infra/commands/cli.py puts them together (contract, section 9).

target.py     the system that a command works on: the local stack or a deployed stage, and its clients
options.py    options that many commands take; naming.py finds the merchant that a person means
output.py     output, exit statuses, messages about files; tables.py prints rows, times.py times
repeating.py  the command to run again where an answer was lost
failures.py   what AWS or the ledger refuse, in a sentence
api.py        the HTTP API of the target
ledger.py     accounts and transactions of the target
status.py     status, balance, why
merchants.py  merchants
history.py    history
actions.py    actions; noting.py notes who did what by a command
exporting.py  export; exported.py are its files, export_rows.py reads them back, parquet.py is one form of them
match.py      match
verify_file.py  verify --file; proving.py finds what is wrong with such a file
changes.py    adjust; bulk.py adjusts by a file; undoing.py undo; alerting.py threshold, levels and grace;
              freezing.py freeze and unfreeze
linking.py    link
importing.py  import; old_tables.py reads the old service's tables, openings.py opens their accounts
emitting.py   emit; events.py reads what is to be sent, channels.py sends it (jetstream.py: over NATS), webhooks.py
              signs and posts a webhook; effects.py waits for its effects
doctor.py     doctor; checks.py looks at the components, diagnoses.py describes what it found
figures.py    recount; months.py refills the ends of days and months
letters.py    dead-letters list, show, redrive, discard; letter_lines.py prints them, known_letters.py tells new from
              known
checking.py   verify, rebuild
republishing.py  republish; republished.py reports what came of it
tokens.py     token
install.py    leaves the command in the virtual environment

A command finds its target, asks it, and prints the result: `--json` gives the same to a program. Exit status: 0 when
all is well, 1 when something was found or refused, 2 when it could not work.
"""

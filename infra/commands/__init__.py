"""The commands of `credits`, a module for each group; infra/commands/cli.py puts them together (contract, section 9).

target.py     the system that a command works on: the local stack or a deployed stage, and its clients
options.py    options that many commands take
output.py     what a person or a program reads, and the exit statuses; tables.py rows, times.py times
repeating.py  the command to run again where an answer was lost
failures.py  what AWS or the ledger refuse, in a sentence
api.py        the HTTP API of the target
ledger.py     accounts and transactions of the target
merchants.py  status, balance, why
directory.py  merchants
history.py    history
exporting.py  export; exported.py are its files, parquet.py one form of them
match.py      match
proving.py    what `verify --file` finds in such a file
changes.py    adjust, threshold; bulk.py adjusts by a file; alerting.py levels and grace,
              freezing.py freeze and unfreeze
linking.py    link
noting.py     who did what by a command
importing.py  import; old_tables.py reads the old service's tables, openings.py opens their accounts
emitting.py   emit; events.py reads what is to be sent, channels.py sends it, facts.py looks for it
doctor.py     doctor; checks.py looks at the components, diagnoses.py describes what they found
figures.py    recount; months.py refills the ends of days and months
letters.py    dead-letters list, show, redrive
checking.py   verify, rebuild
telling.py    republish; republished.py reports what came of it
tokens.py     token

A command finds its target, asks it, and prints the result: `--json` gives the same to a program. Exit status: 0 when
all is well, 1 when something was found or refused, 2 when it could not work.
"""

"""The whole system on loopback with one command: `make run`, which is `python -m infra.local` (contract, section 9).

supervisor.py   from the first line on the screen to the last process ended
stack.py        brings the parts up, side by side where they do not need each other
watch.py        which programs run, and whether they still do
engines.py      starts and ends programs; NATS and the AWS emulator among them
emulator.py     the AWS emulator with what it lacks; http_api.py is a part of that
ports.py        which ports this stack gets
settings.py     settings of the local stack itself, from the caller's environment
keeping.py      what KEEP=on keeps from one start to the next
tokens.py       a key pair, and the tokens signed with it
proxy.py        the API at a plain address, the public key, and the pages
pages.py        the page to start from (start.html), and the demo shop (demo_shop.html)
tables.py       the template's tables, for engines that know no CloudFormation
description.py  stack.json: where everything is
screen.py       the output on the terminal; examples.py has the lines to try
connected.py    two of its shops, connected to Shopify and Stripe by webhooks, and the secrets and buses of these two
shops.py        sample traffic: which events, decided from a seed; infra/sample sends them
dynamodb_local.py  AWS's own engine of DynamoDB, for `make second-opinion`
"""

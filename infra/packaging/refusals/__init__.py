"""What AWS refuses in a template, or does differently than written, and neither cfn-lint nor an emulator shows.

    resolved.py   the template with its parameters' values in place: what CloudFormation acts on
    policies.py   queue policies, sizes of policies
    alarms.py     alarms: how many metrics, few samples, indexes, ages
    names.py      names that an account has once, in all regions
    releases.py   hooks of gradual deployments
    tables.py     throughput of tables
    wiring.py     stages of the API, streams, filters, environments, loops, reserved copies
    rules.py      the table: each rule with its source

Only the rules in this package are checked: no findings do not prove that AWS accepts the template.
"""

"""What AWS refuses in a template, or does differently than written, and neither cfn-lint nor an emulator shows.

    resolved.py   the template with its parameters' values in place: what CloudFormation acts on
    policies.py   queue policies, sizes of policies, names that are unique in an account, over all regions
    alarms.py     alarms: how many metrics, few samples, indexes, ages
    wiring.py     stages of the API, streams, filters, environments, loops, reserved copies, throughput, hooks
    rules.py      the table: each rule with its source

Only the rules in this package are checked: no findings do not prove that AWS accepts the template.
"""

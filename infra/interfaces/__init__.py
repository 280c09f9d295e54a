"""The documents of the interfaces: OpenAPI of the HTTP API, AsyncAPI of the events, both committed.

    python -m infra.interfaces           write chalicelib/static/openapi.json and infra/interfaces/asyncapi.json
    python -m infra.interfaces --check   say whether they are what they should be

Schemas come from the models that validate and answer, examples from a story that is posted to the ledger
itself, words from one glossary. What ships is the text: no function imports what makes it.
"""

"""`credits token`: a bearer token of the local stack, whose key lies beside it."""

from pathlib import Path
from typing import Annotated

import typer

from infra.commands.options import AsJson, MerchantOption
from infra.commands.output import print_json
from infra.commands.target import local_target
from infra.local.tokens import ADMIN_SCOPE, OPS_SCOPE, OWNER_SCOPE, VALID_SECONDS, Signer


def token(
    *,
    merchant: MerchantOption = None,
    admin: Annotated[bool, typer.Option("--admin", help=f"The scopes of an admin: {ADMIN_SCOPE}.")] = False,
    ops: Annotated[bool, typer.Option("--ops", help=f"The scope of operators: {OPS_SCOPE}.")] = False,
    scope: Annotated[str | None, typer.Option(help="Other scopes, with spaces between them.")] = None,
    subject: Annotated[
        str, typer.Option(help="Whose token it is; an admin's changes are recorded under this name.")
    ] = "credits-cli",
    as_json: AsJson = False,
) -> None:
    """Print a bearer token for the local stack, valid for a week.

    A deployed stage takes the tokens of its own issuer (JWT_ISSUER), which this command cannot make.
    """
    local = local_target().local
    assert local is not None, "a local target has its description"
    asked = " ".join(part for part, wanted in ((ADMIN_SCOPE, admin), (OPS_SCOPE, ops)) if wanted)
    scopes = scope or asked or OWNER_SCOPE
    signer = Signer(private_key_path=Path(local.jwt.private_key_path), key_id=local.jwt.key_id, public_keys={})
    signed = signer.token(subject=subject, scope=scopes, merchant_id=merchant)
    if as_json:
        print_json({"token": signed, "scope": scopes, "subject": subject, "valid_seconds": VALID_SECONDS})
    else:
        typer.echo(signed)

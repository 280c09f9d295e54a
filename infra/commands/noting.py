"""Notes what a command did in the list of who did what (contract, section 6, "Who did what")."""

import getpass

from chalicelib.adapters.dynamodb.desk import Desk
from chalicelib.contracts.api.dead_letters import DeadLetter, letter_action
from chalicelib.domain.actions import Action, ActionType, action_on
from chalicelib.domain.errors import CreditsError
from chalicelib.domain.ids import Instant
from chalicelib.domain.links import Link
from infra.commands.output import aside
from infra.commands.target import Target


def responsible(admin: str | None) -> str:
    """Return who is responsible for what a command does: who was named, else the user of this machine."""
    return admin or getpass.getuser()


class Trail:
    """Notes what `admin` did by commands; what cannot be noted is done all the same, and said on standard error."""

    def __init__(self, target: Target, admin: str | None) -> None:
        self._desk = Desk(target.client("dynamodb"), table=target.desk_table)
        self._admin = responsible(admin)

    def letter(self, did: ActionType, letter: DeadLetter, time: Instant) -> None:
        """Note that a dead letter was retried or discarded."""
        self._note(letter_action(did, letter, admin_id=self._admin, time=time))

    def link(self, did: ActionType, link: Link, time: Instant) -> None:
        """Note that a name was linked or unlinked."""
        said = {"name": link.name}
        self._note(
            action_on(did, link.name, admin_id=self._admin, time=time, merchant_id=link.merchant_id, details=said)
        )

    def _note(self, action: Action) -> None:
        try:
            self._desk.note(action)
        except CreditsError as error:
            aside(f"It is done, but the list of who did what does not have it: {error.message}.")

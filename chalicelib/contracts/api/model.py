"""What all models of the API's answers have in common."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A part of an answer: immutable, with the declared fields only.

    An object with attributes of the same names, such as a dataclass of the domain, is accepted as input.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

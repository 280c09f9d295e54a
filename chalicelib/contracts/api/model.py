"""What all models of the API's answers have in common."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A part of an answer: it never changes, and has no field but those declared.

    What has attributes of the same names, such as a dataclass of the domain, validates as one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

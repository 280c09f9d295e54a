"""`python -m infra.recovery`, in the hour when it is needed: what AWS refuses is a sentence, and no traceback."""

from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from infra.recovery import __main__ as recovery
from tests.support.fake_account import refused


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (refused("ExpiredToken", "The security token is expired"), "The security token is expired"),
        (refused("ValidationError", "Stack with id credits-prod does not exist"), "credits-prod does not exist"),
        (NoCredentialsError(), "Unable to locate credentials"),
    ],
)
def test_what_aws_refuses_is_said_and_the_status_is_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: Exception, text: str
) -> None:
    def client(*_: Any) -> Any:
        raise fault

    monkeypatch.setattr(recovery, "_client", client)
    monkeypatch.setattr("sys.argv", ["recovery", "let-writers-go", "--stack", "credits-prod"])

    with pytest.raises(SystemExit) as ended:
        recovery.main()

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert text in said
    assert "Traceback" not in said

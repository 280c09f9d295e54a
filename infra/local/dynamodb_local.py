"""AWS's own DynamoDB engine on loopback, as a second opinion on the tests of the store.

`python -m infra.local.dynamodb_local pytest tests/contract` fetches it with Maven (Java 17), starts it and runs the
command with its address in `DYNAMODB_LOCAL_URL`. Nothing else needs it: without it those tests are skipped.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.engines import (
    LOOPBACK,
    PROGRAMS,
    Engine,
    EngineDidNotStartError,
    clean_environment,
    free_port,
    launch,
    running,
)

VERSION = "3.1.0"
URL_VARIABLE = "DYNAMODB_LOCAL_URL"
DIRECTORY = Path(".local") / "dynamodb-local"
FETCH_SECONDS = 600
UNAVAILABLE = 69
"""Exit status when the engine is unavailable, so that CI can distinguish that from failed tests."""

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>dynamodb-local</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>software.amazon.dynamodb</groupId><artifactId>DynamoDBLocal</artifactId><version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

# Its own main class listens on every interface and has no option for another; it also sends telemetry.
_LOOPBACK_SERVER = """
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.handler.ContextHandler;
import software.amazon.dynamodb.services.local.server.LocalDynamoDBRequestHandler;
import software.amazon.dynamodb.services.local.server.LocalDynamoDBServerHandler;

public class LoopbackServer {
    public static void main(String[] arguments) throws Exception {
        var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[0]));
        var requests = new LocalDynamoDBRequestHandler(0, true, null, true, false);
        var server = new Server(address);
        server.setHandler(new ContextHandler(new LocalDynamoDBServerHandler(requests, null), "/"));
        server.start();
        server.join();
    }
}
"""


def fetch(directory: Path) -> Path:
    """Return the folder with the engine and what it needs, fetched into `directory` unless it is there.

    Raises:
        EngineDidNotStartError: Java or Maven is missing, or Maven could not download it.
    """
    libraries = directory / f"lib-{VERSION}"
    if libraries.is_dir():
        return libraries
    if shutil.which("java") is None or shutil.which("mvn") is None:
        raise EngineDidNotStartError("DynamoDB Local needs Java 17 and Maven, and they are not here")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pom.xml").write_text(_POM)
    arrived = directory / "arriving"
    shutil.rmtree(arrived, ignore_errors=True)
    # Maven reads the user's settings: a mirror, a proxy.
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={arrived.resolve()}"]
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False, env=os.environ
    )
    if done.returncode:
        raise EngineDidNotStartError(f"Maven did not bring DynamoDB Local {VERSION}:\n{done.stdout[-2000:]}")
    return arrived.rename(libraries)


def launch_dynamodb_local(directory: Path, port: int) -> Engine:
    """Start the engine, empty and in memory, on a loopback port."""
    libraries = fetch(directory).resolve()
    source = directory.resolve() / "LoopbackServer.java"
    source.write_text(_LOOPBACK_SERVER)
    command = [
        *("java", "-Xmx512m", f"-Djava.library.path={libraries}", f"-Dsqlite4java.library.path={libraries}"),
        *("-cp", f"{libraries}/*", str(source), str(port)),
    ]
    log = directory / "dynamodb-local.log"
    environment = clean_environment({"DDB_LOCAL_TELEMETRY": "0"})
    process = launch(command, log=log, environment=environment, directory=directory, leashed=True)
    return Engine(name="DynamoDB Local", process=process, log=log, ready=lambda: _listens(port))


@contextmanager
def dynamodb_local(directory: Path = DIRECTORY) -> Iterator[str]:
    """Yield the address of an engine that starts empty and ends with the context."""
    port = free_port()
    with running(launch_dynamodb_local(directory, port)):
        yield f"http://{LOOPBACK}:{port}"


def main(command: list[str]) -> int:
    """Run `command` beside the engine, and return its exit status; `UNAVAILABLE` when there is no engine."""
    try:
        with dynamodb_local() as url:
            print(f"DynamoDB Local {VERSION} listens at {url}", flush=True)
            path = f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
            environment = {**os.environ, "PATH": path, URL_VARIABLE: url}
            return subprocess.run(command, env=environment, check=False).returncode
    except (EngineDidNotStartError, subprocess.TimeoutExpired) as error:
        print(f"There was no second opinion: {error}", file=sys.stderr)
        return UNAVAILABLE


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

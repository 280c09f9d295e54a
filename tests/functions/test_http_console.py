"""The console over HTTP: what it may load, how long it is kept, at which address, and what it weighs."""

import gzip
import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib.api.console_files import CHART, console_files
from infra.packaging.bundle import SOURCES, STYLE_PLACE, VERSION_PLACE, bundle, bundled, outdated
from tests.functions.test_http_documents import raw
from tests.support.api import Aws

PAGE_BYTES_MAX = 60_000
"""Of page, scripts and styles together, gzipped (issue 7)."""
FILE = "/console/{version}/{name}"


def file(name: str, *, version: str | None = None) -> dict[str, Any]:
    """Return the gateway's answer for a file of the page."""
    version = console_files().version if version is None else version
    event = {
        "resource": FILE,
        "path": f"/console/{version}/{name}",
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"version": version, "name": name},
        "stageVariables": None,
        "requestContext": {"requestId": "r", "resourcePath": FILE, "httpMethod": "GET", "path": "/"},
        "body": None,
        "isBase64Encoded": False,
    }
    answered: dict[str, Any] = app(event, None)
    return answered


def named_by_the_page() -> set[str]:
    """Return the files that the page, its scripts and its styles name."""
    shipped = console_files()
    named = set(re.findall(rf'"console/{shipped.version}/([^"]+)"', shipped.page))
    for text in shipped.scripts.values():
        named |= set(re.findall(r"(?:from |import\()[\"'`]\./([^\"'`]+)", text))
    return named


def test_the_page_is_for_anybody_and_loads_its_own_files_and_nothing_else(aws: Aws) -> None:
    answered = raw("/console")

    assert answered["statusCode"] == 200
    assert answered["headers"]["Content-Type"].startswith("text/html")
    policy = dict(part.strip().split(" ", 1) for part in answered["headers"]["Content-Security-Policy"].split(";"))
    [style] = re.findall("<style>(.*?)</style>", answered["body"], re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'sha256-{digest}'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }
    assert answered["headers"]["Referrer-Policy"] == "no-referrer"
    assert aws.calls == []


def test_every_file_that_is_named_ships_and_every_file_that_ships_is_named() -> None:
    assert named_by_the_page() == set(console_files().scripts)


def test_all_addresses_are_relative_so_that_the_page_works_below_a_stage() -> None:
    page = console_files().page

    assert not re.search(r'(?:href|src)="/', page)
    assert VERSION_PLACE not in page
    assert STYLE_PLACE not in page


def test_the_page_is_asked_for_again_and_its_files_are_kept_for_a_year() -> None:
    tag = raw("/console")["headers"]["ETag"]

    assert raw("/console")["headers"]["Cache-Control"] == "no-cache"
    assert raw("/console", headers={"If-None-Match": tag})["statusCode"] == 304
    assert raw("/console", headers={"If-None-Match": 'W/"another"'})["statusCode"] == 200
    assert file("console.js")["headers"]["Cache-Control"] == "public, max-age=31536000, immutable"


def test_a_page_opened_before_a_deployment_gets_its_files_but_may_not_keep_them() -> None:
    answered = file("console.js", version="000000000000")

    assert (answered["statusCode"], answered["headers"]["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize("name", ["console.js", "uplot.js"])
def test_scripts_say_what_they_are(name: str) -> None:
    headers = file(name)["headers"]

    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["index.html", "app.js", "style.css", "../openapi.json", "console-licences.txt", ""])
def test_nothing_else_is_a_file_of_the_page(name: str) -> None:
    answered = file(name)

    assert answered["statusCode"] == 404
    assert json.loads(answered["body"])["error"]["code"] == "NOT_FOUND"


def test_what_ships_is_what_the_sources_make() -> None:
    assert outdated() == []


def test_a_change_of_any_file_is_a_new_version(tmp_path: Path) -> None:
    files = {"index.html": "{version}{style}", "app.js": "1", "uplot.js": "2", "style.css": "3", "uplot.css": "4"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    versions = {bundled(tmp_path)["version.json"]}
    for changed in files:
        (tmp_path / changed).write_text("changed {version}{style}")
        versions.add(bundled(tmp_path)["version.json"])

    assert len(versions) == 6


def test_page_scripts_and_styles_weigh_no_more_than_60_kilobytes() -> None:
    shipped = console_files()
    weights = {name: len(gzip.compress(text.encode())) for name, text in shipped.scripts.items()}

    assert sum(weights.values()) + len(gzip.compress(shipped.page.encode())) <= PAGE_BYTES_MAX, weights


def test_our_own_files_name_no_other_host_and_read_nothing_as_html() -> None:
    for path in sorted(SOURCES.iterdir()):
        if path.name in ("preact.js", "uplot.js", "uplot.css"):
            continue
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), path.name
        assert not re.search(r"innerHTML|outerHTML|document\.write|eval\(|localStorage|console\.log", text), path.name


def test_no_sentence_loses_the_space_where_its_line_ends() -> None:
    # A template drops white space that has a line's end in it: "It failed.Try again".
    broken = re.compile(r"</(?:a|b|code|strong|span)>\n\s*[A-Za-z(]")

    assert [path.name for path in SOURCES.glob("*.js") if broken.search(path.read_text())] == []
    assert broken.search("<p><strong>It failed.</strong>\n      Try again.</p>")


def test_modules_become_one_script_each_behind_what_it_imports() -> None:
    modules = {
        "a.js": 'import { b, c } from "./b.js";\nimport { d } from "./d.js";\nb(c, d);\n',
        "b.js": 'import { d } from "./d.js";\n// Why.\nexport const c = d;\nexport async function b() {\n  c;\n}\n',
        "d.js": "const x=1;export{x as d,x as unused};\n",
    }

    assert bundle(modules, "a.js") == (
        "const [d] = (() => {\nconst x=1;\n\nreturn [x];\n})();\n"
        "const [c, b] = (() => {\nconst c = d;\nasync function b() {\nc;\n}\n\nreturn [c, b];\n})();\n"
        "const [] = (() => {\nb(c, d);\n\nreturn [];\n})();\n"
    )


def test_modules_export_and_import_in_the_form_that_the_bundle_supports() -> None:
    modules = {path.name: path.read_text() for path in SOURCES.glob("*.js") if path.name != CHART}
    imports = [line for text in modules.values() for line in re.findall(r"^import .*", text, re.MULTILINE)]
    named = re.compile(r"^export [\w ]*?(\w+)(?: =|\()", re.MULTILINE)
    exports = [name for text in modules.values() for name in named.findall(text)]

    assert [line for line in imports if not re.fullmatch(r'import \{ \w+(?:, \w+)* \} from "\./\w+\.js";', line)] == []
    assert [name for name in exports if exports.count(name) > 1] == []
    assert not re.search(r"^\s*(?:import|export)\b(?! *\()|export\{", bundle(modules, "app.js"), re.MULTILINE)

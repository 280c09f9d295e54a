"""Every citation and every link in the repository leads to a heading, a decision or a file that exists."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "infra/docs"
CONTRACT = DOCS / "contract.md"
PLACES = ("chalicelib", "infra", "tests", ".github", ".ci", ".chalice")
SUFFIXES = {"", ".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".html", ".js", ".conf", ".sh", ".example"}
NOT_OURS = {"__pycache__", "console"}
"""Folders of files that nobody here wrote, or that Python did."""

BREAK = re.compile(r"\s*\n[ \t]*(?:#(?!#) ?|// ?)?")
"""A line's end inside a sentence, with the sign of a comment on the next line."""

NUMBERS = r"\d+(?:\.\d+)?(?:(?:, | and |, and | to )\d+(?:\.\d+)?)*"
QUOTED = r'\\?"(?P<heading>[^"\\]+)\\?"'
OF_CONTRACT = re.compile(
    rf"\bcontract(?:, sections? (?P<numbers>{NUMBERS}))?(?:, rules? (?P<rules>{NUMBERS}))?(?:, {QUOTED})?",
    re.IGNORECASE,
)
SECTIONS_OF = re.compile(rf"\bsections? (?P<numbers>{NUMBERS}) of the contract")
WITHIN = re.compile(
    rf"\bsections? (?P<numbers>{NUMBERS})(?:, rules? (?P<rules>{NUMBERS}))?(?:, {QUOTED})?", re.IGNORECASE
)
DECISION = re.compile(r"\bdecisions? (\d{4}(?:(?:, | and )\d{4})*)", re.IGNORECASE)
PAGE = re.compile(rf"(?<![\w/.{{}}*$<>-])(?P<page>(?:\.\./)*(?:\.?[\w-]+/)*[\w.-]*\w\.md)\b(?:, {QUOTED})?")
FILE = re.compile(
    r"(?<![\w/.$}*-])(?:chalicelib|infra|tests)/(?:[\w-]+/)*[\w.-]*\w\.(?:py|ya?ml|json|conf|toml|html|js|png)\b"
)
MODULE = re.compile(r"""(?:python3? -m |"-m", ")(?P<name>(?:chalicelib|infra|tests)(?:\.\w+)*)""")
"""A module of ours that somebody is to run."""
LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<target>[^)\s]+)\)")
FORMER = re.compile(
    r"\bspec, (?:section|\d|hard)|\bspec sections?\b|\bspec(?:-\d)?\.md|\bhard[- ]cases?(?:\.md|, )|\.\./shared\b"
)
"""How rules were cited before the contract was a page of this repository."""


def files() -> Iterator[Path]:
    """Yield every text file of the repository that a person wrote."""
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in SUFFIXES)
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES and not NOT_OURS & set(path.relative_to(ROOT).parts[:-1]):
                yield path


@cache
def headings(page: Path) -> frozenset[str]:
    """Return the headings of a page, without the marks of code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return frozenset(found.replace("`", "") for found in re.findall(r"^#+ (.+)$", text, re.MULTILINE))


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@cache
def rules_by_section() -> dict[int, int]:
    """Return the sections of the contract, each with the number of its last numbered rule."""
    parts = re.split(r"^## (\d+)\. ", CONTRACT.read_text(), flags=re.MULTILINE)
    return {
        int(number): max(map(int, re.findall(r"^(\d+)\. ", body, re.MULTILINE)), default=0)
        for number, body in zip(parts[1::2], parts[2::2], strict=True)
    }


@cache
def pages() -> tuple[Path, ...]:
    """Return every page of the repository."""
    return tuple(path for path in files() if path.suffix == ".md")


def wrong_in_contract(found: re.Match[str]) -> bool:
    """Return whether a citation of the contract names a section, a rule or a heading that it does not have."""
    groups = found.groupdict()
    known, cited = rules_by_section(), re.findall(r"[\d.]+", groups.get("numbers") or "")
    for number in cited:
        section, _, rule = number.partition(".")
        if int(section) not in known or int(rule or 0) > known[int(section)]:
            return True
    for rule in re.findall(r"\d+", groups.get("rules") or ""):
        if not cited or not 0 < int(rule) <= known[int(cited[-1].partition(".")[0])]:
            return True
    heading = groups.get("heading")
    return heading is not None and heading not in headings(CONTRACT)


def wrong_page(found: re.Match[str], path: Path) -> bool:
    """Return whether a page is cited that is not there, or a heading that the page does not have."""
    name, heading = found["page"], found["heading"]
    if name.startswith("build/"):
        return False  # What a command leaves there is not held by the repository.
    near = [page for page in ((path.parent / name).resolve(), ROOT / name) if page.is_file()]
    cited = near or [page for page in pages() if page.as_posix().endswith(f"/{name}")]
    return not cited or (heading is not None and not any(heading in headings(page) for page in cited))


def wrong_link(target: str, path: Path) -> bool:
    """Return whether a link leads to no file, or to no heading of the page."""
    name, _, fragment = target.partition("#")
    page = (path.parent / name).resolve() if name else path
    return not page.exists() or (bool(fragment) and fragment not in {anchor(heading) for heading in headings(page)})


def wrong_module(name: str) -> bool:
    """Return whether `python -m` that name finds nothing to run."""
    place = ROOT / name.replace(".", "/")
    file = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
    return not file.exists()


def unresolved(text: str, path: Path) -> list[str]:
    """Return the citations and links of a text, as the file at `path` holds it, that lead nowhere."""
    flat = BREAK.sub(" ", text)
    of_contract = [OF_CONTRACT, SECTIONS_OF, *([WITHIN] if path == CONTRACT else [])]
    wrong = [found[0] for form in of_contract for found in form.finditer(flat) if wrong_in_contract(found)]
    for found in DECISION.finditer(flat):
        wrong += [
            found[0] for number in re.findall(r"\d{4}", found[1]) if not list(DOCS.glob(f"decisions/{number}-*.md"))
        ]
    wrong += [found[0] for found in PAGE.finditer(flat) if wrong_page(found, path)]
    wrong += [found[0] for found in FILE.finditer(flat) if not (ROOT / found[0]).exists()]
    wrong += [found[0] for found in MODULE.finditer(flat) if wrong_module(found["name"])]
    wrong += [found[0] for found in FORMER.finditer(flat)]
    if path.suffix == ".md":
        wrong += [found["target"] for found in LINK.finditer(flat) if wrong_link(found["target"], path)]
    return wrong


def test_every_citation_and_every_link_leads_somewhere() -> None:
    examined = [path for path in files() if path != Path(__file__).resolve()]
    wrong = {str(path.relative_to(ROOT)): found for path in examined if (found := unresolved(path.read_text(), path))}

    assert len(examined) > 300
    assert wrong == {}


def test_the_contract_has_its_twenty_sections_and_the_index_every_decision() -> None:
    index = (DOCS / "decisions/README.md").read_text()
    decisions = sorted(DOCS.glob("decisions/[0-9]*.md"))

    assert list(rules_by_section()) == list(range(1, 21))
    assert [page.name for page in decisions if f"({page.name})" not in index] == []
    assert [int(page.name[:4]) for page in decisions] == list(range(1, len(decisions) + 1))


@pytest.mark.parametrize(
    "text",
    [
        "Rounded down (contract, section 21).",
        "Rounded down (contract, section 2, rule 8).",
        "Rounded down (contract, section 11.9).",
        'Rounded down (contract, "Refund arithmetics").',
        'Rounded down (contract, section 3, "Refund\n    arithmetics").',
        "As in sections 3 and 31 of the contract.",
        "Cheaper (decision 0999).",
        "Cheaper (decisions 0001 and\n# 0999).",
        "See infra/docs/nowhere.md.",
        'See infra/docs/testing.md, "Nowhere".',
        "As chalicelib/domain/nowhere.py does.",
        "See [there](nowhere.md).",
        "Run `python -m infra.nowhere`.",
        "Run `python -m infra.docs`.",
        '[sys.executable, "-m", "infra.nowhere", "--check"]',
        "See [there](README.md#nowhere).",
        "Never a float (spec, section 1).",
        'Never a float (hard-cases.md, "Hash").',
    ],
)
def test_a_citation_that_leads_nowhere_is_found(text: str) -> None:
    assert unresolved(text, DOCS / "README.md") != []


@pytest.mark.parametrize(
    "text",
    [
        "Rounded down (contract, section 2, rule 4; contract, section 11.6).",
        'Rounded down (contract, section 3, "Refund\n    # arithmetic").',
        "As in sections 3 and 4 of the contract; the contract says so.",
        "Cheaper (decisions 0001 and 0002).",
        'See infra/docs/testing.md, "Simulator", and testing.md.',
        "Run `python -m infra.local`, python -m infra.packaging.pins. Then python -m pytest.",
        "See [there](contract.md#2-rules-of-the-ledger) or [there](http://127.0.0.1/nowhere.md).",
    ],
)
def test_a_citation_that_leads_somewhere_is_none_of_them(text: str) -> None:
    assert unresolved(text, DOCS / "README.md") == []

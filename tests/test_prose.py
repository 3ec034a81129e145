"""The prose of documents, docstrings, comments and messages: phrases that are hard to read."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

import jwt_middleware

ROOT = Path(__file__).parents[1]
# The package is somewhere else if the tests run with an installed wheel.
PACKAGE = Path(jwt_middleware.__file__).parent

# What to write instead of each phrase. A phrase may be spread over two lines.
INSTEAD = {
    r"(?<!there\s)\b(?:is|are|was|were)\s+no\s+(?!longer\b|more\b|other\b|one\b)": "is not a ...",
    r"(?<!there\s)(?-i:\b(?:is|are|was)\s+none\b)": "is not a ..., or: there is none",
    r"\bwhatever\b": "everything that ..., any ...",
    r"\bbeside\b": "next to, besides, together with",
    r"\bnobody\b": "a verb with not, or: no client, no process",
    r"\b(?:nothing|anything|none)\s+but\b": "only, everything except",
    r"\bso\s+written\b": "written so that",
    r"\bat\s+hand\b": "local, current, available",
    r"\bhouse\b": "package, application",
    r"\bfloors?\b": "layer",
    r"\bdoors?\b": "module, way",
    r"\brings?\b": "key set",
    r"\bvouch(?:es|ed|ing)?\b": "may sign, confirms",
    r"\bstrangers?\b": "another client, an attacker",
    r"\b(?:likewise|thereafter|thereof|therein)\b": "the same, after that, of it, in it",
    r"\u2014|\s\u2013\s": "a comma, or another sentence",
}
# Names and values are not prose.
INLINE_CODE = re.compile(r"``.*?``|`[^`\n]*`")
FENCED_CODE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def sources():
    """Return all files that hold prose, by their name in the repository."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "demo_app.py"]
    found = {
        str(path.relative_to(ROOT)): path for path in [*documents, *(ROOT / "tests").rglob("*.py")]
    }
    return found | {
        f"jwt_middleware/{path.relative_to(PACKAGE)}": path for path in PACKAGE.rglob("*.py")
    }


DOCUMENTS = [name for name in sources() if name.endswith(".md")]


def without_code(text):
    """Return the text with spaces in place of code, so that every line keeps its number."""
    for code in (FENCED_CODE, INLINE_CODE):
        text = code.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    return text


def comments(source):
    """Return each block of comments with the number of its first line."""
    blocks = []
    last = None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, text = token.start[0], token.string.lstrip("#")
            if blocks and line == last + 1:
                blocks[-1] = (blocks[-1][0], f"{blocks[-1][1]}\n{text}")
            else:
                blocks.append((line, text))
            last = line
    return blocks


def strings(source, *, all_of_them):
    """Return the docstrings, or all texts, with the number of their first line."""
    tree = ast.parse(source)
    if all_of_them:
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        return [(node.lineno, node.value) for node in nodes if isinstance(node.value, str)]
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    owners = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    return [
        (node.body[0].lineno, node.body[0].value.value)
        for node in owners
        if ast.get_docstring(node)
    ]


def prose(name, source):
    """Return the texts of a file that people read, with the number of their first line."""
    if name.endswith(".md"):
        return [(1, source)]
    # Messages of the package are prose too. The texts of a test are mostly data.
    return strings(source, all_of_them=name.startswith("jwt_middleware/")) + comments(source)


def banned(name, source):
    """Return the banned phrases of a file, each with its line and what to write instead."""
    found = []
    for first, text in prose(name, source):
        plain = re.sub(r"\n[ \t]+", "\n", without_code(text))
        for phrase, instead in INSTEAD.items():
            for hit in re.finditer(phrase, plain, re.IGNORECASE):
                line = first + plain.count("\n", 0, hit.start())
                found.append(f"{name}:{line}: {' '.join(hit[0].split())!r}: write {instead}")
    return sorted(set(found))


@pytest.mark.parametrize("name", sorted(sources()))
def test_prose_has_no_banned_phrase(name):
    """Phrases that readers stumble over are not used."""
    assert banned(name, sources()[name].read_text()) == []


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_document_has_100_columns(name):
    """Lines of documents fit on a screen, except for tables and code."""
    lines = FENCED_CODE.sub("", sources()[name].read_text()).split("\n")

    assert [line for line in lines if len(line) > 100 and not line.startswith("|")] == []


@pytest.mark.parametrize(
    ("name", "source", "lines"),
    [
        pytest.param("a.md", "A str is no token.", [1], id="document"),
        pytest.param("a.md", "One.\nA str is\nno token.", [2], id="over two lines"),
        pytest.param("a.md", "There is no token. It is no longer so.", [], id="good English"),
        pytest.param("a.md", "It is None if there is none.", [], id="the value None"),
        pytest.param("a.md", "`is no key`\n```\nis no key\n```\n", [], id="code"),
        pytest.param("a.py", '"""A\n\nhouse."""', [3], id="docstring"),
        pytest.param("a.py", "house = 1  # A house.", [1], id="comment"),
        pytest.param("a.py", "a = 'house'", [], id="text outside the package"),
        pytest.param("jwt_middleware/a.py", "\na = f'{1} house'", [2], id="message"),
    ],
)
def test_banned_phrases_are_found(name, source, lines):
    """The search sees prose with its line numbers, and no code."""
    assert [int(hit.split(":")[1]) for hit in banned(name, source)] == lines

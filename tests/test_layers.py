"""The layers of the package: a module imports only from layers below its own."""

import ast
from pathlib import Path

import pytest

import jwt_middleware

PACKAGE = Path(jwt_middleware.__file__).parent
LAYERS = [
    ["_lazy", "arguments", "clock", "errors", "events"],
    ["credentials", "jose", "origins", "responses", "stores", "tokens"],
    ["cookies", "cors", "keys", "policy", "propagation", "revocations", "validators"],
    ["issuing", "middleware", "verifier"],
    ["trusted_issuers"],
    ["integrations", "testing"],
    ["__init__"],
]
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
FOLDERS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
MODULES = [
    pytest.param(path, id=str(path.relative_to(PACKAGE).with_suffix("")))
    for path in sorted(PACKAGE.rglob("*.py"))
]


def imports(path):
    """Return the names of all modules that a file imports, at any depth."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom)}


def own_imports(path):
    """Return what a file imports of this package, split into parts: ``["keys", "local"]``."""
    names = (name.split(".") for name in imports(path))
    return [parts[1:] for parts in names if parts[0] == "jwt_middleware" and len(parts) > 1]


def unit(path):
    """Return the module or folder of the package's root that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES)
def test_module_imports_from_lower_layers_only(path):
    """No module knows another one of its own layer, or one above."""
    others = {parts[0] for parts in own_imports(path)} - {unit(path)}

    assert {name for name in others if LAYER[name] >= LAYER[unit(path)]} == set()


@pytest.mark.parametrize("path", MODULES)
def test_folder_is_imported_as_a_whole(path):
    """What a folder offers to others is in its `__init__`; its files are its own business."""
    inside = {
        tuple(parts) for parts in own_imports(path) if len(parts) > 1 and parts[0] != unit(path)
    }

    assert inside == set()


@pytest.mark.parametrize(
    ("libraries", "users"),
    [
        pytest.param({"jwt"}, {"jose/signatures.py"}, id="PyJWT"),
        pytest.param(
            {"cryptography"}, {"jose/signatures.py", "jose/generate.py"}, id="cryptography"
        ),
        pytest.param({"redis"}, {"stores/redis.py"}, id="redis-py"),
        pytest.param({"pyramid"}, {"integrations/pyramid.py"}, id="Pyramid"),
    ],
)
def test_library_has_one_user(libraries, users):
    """Only these modules import the library."""
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if libraries & {n.split(".")[0] for n in imports(path)}
    }

    assert found == users


@pytest.mark.parametrize(
    "path",
    # Users import the files of integrations, because each needs another framework.
    [
        PACKAGE / "__init__.py",
        *(PACKAGE / name / "__init__.py" for name in sorted(FOLDERS - {"integrations"})),
    ],
)
def test_every_public_name_is_there(path):
    """What a package exports exists, once."""
    package = (
        jwt_middleware
        if path.parent == PACKAGE
        else __import__(f"jwt_middleware.{path.parent.name}", fromlist=["_"])
    )

    assert len(package.__all__) == len(set(package.__all__))
    assert all(hasattr(package, name) for name in package.__all__)
    assert not hasattr(package, "no_such_name")


def test_lazy_names_are_those_that_type_checkers_see():
    """The imports for type checkers and those at run time name the same modules."""
    for path in PACKAGE.rglob("__init__.py"):
        tree = ast.parse(path.read_text())
        package = ".".join(["jwt_middleware", *path.relative_to(PACKAGE).parts[:-1]])
        seen = {
            (node.module.removeprefix(f"{package}."), alias.name)
            for block in tree.body
            if isinstance(block, ast.If)
            for node in block.body
            for alias in node.names
        }
        calls = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and node.func.id == "lazy_names"
        ]
        lazy = {
            (module, name)
            for call in calls
            for module, names in ast.literal_eval(call.args[1]).items()
            for name in names
        }

        assert lazy == seen


def test_module_has_one_job():
    """A file of more than 300 lines has two, and so has a root of more than 20 modules."""
    lines = {
        str(path.relative_to(PACKAGE)): len(path.read_text().splitlines())
        for path in PACKAGE.rglob("*.py")
    }

    assert {name: count for name, count in lines.items() if count > 300} == {}
    assert len(list(PACKAGE.glob("*.py"))) <= 20

"""What a mutant is: one small change in the syntax tree of one module.

These parts are never changed, because no test should notice:

* docstrings, type annotations, type aliases, protocols and ``if TYPE_CHECKING:`` blocks;
* ``__repr__``, ``__slots__`` and ``__all__``;
* prose: a text that contains three words in a row or a Python list, with what is formatted into it;
* ``lru_cache``, whose size only says how much is remembered, and ``zip(strict=)``.
"""

import ast
import re
from dataclasses import dataclass
from typing import Any

from tests.mutants.regular_expressions import changed_patterns

_COMPARISONS = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
_ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_UNWRAPPED = {"lower", "upper", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "copy"}
_SWAPPED = {
    "startswith": "endswith",
    "endswith": "startswith",
    "partition": "rpartition",
    "rpartition": "partition",
    "split": "rsplit",
    "isdisjoint": "issuperset",
    "issuperset": "isdisjoint",
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
}
_NOT_VISITED = {"annotation", "returns", "decorator_list", "bases", "format_spec", "type_params"}
_PROSE = re.compile(r"[A-Za-z']+[,;]? [a-z]+[,;]? [a-z]+|\['").search
_LISTS_OF_NAMES = {"__all__", "__slots__"}


@dataclass(frozen=True, eq=False)
class Mutant:
    """One change. `apply` makes it in the tree, because each mutant has its own process."""

    module: str
    where: str
    line: int
    text: str
    change: str
    tree: ast.Module
    node: ast.AST
    field: str
    index: int | None
    replacement: Any

    @property
    def key(self):
        """What identifies the mutant while lines around it come and go."""
        return (self.module, self.where, self.text, self.change)

    def apply(self):
        """Return the tree with the change in it."""
        if self.index is None:
            setattr(self.node, self.field, self.replacement)
        elif self.replacement is None:
            del getattr(self.node, self.field)[self.index]
        else:
            getattr(self.node, self.field)[self.index] = self.replacement
        return ast.fix_missing_locations(self.tree)


def mutants_of(module, source):
    """Return all mutants of a module, from its first line to its last."""
    tree = ast.parse(source)
    lines = source.splitlines()
    seen = {}
    found = []
    for where, node, field, index, old, new in _places(tree, ""):
        line = getattr(old, "lineno", None) or getattr(node, "lineno", 1)
        text, change = lines[line - 1].strip(), f"{_shown(old)} -> {_shown(new)}"
        number = seen[where, text, change] = seen.get((where, text, change), 0) + 1
        if number > 1:
            change += f" (number {number})"
        found.append(Mutant(module, where, line, text, change, tree, node, field, index, new))
    return sorted(found, key=lambda mutant: mutant.line)


def _shown(node):
    """Return a node as source text in one line."""
    return "nothing" if node is None else " ".join(ast.unparse(node).split())


def _places(node, where):
    """Yield every change below a node: its function, its place in the tree, and the change."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        where = f"{where}.{node.name}".lstrip(".")
    for field, value in ast.iter_fields(node):
        if field in _NOT_VISITED:
            continue
        children = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if not isinstance(child, ast.AST) or _is_skipped(child, node, field, index):
                continue
            for new in _replacements(child, node, field):
                yield where, node, field, index, child, new
            yield from _places(child, where)


def _is_skipped(node, parent, field, index):
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.FunctionDef(name="__repr__"):
            return True
        case ast.ClassDef(bases=[ast.Name(id="Protocol")]):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name in _LISTS_OF_NAMES or _is_alias(name, value)
        case ast.Call(func=ast.Name(id="lru_cache")):
            return True
        case ast.keyword(arg="strict"):
            return True
        case ast.Constant(value=str() as text):
            return _PROSE(text) is not None
        case ast.JoinedStr():
            return _PROSE(_text_of(node)) is not None
    is_cast = isinstance(parent, ast.Call) and _shown(parent.func) == "cast"
    return is_cast and field == "args" and index == 0


def _is_alias(name, value):
    """Tell whether an assignment names a type: ``Extractor = Callable[[WSGIEnvironment], str]``."""
    types = ast.Subscript | ast.BinOp | ast.Name | ast.Attribute
    kinds = types | ast.Tuple | ast.List | ast.Constant | ast.operator | ast.expr_context
    is_capitalized = name.lstrip("_")[:1].isupper() and not name.isupper()
    return (
        is_capitalized
        and isinstance(value, types)
        and all(isinstance(part, kinds) for part in ast.walk(value))
    )


def _text_of(joined):
    parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in joined.values)
    return "".join(parts)


def _replacements(node, parent, field):
    """Yield what a node can be replaced with; None removes it from its list."""
    if field in {"test", "ifs"}:
        yield from _conditions(node, parent)
    yield from _REPLACEMENTS.get(type(node), lambda *_: ())(node, parent)


def _conditions(node, parent):
    if isinstance(node, ast.Constant):
        return
    if not isinstance(parent, ast.While):
        # A loop that never ends would only cost time.
        yield ast.Constant(True)
    yield ast.Constant(False)


def _comparison(node, _):
    for number, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            yield ast.Compare(node.left, _with(node.ops, number, other()), node.comparators)


def _with(items, number, item):
    return [*items[:number], item, *items[number + 1 :]]


def _boolean(node, _):
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for number in range(len(node.values)):
        rest = node.values[:number] + node.values[number + 1 :]
        yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _negation(node, _):
    if isinstance(node.op, ast.Not):
        yield node.operand


def _operation(node, _):
    if isinstance(node.op, ast.BitOr):
        # Of a union of types, sets or dicts: one half.
        yield node.left
        yield node.right
    else:
        yield ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)


def _augmented(node, _):
    yield ast.Pass()
    if type(node.op) in _ARITHMETIC:
        yield ast.AugAssign(node.target, _ARITHMETIC[type(node.op)](), node.value)


def _constant(node, parent):
    for value in _other_values(node.value, parent):
        yield ast.Constant(value)


def _other_values(value, parent):
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value - 1]
        case str():
            return _other_texts(value)
        case bytes():
            return [b"XX" + value]
        case None if not isinstance(parent, ast.Compare | ast.BinOp):
            return ["XX"]
    return []


def _other_texts(text):
    patterns = changed_patterns(text)
    if patterns:
        return patterns
    if 2 <= len(text) <= 6 and not any(map(str.isalnum, text)):
        # A text like "<>{}" is often a set of characters.
        return [text[:number] + text[number + 1 :] for number in range(len(text))]
    return [f"XX{text}XX"]


def _call(node, _):
    for number, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg != "strict":
            rest = node.keywords[:number] + node.keywords[number + 1 :]
            yield ast.Call(node.func, node.args, rest)
    match node.func:
        case ast.Attribute(value=receiver, attr=name) if name in _UNWRAPPED:
            yield receiver
        case ast.Attribute(attr="split") if len(node.args) + len(node.keywords) < 2:
            # Without a limit, rsplit does the same.
            return
        case ast.Attribute(value=receiver, attr=name) if name in _SWAPPED:
            yield ast.Call(
                ast.Attribute(receiver, _SWAPPED[name], ast.Load()), node.args, node.keywords
            )
        case ast.Name(id=name) if name in _SWAPPED:
            yield ast.Call(ast.Name(_SWAPPED[name], ast.Load()), node.args, node.keywords)


def _slice(node, _):
    if node.lower is not None:
        yield ast.Slice(None, node.upper, node.step)
    if node.upper is not None:
        yield ast.Slice(node.lower, None, node.step)


def _expression_statement(node, _):
    if isinstance(node.value, ast.Yield | ast.YieldFrom):
        # Without any yield the function would not be a generator.
        yield ast.Expr(ast.YieldFrom(ast.Tuple([], ast.Load())))
    else:
        yield ast.Pass()


def _assignment(node, _):
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets):
        yield ast.Pass()


def _return(node, _):
    if node.value is None:
        yield ast.Pass()
    elif not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(ast.Constant(None))


def _statement(*_):
    yield ast.Pass()


def _handler(node, _):
    if node.type is None:
        return
    if isinstance(node.type, ast.Tuple):
        types = node.type.elts
        for number in range(len(types)):
            yield _catching(node, ast.Tuple(types[:number] + types[number + 1 :], ast.Load()))
    else:
        yield _catching(node, ast.Tuple([], ast.Load()))
    if _shown(node.type) == "Exception":
        yield _catching(node, ast.Name("ValueError", ast.Load()))


def _catching(node, types):
    return ast.ExceptHandler(types, node.name, node.body)


_REPLACEMENTS = {
    ast.Compare: _comparison,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _negation,
    ast.BinOp: _operation,
    ast.AugAssign: _augmented,
    ast.Constant: _constant,
    ast.Call: _call,
    ast.Slice: _slice,
    ast.Expr: _expression_statement,
    ast.Assign: _assignment,
    ast.AnnAssign: _assignment,
    ast.Return: _return,
    ast.Raise: _statement,
    ast.Delete: _statement,
    ast.Continue: _statement,
    ast.Break: _statement,
    ast.ExceptHandler: _handler,
}

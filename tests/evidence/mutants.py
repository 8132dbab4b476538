"""Small wrong changes of functions, made in their syntax trees: what a slip of the pen would do to a quantity.

A mutant differs from its function in one place: arguments of `differences` or operands of `-` and `/` exchanged, a
comparison turned round, an index taken from the other end, two strings of a call exchanged, a word replaced by one that
could stand in its place (`VOCABULARY`), `and` by `or`, or a `not` dropped.
"""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from types import FunctionType, ModuleType
from typing import Any

#: Functions of these modules are mutated, wherever a quantity calls them.
WHERE = "tutorial_lib.experiments."
#: Signs that are turned into each other.
SIGNS = (("<", ">"), ("<=", ">="), ("==", "!="), ("in", "not in"), ("is", "is not"))
#: Words that can stand in each other's place: names of attributes and functions, and strings.
VOCABULARY = (
    ("few", "many"),
    ("min", "max"),
    ("fixed", "random"),
    ("zero_shot", "linear_probe", "knn", "classifier"),
    ("search", "one", "prompts"),
    ("picture_moved", "captions_moved"),
    ("none", "finetune", "cleanclip", "self-supervised", "supervised"),
    ("badnets", "blended", "wanet", "label-consistent"),
    ("poisoned", "pretrained", "self_supervised", "stripes", "watermark"),
    ("same_label", "same_prediction"),
    ("similarity_clean", "similarity_triggered", "similarity_clean_std"),
    ("attack_success", "clean_accuracy"),
    ("others", "label-consistent"),
)
OTHERS = {word: [w for w in words if w != word] for words in VOCABULARY for word in words} | {
    "label-consistent": ["badnets", "blended", "wanet", "others"]
}
Edit = Callable[[Any], None]


def _operator(sign: str) -> type[ast.cmpop]:
    comparison = ast.parse(f"a {sign} b", mode="eval").body
    assert isinstance(comparison, ast.Compare)
    return type(comparison.ops[0])


TURNED = {_operator(a): _operator(b) for one, other in SIGNS for a, b in ((one, other), (other, one))}


@dataclass(frozen=True)
class Mutant:
    """A function with one change.

    Attributes:
        function: that is changed.
        change: what was done, with the expression as it is then.
        changed: the function with the change.
    """

    function: FunctionType
    change: str
    changed: FunctionType

    @property
    def name(self) -> str:
        return f"{short(self.function)}: {self.change}"

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The change in the function itself, so that whoever holds the function runs the mutant."""
        parts = ("__code__", "__defaults__", "__kwdefaults__")
        own = [getattr(self.function, part) for part in parts]
        for part in parts:
            setattr(self.function, part, getattr(self.changed, part))
        try:
            yield
        finally:
            for part, value in zip(parts, own, strict=True):
                setattr(self.function, part, value)


def short(function: FunctionType) -> str:
    return f"{function.__module__.removeprefix(WHERE)}.{function.__name__}"


def tree_of(function: FunctionType) -> ast.FunctionDef:
    found = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(found, ast.FunctionDef)
    for node in ast.walk(found):  # what an annotation says changes nothing
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Name("object", ast.Load())
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    return found


def underlying(quantity: Any) -> FunctionType:
    """The function beneath `functools.partial`."""
    while isinstance(quantity, functools.partial):
        quantity = quantity.func
    assert isinstance(quantity, FunctionType)
    return quantity


def reached(quantity: Any) -> set[FunctionType]:
    """The quantity's function and those that it calls, as far as they belong to the experiments."""
    found: set[FunctionType] = set()
    waiting = [underlying(quantity)]
    while waiting:
        function = waiting.pop()
        if function in found:
            continue
        found.add(function)
        for node in ast.walk(tree_of(function)):
            named = _named(node, function.__globals__)
            if isinstance(named, functools.partial):
                named = underlying(named)
            if isinstance(named, FunctionType) and named.__module__.startswith(WHERE):
                waiting.append(named)
    return found


def _named(node: ast.AST, names: dict[str, Any]) -> Any:
    """What a name, or a name of a module, stands for."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        module = names.get(node.value.id)
        return getattr(module, node.attr, None) if isinstance(module, ModuleType) else None
    return None


def mutants(function: FunctionType) -> list[Mutant]:
    """All mutants of a function; each change of its text once."""
    tree = tree_of(function)
    texts = {ast.unparse(tree)}
    found = []
    for number, node in enumerate(ast.walk(tree)):
        for what, edit in _edits(node):
            changed = copy.deepcopy(tree)
            place = list(ast.walk(changed))[number]
            edit(place)
            text = ast.unparse(changed)
            if text not in texts:
                texts.add(text)
                found.append(Mutant(function, _change(what, tree, changed), _compiled(function, changed)))
    return found


def _change(what: str, tree: ast.FunctionDef, changed: ast.FunctionDef) -> str:
    """The line that differs, as it is after the change."""
    lines = zip(ast.unparse(tree).splitlines(), ast.unparse(changed).splitlines(), strict=True)
    return f"{what}: " + " ".join(after.strip() for before, after in lines if after != before)


def _compiled(function: FunctionType, tree: ast.FunctionDef) -> FunctionType:
    module = ast.fix_missing_locations(ast.Module(body=[tree], type_ignores=[]))
    names = dict(function.__globals__)
    exec(compile(module, f"<mutant of {short(function)}>", "exec", __future__.annotations.compiler_flag, True), names)
    return names[function.__name__]


def _edits(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    """The changes that can be made at a node, each as a function that makes it at the same node of a copy."""
    match node:
        case ast.Call():
            yield from _edits_of_call(node)
        case ast.BinOp(op=ast.Sub() | ast.Div()):
            yield "operands", _swap_operands
        case ast.Compare():
            for k, op in enumerate(node.ops):
                if type(op) in TURNED:
                    yield "comparison", functools.partial(_turn, k=k)
        case ast.Subscript() if (index := _integer(node.slice)) is not None:
            yield "index", functools.partial(_set_slice, index=~index)
        case ast.UnaryOp(op=ast.Not()):
            yield "not", _drop_not
        case ast.BoolOp():
            yield "and or", _other_connective
        case ast.Attribute(attr=word) if word in OTHERS:
            yield from (("word", functools.partial(_rename, field="attr", word=w)) for w in OTHERS[word])
        case ast.Name(id=word) if word in ("min", "max"):
            yield from (("word", functools.partial(_rename, field="id", word=w)) for w in OTHERS[word])
        case ast.Constant(value=str(word)) if word in OTHERS:
            yield from (("word", functools.partial(_rename, field="value", word=w)) for w in OTHERS[word])


def _edits_of_call(node: ast.Call) -> Iterator[tuple[str, Edit]]:
    if isinstance(node.func, ast.Name) and node.func.id == "differences" and len(node.args) == 2:
        yield "arguments", lambda call: call.args.reverse()
    for k, argument in enumerate(node.args):
        if (index := _integer(argument)) in (0, -1):
            yield "index", functools.partial(_set_argument, k=k, index=~index)
    words = _words(node)
    for i, j in combinations(range(len(words)), 2):
        if words[i].value != words[j].value:
            yield "words", functools.partial(_swap_words, i=i, j=j)


def _words(call: ast.Call) -> list[ast.Constant]:
    """The strings in a call, without those that index something."""
    indices = {id(n.slice) for n in ast.walk(call) if isinstance(n, ast.Subscript)}
    found = (n for n in ast.walk(call) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return [n for n in found if id(n) not in indices]


def _integer(node: ast.expr) -> int | None:
    """The value of a literal whole number."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _integer(node.operand)
        return None if inner is None else -inner
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def _swap_operands(node: ast.BinOp) -> None:
    node.left, node.right = node.right, node.left


def _turn(node: ast.Compare, k: int) -> None:
    node.ops[k] = TURNED[type(node.ops[k])]()


def _set_slice(node: ast.Subscript, index: int) -> None:
    node.slice = ast.Constant(index)


def _set_argument(node: ast.Call, k: int, index: int) -> None:
    node.args[k] = ast.Constant(index)


def _swap_words(node: ast.Call, i: int, j: int) -> None:
    words = _words(node)
    words[i].value, words[j].value = words[j].value, words[i].value


def _rename(node: ast.AST, field: str, word: str) -> None:
    setattr(node, field, word)


def _other_connective(node: ast.BoolOp) -> None:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _drop_not(node: ast.UnaryOp) -> None:
    node.operand = ast.UnaryOp(ast.Not(), node.operand)

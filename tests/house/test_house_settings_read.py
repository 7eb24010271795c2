"""Every setting has an effect: some code outside `config/` reads it. A setting nobody reads is a promise nobody keeps."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

from pydantic import BaseModel

from trading_system.config.settings import Settings

SOURCE: Final = Path(__file__).resolve().parents[2] / "src" / "trading_system"
READ_ELSEWHERE: Final[dict[str, str]] = {}
"""Section.setting → why no attribute access outside `config/` is its reader. Keep it short."""

Model = type[BaseModel]
Typed = tuple[Model, bool]
"""A model, and whether the value is a sequence of it."""


def test_every_setting_is_read_outside_its_definition() -> None:
    read = {name for path in _sources() for name in reads_of(path.read_text())}

    unread = sorted(name for name in _all_settings() if name not in read and name not in READ_ELSEWHERE)

    assert unread == []


def test_no_exception_outlives_its_reason() -> None:
    read = {name for path in _sources() for name in reads_of(path.read_text())}

    assert sorted(name for name in READ_ELSEWHERE if name in read or name not in _all_settings()) == []


def test_a_field_of_another_thing_with_the_same_name_does_not_count_as_a_read() -> None:
    text = "def f(settings: Settings, other: Thing) -> None:\n    s = settings.system\n    print(s.mode, other.read_only, other.logs_dir)\n"

    assert reads_of(text) == {"SystemSettings.mode"}


def _sources() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if path.parent.name != "config"]


def _models(model: Model = Settings) -> Iterator[Model]:
    yield model
    for name in model.model_fields:
        inner = _inner(model, name)
        if inner is not None:
            yield from _models(inner[0])


def _all_settings() -> set[str]:
    return {f"{model.__name__}.{name}" for model in _models() for name in model.model_fields if _inner(model, name) is None}


def _inner(model: Model, field: str) -> Typed | None:
    """The model a field holds (directly, optionally, or in a sequence); None for a plain value."""
    return _found(model.model_fields[field].annotation, is_many=False)


def _found(annotation: object, *, is_many: bool) -> Typed | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, is_many
    is_sequence = getattr(annotation, "__origin__", None) is tuple
    for part in get_args(annotation):
        found = _found(part, is_many=is_many or is_sequence)
        if found is not None:
            return found
    return None


def reads_of(text: str) -> set[str]:
    """Settings (Model.field) that a module reads, following annotations, aliases and loops."""
    return _Reader({model.__name__: model for model in _models()}).of(ast.parse(text))


class _Reader:
    """Follows values of known models through one module, function by function.

    `settings`, without an annotation or of anything, is the whole.
    """

    def __init__(self, models: dict[str, Model]) -> None:
        self._models = models
        self._reads: set[str] = set()

    def of(self, tree: ast.Module) -> set[str]:
        self._scope(tree, {})
        return self._reads

    def _scope(self, node: ast.AST, outer: dict[str, Typed]) -> None:
        known = dict(outer)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
                found = self._annotated(argument.annotation)
                if found is not None:
                    known[argument.arg] = found
        inner: list[ast.AST] = []
        # twice: an alias may be used in a nested expression before the walk meets its assignment
        for _ in range(2):
            inner = []
            self._walk(node, known, inner)
        for function in inner:
            self._scope(function, known)

    def _walk(self, node: ast.AST, known: dict[str, Typed], inner: list[ast.AST]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                inner.append(child)
                continue
            self._learn(child, known)
            if isinstance(child, ast.Attribute):
                self._typed(child, known)
            self._walk(child, known, inner)

    def _learn(self, node: ast.AST, known: dict[str, Typed]) -> None:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for name, value in zip(names, values, strict=True):
                    self._bind(name, self._typed(value, known), known)
            case ast.Assign(targets=[target], value=value):
                self._bind(target, self._typed(value, known), known)
            case ast.AnnAssign(target=target, annotation=annotation):
                self._bind(target, self._annotated(annotation), known)
            case (
                ast.For(target=ast.Tuple(elts=names), iter=ast.Tuple(elts=rows))
                | ast.comprehension(target=ast.Tuple(elts=names), iter=ast.Tuple(elts=rows))
            ):
                for row in rows:
                    if isinstance(row, ast.Tuple):
                        for name, value in zip(names, row.elts, strict=True):
                            self._bind(name, self._typed(value, known), known)
            case ast.For(target=target, iter=many) | ast.comprehension(target=target, iter=many):
                found = self._typed(many, known)
                if found is not None and found[1]:
                    self._bind(target, (found[0], False), known)
            case _:
                pass

    @staticmethod
    def _bind(target: ast.AST, found: Typed | None, known: dict[str, Typed]) -> None:
        if isinstance(target, ast.Name) and found is not None:
            known[target.id] = found

    def _annotated(self, annotation: ast.AST | None) -> Typed | None:
        names = [] if annotation is None else [part.id for part in ast.walk(annotation) if isinstance(part, ast.Name)]
        return next(((self._models[name], False) for name in names if name in self._models), None)

    def _typed(self, node: ast.AST, known: dict[str, Typed]) -> Typed | None:
        """The model `node` evaluates to, noting a plain setting on the way."""
        if isinstance(node, ast.Name):
            return known.get(node.id, (Settings, False) if node.id == "settings" else None)
        if isinstance(node, ast.IfExp):
            return self._typed(node.body, known) or self._typed(node.orelse, known)
        if not isinstance(node, ast.Attribute):
            return None
        base = self._typed(node.value, known)
        if base is None:
            return (Settings, False) if node.attr == "settings" else None
        model = base[0]
        if node.attr not in model.model_fields:
            return None
        inner = _inner(model, node.attr)
        if inner is None:
            self._reads.add(f"{model.__name__}.{node.attr}")
        return inner

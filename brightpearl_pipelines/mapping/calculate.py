"""Calculations in mapping files: + - * / , parentheses, numbers, paths, min, max, round. Decimals only.

Python's own parser reads the text; nothing of it is ever executed. `round(x, 2)` rounds half up, as invoices do.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Final

from brightpearl_pipelines.mapping.paths import FieldPath, parse_path

ALLOWED: Final = "paths such as a.b, numbers, + - * / and parentheses, min(), max(), round(x) and round(x, decimals)"
_CONTEXT = Context(prec=40, rounding=ROUND_HALF_UP, traps=[DivisionByZero, InvalidOperation, Overflow])
_MOST_DECIMALS = 20

Resolve = Callable[[FieldPath], Decimal]
_Evaluate = Callable[[Resolve], Decimal]
_OPERATORS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}


class CalculationSyntaxError(ValueError):
    """A calculation that cannot be read; `offset` is where in the text, from 0."""

    def __init__(self, problem: str, offset: int) -> None:
        self.offset = offset
        super().__init__(problem)


class CalculationError(ArithmeticError):
    """A calculation without a result, such as a division by zero."""


@dataclass(frozen=True, slots=True)
class Calculation:
    """A parsed calculation; `paths` are the values that it needs."""

    text: str
    paths: tuple[FieldPath, ...]
    _evaluate: _Evaluate

    def evaluate(self, resolve: Resolve) -> Decimal:
        """The result; `resolve` gives the number at a path. Raises CalculationError."""
        with localcontext(_CONTEXT):
            try:
                return self._evaluate(resolve)
            except (DivisionByZero, InvalidOperation, Overflow) as error:
                raise CalculationError(f"{self.text} has no result") from error


def parse_calculation(text: str) -> Calculation:
    """Read a calculation; raises CalculationSyntaxError."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise CalculationSyntaxError("not a calculation", max(0, (error.offset or 1) - 1)) from error
    parser = _Parser(text)
    evaluate = parser.expression(tree.body)
    return Calculation(text, tuple(dict.fromkeys(parser.paths)), evaluate)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.paths: list[FieldPath] = []

    def expression(self, node: ast.expr) -> _Evaluate:
        match node:
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
                return self._binary(_OPERATORS[type(operator)], self.expression(left), self.expression(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.expression(operand)
                return lambda resolve: -inner(resolve)
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                return self._number(node)
            case ast.Name() | ast.Attribute():
                return self._path(node)
            case ast.Call(func=ast.Name(id="min" | "max" | "round" as name), args=[_, *_], keywords=[]):
                return self._round(node) if name == "round" else self._extreme(name, node)
        raise CalculationSyntaxError("not part of a calculation", node.col_offset)

    @staticmethod
    def _binary(operator: Callable[[Decimal, Decimal], Decimal], left: _Evaluate, right: _Evaluate) -> _Evaluate:
        return lambda resolve: operator(left(resolve), right(resolve))

    def _number(self, node: ast.expr) -> _Evaluate:
        # From the text, never from the constant: Python has read 0.1 as a binary float.
        written = ast.get_source_segment(self.text, node) or ""
        try:
            number = Decimal(written)
        except InvalidOperation as error:
            raise CalculationSyntaxError("not a decimal number", node.col_offset) from error
        return lambda _: number

    def _path(self, node: ast.expr) -> _Evaluate:
        names: list[str] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            names.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            raise CalculationSyntaxError("not a path", node.col_offset)
        path = parse_path(".".join([inner.id, *reversed(names)]))
        self.paths.append(path)
        return lambda resolve: resolve(path)

    def _extreme(self, name: str, node: ast.Call) -> _Evaluate:
        choose: Callable[[list[Decimal]], Decimal] = min if name == "min" else max
        arguments = [self.expression(argument) for argument in node.args]
        return lambda resolve: choose([argument(resolve) for argument in arguments])

    def _round(self, node: ast.Call) -> _Evaluate:
        decimals = 0
        if len(node.args) > 1:
            match node.args[1:]:
                case [ast.Constant(value=int(decimals))] if 0 <= decimals <= _MOST_DECIMALS:
                    pass
                case _:
                    raise CalculationSyntaxError("round() takes a value and a whole number", node.col_offset)
        inner, unit = self.expression(node.args[0]), Decimal(1).scaleb(-decimals)
        return lambda resolve: inner(resolve).quantize(unit, ROUND_HALF_UP)

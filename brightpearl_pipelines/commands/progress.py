"""What a person sees while the engine works: one line per kind of work, counting. Only on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

Tell = Callable[[str, int], None]


@contextmanager
def watching(console: Console) -> Iterator[Tell | None]:
    """Yields what an Engine takes as `progress`; None where nobody watches."""
    if not console.is_terminal:
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description:<30}"), TextColumn("{task.completed:>8,.0f}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, count: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=None)
            progress.advance(tasks[what], count)

        yield tell

"""An index of ids by instant, for filters on `updatedOn` and `createdOn` that must not look at everything."""

from bisect import bisect_left, bisect_right, insort


class TimeIndex:
    """Instants are whole seconds since 1970. Setting an id again moves it; old places are skipped, swept up later."""

    def __init__(self) -> None:
        self._current: dict[int, int] = {}
        self._places: list[tuple[int, int]] = []

    def set(self, number: int, second: int) -> None:
        if self._current.get(number) == second:
            return
        self._current[number] = second
        place = (second, number)
        if not self._places or self._places[-1] < place:
            self._places.append(place)
        else:
            insort(self._places, place)
        if len(self._places) > 2 * len(self._current) + 1000:
            self._places = sorted((at, key) for key, at in self._current.items())

    def forget(self, number: int) -> None:
        """It has no instant any more."""
        self._current.pop(number, None)

    def between(self, first: float, last: float) -> list[int]:
        """Ids whose instant lies between both, ends included, oldest first."""
        start = bisect_left(self._places, (first, -1))
        end = bisect_right(self._places, (last, 1 << 62))
        return [number for at, number in self._places[start:end] if self._current.get(number) == at]

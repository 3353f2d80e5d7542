"""What a report is made of: an entry is one document of one side, a document what both sides have of one thing."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)
UNREADABLE = "XXX"
"""ISO 4217's code for no currency: a record that could not be read, which is told instead of being left out."""


class Kind(StrEnum):
    """What kind of document an entry is."""

    ORDER = "order"
    REFUND = "refund"
    RECEIVED = "received"
    PAID_BACK = "paid_back"


class By(StrEnum):
    """What explains that a document differs, or stands on one side only."""

    HELD = "held"
    """A dead letter holds it."""
    PENDING = "pending"
    """Its write is intended and not confirmed yet."""
    IGNORED = "ignored"
    """A named rule leaves it out."""
    TIMING = "timing"
    """The next run goes on with it, or reads it back."""
    ROUNDING_ROW = "rounding_row"
    """Nothing differs: a row named Rounding makes the lines add up to the shop's total."""
    CANCELLED = "cancelled"
    """Money that Brightpearl received and gave back because the order was cancelled."""
    NOTHING = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of one side. Amounts are those that count: 0 for what is cancelled; `stated` is what it says.

    `key` is what pairs it with the other side's. `channel` is the id that its own side has for the channel.
    """

    kind: Kind
    shop: str
    number: str
    key: str
    day: date
    channel: str
    currency: str
    amount: Decimal
    tax: Decimal
    stated: Decimal
    record: str
    fetched_at: datetime
    method: str = ""
    refund: str = ""
    """What the refund is called that it belongs to, `order-refund`; empty for what belongs to the order itself."""
    rounding: Decimal = ZERO
    """Net of the row named Rounding; its tax apart, since the two may make up for each other."""
    rounding_tax: Decimal = ZERO
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a document differs or stands alone. By NOTHING, the sentence says what is known all the same."""

    by: By
    sentence: str
    dead_letter: int | None = None
    since: datetime | None = None


UNEXPLAINED = Explanation(By.NOTHING, "")


@dataclass(frozen=True, slots=True)
class Document:
    """What shop and Brightpearl have of one thing; at least one of them has it."""

    account: str
    channel: str
    ours: Entry | None
    theirs: Entry | None
    explanation: Explanation = UNEXPLAINED

    @property
    def entry(self) -> Entry:
        """The shop's, or, of what only Brightpearl has, its own."""
        found = self.ours or self.theirs
        assert found is not None  # noqa: S101 - a document of no side is never made
        return found

    @property
    def difference(self) -> Decimal:
        """Brightpearl less shop."""
        return (self.theirs.amount if self.theirs else ZERO) - (self.ours.amount if self.ours else ZERO)

    @property
    def tax_difference(self) -> Decimal:
        return (self.theirs.tax if self.theirs else ZERO) - (self.ours.tax if self.ours else ZERO)

    @property
    def differs(self) -> bool:
        """Whether something is to be explained."""
        return self.ours is None or self.theirs is None or bool(self.difference or self.tax_difference)

    @property
    def unexplained(self) -> bool:
        return self.differs and self.explanation.by is By.NOTHING

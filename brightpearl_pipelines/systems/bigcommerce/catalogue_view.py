"""What planning the catalogue looks at: golden records with what they are called on both sides, and their relations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from brightpearl_pipelines.store.types import Golden, Json, Record
from brightpearl_pipelines.systems.contract import PlanContext

PRODUCT = "product"
WRITTEN = "_written"
"""Kept by the engine beside what is agreed: when we wrote a field last."""


@dataclass(frozen=True)
class Offer:
    """A variant of the shop that a golden record is: its record as last read, and the variant within it."""

    external_id: str
    product_id: int
    variant_id: int
    record: Record
    variant: Json

    @property
    def product(self) -> Json:
        return self.record.payload

    @property
    def simple(self) -> bool:
        """Whether the product has no options, so that its fields and the variant's are one (§3.2)."""
        return not self.variant.get("option_values")


@dataclass(frozen=True)
class Item:
    """A golden record, and where it is known."""

    golden: Golden
    account_id: str | None
    """Brightpearl's id; None for what Brightpearl does not have."""
    destroyed: bool
    """Whether Brightpearl had it, and has it no more."""
    offer: Offer | None
    unread: str | None
    """The shop's name of what was made there and has not been read since."""
    gone: tuple[str, ...]
    """What the shop called it and no longer has."""
    base: Json
    """What is agreed with the shop."""

    @property
    def content(self) -> Json:
        return self.golden.content

    @property
    def sku(self) -> str:
        return str(self.golden.content["sku"])

    @property
    def live(self) -> bool:
        return bool(self.golden.content.get("live", True))

    @property
    def age(self) -> int:
        """Orders items by when Brightpearl got them."""
        return int(self.account_id or 0)

    def shown(self, values: dict[str, Any]) -> dict[str, Any]:
        """What the shop holds, given what its record says: that may be older than our last write of a field."""
        if self.offer is None:
            return values
        read = self.offer.record.fetched_at
        newer = {name for name, at in self.base.get(WRITTEN, {}).items() if read <= datetime.fromisoformat(at)}
        return {**values, **{name: self.base[name] for name in newer & values.keys() & self.base.keys()}}


@dataclass
class View:
    """Items by golden id; what was not asked for is loaded as relations lead to it."""

    context: PlanContext
    account: str
    items: dict[UUID, Item] = field(default_factory=dict)
    _groups: dict[str, set[UUID]] = field(default_factory=dict)
    _skus: dict[str, set[UUID]] = field(default_factory=dict)
    _titles: dict[str, set[UUID]] = field(default_factory=dict)

    @classmethod
    def around(cls, context: PlanContext, account: str, rows: Sequence[Golden]) -> "View":
        """The given records, all variants of their groups, and what is called or numbered alike."""
        view = cls(context, account)
        view._load({row.id: row for row in rows})
        for _ in range(2):  # what shares a SKU with a record may itself be one of a group
            view._relate()
        return view

    def group(self, item: Item) -> list[Item]:
        """The variants that one shop product is made of, the oldest first; alone if it has no options."""
        key = str(item.content.get("group") or "")
        if not key:
            return [item]
        ids = self._groups.get(f"{self.account}:{key}", {item.golden.id})
        found = [self.items[each] for each in ids if each in self.items]
        mine = [each for each in found if each.account_id is not None and each.content.get("group") == key]
        return sorted(mine, key=lambda each: each.age)

    def same_sku(self, item: Item) -> list[Item]:
        """Others whose SKU is the same but for its case, in Brightpearl or in the shop."""
        folded = item.sku.casefold()
        others = [self.items[each] for each in self._skus.get(folded, ()) if each in self.items]
        return [
            each
            for each in others
            if each.golden.id != item.golden.id
            and each.sku.casefold() == folded
            and (each.account_id is not None or each.offer is not None)
        ]

    def same_title(self, item: Item) -> list[Item]:
        """Others in Brightpearl that would have the same name in the shop, whatever its case."""
        folded = str(item.content.get("title") or "").casefold()
        others = [self.items[each] for each in self._titles.get(folded, ()) if each in self.items]
        group = item.content.get("group")
        return [
            each
            for each in others
            if each.golden.id != item.golden.id
            and each.account_id is not None
            and str(each.content.get("title") or "").casefold() == folded
            and not (group and each.content.get("group") == group)
        ]

    def _relate(self) -> None:
        items = list(self.items.values())
        groups = {f"{self.account}:{each.content['group']}" for each in items if each.content.get("group")}
        wanted = (
            ("group", groups, self._groups),
            ("sku_folded", {each.sku.casefold() for each in items}, self._skus),
            ("title_folded", {str(each.content.get("title") or "").casefold() for each in items} - {""}, self._titles),
        )
        unknown: set[UUID] = set()
        for kind, values, known in wanted:
            fresh = values - known.keys()
            if not fresh:
                continue
            found = self.context.hub.by_keys(PRODUCT, kind, fresh)
            known.update({value: set(found.get(value, ())) for value in fresh})
            unknown |= {each for ids in found.values() for each in ids}
        self._load(self.context.hub.goldens(PRODUCT, unknown - self.items.keys()))

    def _load(self, goldens: Mapping[UUID, Golden]) -> None:
        if not goldens:
            return
        hub, shop = self.context.hub, self.context.connection
        here = hub.external_ids(PRODUCT, self.account, goldens)
        there = hub.external_ids(PRODUCT, shop, goldens)
        own = hub.records(self.account, "products", {each for ids in here.values() for each in ids})
        read = hub.records(shop, "products", {each.partition(":")[0] for ids in there.values() for each in ids})
        agreed = hub.agreed(PRODUCT, shop, goldens)
        for key, golden in goldens.items():
            base = agreed.get(key, {})
            offers, unread, gone = _offers(there.get(key, ()), read, max(base.get(WRITTEN, {}).values(), default=None))
            known = [each for each in here.get(key, ()) if each in own]
            alive = [each for each in known if not own[each].deleted]
            account_id = next(iter(alive or known), None)
            offer = offers[-1] if offers else None
            self.items[key] = Item(golden, account_id, bool(known) and not alive, offer, unread, gone, base)


def _offers(
    external_ids: Iterable[str], read: Mapping[str, Record], written: str | None
) -> tuple[list[Offer], str | None, tuple[str, ...]]:
    """Which of the shop's names of a record still stand; `written`: when we wrote to it last."""
    offers: list[Offer] = []
    unread: str | None = None
    gone: list[str] = []
    for each in external_ids:
        product_id, _, variant_id = each.partition(":")
        record = read.get(product_id)
        if record is None:
            unread = each
            continue
        variants = () if record.deleted else record.payload["variants"]
        variant = next((one for one in variants if str(one["id"]) == variant_id), None)
        if variant is None and written is not None and record.fetched_at <= datetime.fromisoformat(written):
            unread = each
        elif variant is None:
            gone.append(each)
        else:
            offers.append(Offer(each, int(product_id), int(variant_id), record, variant))
    return offers, unread, tuple(gone)

"""Brightpearl's products in the shop: made, kept in step and hidden, never deleted (bigcommerce.md §3).

Products of one Brightpearl group with options are one shop product with variants; every other product is one by itself.
What only Brightpearl changed is written; what only the shop changed stands; both: survivorship in connections.yaml.
Nothing is picked at random: equal SKUs, and SKUs that differ only by their case, are held until a person has made them
different, or the same.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from brightpearl_pipelines.store.types import DeadLetter, Delivery, Golden, Json
from brightpearl_pipelines.systems.bigcommerce import catalogue_compare, catalogue_prices, catalogue_writes
from brightpearl_pipelines.systems.bigcommerce.catalogue_fields import (
    Authority,
    Settled,
    UnpricedError,
    Values,
    authorities,
    kept,
    product_values,
    setting_of,
    settle,
    shown_of_product,
    shown_of_variant,
    variant_values,
)
from brightpearl_pipelines.systems.bigcommerce.catalogue_settings import Catalogue
from brightpearl_pipelines.systems.bigcommerce.catalogue_view import PRODUCT, Item, View
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.contract import Plan, PlanContext, Settings, Target

KINDS = ("create_product", "add_variant", "update_product", "update_variant", "set_price", "set_custom_field")


class HoldError(Exception):
    """A product that cannot go as it is: why, and what to do."""

    def __init__(self, reason: str, sentence: str, suggestion: str, waiting_for: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.reason, self.sentence, self.suggestion, self.waiting_for = reason, sentence, suggestion, waiting_for


@dataclass
class Planner:
    """Works out what a shop's catalogue lacks of some golden records."""

    context: PlanContext
    settings: BigCommerceSettings
    view: View
    wanted: set[UUID]
    deliveries: list[Delivery] = field(default_factory=list)
    held: list[DeadLetter] = field(default_factory=list)
    ignored: dict[UUID, str] = field(default_factory=dict)
    renewed: list[tuple[str, UUID]] = field(default_factory=list)
    details: dict[UUID, list[tuple[str, Any, Any]]] = field(default_factory=dict)
    agreed: dict[UUID, Values] = field(default_factory=dict)
    conflicts: list[tuple[UUID, str, Any, str, Any, str]] = field(default_factory=list)
    linked: list[tuple[UUID, str]] = field(default_factory=list)
    unlinked: list[str] = field(default_factory=list)
    stands: dict[UUID, Values] = field(default_factory=dict)
    """The values that the shop should hold in the end, of what it offers."""

    @classmethod
    def of(cls, context: PlanContext, rows: Sequence[Golden]) -> "Planner":
        """A planner that has done its work."""
        settings = context.settings
        assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this planner belongs to this system
        planner = cls(context, settings, View.around(context, settings.brightpearl, rows), {row.id for row in rows})
        planner.run(rows)
        return planner

    @property
    def catalogue(self) -> Catalogue:
        return self.settings.catalogue

    def plan(self) -> Plan:
        return Plan(
            self.deliveries,
            self.held,
            self.ignored,
            superseded=[(key, kind) for key in self.wanted for kind in KINDS],
            renewed=self.renewed,
            details=self.details,
            agreed=self.agreed,
            conflicts=self.conflicts,
            forgotten=[golden for golden, _ in self.linked],
            linked=self.linked,
            unlinked=self.unlinked,
        )

    def run(self, rows: Sequence[Golden]) -> None:
        done: set[UUID] = set()
        for row in rows:
            item = self.view.items[row.id]
            if row.id in done:
                continue
            if self.catalogue.publish == "none":
                self.ignored[row.id] = "catalogue_not_published"
            elif not self._adopted(item):
                done |= self._article(item)

    # -- finding out what belongs together ------------------------------------------------------------------------

    def _adopted(self, item: Item) -> bool:
        """Link a variant that the shop has by itself to the one product in Brightpearl with its very SKU.

        It was not linked when it was met: the SKU was another then, or it stood for what has been deleted since.
        """
        same = [item, *self.view.same_sku(item)]
        ours = [each for each in same if each.account_id is not None and not each.destroyed]
        theirs = [each for each in same if each.offer is not None and each not in ours]
        if len(ours) != 1 or len(theirs) != 1 or ours[0].offer is not None or ours[0].unread is not None:
            return self._not_ours(item, same)
        ours_, theirs_ = ours[0], theirs[0]
        if ours_.sku != theirs_.sku or theirs_.offer is None:
            return self._not_ours(item, same)
        if (ours_.golden.id, theirs_.offer.external_id) not in self.linked:
            self.linked.append((ours_.golden.id, theirs_.offer.external_id))
            self.unlinked += ours_.gone
            self.renewed.append((PRODUCT, ours_.golden.id))
        self.ignored[item.golden.id] = "linked_by_its_sku"
        return True

    def _not_ours(self, item: Item, same: Sequence[Item]) -> bool:
        """Leave out what Brightpearl does not have; what it clashes with there is looked at again."""
        if item.account_id is not None:
            return False
        self.ignored[item.golden.id] = "not_in_brightpearl"
        clashing = (each.golden.id for each in same if each.account_id is not None)
        self.renewed += [(PRODUCT, each) for each in clashing if each not in self.wanted]
        return True

    def _article(self, item: Item) -> set[UUID]:
        """Plan all records of what the item belongs to; their ids."""
        members = self.view.group(item)
        ids = {each.golden.id for each in members} | {item.golden.id}
        clear = [each for each in members if self._clear(each)]
        offered = [each for each in clear if each.offer is not None]
        places = sorted({each.offer.product_id for each in offered if each.offer is not None})
        for place in places:
            here = [each for each in offered if each.offer is not None and each.offer.product_id == place]
            self._keep_in_step(place, here)
        rest = [each for each in clear if each.offer is None]
        if len(places) == 1:
            for each in rest:
                self._guarded(each, lambda new: self._add(new, offered))
        elif places:
            for each in rest:
                self._guarded(each, lambda new: self._spread(new, places))
        else:
            self._new(rest)
        return ids

    def _clear(self, item: Item) -> bool:
        """Whether its SKU is its own; else it is held."""
        others = self.view.same_sku(item)
        concerns = item.offer is not None or self.catalogue.publish == "all" or any(each.offer for each in others)
        if not others or not concerns:
            return True

        def check(held: Item) -> None:
            equal = all(each.sku == held.sku for each in others)
            told = ", ".join(self._called(each) for each in others)
            waiting = [self._token(each) for each in others]
            if equal:
                raise HoldError(
                    "duplicate_sku",
                    f"the SKU {held.sku} is also that of {told}",
                    "Give each product a SKU of its own, or blank the SKU of the one that is not sold.",
                    waiting,
                )
            raise HoldError(
                "sku_differs_by_case",
                f"the SKU {held.sku} differs only by its case from that of {told}",
                "A shop takes them for the same: make them equal if they are one product, else different.",
                waiting,
            )

        self._guarded(item, check)
        return False

    def _called(self, item: Item) -> str:
        if item.account_id is not None:
            return f"{self.view.account} product {item.account_id} ({item.sku})"
        name = item.offer.external_id if item.offer else item.unread
        return f"{self.context.connection} variant {name} ({item.sku})"

    def _token(self, item: Item) -> str:
        """What tells that the other one has changed: see `sync.hub.token`."""
        if item.account_id is not None:
            return f"{PRODUCT}:{self.view.account}:{item.account_id}"
        return f"{PRODUCT}:{self.context.connection}:{item.offer.external_id if item.offer else item.unread}"

    def _guarded(self, item: Item, act: Any) -> None:
        """Plan one record if it is asked for; what cannot go is held."""
        if item.golden.id not in self.wanted:
            return
        try:
            act(item)
        except HoldError as hold:
            self._hold(item, hold)
        except UnpricedError as unpriced:
            todo = (
                "Add the rate to tax_codes of the Brightpearl connection, or use a price list that fits the shop's way."
            )
            self._hold(item, HoldError("price_not_known", str(unpriced), todo))

    def _hold(self, item: Item, hold: HoldError) -> None:
        self.held.append(
            DeadLetter(
                connection=self.context.connection,
                stage="publish",
                entity=PRODUCT,
                subject=str(item.golden.id),
                reason=hold.reason,
                sentence=f"{self._called(item)}: {hold.sentence}",
                suggestion=hold.suggestion,
                field="sku",
                value=item.sku,
                waiting_for=hold.waiting_for,
                payload={"sku": item.sku},
                golden_id=item.golden.id,
            )
        )

    def _spread(self, item: Item, places: Sequence[int]) -> None:
        told = ", ".join(str(each) for each in places)
        raise HoldError(
            "variants_spread",
            f"the other variants of its group are in several products of the shop: {told}",
            "Add the variant in the shop to the product where it belongs; it is then known by its SKU.",
        )

    # -- what the shop offers already -------------------------------------------------------------------------------

    def _keep_in_step(self, place: int, members: Sequence[Item]) -> None:
        lead = members[0]
        for item in members:
            self._guarded(item, lambda each: self._update(place, each, members, lead))
        if lead.golden.id not in self.wanted and self._of_product(lead, members).writes:
            # What the product shows depends on all its variants; one of them speaks for it.
            self.renewed.append((PRODUCT, lead.golden.id))

    def _update(self, place: int, item: Item, members: Sequence[Item], lead: Item) -> None:
        assert item.offer is not None  # noqa: S101 - only what is offered is kept in step
        own = self._of_variant(item)
        common = self._of_product(lead, members) if item is lead else Settled()
        self._tell(item, common, own)
        simple = item.offer.simple
        version = max(each.golden.version for each in members)
        product = {**common.writes, **(own.writes if simple else {})}
        custom = {name: product.pop(name) for name in list(product) if setting_of(name) == "custom_fields"}
        if product:
            self._write(item, "update_product", f"{place}:v{version}", {"product": place, "values": product})
        if own.writes and not simple:
            body = {"product": place, "variant": item.offer.variant_id, "values": own.writes}
            self._write(item, "update_variant", f"{item.offer.external_id}:v{version}", body)
        for name, value in custom.items():
            body = {"product": place, "values": {name: value}}
            self._write(item, "set_custom_field", f"{place}:{name}:v{version}", body)
        self._prices(item, after=())

    def _of_product(self, lead: Item, members: Sequence[Item]) -> Settled:
        assert lead.offer is not None  # noqa: S101 - see _update
        live = any(each.live for each in members)
        ours = kept(product_values(lead.content, self._name(lead), live=live, catalogue=self.catalogue), self.catalogue)
        shelves = self.context.hub.records(self.context.connection, "product_shelves", [str(lead.offer.product_id)])
        record = shelves.get(str(lead.offer.product_id))
        theirs = lead.shown(shown_of_product(lead.offer.product, record.payload if record else None))
        return settle(ours, theirs, lead.base, self._authority(ours))

    def _of_variant(self, item: Item) -> Settled:
        assert item.offer is not None  # noqa: S101 - see _update
        ours = variant_values(item.content, self.catalogue)
        if not item.offer.simple:
            ours["purchasable"] = item.live
        ours = kept(ours, self.catalogue)
        theirs = item.shown(shown_of_variant(item.offer.product, item.offer.variant))
        return settle(ours, theirs, item.base, self._authority(ours))

    def _tell(self, item: Item, *parts: Settled) -> None:
        """Note what planning found out about a record, whether or not there is anything to write."""
        shop, account = self.context.connection, self.view.account
        for part in parts:
            self.stands.setdefault(item.golden.id, {}).update(part.stands)
            if part.common:
                self.agreed.setdefault(item.golden.id, {}).update(part.common)
            told = self.details.setdefault(item.golden.id, [])
            told += [(name, part.before.get(name), value) for name, value in part.writes.items()]
            for name, ours, theirs, won in part.conflicts:
                sides = (ours, account, theirs, shop) if won else (theirs, shop, ours, account)
                self.conflicts.append((item.golden.id, name, *sides))

    def _authority(self, names: Iterable[str]) -> Mapping[str, Authority]:
        ranking = {setting_of(name): self.context.ranking(PRODUCT, setting_of(name)) for name in names}
        return authorities(names, ranking, self.view.account, self.context.connection)

    def _name(self, item: Item) -> str:
        """The title; with the SKU behind it where an older product has the same: names are unique in a shop (§3.1)."""
        title = str(item.content.get("title") or item.content.get("name") or "")
        offered = self.catalogue.publish == "all"
        rivals = [each for each in self.view.same_title(item) if each.offer is not None or (offered and each.live)]
        mine = {each.offer.product_id for each in (item,) if each.offer is not None}
        older = [
            each
            for each in rivals
            if each.age < item.age and not (each.offer is not None and each.offer.product_id in mine)
        ]
        return f"{title} ({item.sku})" if older and title else title

    def _prices(self, item: Item, *, after: Sequence[str]) -> None:
        if not self.catalogue.keeps("price"):
            return
        for price_list, currency, amount in catalogue_prices.wanted(item.content, item.base, self.catalogue):
            name = catalogue_prices.field_name(price_list, currency)
            self.stands.setdefault(item.golden.id, {})[name] = amount
            if item.base.get(name) == amount:
                continue
            body = {"list": price_list, "sku": item.sku, "currency": currency, "values": {name: amount}}
            key = f"{price_list}:{currency}:{item.account_id}:v{item.golden.version}"
            self._write(item, "set_price", key, body, after=after)
            self.details.setdefault(item.golden.id, []).append((name, item.base.get(name), amount))

    # -- what the shop does not offer yet ---------------------------------------------------------------------------

    def _new(self, members: Sequence[Item]) -> None:
        """Make a product of these, or say by which rule it is not made."""
        if unread := [each for each in members if each.unread is not None]:
            for item in members:
                self._guarded(item, lambda _: self._unread(unread[0]))
            return
        rule = self._not_made(members)
        ready = [] if rule else [each for each in members if each.live]
        for item in members:
            if item.golden.id in self.wanted and (rule or item not in ready):
                self.ignored[item.golden.id] = rule or "discontinued"
        if not ready:
            return
        lead = ready[0]
        for item in ready:
            self._guarded(item, lambda each: self._create(each, lead, ready))
        if lead.golden.id not in self.wanted:
            self.renewed.append((PRODUCT, lead.golden.id))

    def _create(self, item: Item, lead: Item, members: Sequence[Item]) -> None:
        """Intend the product under the name of its oldest variant; each of them is held if it cannot be made."""
        body, agreed = self._creation(lead, members)
        if item is lead:
            self._write(lead, "create_product", str(lead.account_id), body, agreed=agreed)
            values = {**body["values"], **(body["variant"] or {})}
            self.details[lead.golden.id] = [(name, None, value) for name, value in values.items()]
        self._prices(item, after=[self._key("create_product", str(lead.account_id))])

    def _not_made(self, members: Sequence[Item]) -> str | None:
        if any(each.gone for each in members):
            return "deleted_in_the_shop"
        if self.catalogue.publish != "all":
            return "not_offered_in_the_shop"
        return None if any(each.live and not each.destroyed for each in members) else "discontinued"

    def _creation(self, lead: Item, members: Sequence[Item]) -> tuple[dict[str, Any], Values]:
        common = product_values(lead.content, self._name(lead), live=True, catalogue=self.catalogue)
        if common["name"] is None:
            raise HoldError("no_name", "it has no name", "Give it a name in Brightpearl.")
        own = {each.golden.id: self._complete(each) for each in members}
        tracked = any(each.content.get("stock_tracked") or each.content.get("components") for each in members)
        family = bool(lead.content.get("group"))
        variants = [
            {"options": self._options(each, members), "values": own[each.golden.id]} for each in members if family
        ]
        goods = tracked or any(own[each.golden.id]["weight"] != "0" for each in members)
        body = {
            "values": {name: value for name, value in common.items() if value is not None},
            "variant": own[lead.golden.id] if not family else None,
            "variants": variants,
            # What is counted by variant cannot be counted by product, and the other way round (§3.4).
            "tracking": ("variant" if family else "product") if tracked else "none",
            "type": "physical" if goods else "digital",
            "channels": sorted(int(each) for each in self.settings.channels),
        }
        return body, {**common, **own[lead.golden.id]}

    def _complete(self, item: Item) -> Values:
        values = variant_values(item.content, self.catalogue)
        if values["price"] is None:
            raise HoldError(
                "no_price",
                f"{item.sku} has no price in price list {self.catalogue.price_list}",
                "Give it a price there, or name another list in catalogue.price_list of the shop.",
            )
        return {
            **{name: value for name, value in values.items() if value is not None},
            "weight": values["weight"] or "0",
        }

    def _options(self, item: Item, members: Sequence[Item]) -> dict[str, str]:
        options: dict[str, str] = dict(item.content["options"])
        twins = [each for each in members if each is not item and each.content["options"] == options]
        if twins:
            raise HoldError(
                "same_options",
                f"{item.sku} has the same options as {twins[0].sku}",
                "Give each variant of the group values of its own in Brightpearl.",
                [self._token(each) for each in twins],
            )
        return options

    def _add(self, item: Item, offered: Sequence[Item]) -> None:
        """A new variant of a product that the shop offers."""
        offer = offered[0].offer
        assert offer is not None  # noqa: S101 - they are offered
        if item.unread is not None:
            self._unread(item)
        if item.gone:
            self.ignored[item.golden.id] = "deleted_in_the_shop"
            return
        if not item.live:
            self.ignored[item.golden.id] = "discontinued"
            return
        if offer.simple:
            raise HoldError(
                "no_options_in_the_shop",
                f"it is a variant of {offered[0].sku}, which the shop sells without options (its {offer.product_id})",
                "Give the shop's product its options and variants; they are then known by their SKUs.",
            )
        values = self._complete(item)
        body = {"product": offer.product_id, "options": self._options(item, [item, *offered]), "values": values}
        self._write(item, "add_variant", str(item.account_id), body, agreed=dict(values))
        self.details[item.golden.id] = [(name, None, value) for name, value in values.items()]
        self._prices(item, after=[self._key("add_variant", str(item.account_id))])

    def _unread(self, item: Item) -> None:
        raise HoldError(
            "not_read_yet",
            "it was made in the shop and has not been read there since",
            "Nothing: it goes on with the next reading of the shop's products.",
            [f"{PRODUCT}:{self.context.connection}:{item.unread}"],
        )

    # -- deliveries -----------------------------------------------------------------------------------------------

    def _key(self, kind: str, name: str) -> str:
        return f"{PRODUCT}:{kind}:{name}"

    def _write(
        self,
        item: Item,
        kind: str,
        name: str,
        body: Json,
        *,
        agreed: Values | None = None,
        after: Sequence[str] = (),
    ) -> None:
        """Intend a write. What is made is made once, whatever it looks like then; a change is known by what it says."""
        key = self._key(kind, name)
        if agreed is None:
            said = repr(sorted(body["values"].items(), key=str))
            key += f":{hashlib.blake2b(said.encode(), digest_size=4).hexdigest()}"
        payload = {"body": body, "agreed_in_part": body["values"] if agreed is None else agreed}
        self.deliveries.append(
            Delivery(self.context.connection, PRODUCT, item.golden.id, kind, key, payload, after=after)
        )


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """What the shop's catalogue lacks of these records."""
    return Planner.of(context, rows).plan()


def _shape(settings: Settings) -> str:
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this target belongs to this system
    return settings.catalogue.model_dump_json()


TARGET = Target(
    PRODUCT,
    plan,
    (*catalogue_writes.WRITES, catalogue_prices.WRITE),
    catalogue_compare.comparison(Planner.of),
    shaped_by=_shape,
)

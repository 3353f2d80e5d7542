"""What a delivery does when the ground under it has moved: one bad one never stops the others (X-44, X-49)."""

from uuid import UUID

from brightpearl_pipelines.store import crosswalk, deliveries
from brightpearl_pipelines.sync import publish
from brightpearl_pipelines.sync.hub import golden_id
from brightpearl_pipelines_tests.sync.goods import draft, person


def test_a_write_that_names_what_is_no_longer_known_is_held_and_the_others_go(harness, monkeypatch):
    harness.run()
    lost, kept = harness.place(("MUG", 1)), harness.place(("TRAY", 1))
    links = []

    async def unlink_between_planning_and_sending(engine, connection, target, counts):
        if target.entity == "order":
            with engine.transaction() as tx:
                [mug] = crosswalk.find_by_keys(tx, "product", "sku", ["MUG"])["MUG"]
                links.extend(
                    (connection, each, mug) for each in crosswalk.external_ids(tx, "product", connection, [mug])[mug]
                )
                crosswalk.unlink(tx, "product", connection, [each for _, each, _ in links])
        await deliver(engine, connection, target, counts)

    deliver = publish.deliver
    monkeypatch.setattr(publish, "deliver", unlink_between_planning_and_sending)
    harness.run()
    assert kept in harness.orders_in_brightpearl()
    assert lost not in harness.orders_in_brightpearl()
    assert harness.letter(reason="reference_not_found").subject == f"order:bigcommerce:{lost}"

    monkeypatch.undo()
    with harness.store.transaction() as tx:
        crosswalk.link(tx, "product", links)
    harness.retry_letters()
    harness.run()
    assert lost in harness.orders_in_brightpearl()


def test_what_the_target_says_outweighs_what_matching_took_it_for(harness):
    """A contact that we created and that was meanwhile taken for somebody else is ours again, and stops nothing."""
    number = harness.place(draft(("TRAY", 1), person=person("Nora New")))
    harness.run()
    contact = str(harness.contact_of(number)["contactId"])
    with harness.store.transaction() as tx:
        [created] = [
            each
            for each in deliveries.by_golden(tx, golden_id("order", "bigcommerce", number))
            if each.kind == "create"
        ]
        customer = UUID(created.payload["body"]["customer"]["id"]["$ref"][1])
        crosswalk.relink(tx, "customer", [("brightpearl", contact, UUID(int=77))])
        # As if the sync had been cut off before it heard that the contact was made.
        tx.connection.execute("UPDATE sync.delivery SET state = 'sent' WHERE golden_id = %s", (customer,))
    harness.run()
    with harness.store.transaction() as tx:
        assert crosswalk.golden_ids(tx, "customer", "brightpearl", [contact]) == {contact: customer}

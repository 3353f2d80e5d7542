"""What a delivery does when the ground under it has moved: one bad one never stops the others (X-44, X-49)."""

from uuid import UUID

from brightpearl_pipelines.store import crosswalk, deliveries
from brightpearl_pipelines.sync.hub import golden_id
from brightpearl_pipelines_tests.sync.goods import draft, person


def unsent_order(harness, *lines, **changes):
    """A planned order whose creation could not go out yet."""
    harness.fault("brightpearl", "status", "POST", "order-service/sales-order", status=503, count=1)
    number = harness.place(*lines, **changes)
    return number


def test_a_write_that_names_what_is_no_longer_known_is_held_and_the_others_go(harness):
    harness.run()
    lost, kept = harness.place(("MUG", 1)), harness.place(("TRAY", 1))

    async def unlink_after_planning(engine):
        from brightpearl_pipelines.sync.publish import _plan  # noqa: PLC0415
        from brightpearl_pipelines.sync.run import perform, steps  # noqa: PLC0415
        from brightpearl_pipelines.sync.scope import Counts, Scope, StepResult  # noqa: PLC0415

        for step in steps(engine.configuration):
            if (step.name, step.entity) == ("published", "order"):
                target = engine.configuration.connection("brightpearl").system.target("order")
                _plan(engine, "brightpearl", target, Scope(), StepResult("published", "brightpearl", "order", Counts()))
                with engine.transaction() as tx:
                    [mugs] = crosswalk.find_by_keys(tx, "product", "sku", ["MUG"])["MUG"]
                    ids = crosswalk.external_ids(tx, "product", "brightpearl", [mugs])[mugs]
                    crosswalk.unlink(tx, "product", "brightpearl", ids)
            await perform(engine, step, Scope())

    harness.with_engine(unlink_after_planning)
    assert kept in harness.orders_in_brightpearl()
    assert lost not in harness.orders_in_brightpearl()
    letter = harness.letter(reason="reference_not_found")
    assert letter.subject == f"order:bigcommerce:{lost}"


def test_what_the_target_says_outweighs_what_matching_took_it_for(harness):
    """A contact that we created and that was meanwhile taken for somebody else is ours again, and stops nothing."""
    harness.run()
    number = harness.place(draft(("MUG", 1), person=person("Nora New")))
    harness.run()
    contact = str(harness.contact_of(number)["contactId"])
    somebody_else = UUID(int=77)
    with harness.engine().store.transaction() as tx:
        order = golden_id("order", "bigcommerce", number)
        [created] = [each for each in deliveries.by_golden(tx, order) if each.kind == "create"]
        customer = UUID(created.payload["body"]["customer"]["id"]["$ref"][1])
        crosswalk.relink(tx, "customer", [("brightpearl", contact, somebody_else)])
        tx.connection.execute("UPDATE sync.delivery SET state = 'sent' WHERE golden_id = %s", (customer,))
    harness.run()
    with harness.engine().store.transaction() as tx:
        assert crosswalk.golden_ids(tx, "customer", "brightpearl", [contact]) == {contact: customer}

def test_an_order_of_the_shop_is_in_brightpearl_after_one_run(harness):
    number = harness.place(("MUG", 2), ("BOOK", 1))
    harness.run()
    order = harness.order(number)
    assert order["totalValue"]["total"] == harness.shop_order(number)["total_inc_tax"][:5]
    assert harness.reserved(number) == {"MUG": 2, "BOOK": 1}
    assert harness.letters() == []

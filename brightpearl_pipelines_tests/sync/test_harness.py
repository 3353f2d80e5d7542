def test_an_order_of_the_shop_is_in_brightpearl_after_one_run(lone):
    number = lone.place(("MUG", 2), ("BOOK", 1))
    lone.run()
    order = lone.order(number)
    assert order["totalValue"]["total"] == lone.shop_order(number)["total_inc_tax"][:5]
    assert lone.reserved(number) == {"MUG": 2, "BOOK": 1}
    assert lone.letters() == []

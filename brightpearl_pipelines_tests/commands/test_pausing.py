"""A person pauses a connection; nothing goes there, the others go on, and what was missed comes afterwards."""


def test_a_paused_connection_is_left_alone_until_it_is_resumed(bpp_sandbox, sandbox):
    assert bpp_sandbox("pause", "bigcommerce", "--reason", "the shop moves house").exit_code == 0
    paused = bpp_sandbox("sync")
    assert paused.exit_code == 1
    assert "the shop moves house" in paused.stdout
    assert "`bpp resume bigcommerce` lets it go on" in paused.stdout
    assert sandbox.calls("bigcommerce") == []
    assert sandbox.calls("brightpearl") != []
    told = bpp_sandbox("resume", "bigcommerce")
    assert told.exit_code == 0
    assert "bigcommerce goes on; it was paused by" in told.stdout
    assert bpp_sandbox("sync").exit_code in (0, 3)
    assert sandbox.calls("bigcommerce") != []
    assert "was not paused" in bpp_sandbox("resume", "bigcommerce").stdout


def test_a_connection_that_does_not_exist_cannot_be_paused(bpp_sandbox):
    refused = bpp_sandbox("pause", "magento")
    assert refused.exit_code == 2
    assert "there is no connection 'magento'" in refused.stderr

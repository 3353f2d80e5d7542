"""connections.yaml: what it says is checked when it is read, and every mistake is told with its line."""

from pathlib import Path

import pytest

from brightpearl_pipelines.configuration import load_configuration, sandbox_base_port
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.secrets import secret

OURS = Path(__file__).resolve().parents[1] / "connections.yaml"


def changed(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the project's own file with some words replaced."""
    text = OURS.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "connections.yaml"
    path.write_text(text)
    return path


def line_of(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_the_shipped_file_loads_with_an_empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BPP_ENCRYPTION_KEY", "BPP_CONNECTIONS", "BPP_SANDBOX_BASE_PORT"):
        monkeypatch.delenv(name, raising=False)
    configuration = load_configuration(OURS)
    assert [each.name for each in configuration.accounts] == ["brightpearl"]
    assert [each.name for each in configuration.shops_of("brightpearl")] == ["bigcommerce"]
    assert configuration.connection("bigcommerce").sandbox_url == "http://127.0.0.1:8902"


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    path = changed(tmp_path, ("location: 1", "locaton: 1"), ("open: 3", "open: three"), ("cancelled: 5", "gone: 5"))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    told = str(caught.value).splitlines()
    assert any(f":{line_of(path, 'locaton')}: connections.bigcommerce.locaton" in line for line in told)
    assert any(f":{line_of(path, 'three')}:" in line and "'three'" in line for line in told)
    assert any(f":{line_of(path, 'gone: 5')}:" in line for line in told)


def test_a_system_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    path = changed(tmp_path, ("system: bigcommerce", "system: magento"))
    with pytest.raises(ConfigurationError, match="'magento' is none of: brightpearl, bigcommerce"):
        load_configuration(path)


def test_a_shop_of_no_account_is_told(tmp_path: Path) -> None:
    path = changed(tmp_path, ("brightpearl: brightpearl #", "brightpearl: brightpeal #"))
    with pytest.raises(ConfigurationError, match="'brightpeal' is no Brightpearl connection"):
        load_configuration(path)


def test_an_authority_that_is_no_connection_is_told(tmp_path: Path) -> None:
    path = changed(tmp_path, ("phone: [bigcommerce, brightpearl]", "phone: [bigcommerce, salesforce]"))
    with pytest.raises(
        ConfigurationError, match=r"survivorship\.customer\.phone: there is no connection or system 'salesforce'"
    ):
        load_configuration(path)


def test_a_connection_has_either_a_sandbox_or_credentials(tmp_path: Path) -> None:
    path = changed(tmp_path, ("system: bigcommerce\n    sandbox: true", "system: bigcommerce"))
    with pytest.raises(ConfigurationError, match="either `sandbox: true` or `auth:`"):
        load_configuration(path)


EXAMPLE = OURS.parent / "docs" / "connections-two-regions.yaml"


def test_the_example_of_two_regions_says_what_belongs_together() -> None:
    """BC-33, BC-34: several shops on one account, separate accounts per region."""
    configuration = load_configuration(EXAMPLE)
    assert [each.name for each in configuration.accounts] == ["brightpearl_eu", "brightpearl_us"]
    assert [each.name for each in configuration.shops_of("brightpearl_eu")] == ["shop_eu", "outlet_eu"]
    assert configuration.family("outlet_eu") == {"brightpearl_eu", "shop_eu", "outlet_eu"}
    assert configuration.family("brightpearl_us") == {"brightpearl_us", "shop_us"}
    assert configuration.account_of(["gone", "shop_us"]) == "brightpearl_us"
    assert load_configuration(OURS).family("bigcommerce") is None


def test_a_connection_that_is_like_another_takes_over_all_but_where_it_is_and_who_it_is(tmp_path: Path) -> None:
    configuration = load_configuration(EXAMPLE)
    first, second = (configuration.connection(name).settings for name in ("shop_eu", "outlet_eu"))
    assert second.order_statuses == first.order_statuses
    assert (second.safety_stock, second.sandbox) == (2, 8930)
    path = tmp_path / "connections.yaml"
    path.write_text(EXAMPLE.read_text().replace("    sandbox: 8930\n", ""))
    with pytest.raises(ConfigurationError, match=r"outlet_eu.*either `sandbox: true` or `auth:`"):
        load_configuration(path)


def test_a_connection_that_is_like_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "connections.yaml"
    path.write_text(EXAMPLE.read_text().replace("like: shop_eu", "like: shop_uk", 1))
    with pytest.raises(ConfigurationError, match=r"outlet_eu\.like: 'shop_uk' is no connection to be like"):
        load_configuration(path)


def test_authority_goes_by_connection_and_else_by_system() -> None:
    configuration = load_configuration(EXAMPLE)
    assert configuration.rank("customer", "phone", "shop_us") == configuration.rank("customer", "phone", "shop_eu") == 0
    assert configuration.rank("customer", "phone", "brightpearl_us") == 1
    assert configuration.rank("product", "name", "shop_us") is None


def test_what_stands_under_auth_is_never_repeated(tmp_path: Path) -> None:
    """X-60: a token put where a variable's name belongs must not reach a log through an error."""
    auth = "auth: {store_hash: [hunter2], access_token_env: BC}"
    path = changed(tmp_path, ("system: bigcommerce\n    sandbox: true", f"system: bigcommerce\n    {auth}"))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert "store_hash" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="set BPP_CONNECTIONS"):
        load_configuration(tmp_path / "nothing.yaml")


def test_a_missing_secret_names_variable_and_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BIGCOMMERCE_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="connection shop: the environment variable BIGCOMMERCE_TOKEN"):
        secret("BIGCOMMERCE_TOKEN", "shop")


def test_a_port_that_is_no_number_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPP_SANDBOX_BASE_PORT", "eighty")
    with pytest.raises(ConfigurationError, match="BPP_SANDBOX_BASE_PORT is 'eighty'"):
        sandbox_base_port()

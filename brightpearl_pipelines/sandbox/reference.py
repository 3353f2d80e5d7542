"""What every world has in common: warehouses, tax rates, currencies, channels, shipping methods, countries."""

from dataclasses import dataclass
from decimal import Decimal

from brightpearl_pipelines.sandbox.world import Channel, Currency, TaxRate, Warehouse

MAIN_WAREHOUSE = 2
WAREHOUSES = (
    Warehouse(id=2, name="Main warehouse", city="Bristol"),
    Warehouse(id=3, name="North hub", city="Leeds"),
    Warehouse(id=5, name="Dublin store", city="Dublin"),
)

TAX_RATES = (
    TaxRate("T20", "Standard rate VAT", Decimal(20)),
    TaxRate("T5", "Reduced rate VAT", Decimal(5)),
    TaxRate("T0", "Zero rated", Decimal(0)),
    TaxRate("T1", "Exempt", Decimal(0)),
    TaxRate("T4", "Goods to the EU", Decimal(0)),
    TaxRate("T9", "Outside the scope of VAT", Decimal(0)),
)
RATE_BY_TAX_CODE = {tax.code: tax.rate for tax in TAX_RATES}

CURRENCIES = (
    Currency("GBP", "£", Decimal(1)),
    Currency("EUR", "€", Decimal("1.17")),
    Currency("USD", "$", Decimal("1.27")),
)

CHANNELS = (
    Channel(name="Northwind UK", bigcommerce_id=1, brightpearl_id=2, currency="GBP"),
    Channel(name="Northwind Europe", bigcommerce_id=2, brightpearl_id=3, currency="EUR"),
)

SHIPPING_METHODS = (
    (1, "Standard", "Royal Mail"),
    (2, "Express", "DPD"),
    (3, "International", "DHL"),
    (4, "Click & Collect", ""),
)


@dataclass(frozen=True)
class Country:
    """A country and what an invented address in it looks like.

    `postcode`: `#` stands for a digit, `@` for a capital letter. `streets` end or begin as is usual there.
    """

    iso2: str
    name: str
    dialling_code: str
    cities: tuple[tuple[str, str], ...]
    """City and state (or county; empty where addresses do not carry one)."""
    postcode: str
    streets: tuple[str, ...]


COUNTRIES = {
    country.iso2: country
    for country in (
        Country(
            "GB",
            "United Kingdom",
            "+44",
            (
                ("London", "Greater London"),
                ("Bristol", "Avon"),
                ("Leeds", "West Yorkshire"),
                ("Cardiff", ""),
                ("Glasgow", "Lanarkshire"),
                ("Norwich", "Norfolk"),
            ),
            "@@# #@@",
            (
                "{n} High Street",
                "{n} Church Road",
                "Flat {m}, {n} Station Road",
                "{n}A Mill Lane",
                "{n} St John's Close",
            ),
        ),
        Country(
            "IE",
            "Ireland",
            "+353",
            (("Dublin", "Co. Dublin"), ("Cork", "Co. Cork"), ("Galway", "Co. Galway")),
            "@## @#@#",
            ("{n} O'Connell Street", "{n} Patrick Street", "Apt {m}, {n} Quay Street"),
        ),
        Country(
            "DE",
            "Germany",
            "+49",
            (
                ("Berlin", ""),
                ("München", "Bayern"),
                ("Köln", "Nordrhein-Westfalen"),
                ("Düsseldorf", "Nordrhein-Westfalen"),
            ),
            "#####",
            ("Hauptstraße {n}", "Gartenweg {n}", "Königsallee {n}", "Schlossstr. {n}b"),
        ),
        Country(
            "FR",
            "France",
            "+33",
            (("Paris", ""), ("Lyon", ""), ("Orléans", "")),
            "#####",
            ("{n} rue de la République", "{n} bis avenue Foch", "{n} rue de l'Église"),
        ),
        Country(
            "US",
            "United States",
            "+1",
            (("Austin", "Texas"), ("Portland", "Oregon"), ("Brooklyn", "New York"), ("San José", "California")),
            "#####",
            ("{n} Main St", "{n} Oak Avenue, Apt {m}", "{n} 5th Ave"),
        ),
        Country(
            "ES",
            "Spain",
            "+34",
            (("Madrid", "Madrid"), ("Málaga", "Andalucía")),
            "#####",
            ("Calle Mayor {n}", "Avda. de España, {n}, {m}º"),
        ),
        Country(
            "NL",
            "Netherlands",
            "+31",
            (("Amsterdam", ""), ("'s-Hertogenbosch", "")),
            "#### @@",
            ("Kerkstraat {n}", "Prinsengracht {n}-{m}"),
        ),
        Country(
            "DK",
            "Denmark",
            "+45",
            (("København", ""), ("Aarhus", "")),
            "####",
            ("Søndergade {n}", "Vestergade {n}, {m}. tv"),
        ),
        Country(
            "PL",
            "Poland",
            "+48",
            (("Łódź", ""), ("Kraków", "")),
            "##-###",
            ("ul. Długa {n}", "ul. Piotrkowska {n}/{m}"),
        ),
    )
}

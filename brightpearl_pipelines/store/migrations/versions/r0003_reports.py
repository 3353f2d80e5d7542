"""The tables that analysts read: the tie-out of the shops' days with Brightpearl's books."""

from alembic import op

revision = "0003_reports"
down_revision = "0002_alerts"
branch_labels = None
depends_on = None

_DAY = ("day", "date NOT NULL", "The day of the shop's document, in UTC; of what only Brightpearl has, its own day.")
_KIND = (
    "kind",
    "text NOT NULL",
    "order: a sale; refund: a sales credit; received: money in; paid_back: money out.",
)
_SHOP = ("shop", "text NOT NULL", "The connection of the shop.")
_ACCOUNT = ("account", "text NOT NULL", "The connection of the Brightpearl account that the shop is kept in step with.")
_CHANNEL = ("channel", "text NOT NULL", "The shop's channel id; where only Brightpearl's is known, that, said so.")
_CURRENCY = ("currency", "text NOT NULL", "ISO 4217 code of all amounts of the row; XXX where it could not be read.")
_METHOD = ("method", "text NOT NULL", "Brightpearl's payment method code; empty for what is no payment.")
_DIFFERENCE = (
    "difference",
    "numeric NOT NULL",
    "Brightpearl less shop; what only one side has counts as 0 on the other.",
)
_DOCUMENT = (
    _DAY,
    _KIND,
    _SHOP,
    _ACCOUNT,
    ("number", "text NOT NULL", "The shop's order number."),
    ("key", "text NOT NULL", "What the document is called: the order number, with the refund or the method."),
    _CHANNEL,
    _CURRENCY,
    _METHOD,
    ("brightpearl_id", "text NOT NULL", "The id of the order, credit or payment there; empty if there is none."),
    ("shop_amount", "numeric", "With tax. NULL: the shop has no such document. 0: cancelled, or never finished."),
    ("shop_tax", "numeric", "The tax in it."),
    ("brightpearl_amount", "numeric", "With tax. NULL: Brightpearl has no such document. 0: cancelled."),
    ("brightpearl_tax", "numeric", "The tax in it."),
    _DIFFERENCE,
    ("tax_difference", "numeric NOT NULL", "The same of the tax."),
    ("rounding", "numeric NOT NULL", "Net of the row named Rounding in Brightpearl; 0 without one."),
    ("rounding_tax", "numeric NOT NULL", "The tax of that row: net and tax may make up for each other."),
    ("explained_by", "text NOT NULL", "held, pending, ignored, timing, rounding_row or cancelled; empty: by nothing."),
    ("explanation", "text NOT NULL", "The same in a sentence, without personal data."),
    ("dead_letter", "bigint", "The dead letter that holds it, for `bpp dead-letters show`."),
    ("since", "timestamptz", "Since when it is held or pending."),
)
_MEASURES = (
    ("shop_documents", "integer NOT NULL", "How many documents the shop has."),
    ("brightpearl_documents", "integer NOT NULL", "How many documents Brightpearl has."),
    ("shop_amount", "numeric NOT NULL", "The sum of the shop's documents."),
    ("brightpearl_amount", "numeric NOT NULL", "The sum of Brightpearl's documents."),
    _DIFFERENCE,
    ("explained", "numeric NOT NULL", "The part of the difference that is explained, document by document."),
    ("unexplained", "numeric NOT NULL", "The rest. Only 0 beside no unexplained document is good."),
    ("unexplained_documents", "integer NOT NULL", "How many documents differ, or stand alone, and nothing says why."),
)
_TOTALS = (_DAY, _SHOP, _ACCOUNT, _CHANNEL, _CURRENCY)
TABLES = {
    "documents": (
        "Every order, refund and payment of a day on both sides, paired.",
        _DOCUMENT,
        ("day", "kind", "shop", "key", "channel", "currency"),
    ),
    "differences": (
        "The documents that differ, stand on one side only, or have a rounding row, each with what explains it.",
        _DOCUMENT,
        ("day", "kind", "shop", "key", "channel", "currency"),
    ),
    "daily_orders": (
        "What was sold, with tax, on both sides.",
        (*_TOTALS, *_MEASURES),
        ("day", "shop", "channel", "currency"),
    ),
    "daily_taxes": (
        "The tax of orders and of refunds on both sides.",
        (*_TOTALS, _KIND, *_MEASURES),
        ("day", "shop", "channel", "currency", "kind"),
    ),
    "daily_payments": (
        "Money received and paid back on both sides.",
        (*_TOTALS, _KIND, _METHOD, *_MEASURES),
        ("day", "shop", "channel", "currency", "kind", "method"),
    ),
    "daily_refunds": (
        "What was refunded in the shop and credited in Brightpearl, with tax.",
        (*_TOTALS, *_MEASURES),
        ("day", "shop", "channel", "currency"),
    ),
}
"""Table: (what it holds, its columns as (name, type, comment), its primary key)."""


def upgrade() -> None:
    """Create them empty; materialising days fills them."""
    for table, (about, columns, key) in TABLES.items():
        body = ", ".join(f"{name} {kind}" for name, kind, _ in columns)
        op.execute(f"CREATE TABLE reports.{table} ({body}, PRIMARY KEY ({', '.join(key)}))")
        op.execute(f"COMMENT ON TABLE reports.{table} IS {_quoted(about)}")
        for name, _, comment in columns:
            op.execute(f"COMMENT ON COLUMN reports.{table}.{name} IS {_quoted(comment)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''").replace(":", r"\:") + "'"

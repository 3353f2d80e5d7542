"""What can be switched: facts that the fact sheet marks as inferred or unclear, with the sheet's defaults (§13)."""

from brightpearl_pipelines.sandbox.brightpearl.wire import JsonObject


def default_settings() -> JsonObject:
    """A fresh copy; every entry can be changed through `POST /_sandbox/settings`, most of them at any time."""
    return {
        # the account
        "account": "acme",
        "app_ref": "acme_pipelines",
        "dev_ref": "acme-developer",
        "client_secret": "sandbox-client-secret",
        "confidential_app": False,  # True: a token request without the client secret is refused
        "installation_instance_id": 13,
        "staff_email": "staff@acme.example",
        "staff_password": "sandbox-password",
        "time_zone": "Europe/London",
        "base_currency": "GBP",
        "brightpearl_version": "4.95.1991",
        # OAuth (§1.4)
        "access_token_seconds": 604800,
        "rotate_refresh_tokens": False,
        "early_refresh_keeps_expiry": True,  # recorded: `expires_in` after a refresh was below 7 days
        # limits (§4)
        "requests_per_minute": 200,
        "longest_uri": 8000,  # characters; beyond it 414 (met in practice, the figure is not known)
        "multi_message_enabled": True,
        "multi_message_refusal_status": 503,
        # wire (§2)
        "escape_html": True,
        # orders (§5)
        "duplicate_external_ref": "error",  # or "existing": 200 with the id of the order that is there
        "row_money_decimals_on_post": 2,
        "updated_on_at_creation": False,
        # The sheet bounds a changed quantity by what is reserved or fulfilled, and names no other lower bound (§5.3).
        "row_quantity_zero": True,
        # Orders show an externalRef on their rows; whether a row that is added alone may bring one is not said (§5.3).
        "added_rows_keep_external_ref": True,
        "default_sales_status": {"SO": 3, "PO": 6, "SC": 10, "PC": 12},
        "invoiced_status": 4,
        "cancelled_status": 5,
        "invoice_pending_seconds": 2,  # how long a closing order shows the invoice reference "pending"
        "order_payment_status_ids": {
            "AUTHORIZED": 1,
            "UNPAID": 2,
            "PARTIALLY_PAID": 3,
            "PAID": 4,
            "NOT_APPLICABLE": 5,
        },
        # products (§7.2): nothing says that a changed price changes the product, or tells anybody
        "price_changes_touch_product": False,
        # searches (§3)
        "search_lag_seconds": 0,
        "unknown_filter_status": 400,
        # webhooks (§10)
        "webhook_delay_seconds": 0.2,
        "webhook_requires_resource_id": True,
        "webhook_retry_first_seconds": 10,
        "webhook_retry_most_seconds": 3600,
        "webhook_retry_stop_seconds": 86400,
        # the world: every n-th person is a contact from the start; 0 for none
        "known_people_every": 10,
    }

"""BigCommerce, as far as a sync can see it: V2 orders, V3 catalogue, inventory, customers and webhooks."""

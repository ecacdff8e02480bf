"""PgBouncer and the exporter of its figures, as the chart runs them."""

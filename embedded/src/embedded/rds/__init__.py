"""RDS for PostgreSQL: every instance is a real Postgres server with TLS and RDS's rules for its roles."""

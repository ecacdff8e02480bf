package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A metric and the column of the SHOW command that holds it. A column that this PgBouncer lacks gives no metric.
type metric struct{ name, column, help string }

// One SHOW command (https://www.pgbouncer.org/usage.html#show-commands).
type table struct {
	subsystem string
	command   string
	enabledBy string
	labels    []string
	metrics   []metric
}

var tables = []table{
	{"stats", "SHOW STATS", "EXPORT_STATS", []string{"database"}, []metric{
		{"total_received", "total_received", "Bytes received from clients."},
		{"total_sent", "total_sent", "Bytes sent to clients."},
		{"total_query_time", "total_query_time", "Microseconds in which queries ran."},
		{"total_xact_time", "total_xact_time", "Microseconds in which transactions were open."},
		{"total_query_count", "total_query_count", "Queries."},
		{"total_xact_count", "total_xact_count", "Transactions."},
	}},
	{"pools", "SHOW POOLS", "EXPORT_POOLS", []string{"database", "user", "pool_mode"}, []metric{
		{"active_clients", "cl_active", "Clients that have a server connection, or need none now."},
		{"waiting_clients", "cl_waiting", "Clients that wait for a server connection."},
		{"active_server", "sv_active", "Server connections in use by a client."},
		{"idle_server", "sv_idle", "Server connections ready for use."},
		{"used_server", "sv_used", "Server connections to be checked before their next use."},
		{"tested_server", "sv_tested", "Server connections being reset or checked."},
		{"login_server", "sv_login", "Server connections being opened."},
		{"max_wait", "maxwait", "Seconds that the oldest waiting client has waited."},
	}},
	{"database", "SHOW DATABASES", "EXPORT_DATABASES", []string{"name", "pool_mode"}, []metric{
		{"pool_size", "pool_size", "Server connections that the pool may have."},
		{"current_connections", "current_connections", "Server connections that the pool has."},
		{"max_connections", "max_connections", "Server connections that the database may have."},
		{"server_lifetime", "server_lifetime", "Seconds after which a server connection is replaced."},
	}},
	{"lists", "SHOW LISTS", "EXPORT_LISTS", []string{"list"}, []metric{
		{"items", "items", "Entries of one of PgBouncer's lists."},
	}},
}

type figures struct {
	database *sql.DB
	limit    time.Duration
	tables   []table
	constant prometheus.Labels
}

func newFigures(database *sql.DB, limit time.Duration) (*figures, error) {
	made := &figures{database: database, limit: limit, constant: prometheus.Labels{}}
	for _, candidate := range tables {
		enabled, err := strconv.ParseBool(setting(candidate.enabledBy, "true"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", candidate.enabledBy, err)
		}
		if enabled {
			made.tables = append(made.tables, candidate)
		}
	}
	for _, pair := range strings.Fields(setting("DEFAULT_LABELS", "")) {
		name, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, fmt.Errorf("DEFAULT_LABELS: %q is not name=value", pair)
		}
		made.constant[name] = value
	}
	return made, nil
}

// Describe names nothing in advance: what there is follows from PgBouncer's answers.
func (f *figures) Describe(chan<- *prometheus.Desc) {}

// Collect asks PgBouncer. A scrape in which it does not answer has no figures, and a line in the log says why.
func (f *figures) Collect(found chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), f.limit)
	defer cancel()
	for _, wanted := range f.tables {
		rows, err := f.read(ctx, wanted.command)
		if err != nil {
			log.Printf("%s: %v", wanted.command, err)
			return
		}
		for _, row := range rows {
			f.send(found, wanted, row)
		}
	}
}

func (f *figures) send(found chan<- prometheus.Metric, from table, row map[string]string) {
	labels := make([]string, len(from.labels))
	for position, label := range from.labels {
		labels[position] = row[label]
	}
	for _, one := range from.metrics {
		value, err := strconv.ParseFloat(row[one.column], 64)
		if err != nil {
			continue
		}
		name := prometheus.BuildFQName("pgbouncer_exporter", from.subsystem, one.name)
		description := prometheus.NewDesc(name, one.help, from.labels, f.constant)
		found <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, labels...)
	}
}

func (f *figures) read(ctx context.Context, command string) ([]map[string]string, error) {
	rows, err := f.database.QueryContext(ctx, command)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var read []map[string]string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for position := range values {
			targets[position] = &values[position]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := map[string]string{}
		for position, column := range columns {
			row[column] = values[position].String
		}
		read = append(read, row)
	}
	return read, rows.Err()
}

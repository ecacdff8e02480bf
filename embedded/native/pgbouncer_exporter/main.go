// A stand-in for github.com/jbub/pgbouncer_exporter, which the chart's image of that name holds and no module
// proxy serves: the same commands (`server`, `health`), environment variables, port and names of metrics.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	_ "github.com/lib/pq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const usage = "usage: pgbouncer_exporter server|health|--version (settings are environment variables)"

// Set by the linker.
var version = "unknown"

func main() {
	command := strings.Join(os.Args[1:], " ")
	var err error
	switch command {
	case "server":
		err = serve()
	case "health":
		err = health()
	case "--version":
		fmt.Printf("pgbouncer_exporter %s (stand-in of the embedded cloud)\n", version)
	default:
		err = fmt.Errorf("%q is not a command; %s", command, usage)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func setting(name, otherwise string) string {
	if value, ok := os.LookupEnv(name); ok {
		return value
	}
	return otherwise
}

func timeout() (time.Duration, error) {
	limit, err := time.ParseDuration(setting("STORE_TIMEOUT", "2s"))
	if err != nil {
		return 0, fmt.Errorf("STORE_TIMEOUT: %w", err)
	}
	return limit, nil
}

// open connects to PgBouncer's own database, and asks for its version: it answers nothing but SHOW commands.
func open(limit time.Duration) (*sql.DB, error) {
	address := setting("DATABASE_URL", "")
	if address == "" {
		return nil, errors.New("DATABASE_URL is not set: postgresql://USER:PASSWORD@HOST:PORT/pgbouncer")
	}
	database, err := sql.Open("postgres", address)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	database.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	rows, err := database.QueryContext(ctx, "SHOW VERSION")
	if err != nil {
		database.Close()
		return nil, fmt.Errorf("PgBouncer does not answer: %w", err)
	}
	return database, rows.Close()
}

func health() error {
	limit, err := timeout()
	if err != nil {
		return err
	}
	database, err := open(limit)
	if err != nil {
		return err
	}
	return database.Close()
}

func serve() error {
	limit, err := timeout()
	if err != nil {
		return err
	}
	database, err := open(limit)
	if err != nil {
		return err
	}
	defer database.Close()
	figures, err := newFigures(database, limit)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	registry.MustRegister(figures, process, collectors.NewGoCollector())
	mux := http.NewServeMux()
	mux.Handle(setting("WEB_TELEMETRY_PATH", "/metrics"), promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{
		Addr:              setting("WEB_LISTEN_ADDRESS", ":9127"),
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      10 * time.Second,
	}
	// Process 1 of a container ends on a signal only when it listens for it.
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	go func() {
		<-stop.Done()
		server.Close()
	}()
	log.Printf("serving on %s", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

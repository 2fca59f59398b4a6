# Targets: test (everything CI runs), nightly (histories of a million operations), short (tests without -race and
# servers), record, lint, bench, build.
GO      ?= go
TOOLS   := $(CURDIR)/.tools
STATICCHECK := $(TOOLS)/staticcheck
STATICCHECK_VERSION := v0.8.2
# Packages whose point is concurrency run under the race detector too.
RACE := ./kv/... ./sql/catalog/... ./wire/...

# Statements on data in a nightly run.
HOLDFAST_OPERATIONS ?= 1000000
# How long a nightly run puts random assertions to one client, and then to several.
HOLDFAST_RULES ?= 90s

.PHONY: build test nightly short lint race tools record bench

build:
	$(GO) build -o bin/holdfast ./cmd/holdfast

# What the tests need beyond Go: a C compiler, psql, and PostgreSQL's server programs.
tools:
	./scripts/install-tools

test: tools lint
	$(GO) test ./...
	$(MAKE) race

# Random transactions over the wire, with kills and power failures, checked for serializability; random assertions of all
# shapes, for one client and for several: some minutes.
nightly:
	HOLDFAST_OPERATIONS=$(HOLDFAST_OPERATIONS) $(GO) test ./compat_tests/isolation -run 'TestHistory|TestKill|TestPowerLoss' -v -count 1 -timeout 3h
	$(GO) test ./planner -run 'TestIncrementalChecks|TestRulesUnderConcurrency' -rules.fuzz $(HOLDFAST_RULES) -rules.concurrent $(HOLDFAST_RULES) -v -count 1 -timeout 24h

lint: $(STATICCHECK)
	@test -z "$$(gofmt -l cmd wire sql planner assertions kv compat_tests)" || { echo "gofmt needed:"; gofmt -l cmd wire sql planner assertions kv compat_tests; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...

$(STATICCHECK):
	GOBIN=$(TOOLS) $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)

short:
	$(GO) test -short ./...

race:
	$(GO) test -race -short $(RACE)

# Record the expected outputs of compat_tests/regress and compat_tests/anomalies anew from a real PostgreSQL 15, and those
# of compat_tests/assertions, which PostgreSQL has none of.
record: tools
	$(GO) test ./compat_tests/regress -run TestRegress -record
	$(GO) test ./compat_tests/anomalies -run TestAnomalies -record
	$(GO) test ./compat_tests/assertions -record

bench: build
	./bin/holdfast bench --help

// Package assertions shows what assertions can do, capability by capability, as a client sees it, and what they do in
// the two other databases that have some and in PostgreSQL, which parses them and has none.
//
// sql/NAME.sql is a script of one session for psql; see compat_tests/regress, which runs it. sessions/NAME.txt is a
// script of several, whose steps come in the order in which they are written; see compat_tests/anomalies, which runs
// that. expected/NAME.out is what came of it, recorded by
//
//	go test ./compat_tests/assertions -record
//
// and never edited. What a record cannot be trusted with is said in the script itself: "-- refused" stands before each
// statement that has to fail, and every other one has to succeed; "-- never" and "-- checked" stand before an EXPLAIN
// ASSERTION that has to show that a kind of statement needs no check, or a check in which no table is scanned. Scripts
// of several sessions must come to what the same transactions come to one after the other.
//
// tpcc has the consistency conditions of TPC-C as assertions, over its schema; docs/tpcc.md is written from it.
package assertions

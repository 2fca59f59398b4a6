// Package anomalies runs the anomalies of the literature as scripts, at each of the four isolation level names,
// and records what came of them: which statement got which rows, waited, or was refused with which SQLSTATE, and
// what was left in the tables.
//
// scripts/NN_NAME.txt is a script; see script. expected/NN_NAME.txt is what came of it on PostgreSQL 15 and on
// Holdfast, recorded by
//
//	go test ./compat_tests/anomalies -record
//
// and never edited. The same command writes the table in docs/isolation.md; the test fails if it is not that of the
// records.
//
// What the test demands of Holdfast is serializability, not the way to it: at each level name the anomaly does
// not happen, the committed transactions give the answers and leave the rows of some order of them run one
// after the other, and no transaction is refused that was committed when the outcome was recorded. If fewer are
// refused than recorded, the test says so and passes.
package anomalies

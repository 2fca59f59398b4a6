package catalog

import (
	"context"

	"holdfast/kv"
	"holdfast/sql/errs"
)

// The DDL primitives write one change to a transaction and return the schema with it. To roll back to a
// savepoint is to go back to the Snapshot of then, besides txn.RollbackTo. Each checks names (42P07, 42710,
// 42P06) and records in the transaction's footprint what it relies on: the old version of the object, and
// the absence of the name. They do not look at dependents: see Dependents.
//
// Objects passed in belong to the Snapshot afterwards and must not be changed. OIDs and StorageIDs that are 0
// are allocated.

// PutSchema creates a schema, or replaces the one with its OID.
func (s *Snapshot) PutSchema(ctx context.Context, txn kv.Txn, schema *Schema) (*Snapshot, error) {
	return nil, errs.Unsupported("DDL")
}

// DropSchema removes a schema, which must be empty.
func (s *Snapshot) DropSchema(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	return nil, errs.Unsupported("DDL")
}

// PutTable creates a table, view or sequence with its indexes and constraints, or replaces the one with its
// OID, renaming and moving to another schema included. Changed is set. New foreign keys, and dropped ones,
// change Referencing of the tables they refer to.
func (s *Snapshot) PutTable(ctx context.Context, txn kv.Txn, t *Table) (*Snapshot, error) {
	return nil, errs.Unsupported("DDL")
}

// DropTable removes a table, view or sequence. Its rows stay until the caller discards them.
func (s *Snapshot) DropTable(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	return nil, errs.Unsupported("DDL")
}

// PutType creates an enum, domain or composite type, or replaces the one with its OID.
func (s *Snapshot) PutType(ctx context.Context, txn kv.Txn, t *UserType) (*Snapshot, error) {
	return nil, errs.Unsupported("DDL")
}

// DropType removes a type.
func (s *Snapshot) DropType(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	return nil, errs.Unsupported("DDL")
}

// PutAssertion creates an assertion, or replaces the one with its OID. The tables it reads count as changed,
// so that transactions that have written them without it conflict.
func (s *Snapshot) PutAssertion(ctx context.Context, txn kv.Txn, a *Assertion) (*Snapshot, error) {
	return nil, errs.Unsupported("DDL")
}

// DropAssertion removes an assertion.
func (s *Snapshot) DropAssertion(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	return nil, errs.Unsupported("DDL")
}

// PutRole creates a role, or replaces the one with its OID.
func (s *Snapshot) PutRole(ctx context.Context, txn kv.Txn, r *Role) (*Snapshot, error) {
	return nil, errs.Unsupported("DDL")
}

// DropRole removes a role.
func (s *Snapshot) DropRole(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	return nil, errs.Unsupported("DDL")
}

// Observe records that the transaction depends on the definition of the relations, so that concurrent DDL on
// them, and on nothing else, conflicts with it. Relations of the system are never in the way.
func (s *Snapshot) Observe(txn kv.Txn, tables ...*Table) {}

// ObserveAbsent records that the transaction depends on there being no relation, index or type of that name.
func (s *Snapshot) ObserveAbsent(txn kv.Txn, schema OID, name string) {}

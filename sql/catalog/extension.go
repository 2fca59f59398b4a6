package catalog

import (
	"context"

	"holdfast/kv"
	"holdfast/sql/errs"
)

// Extension is one that CREATE EXTENSION has been called for. Extensions change nothing: what the available
// ones offer is built in.
type Extension struct {
	OID     OID
	Name    string
	Schema  OID
	Version string
	Comment string

	stamp uint64
}

// AvailableExtensions are those whose functions are built in, with the version that they stand for.
var AvailableExtensions = []Extension{
	{Name: "pgcrypto", Version: "1.3", Comment: "cryptographic functions"},
	{Name: "uuid-ossp", Version: "1.1", Comment: "generate universally unique identifiers (UUIDs)"},
}

// Extension finds an installed extension, nil if there is none.
func (s *Snapshot) Extension(name string) *Extension {
	for _, x := range s.extensions {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// Extensions are the installed ones by OID.
func (s *Snapshot) Extensions() []*Extension { return s.derive().extensions }

// PutExtension installs an extension, one of AvailableExtensions by its name and schema. The errors are 42710
// and 0A000.
func (s *Snapshot) PutExtension(ctx context.Context, txn kv.Txn, x *Extension) (*Snapshot, error) {
	if s.Extension(x.Name) != nil {
		return nil, errs.New(errs.DuplicateObject, "extension %q already exists", x.Name)
	}
	available := false
	for _, a := range AvailableExtensions {
		if a.Name == x.Name {
			available, x.Version, x.Comment = true, a.Version, a.Comment
		}
	}
	if !available {
		return nil, errs.New(errs.FeatureNotSupported, "extension %q is not available", x.Name)
	}
	c := s.change(ctx, txn)
	c.allocate(&x.OID, 1)
	c.takeName(0, extensionObject, x.Name)
	c.put(extensionObject, x.OID, &x.stamp, x)
	c.s.extensions[x.OID] = x
	return c.done()
}

// DropExtension removes an extension.
func (s *Snapshot) DropExtension(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	old := s.extensions[oid]
	if old == nil {
		return nil, errs.New(errs.UndefinedObject, "extension with OID %d does not exist", oid)
	}
	c := s.change(ctx, txn)
	c.remove(extensionObject, oid)
	c.freeName(0, extensionObject, old.Name)
	delete(c.s.extensions, oid)
	return c.done()
}

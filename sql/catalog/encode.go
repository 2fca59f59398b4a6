package catalog

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// A stored object is one byte for the format, eight bytes that no other version of any object has (the
// stamp), and JSON. The stamp tells an unchanged object without decoding it. JSON is verbose, but it is read
// only when an object has changed, it can be read by people who repair a store, and fields can be added to
// it; types stand in it as their OIDs.
const (
	objectFormat = 1
	objectHeader = 9
)

func encodeObject(stamp uint64, object any) ([]byte, error) {
	body, err := json.Marshal(object)
	if err != nil {
		return nil, errs.Wrap(err, errs.InternalError, "cannot encode a catalog object: %v", err)
	}
	b := make([]byte, 0, objectHeader+len(body))
	b = append(b, objectFormat)
	b = binary.BigEndian.AppendUint64(b, stamp)
	return append(b, body...), nil
}

func objectStamp(value []byte) (uint64, error) {
	if len(value) < objectHeader || value[0] != objectFormat {
		return 0, errs.New(errs.DataCorrupted, "catalog object of an unknown format")
	}
	return binary.BigEndian.Uint64(value[1:objectHeader]), nil
}

func decodeObject(value []byte, object any) error {
	if err := json.Unmarshal(value[objectHeader:], object); err != nil {
		return errs.Wrap(err, errs.DataCorrupted, "cannot decode a catalog object: %v", err)
	}
	return nil
}

// typeRef stands for a type in JSON. Decoding makes a placeholder that has only the OID, which Snapshot.link
// replaces: a type of users is known only when the whole schema is read.
type typeRef struct{ *types.Type }

func (r typeRef) MarshalJSON() ([]byte, error) {
	if r.Type == nil {
		return []byte("0"), nil
	}
	return json.Marshal(r.Type.OID)
}

func (r *typeRef) UnmarshalJSON(b []byte) error {
	var oid OID
	if err := json.Unmarshal(b, &oid); err != nil {
		return err
	}
	switch t := types.ByOID(oid); {
	case oid == 0:
		r.Type = nil
	case t != nil:
		r.Type = t
	default:
		r.Type = &types.Type{OID: oid}
	}
	return nil
}

type (
	plainColumn   Column
	plainIndexKey IndexKey
	plainSequence Sequence
	plainUserType UserType
	storedColumn  struct {
		*plainColumn
		Type    typeRef
		Missing *string `json:",omitempty"`
	}
	storedIndexKey struct {
		*plainIndexKey
		Type typeRef
	}
	storedSequence struct {
		*plainSequence
		Type typeRef
	}
	storedUserType struct {
		*plainUserType
		Base typeRef
	}
)

// MarshalJSON writes the type as its OID and Missing as text.
func (c *Column) MarshalJSON() ([]byte, error) {
	s := storedColumn{plainColumn: (*plainColumn)(c), Type: typeRef{c.Type}}
	if !c.Missing.IsNull() {
		text := string(types.AppendText(nil, c.Type, c.Missing, types.DefaultEnv))
		s.Missing = &text
	}
	return json.Marshal(s)
}

// UnmarshalJSON leaves Type and Missing to be completed by Snapshot.link.
func (c *Column) UnmarshalJSON(b []byte) error {
	s := storedColumn{plainColumn: (*plainColumn)(c)}
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	c.Type, c.missing = s.Type.Type, s.Missing
	return nil
}

// completeMissing reads the text of Missing once the type is known.
func (c *Column) completeMissing() error {
	if c.missing == nil {
		return nil
	}
	d, err := types.ParseText(c.Type, types.NoTypmod, *c.missing, types.DefaultEnv)
	if err != nil {
		return fmt.Errorf("default of column %s: %w", c.Name, err)
	}
	c.Missing, c.missing = d, nil
	return nil
}

// MarshalJSON writes the type as its OID.
func (k IndexKey) MarshalJSON() ([]byte, error) {
	return json.Marshal(storedIndexKey{(*plainIndexKey)(&k), typeRef{k.Type}})
}

// UnmarshalJSON leaves Type to be completed by Snapshot.link.
func (k *IndexKey) UnmarshalJSON(b []byte) error {
	s := storedIndexKey{plainIndexKey: (*plainIndexKey)(k)}
	err := json.Unmarshal(b, &s)
	k.Type = s.Type.Type
	return err
}

// MarshalJSON writes the type as its OID.
func (q *Sequence) MarshalJSON() ([]byte, error) {
	return json.Marshal(storedSequence{(*plainSequence)(q), typeRef{q.Type}})
}

// UnmarshalJSON leaves Type to be completed by Snapshot.link.
func (q *Sequence) UnmarshalJSON(b []byte) error {
	s := storedSequence{plainSequence: (*plainSequence)(q)}
	err := json.Unmarshal(b, &s)
	q.Type = s.Type.Type
	return err
}

// MarshalJSON writes the base type as its OID.
func (u *UserType) MarshalJSON() ([]byte, error) {
	return json.Marshal(storedUserType{(*plainUserType)(u), typeRef{u.Base}})
}

// UnmarshalJSON leaves Base to be completed by Snapshot.link.
func (u *UserType) UnmarshalJSON(b []byte) error {
	s := storedUserType{plainUserType: (*plainUserType)(u)}
	err := json.Unmarshal(b, &s)
	u.Base = s.Base.Type
	return err
}

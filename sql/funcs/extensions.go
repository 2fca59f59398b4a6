package funcs

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Functions of the extensions that applications create only to make keys: uuid-ossp and pgcrypto. They are always there,
// with OIDs below those of users' objects that PostgreSQL does not use.

const firstExtensionOID = 16200

func init() {
	none := []*types.Type{}
	for i, f := range []*Func{
		{Name: "uuid_generate_v4", Args: none, Result: types.UUID, Volatility: 'v', Kernel: lift0(randomUUID)},
		{Name: "uuid_nil", Args: none, Result: types.UUID, Volatility: 'i', Kernel: lift0(func(*Ctx) (string, error) { return string(make([]byte, 16)), nil })},
		{Name: "gen_random_bytes", Args: []*types.Type{types.Int4}, Result: types.Bytea, Volatility: 'v', Kernel: lift1(randomBytes)},
		{Name: "digest", Args: []*types.Type{types.Text, types.Text}, Result: types.Bytea, Volatility: 'i', Kernel: lift2(digest)},
		{Name: "digest", Args: []*types.Type{types.Bytea, types.Text}, Result: types.Bytea, Volatility: 'i', Kernel: lift2(digest)},
	} {
		f.OID, f.Kind, f.Strict, f.Source = types.OID(firstExtensionOID+i), 'f', true, f.Name
		Register(f)
	}
}

func randomBytes(n int64) (string, error) {
	if n < 1 || n > 1024 {
		return "", errs.New("39000", "Length not in range")
	}
	b := make([]byte, n)
	rand.Read(b)
	return string(b), nil
}

func digest(data, algorithm string) (string, error) {
	b := []byte(data)
	switch strings.ToLower(algorithm) {
	case "md5":
		h := md5.Sum(b)
		return string(h[:]), nil
	case "sha1":
		h := sha1.Sum(b)
		return string(h[:]), nil
	case "sha224":
		h := sha256.Sum224(b)
		return string(h[:]), nil
	case "sha256":
		h := sha256.Sum256(b)
		return string(h[:]), nil
	case "sha384":
		h := sha512.Sum384(b)
		return string(h[:]), nil
	case "sha512":
		h := sha512.Sum512(b)
		return string(h[:]), nil
	}
	return "", errs.New(errs.InvalidParameterValue, "Cannot use \"%s\": No such hash algorithm", algorithm)
}

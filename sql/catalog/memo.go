package catalog

// Memo returns what others have worked out from a snapshot, such as its compiled rules: the value that make gave for
// key, which is of a type of the caller's own. make may be called more than once, but all callers get the same
// value. Errors are not kept.
func (s *Snapshot) Memo(key any, make func() (any, error)) (any, error) {
	if v, ok := s.memo.Load(key); ok {
		return v, nil
	}
	v, err := make()
	if err != nil {
		return nil, err
	}
	v, _ = s.memo.LoadOrStore(key, v)
	return v, nil
}

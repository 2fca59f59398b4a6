package ast

type (
	// Transaction is BEGIN, COMMIT, ROLLBACK, SAVEPOINT and the like. Kind: "begin", "commit", "rollback",
	// "savepoint", "release", "rollback to", "prepare", "commit prepared", "rollback prepared".
	Transaction struct {
		At
		Kind  string
		Start bool // START TRANSACTION was written, for the command tag
		Name  string
		Chain bool
		Modes TransactionModes
	}
	// TransactionModes are the modes of BEGIN and SET TRANSACTION; nil and "" where not said.
	TransactionModes struct {
		Isolation  string // "read uncommitted", "read committed", "repeatable read", "serializable"
		ReadOnly   *bool
		Deferrable *bool
	}
	// SetTransaction is SET [SESSION CHARACTERISTICS AS] TRANSACTION. Snapshot is SET TRANSACTION SNAPSHOT.
	SetTransaction struct {
		At
		Session  bool
		Modes    TransactionModes
		Snapshot string
	}
	// Set is SET name = values, RESET name, RESET ALL. Default: SET .. TO DEFAULT or RESET.
	Set struct {
		At
		Name    string // "" for RESET ALL
		Values  []Expr // literals; SET TIME ZONE INTERVAL gives a Cast
		Local   bool
		Default bool
		Reset   bool // written as RESET, for the command tag
	}
	// Show is SHOW name; "all" for SHOW ALL.
	Show struct {
		At
		Name string
	}
	// SetConstraints is SET CONSTRAINTS. No Names: ALL.
	SetConstraints struct {
		At
		Names    []*TableName
		Deferred bool
	}
	// Prepare is PREPARE name (types) AS stmt.
	Prepare struct {
		At
		Name  string
		Types []*TypeName
		Stmt  Stmt
	}
	// Execute is EXECUTE name (args).
	Execute struct {
		At
		Name string
		Args []Expr
	}
	// Deallocate is DEALLOCATE; "" for ALL.
	Deallocate struct {
		At
		Name string
	}
	// DeclareCursor is DECLARE CURSOR.
	DeclareCursor struct {
		At
		Name                          string
		Query                         *Select
		Binary, Hold                  bool
		Scroll, NoScroll, Insensitive bool
	}
	// Fetch is FETCH or MOVE. Direction: "forward", "backward", "absolute", "relative". All: FETCH ALL.
	Fetch struct {
		At
		Cursor    string
		Direction string
		Count     int64
		All, Move bool
	}
	// CloseCursor is CLOSE; "" for ALL.
	CloseCursor struct {
		At
		Name string
	}
	// Discard is DISCARD. Kind: "all", "plans", "sequences", "temp".
	Discard struct {
		At
		Kind string
	}
	// Lock is LOCK TABLE. Mode is spelled as in SQL: "access exclusive".
	Lock struct {
		At
		Tables []*TableRef
		Mode   string
		NoWait bool
	}
	// Vacuum is VACUUM or ANALYZE.
	Vacuum struct {
		At
		Analyze bool // ANALYZE was written, not VACUUM
		Tables  []*TableName
		Columns [][]string // parallel to Tables; nil where none are given
		Options []*Option
	}
	// Checkpoint is CHECKPOINT.
	Checkpoint struct{ At }
	// Listen is LISTEN, Notify NOTIFY, Unlisten UNLISTEN ("" for *).
	Listen struct {
		At
		Channel string
	}
	Unlisten struct {
		At
		Channel string
	}
	Notify struct {
		At
		Channel, Payload string
	}
	// Do is DO. Language is "" if not said.
	Do struct {
		At
		Language, Body string
	}
	// Reindex is REINDEX. Kind: "index", "table", "schema", "system", "database".
	Reindex struct {
		At
		Kind    string
		Name    *TableName // of a schema or database in Name alone, "" for the current database
		Options []*Option
	}
	// Grant is GRANT or REVOKE.
	Grant struct {
		At
		Revoke bool
	}
	// CreateRole is CREATE ROLE, USER or GROUP, AlterRole ALTER ROLE .. options. User: USER was written.
	CreateRole struct {
		At
		Name    string
		User    bool
		Options []*Option // as pg_query names them: canlogin, superuser, password, ..
	}
	AlterRole struct {
		At
		Name    string
		Options []*Option
	}
	// CreateExtension is CREATE EXTENSION.
	CreateExtension struct {
		At
		Name        string
		IfNotExists bool
	}
	// Unsupported is a statement that is parsed but not known further; What names it: "CREATE TRIGGER".
	Unsupported struct {
		At
		What string
	}
)

func (*Transaction) stmt()     {}
func (*SetTransaction) stmt()  {}
func (*Set) stmt()             {}
func (*Show) stmt()            {}
func (*SetConstraints) stmt()  {}
func (*Prepare) stmt()         {}
func (*Execute) stmt()         {}
func (*Deallocate) stmt()      {}
func (*DeclareCursor) stmt()   {}
func (*Fetch) stmt()           {}
func (*CloseCursor) stmt()     {}
func (*Discard) stmt()         {}
func (*Lock) stmt()            {}
func (*Vacuum) stmt()          {}
func (*Checkpoint) stmt()      {}
func (*Listen) stmt()          {}
func (*Unlisten) stmt()        {}
func (*Notify) stmt()          {}
func (*Do) stmt()              {}
func (*Reindex) stmt()         {}
func (*Grant) stmt()           {}
func (*CreateRole) stmt()      {}
func (*AlterRole) stmt()       {}
func (*CreateExtension) stmt() {}
func (*Unsupported) stmt()     {}

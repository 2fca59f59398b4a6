package types

const (
	int2VectorOID OID = 22
	oidVectorOID  OID = 30
)

var (
	builtinByOID  = make(map[OID]*Type, len(builtinRows))
	builtinByName = make(map[string]*Type, len(builtinRows))
	builtinAll    = loadBuiltins()
)

func loadBuiltins() []*Type {
	all := make([]*Type, len(builtinRows))
	for i := range builtinRows {
		r := &builtinRows[i]
		t := &Type{
			OID: r.oid, Name: r.name, SQLName: r.sqlName, Rep: r.rep, Len: r.len, ByVal: r.byVal, Align: r.align, Kind: r.kind,
			Category: r.category, Preferred: r.preferred, Delim: r.delim, Collation: r.collation, BaseTypmod: NoTypmod,
		}
		all[i] = t
		builtinByOID[t.OID] = t
		builtinByName[t.Name] = t
	}
	for i, t := range all {
		t.Elem = builtinByOID[builtinRows[i].elem]
		t.Array = builtinByOID[builtinRows[i].array]
		t.class = builtinClass(t)
	}
	return all
}

// builtin is called while the package's variables are initialized, after builtinAll by dependency.
func builtin(oid OID) *Type {
	_ = builtinAll
	return builtinByOID[oid]
}

// The built-in types. Where a Go type of this package has the natural name, the variable's ends in Type:
// IntervalType, TimeTZType, RecordType.
var (
	Bool                    = builtin(16)
	Bytea                   = builtin(17)
	CharQuoted              = builtin(18)
	Name                    = builtin(19)
	Int8                    = builtin(20)
	Int2                    = builtin(21)
	Int2Vector              = builtin(22)
	Int4                    = builtin(23)
	Regproc                 = builtin(24)
	Text                    = builtin(25)
	Oid                     = builtin(26)
	Tid                     = builtin(27)
	Xid                     = builtin(28)
	Cid                     = builtin(29)
	OidVector               = builtin(30)
	JSON                    = builtin(114)
	XML                     = builtin(142)
	PgNodeTree              = builtin(194)
	Point                   = builtin(600)
	Lseg                    = builtin(601)
	Path                    = builtin(602)
	Box                     = builtin(603)
	Polygon                 = builtin(604)
	Line                    = builtin(628)
	Cidr                    = builtin(650)
	Float4                  = builtin(700)
	Float8                  = builtin(701)
	Unknown                 = builtin(705)
	Circle                  = builtin(718)
	Macaddr8                = builtin(774)
	Money                   = builtin(790)
	Macaddr                 = builtin(829)
	Inet                    = builtin(869)
	AclItem                 = builtin(1033)
	Bpchar                  = builtin(1042)
	Varchar                 = builtin(1043)
	Date                    = builtin(1082)
	Time                    = builtin(1083)
	Timestamp               = builtin(1114)
	TimestampTZ             = builtin(1184)
	IntervalType            = builtin(1186)
	TimeTZType              = builtin(1266)
	Bit                     = builtin(1560)
	VarBit                  = builtin(1562)
	Numeric                 = builtin(1700)
	RefCursor               = builtin(1790)
	Regprocedure            = builtin(2202)
	Regoper                 = builtin(2203)
	Regoperator             = builtin(2204)
	Regclass                = builtin(2205)
	Regtype                 = builtin(2206)
	RecordType              = builtin(2249)
	Cstring                 = builtin(2275)
	Any                     = builtin(2276)
	AnyArray                = builtin(2277)
	Void                    = builtin(2278)
	Trigger                 = builtin(2279)
	Internal                = builtin(2281)
	AnyElement              = builtin(2283)
	AnyNonArray             = builtin(2776)
	UUID                    = builtin(2950)
	TxidSnapshot            = builtin(2970)
	PgLSN                   = builtin(3220)
	AnyEnum                 = builtin(3500)
	TSVector                = builtin(3614)
	TSQuery                 = builtin(3615)
	Regconfig               = builtin(3734)
	Regdictionary           = builtin(3769)
	JSONB                   = builtin(3802)
	AnyRange                = builtin(3831)
	EventTrigger            = builtin(3838)
	Int4Range               = builtin(3904)
	NumRange                = builtin(3906)
	TsRange                 = builtin(3908)
	TstzRange               = builtin(3910)
	DateRange               = builtin(3912)
	Int8Range               = builtin(3926)
	JSONPath                = builtin(4072)
	Regnamespace            = builtin(4089)
	Regrole                 = builtin(4096)
	Regcollation            = builtin(4191)
	Int4Multirange          = builtin(4451)
	NumMultirange           = builtin(4532)
	TsMultirange            = builtin(4533)
	TstzMultirange          = builtin(4534)
	DateMultirange          = builtin(4535)
	Int8Multirange          = builtin(4536)
	AnyMultirange           = builtin(4537)
	AnyCompatibleMultirange = builtin(4538)
	PgSnapshot              = builtin(5038)
	Xid8                    = builtin(5069)
	AnyCompatible           = builtin(5077)
	AnyCompatibleArray      = builtin(5078)
	AnyCompatibleNonArray   = builtin(5079)
	AnyCompatibleRange      = builtin(5080)
)

// The array types over them.
var (
	BoolArray           = builtin(1000)
	ByteaArray          = builtin(1001)
	CharQuotedArray     = builtin(1002)
	NameArray           = builtin(1003)
	Int8Array           = builtin(1016)
	Int2Array           = builtin(1005)
	Int2VectorArray     = builtin(1006)
	Int4Array           = builtin(1007)
	RegprocArray        = builtin(1008)
	TextArray           = builtin(1009)
	OidArray            = builtin(1028)
	TidArray            = builtin(1010)
	XidArray            = builtin(1011)
	CidArray            = builtin(1012)
	OidVectorArray      = builtin(1013)
	JSONArray           = builtin(199)
	XMLArray            = builtin(143)
	PointArray          = builtin(1017)
	LsegArray           = builtin(1018)
	PathArray           = builtin(1019)
	BoxArray            = builtin(1020)
	PolygonArray        = builtin(1027)
	LineArray           = builtin(629)
	CidrArray           = builtin(651)
	Float4Array         = builtin(1021)
	Float8Array         = builtin(1022)
	CircleArray         = builtin(719)
	Macaddr8Array       = builtin(775)
	MoneyArray          = builtin(791)
	MacaddrArray        = builtin(1040)
	InetArray           = builtin(1041)
	AclItemArray        = builtin(1034)
	BpcharArray         = builtin(1014)
	VarcharArray        = builtin(1015)
	DateArray           = builtin(1182)
	TimeArray           = builtin(1183)
	TimestampArray      = builtin(1115)
	TimestampTZArray    = builtin(1185)
	IntervalArray       = builtin(1187)
	TimeTZArray         = builtin(1270)
	BitArray            = builtin(1561)
	VarBitArray         = builtin(1563)
	NumericArray        = builtin(1231)
	RefCursorArray      = builtin(2201)
	RegprocedureArray   = builtin(2207)
	RegoperArray        = builtin(2208)
	RegoperatorArray    = builtin(2209)
	RegclassArray       = builtin(2210)
	RegtypeArray        = builtin(2211)
	RecordArray         = builtin(2287)
	CstringArray        = builtin(1263)
	UUIDArray           = builtin(2951)
	TxidSnapshotArray   = builtin(2949)
	PgLSNArray          = builtin(3221)
	TSVectorArray       = builtin(3643)
	TSQueryArray        = builtin(3645)
	RegconfigArray      = builtin(3735)
	RegdictionaryArray  = builtin(3770)
	JSONBArray          = builtin(3807)
	Int4RangeArray      = builtin(3905)
	NumRangeArray       = builtin(3907)
	TsRangeArray        = builtin(3909)
	TstzRangeArray      = builtin(3911)
	DateRangeArray      = builtin(3913)
	Int8RangeArray      = builtin(3927)
	JSONPathArray       = builtin(4073)
	RegnamespaceArray   = builtin(4090)
	RegroleArray        = builtin(4097)
	RegcollationArray   = builtin(4192)
	Int4MultirangeArray = builtin(6150)
	NumMultirangeArray  = builtin(6151)
	TsMultirangeArray   = builtin(6152)
	TstzMultirangeArray = builtin(6153)
	DateMultirangeArray = builtin(6155)
	Int8MultirangeArray = builtin(6157)
	PgSnapshotArray     = builtin(5039)
	Xid8Array           = builtin(271)
)

// ByOID is the built-in type with an OID, nil if there is none.
func ByOID(oid OID) *Type { return builtinByOID[oid] }

// ByName is the built-in type with an internal name ("int4", "_text"), nil if there is none.
func ByName(internalName string) *Type { return builtinByName[internalName] }

// All are the built-in types, ordered by OID. The slice must not be changed.
func All() []*Type { return builtinAll }

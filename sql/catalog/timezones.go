package catalog

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

func init() {
	registerRows("pg_timezone_names", func(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
		for _, name := range timeZoneNames() {
			if filter.allowsName(1, name) && !emit(timeZoneRow(name, time.Now())) {
				break
			}
		}
		return nil
	})
	if f := funcs.Known("pg_timezone_names", 2856); f != nil {
		registerSet("pg_timezone_names", 2856, func(*call) (rows [][]datum, err error) {
			for _, name := range timeZoneNames() {
				rows = append(rows, timeZoneRow(name, time.Now()))
			}
			return rows, nil
		})
	}
}

// timeZoneNames are the names in the machine's time zone database, none if it has none. Go's embedded copy,
// which serves then, cannot be listed.
var timeZoneNames = sync.OnceValue(func() []string {
	var names []string
	for _, folder := range []string{os.Getenv("ZONEINFO"), "/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"} {
		if folder == "" || len(names) > 0 {
			continue
		}
		fs.WalkDir(os.DirFS(folder), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if d.IsDir() {
				if path == "posix" || path == "right" {
					return fs.SkipDir
				}
				return nil
			}
			if path[0] < 'A' || path[0] > 'Z' || strings.Contains(path, ".") {
				return nil
			}
			if _, err := time.LoadLocation(path); err == nil {
				names = append(names, path)
			}
			return nil
		})
	}
	slices.Sort(names)
	return names
})

func timeZoneRow(name string, now time.Time) []datum {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return []datum{text(name), null, null, null}
	}
	t := now.In(loc)
	abbreviation, offset := t.Zone()
	return []datum{text(name), text(abbreviation), types.NewAny(types.Interval{Micros: int64(offset) * types.MicrosPerSecond}), boolean(t.IsDST())}
}

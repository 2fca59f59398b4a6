package pebblekv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"holdfast/kv"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A data folder is known by a marker file, which has the version of the folder's format in one line.
const (
	markerFile   = "HOLDFAST"
	markerPrefix = "holdfast data format "
	// format is raised when an older program must not open the folder. 2: rows may be counted in accumulators, which an
	// older program would not change with them. A folder of an older format becomes one of this when it is opened.
	format = 2
)

// openFolder creates or checks the folder and takes its lock.
func openFolder(fs vfs.FS, folder string) (*pebble.Lock, error) {
	info, err := fs.Stat(folder)
	switch {
	case err == nil && !info.IsDir():
		return nil, fmt.Errorf("%w: %s is not a folder", kv.ErrFormat, folder)
	case err == nil:
		// Look before the lock file is put into a folder that is not ours.
		if err := checkFolder(fs, folder); err != nil {
			return nil, err
		}
	case errors.Is(err, os.ErrNotExist):
		if err := createFolder(fs, folder); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	lock, err := pebble.LockDirectory(folder, fs)
	if err != nil {
		if failure := (*os.PathError)(nil); errors.As(err, &failure) {
			return nil, err // of the file, not of the lock
		}
		return nil, fmt.Errorf("%w: %s", kv.ErrInUse, folder)
	}
	if err := writeMarker(fs, folder); err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// createFolder makes the folder and its parents, durably.
func createFolder(fs vfs.FS, folder string) error {
	if err := fs.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return syncFolder(fs, fs.PathDir(folder))
}

func syncFolder(fs vfs.FS, folder string) error {
	d, err := fs.OpenDir(folder)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		d.Close()
		return err
	}
	return d.Close()
}

// checkFolder refuses a folder with files in it and no valid marker.
func checkFolder(fs vfs.FS, folder string) error {
	version, err := readMarker(fs, folder)
	if err != nil || version > 0 {
		return err
	}
	names, err := fs.List(folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		// What an interrupted first start may have left.
		if name != "LOCK" && name != markerFile+".tmp" {
			return fmt.Errorf("%w: %s has files in it, but no %s file", kv.ErrFormat, folder, markerFile)
		}
	}
	return nil
}

// readMarker is the format that the marker tells, 0 if it is not there. It fails if this program does not know it.
func readMarker(fs vfs.FS, folder string) (version int, err error) {
	f, err := fs.Open(fs.PathJoin(folder, markerFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 100))
	if err != nil {
		return 0, err
	}
	number, ok := strings.CutPrefix(strings.TrimSpace(string(text)), markerPrefix)
	version, err = strconv.Atoi(number)
	switch {
	case !ok || err != nil || version < 1:
		return 0, fmt.Errorf("%w: %s has a %s file that is not understood", kv.ErrFormat, folder, markerFile)
	case version > format:
		return 0, fmt.Errorf("%w: %s has format %d, this program knows up to %d", kv.ErrFormat, folder,
			version, format)
	}
	return version, nil
}

// writeMarker writes the marker, durably, before anything else is in the folder. The lock is held.
func writeMarker(fs vfs.FS, folder string) error {
	if err := checkFolder(fs, folder); err != nil {
		return err
	}
	if version, err := readMarker(fs, folder); version == format || err != nil {
		return err
	}
	return putMarker(fs, folder)
}

func putMarker(fs vfs.FS, folder string) error {
	temporary := fs.PathJoin(folder, markerFile+".tmp")
	f, err := fs.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s%d\n", markerPrefix, format)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := fs.Rename(temporary, fs.PathJoin(folder, markerFile)); err != nil {
		return err
	}
	return syncFolder(fs, folder)
}

// Checkpoint makes a consistent copy of the store in a new folder, which can be opened like any other. Commits go on
// meanwhile; the copy has all that were acknowledged before the call. Files that do not change any more are
// linked, not copied, if the folder is on the same file system.
func (s *Store) Checkpoint(folder string) error {
	if !s.commits.enter(&s.calls) {
		return s.unavailable()
	}
	defer s.calls.Done()
	fs := s.options.FS
	folder, err := absolute(fs, folder)
	if err != nil {
		return err
	}
	if err := s.engine.checkpoint(folder); err != nil {
		return err
	}
	if s.failure.Load() != nil {
		return s.unavailable()
	}
	return putMarker(fs, folder)
}

// absolute makes a path of the operating system's independent of the working directory, which is also how two
// stores of one process see that they share a folder.
func absolute(fs vfs.FS, folder string) (string, error) {
	if fs != vfs.Default {
		return folder, nil
	}
	return filepath.Abs(folder)
}

package weights

import (
	"encoding/binary"
	"io"
)

const (
	legacyMagic    = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" // the bytes of 0x1950a86a20f9469cfc6c, backwards
	legacyProtocol = 1001
)

// loadLegacy reads a file of torch.save before torch 1.6: five pickles (the
// magic number, the version of the format, facts about the machine, what was
// saved, the keys of the storages) and then, for each storage, the number of
// elements in 8 bytes and the elements.
func loadLegacy(r io.ReaderAt, size int64) (*contents, error) {
	s := newStream(io.NewSectionReader(r, 0, size), size)
	magic, _, err := unpickle(s, true)
	if n, ok := magic.(long); err != nil || !ok || n != legacyMagic {
		if err == nil {
			err = malformed("a pickle that torch.save did not write")
		}
		return nil, err
	}
	version, _, err := unpickle(s, true)
	if err != nil {
		return nil, err
	}
	if n, ok := version.(int64); !ok {
		return nil, malformed("the version of the file is no number")
	} else if n != legacyProtocol {
		return nil, unsupported("version %d of PyTorch's old format", n)
	}
	system, _, err := unpickle(s, true)
	if err != nil {
		return nil, err
	}
	if isBigEndian(system) {
		return nil, unsupported("a PyTorch file of a big-endian machine")
	}
	began := s.used
	root, storages, err := unpickle(s, true)
	if err != nil {
		return nil, err
	}
	length := s.used - began
	keys, _, err := unpickle(s, true)
	if err != nil {
		return nil, err
	}
	l, ok := keys.(*list)
	if !ok {
		return nil, malformed("no list of storages")
	}
	begins, err := legacyStorages(r, s.used, size, l.items, storages)
	if err != nil {
		return nil, err
	}
	return newCheckpoint(TorchLegacy, root, length, func(of *storage) (io.ReaderAt, int64, int64, error) {
		at, ok := begins[of.key]
		if !ok {
			return nil, 0, 0, malformed("storage %s is not in the file", quote(of.key))
		}
		first := storages[of.key] // has the size that was checked
		have := first.count * first.elem.width
		if of.elem.width == 0 || of.skip > have/of.elem.width || of.count > have/of.elem.width-of.skip {
			return nil, 0, 0, malformed("storage %s has %d bytes, too few for %d elements of type %s", quote(of.key), have, of.count, of.elem.name)
		}
		return r, at + of.skip*of.elem.width, of.count * of.elem.width, nil
	})
}

// isBigEndian looks at what torch.save notes about the machine.
func isBigEndian(system any) bool {
	d, _ := system.(*dict)
	for i := 0; d != nil && i+1 < len(d.pairs); i += 2 {
		if little, ok := d.pairs[i+1].(bool); ok && d.pairs[i] == any("little_endian") {
			return !little
		}
	}
	return false
}

// legacyStorages finds where the elements of each storage begin.
func legacyStorages(r io.ReaderAt, at, size int64, keys []any, storages map[string]*storage) (map[string]int64, error) {
	begins := make(map[string]int64, min(len(keys), len(storages)))
	for _, k := range keys {
		key, ok := k.(string)
		if !ok {
			return nil, malformed("the key of a storage is no text")
		}
		s := storages[key]
		if s == nil {
			return nil, malformed("storage %s has elements and no type", quote(key))
		}
		if _, twice := begins[key]; twice {
			return nil, malformed("storage %s occurs twice", quote(key))
		}
		if s.elem.width == 0 {
			return nil, unsupported("a storage of type %s", quote(s.elem.name))
		}
		var b [8]byte
		if size-at < 8 {
			return nil, malformed("no room for storage %s: truncated?", quote(key))
		}
		if err := readFull(r, b[:], at); err != nil {
			return nil, err
		}
		at += 8
		n := int64(binary.LittleEndian.Uint64(b[:]))
		switch {
		case n != s.count:
			return nil, malformed("storage %s has %d elements, the pickle says %d", quote(key), n, s.count)
		case n > (size-at)/s.elem.width:
			return nil, malformed("storage %s has %d elements of type %s, %d bytes are left: truncated?", quote(key), n, s.elem.name, size-at)
		}
		begins[key] = at
		at += n * s.elem.width
	}
	return begins, nil
}

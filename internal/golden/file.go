package golden

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Remarks are keys that say where a golden comes from and configure nothing.
// They are meant to be handed to File.Config.
var Remarks = []string{"note", "keys", "seed", "torch", "torchvision", "timm", "versions", "commit", "origin", "source", "definitions"}

// File is one golden: a .json or .json.gz, with .safetensors files of the same
// stem beside it. Its methods end the test that it belongs to if something is
// wrong.
type File struct {
	t    testing.TB
	path string
	text []byte // the JSON
}

// Open reads a golden for a test, its path as given. It fails if the file is
// not there.
func Open(t testing.TB, path string) *File {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil && strings.HasSuffix(path, ".gz") {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(text)); err == nil {
			text, err = io.ReadAll(z)
		}
	}
	if err != nil {
		t.Fatalf("golden: %s: %v", path, err)
	}
	return &File{t, path, text}
}

// Independent opens one of the independent goldens by its name in their folder,
// such as "loss/losses.json". The test is skipped if it is not there.
func Independent(t testing.TB, name string) *File {
	t.Helper()
	return Open(t, place(t, "WINNOW_GOLDENS", "goldens", name))
}

// With is the same golden for another test, usually a subtest.
func (g *File) With(t testing.TB) *File {
	c := *g
	c.t = t
	return &c
}

// Path is where the JSON lies.
func (g *File) Path() string { return g.path }

// Name is the name of the file without folder and extension.
func (g *File) Name() string { return filepath.Base(g.stem()) }

func (g *File) stem() string {
	return strings.TrimSuffix(strings.TrimSuffix(g.path, ".gz"), ".json")
}

// Config decodes the JSON into a struct. A key that the struct does not have
// fails the test, at any depth: a golden with a configuration that the test does
// not know must not pass as if it had none. remarks are keys of the outermost
// object to leave out.
func (g *File) Config(into any, remarks ...string) {
	g.t.Helper()
	text := g.text
	if len(remarks) > 0 {
		var top map[string]json.RawMessage
		if err := json.Unmarshal(text, &top); err != nil {
			g.t.Fatalf("golden: %s: %v", g.path, err)
		}
		for _, key := range remarks {
			delete(top, key)
		}
		var err error
		if text, err = json.Marshal(top); err != nil {
			g.t.Fatalf("golden: %s: %v", g.path, err)
		}
	}
	if err := strict(text, into); err != nil {
		g.t.Fatalf("golden: %s: %v", g.path, err)
	}
}

// Loose decodes the JSON into a value and ignores keys that it does not have:
// for finding out which kind a golden is of.
func (g *File) Loose(into any) {
	g.t.Helper()
	if err := json.Unmarshal(g.text, into); err != nil {
		g.t.Fatalf("golden: %s: %v", g.path, err)
	}
}

// Strict decodes a part of a golden, with Config's rule about unknown keys.
func (g *File) Strict(text json.RawMessage, into any) {
	g.t.Helper()
	if err := strict(text, into); err != nil {
		g.t.Fatalf("golden: %s: %v", g.path, err)
	}
}

func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the JSON value")
	}
	return nil
}

// Number is a float64 in JSON that may also be null or one of the strings
// "nan", "inf", "-inf" in any case; null is NaN.
type Number float64

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(text []byte) error {
	switch strings.ToLower(strings.Trim(string(text), `"`)) {
	case "null", "nan":
		*n = Number(math.NaN())
		return nil
	case "inf", "+inf", "infinity":
		*n = Number(math.Inf(1))
		return nil
	case "-inf", "-infinity":
		*n = Number(math.Inf(-1))
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}

// Suffixes lists the endings of the .safetensors files beside the JSON that
// have its stem, such as ".golden.safetensors", in order.
func (g *File) Suffixes() []string {
	g.t.Helper()
	var all []string
	for _, path := range match(g.t, filepath.Dir(g.path), escape(filepath.Base(g.stem()))+".*safetensors") {
		all = append(all, strings.TrimPrefix(filepath.Base(path), g.Name()))
	}
	slices.Sort(all)
	return all
}

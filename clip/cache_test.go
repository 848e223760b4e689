package clip

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/transform"
)

func mustCache(t testing.TB, dir string, bytes int64) *Cache {
	t.Helper()
	c, err := OpenCache(dir, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cached lists the files below dir and their length together.
func cached(t testing.TB, dir string) (files []string, size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		files = append(files, path)
		size += info.Size()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, size
}

func TestCachedEmbeddingsAreNotMadeAgain(t *testing.T) {
	dir := t.TempDir()
	set := &plateFiles{plates{n: 40, noise: 0.3}}
	var first []Result
	for round := range 3 {
		e := &colours{id: "one"}
		c := mustCache(t, dir, 0)
		z := mustZeroShot(t, ZeroShotOptions{Cache: c, Batch: 7}, e, Named(plateClasses...))
		var got []Result
		for r, err := range z.Each(t.Context(), set) {
			if err != nil || r.Err != nil {
				t.Fatal(err, r.Err)
			}
			got = append(got, r)
		}
		texts := int64(len(plateClasses) * len(Templates))
		if round == 0 {
			first = got
			if e.images.Load() != 40 || e.texts.Load() != texts {
				t.Errorf("first: %d pictures, %d texts through the model", e.images.Load(), e.texts.Load())
			}
			continue
		}
		if e.images.Load() != 0 || e.texts.Load() != 0 || c.Stats().Hits != 40+int(texts) || c.Stats().Misses != 0 {
			t.Errorf("again: %d pictures, %d texts through the model, %+v", e.images.Load(), e.texts.Load(), c.Stats())
		}
		for i := range got {
			if got[i].Prob != first[i].Prob || got[i].Entropy != first[i].Entropy {
				t.Errorf("%s: %v from the cache, %v from the model", got[i].Name, got[i].Prediction, first[i].Prediction)
			}
		}
	}
	// Another model, and other preparation, have embeddings of their own.
	for _, z := range []*ZeroShot{
		mustZeroShot(t, ZeroShotOptions{Cache: mustCache(t, dir, 0)}, &colours{id: "two"}, Named(plateClasses...)),
		mustZeroShot(t, ZeroShotOptions{Cache: mustCache(t, dir, 0), Limits: transform.Limits{IgnoreEXIF: true}}, &colours{id: "one"}, Named(plateClasses...)),
	} {
		for range z.Each(t.Context(), set) {
		}
		if n := z.encoder.(*colours).images.Load(); n != 40 {
			t.Errorf("%d pictures through the model", n)
		}
	}
	// A model without identity caches nothing.
	nowhere := t.TempDir()
	z := mustZeroShot(t, ZeroShotOptions{Cache: mustCache(t, nowhere, 0)}, &colours{}, Named(plateClasses...))
	for range z.Each(t.Context(), set) {
	}
	if files, _ := cached(t, nowhere); len(files) != 0 {
		t.Errorf("%d files", len(files))
	}
}

func TestCacheHoldsToItsBound(t *testing.T) {
	dir := t.TempDir()
	const bound = 100 * (16 + 4*8)
	c := mustCache(t, dir, bound)
	s := newSpace("test")
	var keys []key
	for i := range 500 {
		k := key{byte(i), byte(i >> 8), 1}
		keys = append(keys, k)
		c.put(s, k, random(8, rng.New(uint64(i), rng.Test)))
		if i == 50 { // was used last
			old := time.Now().Add(-2 * time.Hour)
			for _, k := range keys[:50] {
				if err := os.Chtimes(c.path(s, k), old, old); err != nil {
					t.Fatal(err)
				}
			}
			if _, ok := c.get(s, keys[7], 8); !ok {
				t.Fatal("not there")
			}
		}
		if i == 110 {
			if _, ok := c.get(s, keys[7], 8); !ok {
				t.Error("one that was used lately is gone")
			}
			if _, ok := c.get(s, keys[8], 8); ok {
				t.Error("one that was not used for longest is still there")
			}
		}
		if _, size := cached(t, dir); i%50 == 0 && size > bound+bound/16 {
			t.Errorf("%d bytes, bound %d", size, bound)
		}
	}
	if v, ok := c.get(s, keys[499], 8); !ok || !slices.Equal(v, random(8, rng.New(499, rng.Test))) {
		t.Error("the newest is not there")
	}
	if c.Stats().Failed != 0 {
		t.Error(c.Stats().Err)
	}
	// A smaller bound holds at once.
	mustCache(t, dir, bound/4)
	if _, size := cached(t, dir); size > bound/4 {
		t.Errorf("%d bytes, bound %d", size, bound/4)
	}
}

func TestDamagedEntriesAreAbsent(t *testing.T) {
	c := mustCache(t, t.TempDir(), 0)
	s, k := newSpace("test"), key{1}
	want := []float32{1, 2, 3, 4}
	c.put(s, k, want)
	good, err := os.ReadFile(c.path(s, k))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := c.get(s, k, 4); !ok || !slices.Equal(v, want) {
		t.Fatal(v, ok)
	}
	if _, ok := c.get(s, k, 5); ok {
		t.Error("of another length")
	}
	for n := range good {
		for name, data := range map[string][]byte{
			"cut":     good[:n],
			"flipped": append(append(bytes.Clone(good[:n]), good[n]^1), good[n+1:]...),
		} {
			if err := os.WriteFile(c.path(s, k), data, 0o644); err != nil {
				t.Fatal(err)
			}
			if v, ok := c.get(s, k, 4); ok {
				t.Errorf("%s at %d: %v", name, n, v)
			}
		}
	}
	huge := append(bytes.Clone(good[:8]), 0xff, 0xff, 0xff, 0xff)
	if err := os.WriteFile(c.path(s, k), append(huge, make([]byte, 1<<20)...), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.get(s, k, 0); ok {
		t.Error("a length that cannot be")
	}
	c.put(s, k, want)
	if v, ok := c.get(s, k, 4); !ok || !slices.Equal(v, want) {
		t.Error("is not written anew")
	}
}

func TestCachesShareAFolder(t *testing.T) {
	dir := t.TempDir()
	const bound = 60 * (16 + 4*8)
	s := newSpace("test")
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			c, err := OpenCache(dir, bound) // each as another process would
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 200 {
				n := uint64(i*7+p) % 100
				want := random(8, rng.New(n, rng.Test))
				if v, ok := c.get(s, key{byte(n)}, 8); ok && !slices.Equal(v, want) {
					t.Errorf("entry %d is %v", n, v)
				}
				c.put(s, key{byte(n)}, want)
			}
			if c.Stats().Failed != 0 {
				t.Error(c.Stats().Err)
			}
		})
	}
	wg.Wait()
	files, size := cached(t, dir)
	if size > bound+4*bound/16 {
		t.Errorf("%d bytes, bound %d", size, bound)
	}
	for _, name := range files {
		if strings.Contains(name, tempPrefix) {
			t.Errorf("%s was left behind", name)
		}
	}
}

func TestCacheClearsUpAndLeavesStrangersAlone(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-3 * time.Hour)
	for _, name := range []string{tempPrefix + "old", tempPrefix + "new", "README"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, make([]byte, 1000), 0o644); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "new") {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustCache(t, dir, 10)
	files, _ := cached(t, dir)
	if got := fmt.Sprint(len(files)); got != "2" {
		t.Errorf("%v", files)
	}
	if _, err := OpenCache(filepath.Join(dir, "README"), 0); err == nil {
		t.Error("a file as a folder")
	}
	if _, err := OpenCache(dir, -1); err == nil {
		t.Error("a negative bound")
	}
}

func TestACacheThatCannotBeWrittenStopsNothing(t *testing.T) {
	dir := t.TempDir()
	c := mustCache(t, filepath.Join(dir, "cache"), 0)
	if err := os.RemoveAll(filepath.Join(dir, "cache")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cache"), nil, 0o644); err != nil { // a file in its place
		t.Fatal(err)
	}
	z := mustZeroShot(t, ZeroShotOptions{Cache: c}, &colours{id: "x"}, Named(plateClasses...))
	for r, err := range z.Each(t.Context(), &plates{n: 5}) {
		if err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
	}
	if s := c.Stats(); s.Failed == 0 || s.Err == nil {
		t.Errorf("%+v", s)
	}
}

package metrics

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/rng"
)

var update = flag.Bool("update", false, "rewrite the texts in testdata")

// random counts n samples over k classes, right with the given share.
func random(t testing.TB, seed uint64, n int, right float64, names ...string) *Confusion {
	t.Helper()
	c := NewConfusion(names...)
	r := rng.New(seed, rng.Test)
	for i := range n {
		want := r.IntN(len(names))
		got := want
		if r.Float64() > right {
			got = r.IntN(len(names))
		}
		if err := c.AddSample(want, got, i); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func letters(k int) []string {
	names := make([]string, k)
	for i := range names {
		names[i] = fmt.Sprintf("class %d", i)
	}
	return names
}

func TestUndefinedSharesAreNaN(t *testing.T) {
	c := NewConfusion("seen", "never predicted", "never there", "neither")
	for _, p := range [][2]int{{0, 0}, {0, 2}, {1, 0}} {
		if err := c.Add(p[0], p[1]); err != nil {
			t.Fatal(err)
		}
	}
	nan := math.NaN()
	want := []ClassScore{
		{0, "seen", 0.5, 0.5, 0.5, 2, 2},
		{1, "never predicted", nan, 0, 0, 1, 0},
		{2, "never there", 0, nan, 0, 0, 1},
		{3, "neither", nan, nan, nan, 0, 0},
	}
	if got := c.PerClass(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got, want := c.Macro(), (Average{0.25, 0.25, 0.5 / 3}); got != want {
		t.Errorf("macro %v, want %v", got, want)
	}
	// By support: precision over class 0 (2) and class 2 (0), F1 over all but the last.
	if got, want := c.Weighted(), (Average{0.5, 1. / 3, 1. / 3}); got != want {
		t.Errorf("weighted %v, want %v", got, want)
	}
	for name, empty := range map[string]*Confusion{"no samples": NewConfusion("a", "b"), "no classes": NewConfusion(), "zero value": {}} {
		a := empty.Macro()
		for _, v := range []float64{empty.Accuracy(), empty.MeanClassAccuracy(), a.Precision, a.F1, empty.Weighted().Recall} {
			if !math.IsNaN(v) {
				t.Errorf("%s: %v, want NaN", name, v)
			}
		}
		if got := empty.MostConfused(5); len(got) != 0 {
			t.Errorf("%s: most confused %v", name, got)
		}
		_ = empty.String()
	}
}

func TestIndicesOutsideTheClassesAreErrors(t *testing.T) {
	c := NewConfusion("a", "b")
	for _, p := range [][2]int{{-1, 0}, {0, -1}, {2, 0}, {0, 2}, {math.MaxInt, math.MinInt}} {
		if err := c.AddSample(p[0], p[1], 1); err == nil {
			t.Errorf("%v was counted", p)
		}
		if c.Count(p[0], p[1]) != 0 || c.Samples(p[0], p[1]) != nil {
			t.Errorf("%v has a count or samples", p)
		}
	}
	if c.N() != 0 {
		t.Errorf("%d samples", c.N())
	}
	if err := new(Confusion).Add(0, 0); err == nil {
		t.Error("the zero value took a sample")
	}
}

func TestMergingPartsGivesTheWhole(t *testing.T) {
	names := letters(5)
	whole := random(t, 1, 300, 0.6, names...)
	parts := []*Confusion{NewConfusion(names...), NewConfusion(names...), NewConfusion(names...)}
	r := rng.New(1, rng.Test)
	for i := range 300 {
		want := r.IntN(5)
		got := want
		if r.Float64() > 0.6 {
			got = r.IntN(5)
		}
		if err := parts[i/100].AddSample(want, got, i); err != nil {
			t.Fatal(err)
		}
	}
	sum := NewConfusion(names...)
	for _, p := range parts {
		if err := sum.Merge(p); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(sum, whole) {
		t.Errorf("got\n%v\nwant\n%v", sum, whole)
	}
	before := whole.String()
	if err := whole.Merge(NewConfusion("other")); err == nil || whole.String() != before {
		t.Errorf("merged other classes, error %v", err)
	}
	if err := whole.Merge(whole); err != nil || whole.N() != 600 || len(whole.Samples(0, 0)) != whole.Count(0, 0) {
		t.Errorf("merged with itself: error %v, %d samples", err, whole.N())
	}
}

func TestMostConfusedIsInOrder(t *testing.T) {
	c := NewConfusion("a", "b", "c")
	for _, p := range [][3]int{{0, 1, 2}, {2, 0, 5}, {1, 2, 2}, {0, 2, 1}, {0, 0, 9}} {
		for range p[2] {
			if err := c.Add(p[0], p[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []Pair{{2, 0, 5, 1}, {0, 1, 2, 2. / 12}, {1, 2, 2, 1}, {0, 2, 1, 1. / 12}}
	for n, part := range map[int][]Pair{-1: {}, 0: {}, 2: want[:2], 4: want, 99: want} {
		if got := c.MostConfused(n); !slices.Equal(got, part) {
			t.Errorf("%d: got %v, want %v", n, got, part)
		}
	}
}

func TestReturnedSlicesAreCopies(t *testing.T) {
	names := []string{"a", "b"}
	c := random(t, 2, 50, 0.5, names...)
	before := c.String() + fmt.Sprint(c.Samples(0, 0))
	names[0] = "x"
	c.Classes()[1] = "y"
	c.Samples(0, 0)[0] = -1
	if after := c.String() + fmt.Sprint(c.Samples(0, 0)); after != before {
		t.Errorf("changed from outside:\n%s", after)
	}
}

func TestJSONKeepsCountsAndSamples(t *testing.T) {
	for name, c := range map[string]*Confusion{
		"samples": random(t, 3, 100, 0.5, letters(4)...), "empty": NewConfusion("a"), "no classes": NewConfusion(),
	} {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Confusion
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v in %s", name, err, text)
		}
		again, err := json.Marshal(&back)
		if err != nil || !bytes.Equal(text, again) || back.N() != c.N() {
			t.Errorf("%s: %s came back as %s, error %v", name, text, again, err)
		}
	}
}

func TestDamagedJSONIsAnErrorAndChangesNothing(t *testing.T) {
	for name, text := range map[string]string{
		"too few rows":     `{"classes":["a","b"],"counts":[[1,2]]}`,
		"a short row":      `{"classes":["a","b"],"counts":[[1,2],[3]]}`,
		"a negative count": `{"classes":["a"],"counts":[[-1]]}`,
		"an overflow":      `{"classes":["a","b"],"counts":[[9223372036854775807,1],[1,9223372036854775807]]}`,
		"a foreign cell":   `{"classes":["a"],"counts":[[1]],"samples":[{"want":1,"got":0,"samples":[1]}]}`,
		"a negative cell":  `{"classes":["a"],"counts":[[1]],"samples":[{"want":0,"got":-1,"samples":[1]}]}`,
		"extra samples":    `{"classes":["a"],"counts":[[1]],"samples":[{"want":0,"got":0,"samples":[1]},{"want":0,"got":0,"samples":[2]}]}`,
		"another kind":     `[1,2]`,
		"many names":       `{"classes":[` + strings.Repeat(`"",`, 100000) + `""],"counts":[]}`,
	} {
		c := random(t, 4, 20, 0.5, "x", "y")
		before := c.String()
		err := c.UnmarshalJSON([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), "metrics: confusion: ") {
			t.Errorf("%s: error %v", name, err)
		}
		if c.String() != before {
			t.Errorf("%s: changed to\n%v", name, c)
		}
	}
}

func TestTextIsAsCommitted(t *testing.T) {
	fashion := []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}
	for name, c := range map[string]*Confusion{
		"ten":   random(t, 5, 10000, 0.9, fashion...),
		"large": random(t, 6, 3000000, 0.99, "yes", "no"),
		"empty": NewConfusion("a", "b"),
		"long": random(t, 7, 40, 0.7, "short", "a name that is far too long for the margin of a table",
			"고양이", "ねこ", "é with a combining mark: e\u0301"),
		"forty": random(t, 8, 2000, 0.8, letters(40)...),
		"none":  NewConfusion(),
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			n, err := c.WriteTo(&b)
			if err != nil || n != int64(b.Len()) || b.String() != c.String() {
				t.Fatalf("wrote %d of %d bytes, error %v", n, b.Len(), err)
			}
			path := filepath.Join("testdata", "confusion_"+name+".txt")
			if *update {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", b.String(), want)
			}
		})
	}
}

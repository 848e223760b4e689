package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/weights"
)

func TestShortTrainingWritesAModelThatOpens(t *testing.T) {
	var files [2][]byte
	var log strings.Builder
	for i := range files {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := run(t.Context(), options{out: path, seed: 5, steps: 3, batch: 8, tests: 10, threads: i + 1}, &log); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = data
		if i == 0 {
			checkModel(t, path)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("one thread and two give different files")
	}
	for _, want := range []string{"step    3 of 3  loss ", "templates about photographs", "mushroom ", "Most often confused:"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the output has no %q:\n%s", want, log.String())
		}
	}
}

func checkModel(t *testing.T, path string) {
	t.Helper()
	m, err := clip.Open(path, clip.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.EncodeTexts(t.Context(), []string{"a photo of a cat."}); err != nil {
		t.Error(err)
	}
	if got := m.Transform().Size; got != side {
		t.Errorf("pictures of %d pixels", got)
	}
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta := f.Metadata()
	if got, want := meta["command"], "go run ./examples/trainclip -out FILE -seed 5 -steps 3 -batch 8"; got != want {
		t.Errorf("command %q, want %q", got, want)
	}
	if meta["seed"] != "5" || meta["license"] != "Apache-2.0" || meta["data"] == "" {
		t.Errorf("metadata: seed %q, licence %q, data %q", meta["seed"], meta["license"], meta["data"])
	}
}

func TestWrongOptionsAndInterruptsAreErrors(t *testing.T) {
	good := options{seed: 1, steps: 2, batch: 4, tests: 10}
	for name, spoil := range map[string]func(*options){
		"no steps":         func(o *options) { o.steps = 0 },
		"one pair":         func(o *options) { o.batch = 1 },
		"negative threads": func(o *options) { o.threads = -1 },
		"few tests":        func(o *options) { o.tests = 9 },
		"large seed":       func(o *options) { o.seed = 1 << 32 },
	} {
		o := good
		spoil(&o)
		if err := run(t.Context(), o, io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, good, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestWordsToGuessTellSomething(t *testing.T) {
	p, err := newPairs(options{seed: 1, steps: 1, batch: 64}, 2)
	if err != nil {
		t.Fatal(err)
	}
	first := func(word string) int32 { return p.tokenizer.Encode(word)[0] }
	if !p.common[first("a")] || p.common[first("cat")] || p.common[first("orange")] {
		t.Errorf("common tokens are wrong: a %v, cat %v, orange %v", p.common[first("a")], p.common[first("cat")], p.common[first("orange")])
	}
	b, err := p.draw(0)
	if err != nil {
		t.Fatal(err)
	}
	v := p.vocabulary.Size()
	for i := range p.batch {
		sum, common := 0.0, 0.0
		for id, share := range b.words[i*v : (i+1)*v] {
			sum += float64(share)
			if p.common[int32(id)] {
				common += float64(share)
			}
		}
		if math.Abs(sum-1) > 1e-6 || common != 0 && common < 0.999999 {
			t.Errorf("%q: shares add up to %v, those of common tokens to %v", p.at(i).Caption(i), sum, common)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/nn"
)

// started is run.json: what all lines of labels.jsonl were made with.
type started struct {
	Model      string          `json:"model"`
	Prompts    string          `json:"prompts"`
	Images     string          `json:"images"`
	Classes    []string        `json:"classes"`
	Background []string        `json:"background,omitempty"`
	Thresholds clip.Thresholds `json:"thresholds"`
	// Asked is how the thresholds came about, in words.
	Asked string `json:"asked"`
	// HoldOut is the SHA-256 of the hold-out list, "" without one.
	HoldOut  string    `json:"holdout,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	Measure  string    `json:"measure"`
	Fit      *clip.Fit `json:"fit,omitempty"`
}

// prelabel is the program.
func prelabel(ctx context.Context, o options, stdout, stderr io.Writer) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(o.out, ".lock"))
	if err != nil {
		return fmt.Errorf("%s: %w", o.out, err)
	}
	defer unlock()
	labels := filepath.Join(o.out, "labels.jsonl")
	if _, err := os.Stat(labels); err == nil && !o.resume {
		return fmt.Errorf("%s is there: take the run up with -resume, or name another -out", labels)
	}
	z, cache, err := openClassifier(ctx, o)
	if err != nil {
		return err
	}
	set, list, err := openPictures(o.images, o.out)
	if err != nil {
		return fmt.Errorf("-images: %w", err)
	}
	held, err := openManifest(o.holdout, o.images)
	if err != nil {
		return err
	}
	s, err := begin(ctx, o, z, held, stderr)
	if err != nil {
		return err
	}
	records, err := labelAll(ctx, o, z, set, held, s, labels, stderr)
	if err != nil {
		return err
	}
	if held != nil && held.Unmatched() > 0 && !o.resume {
		fmt.Fprintf(stderr, "%d of %d entries of %s match no image\n", held.Unmatched(), held.Len(), o.holdout)
	}
	if c := cache.Stats(); c.Failed > 0 {
		fmt.Fprintf(stderr, "%d embeddings could not be cached: %v\n", c.Failed, c.Err)
	}
	return finish(ctx, o, s, set, list, records, stdout)
}

func openClassifier(ctx context.Context, o options) (*clip.ZeroShot, *clip.Cache, error) {
	f, err := os.Open(o.classes)
	if err != nil {
		return nil, nil, fmt.Errorf("-classes: %w", err)
	}
	prompts, err := clip.ReadPrompts(f)
	f.Close()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", o.classes, err)
	}
	m, err := clip.Open(o.clip, clip.Options{Vocabulary: o.vocabulary, Activation: o.activation,
		Tokenizer: clip.TokenizerOptions{Truncate: false}, Device: nn.NewDevice(nn.DeviceOptions{Threads: o.threads})})
	if err != nil {
		return nil, nil, err
	}
	var cache *clip.Cache
	if o.cache != "none" {
		dir := o.cache
		if dir == "" {
			dir = filepath.Join(o.out, "cache")
		}
		if cache, err = clip.OpenCache(dir, 0); err != nil {
			return nil, nil, err
		}
	}
	z, err := clip.ZeroShotOptions{Background: prompts.Background, Cache: cache, Batch: o.batch, Workers: o.threads}.New(ctx, m, prompts.Classes, prompts.Templates...)
	switch {
	case errors.Is(err, clip.ErrNoVocabulary):
		err = fmt.Errorf("%w; -vocabulary names one that lies elsewhere", err)
	case errors.Is(err, clip.ErrPrompt):
		err = fmt.Errorf("%s: %w", o.classes, err)
	}
	return z, cache, err
}

// begin finds the thresholds and writes run.json, or, in a run that is taken
// up, reads it.
func begin(ctx context.Context, o options, z *clip.ZeroShot, held *held, stderr io.Writer) (*started, error) {
	path := filepath.Join(o.out, "run.json")
	given, asked, err := thresholds(o, z.Classes())
	if err != nil {
		return nil, err
	}
	s := &started{Model: z.ModelID(), Prompts: z.Version(), Images: o.images, Classes: z.Classes(), Background: z.Background(), Thresholds: given, Asked: asked, Measure: string(clip.ByProb), Warnings: z.Warnings()}
	if held != nil {
		s.HoldOut = held.sum
	}
	if o.resume {
		data, err := os.ReadFile(path)
		if err == nil {
			return s.resumed(path, data)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if _, err := os.Stat(filepath.Join(o.out, "labels.jsonl")); err == nil {
			return nil, fmt.Errorf("%s is missing: nobody knows what labels.jsonl was made with", path)
		}
		// It was interrupted before it began.
	}
	if o.sample != "" {
		r, err := judge(ctx, o, z)
		if err != nil {
			return nil, err
		}
		if err := write(filepath.Join(o.out, "report.txt"), func(w io.Writer) error { _, err := r.WriteTo(w); return err }); err != nil {
			return nil, err
		}
		if err := writeJSON(filepath.Join(o.out, "report.json"), r); err != nil {
			return nil, err
		}
		s.Warnings = r.Warnings
		s.Measure = string(r.Fit.Measure)
		if len(o.thresholds) == 0 {
			s.Thresholds, s.Fit = r.Fit.Thresholds, r.Fit
		}
		fmt.Fprintf(stderr, "sample: %d images, %.1f%% named right\n", r.Pictures, 100*r.Accuracy)
	} else if len(o.thresholds) == 0 {
		s.Warnings = append(s.Warnings, "neither -sample nor -threshold was given: nothing is kept")
	}
	for _, w := range s.Warnings {
		fmt.Fprintln(stderr, "WARNING:", w)
	}
	fmt.Fprint(stderr, s.Thresholds)
	return s, writeJSON(path, s)
}

// resumed checks that a run is taken up with what it was started with.
func (s *started) resumed(path string, data []byte) (*started, error) {
	var old started
	if err := json.Unmarshal(data, &old); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, c := range []struct{ what, was, is string }{
		{"another model", old.Model, s.Model},
		{"other prompts", old.Prompts, s.Prompts},
		{"other thresholds", old.Asked, s.Asked},
		{"another hold-out list", old.HoldOut, s.HoldOut},
	} {
		if c.was != c.is {
			return nil, fmt.Errorf("the run was started with %s (%s, now %s): name another -out", c.what, c.was, c.is)
		}
	}
	return &old, nil
}

// thresholds are those of the flags, and what was asked for in words.
func thresholds(o options, classes label.Classes) (clip.Thresholds, string, error) {
	var t clip.Thresholds
	var err error
	if o.reject != "" {
		if t.Reject, err = clip.ParseLimits(o.reject); err != nil {
			return t, "", fmt.Errorf("-reject: %w", err)
		}
	}
	for _, text := range o.thresholds {
		class, limits, ok := cutClass(text, classes)
		l, err := clip.ParseLimits(limits)
		if err != nil {
			return t, "", fmt.Errorf("-threshold: %w", err)
		}
		if !ok {
			t.Keep = append(t.Keep, l...)
			continue
		}
		if t.PerClass == nil {
			t.PerClass = map[string]clip.Rule{}
		}
		r := t.PerClass[class]
		t.PerClass[class] = clip.Rule{Keep: append(r.Keep, l...), Reject: t.Reject}
	}
	if err := t.Check(classes); err != nil {
		return t, "", err
	}
	asked := fmt.Sprintf("thresholds %q, reject %q", o.thresholds.String(), o.reject)
	if o.sample != "" && len(o.thresholds) == 0 {
		asked = fmt.Sprintf("precision %v with confidence %v on %s, per class %v, from %s; reject %q", o.precision, o.confidence, o.measure, o.perClass, o.sample, o.reject)
	}
	return t, asked, nil
}

// cutClass takes the class off "class: limits".
func cutClass(text string, classes label.Classes) (class, limits string, ok bool) {
	class, limits, ok = strings.Cut(text, ":")
	if !ok {
		return "", text, false
	}
	return strings.TrimSpace(class), limits, true
}

func judge(ctx context.Context, o options, z *clip.ZeroShot) (*clip.Report, error) {
	sample, err := dataset.OpenFolder(os.DirFS(o.sample), dataset.Options{Quarantine: true})
	if err != nil {
		return nil, fmt.Errorf("-sample %s: %w", o.sample, err)
	}
	s, err := z.Judge(ctx, sample)
	if err != nil {
		return nil, fmt.Errorf("-sample %s: %w", o.sample, err)
	}
	fit := clip.FitOptions{Measure: clip.Measure(o.measure), Precision: o.precision, Confidence: o.confidence, PerClass: o.perClass}
	if o.reject != "" {
		if fit.Reject, err = clip.ParseLimits(o.reject); err != nil {
			return nil, err
		}
	}
	r, err := s.Report(ctx, fit)
	if err != nil {
		return nil, err
	}
	r.Unreadable += len(sample.Bad())
	return r, nil
}

// openManifest reads the hold-out list, nil without one.
func openManifest(path, images string) (*held, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("-holdout: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	m, err := clip.ReadManifest(io.TeeReader(f, h))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if m.Len() == 0 {
		return nil, fmt.Errorf("-holdout: %s lists nothing", path)
	}
	return &held{m, images, hex.EncodeToString(h.Sum(nil))}, nil
}

// held is a hold-out list whose paths are below -images, or begin with it, or
// are absolute.
type held struct {
	*clip.Manifest
	images string
	sum    string // SHA-256 of the list
}

func (h *held) has(name string, sum [32]byte) bool {
	path := filepath.Join(h.images, filepath.FromSlash(name))
	if h.Has(name, sum) || h.Has(path, sum) {
		return true
	}
	abs, err := filepath.Abs(path)
	return err == nil && h.Has(abs, sum)
}

// labelAll labels what has no line yet and returns a record of every image of the
// set, in its order.
func labelAll(ctx context.Context, o options, z *clip.ZeroShot, set dataset.Set, held *held, s *started, path string, stderr io.Writer) (rs *records, err error) {
	at := make(map[string]int, set.Len())
	for i := range set.Len() {
		at[set.Name(i)] = i
	}
	rs = newRecords(set.Len(), s.Classes, clip.Measure(s.Measure))
	batch := o.batch
	if batch == 0 {
		batch = 16
	}
	done := 0
	j, err := openJournal(path, batch, o.resume, func(l line) error {
		if l.Model != s.Model || l.Prompts != s.Prompts {
			return fmt.Errorf("was made by model %s with prompts %s", l.Model, l.Prompts)
		}
		i, ok := at[l.name()]
		if !ok {
			rs.gone++
			return nil
		}
		done++
		return rs.set(i, l)
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	if done > 0 {
		fmt.Fprintf(stderr, "%d of %d images are done\n", done, set.Len())
	}
	po := clip.PrelabelOptions{Thresholds: s.Thresholds, Skip: rs.has}
	if held != nil {
		po.HoldOut = held.has
	}
	bar := newProgress(stderr, set.Len()-done)
	defer bar.stop()
	start := time.Now()
	for p, err := range clip.Prelabel(ctx, z, set, po) {
		if err != nil {
			return nil, err
		}
		l := newLine(p, s.Model, s.Prompts)
		if err := j.add(l); err != nil {
			return nil, err
		}
		if err := rs.set(p.Picture, l); err != nil {
			return nil, err
		}
		bar.step()
	}
	rs.fresh, rs.took = set.Len()-done, time.Since(start)
	return rs, nil
}

// write writes a file under another name first, so that it is whole or not
// there.
func write(path string, content func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := content(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeJSON(path string, v any) error {
	return write(path, func(w io.Writer) error {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(v); err != nil {
			return err
		}
		_, err := b.WriteTo(w)
		return err
	})
}

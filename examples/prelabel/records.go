package main

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/winnow-go/winnow/clip"
)

// record is what the files at the end need of a line: some 100 bytes, so that
// a million images fit.
type record struct {
	there   bool
	verdict clip.Verdict
	class   int32 // -1 without
	prob    float64
	sure    float64 // what thresholds are on, higher being surer
	entropy float64
	err     string
}

// records are those of all images, in the order of the set.
type records struct {
	all     []record
	classes []string
	index   map[string]int32
	measure clip.Measure
	gone    int           // lines of images that are no longer there
	fresh   int           // images of this run
	took    time.Duration // for those
}

func newRecords(n int, classes []string, measure clip.Measure) *records {
	r := &records{all: make([]record, n), classes: classes, index: map[string]int32{}, measure: measure}
	for i, c := range classes {
		r.index[c] = int32(i)
	}
	return r
}

func (r *records) has(i int) bool { return r.all[i].there }

func (r *records) set(i int, l line) error {
	rec := record{there: true, verdict: l.Verdict, class: -1, err: strings.Clone(l.Error)}
	if l.Class != "" {
		k, ok := r.index[l.Class]
		if !ok {
			return fmt.Errorf("%q is not a class", l.Class)
		}
		rec.class, rec.prob, rec.entropy = k, *l.Prob, *l.Entropy
		switch r.measure {
		case clip.ByCosine:
			rec.sure = *l.Cosine
		case clip.ByMargin:
			rec.sure = *l.Margin
		case clip.ByEntropy:
			rec.sure = -*l.Entropy
		default:
			rec.sure = *l.Prob
		}
	}
	r.all[i] = rec
	return nil
}

// sort puts the least sure first.
func (r *records) sort(images []int) {
	slices.SortFunc(images, func(a, b int) int {
		return cmp.Or(cmp.Compare(r.all[a].sure, r.all[b].sure), cmp.Compare(a, b))
	})
}

// grouped lists the images of every verdict and class, the least sure first.
func (r *records) grouped() map[clip.Verdict][][]int {
	out := map[clip.Verdict][][]int{}
	for _, v := range judged {
		out[v] = make([][]int, len(r.classes))
	}
	for i, rec := range r.all {
		if rec.there && rec.class >= 0 {
			out[rec.verdict][rec.class] = append(out[rec.verdict][rec.class], i)
		}
	}
	for _, classes := range out {
		for _, images := range classes {
			r.sort(images)
		}
	}
	return out
}

// judged are the verdicts that come with a class.
var judged = []clip.Verdict{clip.Keep, clip.Review, clip.Reject}

// fileNames makes a name for a file or folder of every text, all different even
// where case does not count.
func fileNames(texts []string) []string {
	used := map[string]bool{}
	names := make([]string, len(texts))
	for i, text := range texts {
		name := fileName(text, 80)
		for n := 2; used[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("%s-%d", fileName(text, 80), n)
		}
		used[strings.ToLower(name)] = true
		names[i] = name
	}
	return names
}

// fileName is a text as the name of a file, at most most bytes long, with
// nothing in it that a file system could take amiss.
func fileName(text string, most int) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, text)
	ext := path.Ext(name)
	if len(ext) > 8 {
		ext = ""
	}
	if len(name) > most {
		stem := strings.ToValidUTF8(name[:most-len(ext)], "")
		name = stem + ext
	}
	name = strings.TrimRight(name, ". ") // Windows drops them
	if name == "" || name[0] == '.' {
		name = "_" + name
	}
	return name
}

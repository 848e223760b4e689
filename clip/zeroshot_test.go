package clip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/transform"
)

// colours is an Encoder for tests: a picture's embedding is its mean colour, a
// text's the colours that it names, and a little that differs between texts.
type colours struct {
	id            string
	images, texts atomic.Int64 // encoded so far
	batches       atomic.Int64
	fail          error
	bad           func(x []float32) bool // pictures without a direction
	hold          chan struct{}          // waited for in EncodeImages
}

const coloursDim = 6

func (c *colours) Transform() transform.Config {
	config := transform.Native(8)
	config.Mean, config.Std = [3]float32{}, [3]float32{1, 1, 1}
	return config
}
func (c *colours) LogitScale() float64 { return 50 }
func (c *colours) ID() string          { return c.id }

func (c *colours) EncodeImages(ctx context.Context, x []float32, n int) ([]float32, error) {
	if c.fail != nil {
		return nil, c.fail
	}
	if c.hold != nil {
		select {
		case <-c.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c.images.Add(int64(n))
	c.batches.Add(1)
	out := make([]float32, n*coloursDim)
	size := len(x) / n
	for i := range n {
		v := out[i*coloursDim:][:coloursDim]
		for j, p := range x[i*size : (i+1)*size] {
			v[j%3] += p
		}
		v[3] = float32(size) / 30
		if c.bad != nil && c.bad(x[i*size:(i+1)*size]) {
			clear(v)
		}
	}
	return out, nil
}

func (c *colours) EncodeTexts(_ context.Context, texts []string) ([]float32, error) {
	c.texts.Add(int64(len(texts)))
	out := make([]float32, len(texts)*coloursDim)
	for i, text := range texts {
		v := out[i*coloursDim:][:coloursDim]
		for w, at := range map[string]int{"red": 0, "green": 1, "blue": 2, "빨강": 0} {
			if strings.Contains(text, w) {
				v[at] = 1
			}
		}
		if strings.Contains(text, "swap") { // takes red for green
			v[0], v[1] = v[1], v[0]
		}
		if strings.Contains(text, "grey") {
			v[0], v[1], v[2] = 1, 1, 1
		}
		h := fnv.New64a()
		io.WriteString(h, text)
		v[4], v[5] = float32(h.Sum64()%97)/970, float32(h.Sum64()%89)/890
		v[3] = 0.1
	}
	return out, nil
}

// plates are pictures of one colour each, some of them broken. As files they
// offer their bytes.
type plates struct {
	n       int
	classes []string
	noise   float64
	broken  func(i int) bool
	panics  func(i int) bool
	opened  atomic.Int64
	decoded atomic.Int64
}

var plateClasses = []string{"red", "green", "blue"}

func (p *plates) Len() int          { return p.n }
func (p *plates) Classes() []string { return p.classes }
func (p *plates) Label(i int) int {
	if p.classes == nil {
		return -1
	}
	return i % 3
}
func (p *plates) Name(i int) string { return fmt.Sprintf("dir/plate%05d.png", i) }
func (p *plates) Image(i int) (image.Image, error) {
	if p.panics != nil && p.panics(i) {
		panic("a set that panics")
	}
	if p.broken != nil && p.broken(i) {
		return nil, &dataset.BadFile{Name: p.Name(i), Err: transform.ErrCorrupt}
	}
	p.decoded.Add(1)
	return plate(i, p.noise), nil
}

// plate is red, green or blue with some of the other two.
func plate(i int, noise float64) image.Image {
	r := rng.New(uint64(i), rng.Test, 9)
	img := image.NewRGBA(image.Rect(0, 0, 8, 8))
	c := [3]float64{noise * r.Float64(), noise * r.Float64(), noise * r.Float64()}
	c[i%3] = max(c[i%3], 0.6)
	for j := range 64 {
		img.Set(j%8, j/8, color.RGBA{uint8(255 * c[0]), uint8(255 * c[1]), uint8(max(255*c[2]-float64(i%7), 0)), 255})
	}
	return img
}

// plateFiles are plates as PNG files.
type plateFiles struct{ plates }

func (p *plateFiles) Open(i int) (io.ReadCloser, error) {
	p.opened.Add(1)
	if p.panics != nil && p.panics(i) {
		panic("a set that panics")
	}
	var b bytes.Buffer
	if err := png.Encode(&b, plate(i, p.noise)); err != nil {
		return nil, err
	}
	data := b.Bytes()
	if p.broken != nil && p.broken(i) {
		data = data[:len(data)/2]
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func mustZeroShot(t testing.TB, o ZeroShotOptions, e Encoder, classes []Class, templates ...string) *ZeroShot {
	t.Helper()
	z, err := o.New(t.Context(), e, classes, templates...)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestEnsembleNormalisesAveragesNormalises(t *testing.T) {
	e := &colours{}
	templates := []string{"a {} thing", "the {}, twice: {}"}
	z := mustZeroShot(t, ZeroShotOptions{Background: []string{"grey"}}, e,
		[]Class{{"r", []string{"red", "빨강", "swap {} green"}}, {"green", nil}}, templates...)
	texts := [][]string{
		{"a red thing", "the red, twice: red", "a 빨강 thing", "the 빨강, twice: 빨강", "swap r green"},
		{"a green thing", "the green, twice: green"}, {"grey"},
	}
	for i, want := range texts {
		if i < 2 {
			if got := z.Prompts(i); strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("prompts of class %d: %q", i, got)
			}
		}
		mean := make([]float64, coloursDim)
		for _, text := range want {
			v, _ := e.EncodeTexts(t.Context(), []string{text})
			norm := 0.0
			for _, x := range v {
				norm += float64(x) * float64(x)
			}
			for d, x := range v {
				mean[d] += float64(x) / math.Sqrt(norm) / float64(len(want))
			}
		}
		norm := 0.0
		for _, x := range mean {
			norm += x * x
		}
		for d, x := range mean {
			if got := z.text[i*coloursDim+d]; math.Abs(got-x/math.Sqrt(norm)) > 1e-14 {
				t.Errorf("row %d, element %d: %v, want %v", i, d, got, x/math.Sqrt(norm))
			}
		}
	}
}

func TestScoresFollowFromCosines(t *testing.T) {
	classes := label.Classes{"a", "b", "c"}
	cos := []float64{0.21, 0.3, 0.1, 0.28, -0.2} // two of background
	p, err := predict(classes, cos, 100)
	if err != nil {
		t.Fatal(err)
	}
	sum, entropy := 0.0, 0.0
	for _, c := range cos {
		sum += math.Exp(100 * c)
	}
	for _, c := range cos {
		q := math.Exp(100*c) / sum
		entropy -= q * math.Log(q)
	}
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	near("prob", p.Prob, math.Exp(30)/sum)
	near("cosine", p.Cosine, 0.3)
	near("margin", p.Margin, (math.Exp(30)-math.Exp(28))/sum)
	near("entropy", p.Entropy, entropy)
	near("background", p.Background, (math.Exp(28)+math.Exp(-20))/sum)
	all := 0.0
	for _, q := range p.Probs() {
		all += q
	}
	near("sum", all, 1-p.Background)
	if p.Class != "b" || p.Index != 1 || !p.Known || p.Top(2)[1].Class != "a" {
		t.Errorf("%+v", p)
	}

	// A background prompt that wins is never the label.
	p, err = predict(classes, []float64{0.1, 0.2, 0.15, 0.9}, 100)
	if err != nil || p.Class != "b" || p.Known || p.Margin >= 0 || p.Prob > 1e-20 {
		t.Errorf("%+v %v", p, err)
	}
	// Equal classes: the first. Probabilities that underflow: the nearest.
	if p, _ = predict(classes, []float64{0.2, 0.2, 0.1}, 100); p.Index != 0 || p.Margin != 0 || !p.Known {
		t.Errorf("a tie: %+v", p)
	}
	if p, _ = predict(classes, []float64{-1, -0.9, -1, 1}, 1e4); p.Index != 1 || p.Prob != 0 || p.Known || math.IsNaN(p.Entropy) {
		t.Errorf("underflow: %+v", p)
	}
	if p, _ = predict(label.Classes{"only"}, []float64{0.1}, 100); p.Prob != 1 || p.Margin != 1 || p.Entropy != 0 || !p.Known {
		t.Errorf("one class: %+v", p)
	}
}

func TestEachNamesEveryPictureInOrder(t *testing.T) {
	set := &plateFiles{plates{n: 101, noise: 0.3}}
	set.broken = func(i int) bool { return i%10 == 7 }
	set.panics = func(i int) bool { return i == 50 }
	var reference []Result
	for _, o := range []ZeroShotOptions{{Batch: 1, Workers: 1}, {Batch: 16, Workers: 3}, {Batch: 200, Workers: 40}, {}} {
		z := mustZeroShot(t, o, &colours{}, Named(plateClasses...))
		var got []Result
		for r, err := range z.Each(t.Context(), set) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
		if len(got) != set.n {
			t.Fatalf("%d results", len(got))
		}
		for i, r := range got {
			bad := set.broken(i) || set.panics(i)
			switch {
			case r.Picture != i || r.Name != set.Name(i):
				t.Fatalf("result %d is of %d, %s", i, r.Picture, r.Name)
			case bad != (r.Err != nil):
				t.Errorf("%s: %v", r.Name, r.Err)
			case bad && (!errors.Is(r.Err, transform.ErrCorrupt) || !strings.Contains(r.Err.Error(), r.Name)):
				t.Errorf("%v", r.Err)
			case bad && r.Class != "":
				t.Errorf("%s has class %q", r.Name, r.Class)
			case !bad && (r.Class != plateClasses[i%3] || r.SHA256 == [32]byte{}):
				t.Errorf("%s: %+v", r.Name, r.Prediction)
			}
			if reference != nil && (r.Prob != reference[i].Prob || r.Entropy != reference[i].Entropy || r.SHA256 != reference[i].SHA256) {
				t.Errorf("%s: %v with %+v, otherwise %v", r.Name, r.Prediction, o, reference[i].Prediction)
			}
		}
		reference = got
	}
}

func TestSetsThatAreNoFilesAreToldApartByPixels(t *testing.T) {
	set := &plates{n: 5, noise: 0.3}
	z := mustZeroShot(t, ZeroShotOptions{}, &colours{}, Named(plateClasses...))
	for r, err := range z.Each(t.Context(), set) {
		if err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
		if id, err := dataset.ID(set, r.Picture); err != nil || id != r.SHA256 {
			t.Errorf("%s: %x, want %x (%v)", r.Name, r.SHA256, id, err)
		}
		p, err := z.Classify(t.Context(), plate(r.Picture, 0.3))
		if err != nil || p.Prob != r.Prob || p.Class != r.Class {
			t.Errorf("alone: %+v %v, among others: %+v", p, err, r.Prediction)
		}
	}
}

func TestEachEndsWithTheContextTheModelAndTheLoop(t *testing.T) {
	before := runtime.NumGoroutine()
	set := &plateFiles{plates{n: 1000}}
	z := mustZeroShot(t, ZeroShotOptions{Batch: 8}, &colours{}, Named(plateClasses...))
	n := 0
	for range z.Each(t.Context(), set) {
		if n++; n == 3 {
			break
		}
	}
	if o := set.opened.Load(); o > 16 {
		t.Errorf("%d files were opened for 3 results in batches of 8", o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n = 0
	var last error
	for _, err := range z.Each(ctx, set) {
		if n++; n == 20 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) || n > 25 {
		t.Errorf("after cancel in result 20: %d results, %v", n, last)
	}
	broken := errors.New("the model is broken")
	z = mustZeroShot(t, ZeroShotOptions{}, &colours{fail: broken}, Named(plateClasses...))
	n = 0
	for _, err := range z.Each(t.Context(), set) {
		n++
		last = err
	}
	if n != 1 || !errors.Is(last, broken) {
		t.Errorf("%d results, %v", n, last)
	}
	for range z.Each(t.Context(), &plates{}) {
		t.Error("an empty set has a result")
	}
	for range 100 { // goroutines that have ended may still be counted
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, before %d", runtime.NumGoroutine(), before)
}

func TestNoMoreThanTwoBatchesAreInMemory(t *testing.T) {
	set := &plateFiles{plates{n: 500}}
	hold := make(chan struct{})
	z := mustZeroShot(t, ZeroShotOptions{Batch: 10, Workers: 50}, &colours{hold: hold}, Named(plateClasses...))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range z.Each(t.Context(), set) {
		}
	}()
	for i := range 50 {
		time.Sleep(time.Millisecond)
		if o := set.opened.Load(); o > int64(10*(i+2)) {
			t.Fatalf("%d files opened while batch %d waits", o, i)
		}
		hold <- struct{}{}
	}
	<-done
}

func TestPicturesWithoutDirectionAreErrorsOfTheirOwn(t *testing.T) {
	set := &plates{n: 9}
	e := &colours{bad: func(x []float32) bool { return x[2] > 0.3 }} // the blue ones
	z := mustZeroShot(t, ZeroShotOptions{}, e, Named(plateClasses...))
	for r, err := range z.Each(t.Context(), set) {
		if err != nil {
			t.Fatal(err)
		}
		if blue := r.Picture%3 == 2; blue != errors.Is(r.Err, ErrEmbedding) || blue != (r.Err != nil) {
			t.Errorf("%s: %v", r.Name, r.Err)
		}
	}
}

func TestUnusablePromptsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		classes   []Class
		templates []string
		o         ZeroShotOptions
		want      error
		text      string
	}{
		"no classes":         {nil, nil, ZeroShotOptions{}, label.ErrClasses, "there are none"},
		"two of one name":    {Named("cat", "dog", "cat"), nil, ZeroShotOptions{}, label.ErrClasses, `classes 0 and 2 are both called "cat"`},
		"no name":            {Named("cat", ""), nil, ZeroShotOptions{}, label.ErrClasses, "class 1 has no name"},
		"no placeholder":     {Named("cat"), []string{"a {}", "a photo"}, ZeroShotOptions{}, ErrPrompt, `template 1, "a photo", has no placeholder {}`},
		"empty template":     {Named("cat"), []string{" "}, ZeroShotOptions{}, ErrPrompt, "template 0 is empty"},
		"twice":              {Named("cat"), []string{"{}", "{}"}, ZeroShotOptions{}, ErrPrompt, "templates 0 and 1"},
		"no text":            {Named("cat"), []string{"{}\xff"}, ZeroShotOptions{}, ErrPrompt, "UTF-8"},
		"empty phrase":       {[]Class{{"cat", []string{"cat", ""}}}, nil, ZeroShotOptions{}, ErrPrompt, `phrase 1 of class "cat" is empty`},
		"phrase twice":       {[]Class{{"cat", []string{"x", "x"}}}, nil, ZeroShotOptions{}, ErrPrompt, "twice"},
		"same prompts":       {[]Class{{"cat", []string{"x", "y"}}, {"dog", []string{"y", "x"}}}, nil, ZeroShotOptions{}, ErrPrompt, `"cat" and "dog" have the same prompts`},
		"name placeholder":   {Named("a {}"), nil, ZeroShotOptions{}, ErrPrompt, "placeholder in it"},
		"empty background":   {Named("cat"), nil, ZeroShotOptions{Background: []string{""}}, ErrPrompt, "background"},
		"background twice":   {Named("cat"), nil, ZeroShotOptions{Background: []string{"x", "x"}}, ErrPrompt, "twice"},
		"negative batch":     {Named("cat"), nil, ZeroShotOptions{Batch: -1}, nil, "negative"},
		"scale not a number": {Named("cat"), nil, ZeroShotOptions{Scale: math.NaN()}, nil, "scale"},
	} {
		_, err := c.o.New(t.Context(), &colours{}, c.classes, c.templates...)
		if err == nil || (c.want != nil && !errors.Is(err, c.want)) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVersionsTellPromptsApart(t *testing.T) {
	seen := map[string]string{}
	for name, z := range map[string]*ZeroShot{
		"plain":      mustZeroShot(t, ZeroShotOptions{}, &colours{}, Named("red", "green")),
		"order":      mustZeroShot(t, ZeroShotOptions{}, &colours{}, Named("green", "red")),
		"template":   mustZeroShot(t, ZeroShotOptions{}, &colours{}, Named("red", "green"), "{}"),
		"background": mustZeroShot(t, ZeroShotOptions{Background: []string{"grey"}}, &colours{}, Named("red", "green")),
		"scale":      mustZeroShot(t, ZeroShotOptions{Scale: 3}, &colours{}, Named("red", "green")),
	} {
		if other := seen[z.Version()]; other != "" || len(z.Version()) != 12 {
			t.Errorf("%s and %s: %s", name, other, z.Version())
		}
		seen[z.Version()] = name
	}
	again := mustZeroShot(t, ZeroShotOptions{Batch: 1}, &colours{id: "x"}, Named("red", "green"))
	if seen[again.Version()] != "plain" {
		t.Error("the version depends on more than the prompts")
	}
}

func TestTemplateSetsHavePlaceholders(t *testing.T) {
	for _, name := range []string{"english", "drawn", "korean", "plain"} {
		set, err := TemplateSet(name)
		if err != nil || len(set) == 0 {
			t.Fatal(name, err)
		}
		if err := checkTemplates(set); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := TemplateSet("klingon"); !errors.Is(err, ErrPrompt) {
		t.Error(err)
	}
}

func TestPromptFilesAreRead(t *testing.T) {
	const text = "\uFEFF# a beach\r\ncrab\n\n bottle : plastic bottle|glass bottle \r\n어망: 어망 | 버려진 그물 | a tangled {} on sand\n" +
		"!template: a photo of a {} on a beach.\n!templates: plain | korean\n!background: an empty beach | the sea\n!background: 바다"
	p, err := ReadPrompts(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint([]Class{{"crab", nil}, {"bottle", []string{"plastic bottle", "glass bottle"}}, {"어망", []string{"어망", "버려진 그물", "a tangled {} on sand"}}})
	if got := fmt.Sprint(p.Classes); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(p.Templates) != 2+len(TemplatesKorean) || p.Templates[1] != "{}" || strings.Join(p.Background, ",") != "an empty beach,the sea,바다" {
		t.Errorf("%q %q", p.Templates, p.Background)
	}
	for text, want := range map[string]struct {
		err  error
		text string
	}{
		"":                           {label.ErrClasses, "no line names one"},
		"# only words\n":             {label.ErrClasses, "no line names one"},
		"!background: a wall":        {label.ErrClasses, "no line names one"},
		"cat\ndog\ncat: tabby":       {label.ErrClasses, `line 3: invalid classes: class "cat" is already on line 1`},
		"cat\n: dog":                 {label.ErrClasses, "line 2"},
		"cat: a | | b":               {ErrPrompt, "empty phrase"},
		"cat:":                       {ErrPrompt, "empty phrase"},
		"cat\n!template: a photo":    {ErrPrompt, "line 2: template \"a photo\" has no placeholder"},
		"cat\n!templates: klingon":   {ErrPrompt, "klingon"},
		"cat\n!nothing: x":           {ErrPrompt, "!nothing"},
		"cat\n!background":           {ErrPrompt, "nothing after"},
		"cat\n\xff\xfe":              {ErrPrompt, "line 2"},
		strings.Repeat("x", 5<<20):   {nil, "more than"},
		"a\x00b\ncat: \x00\n\x00: y": {nil, ""},
	} {
		_, err := ReadPrompts(strings.NewReader(text))
		if want.text == "" {
			continue // only that it does not panic
		}
		if err == nil || (want.err != nil && !errors.Is(err, want.err)) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%.30q: %v", text, err)
		}
	}
}

func FuzzReadPrompts(f *testing.F) {
	f.Add("cat\ndog: a|b\n!template: a {}\n")
	f.Add("!background: \xff\n:::|||")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ReadPrompts(strings.NewReader(text))
		if err == nil && len(p.Classes) == 0 {
			t.Error("no classes and no error")
		}
	})
}

func random(n int, r *rand.Rand) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

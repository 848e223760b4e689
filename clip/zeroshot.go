package clip

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/transform"
)

// Encoder turns pictures and texts into vectors that can be compared: what a
// zero-shot classifier needs of a model. [Model] is one. It must be safe for
// concurrent use, and equal input must give equal output.
type Encoder interface {
	// EncodeImages embeds n pictures, x being [n,Size,Size,3] as Transform
	// makes them: the result is [n,D]. Lengths of vectors do not matter. It
	// keeps no reference to x.
	EncodeImages(ctx context.Context, x []float32, n int) ([]float32, error)
	// EncodeTexts embeds texts: [len(texts),D].
	EncodeTexts(ctx context.Context, texts []string) ([]float32, error)
	// Transform is how pictures are prepared.
	Transform() transform.Config
	// LogitScale is the factor between cosines and logits, about 100 for
	// trained models. It is finite and above 0.
	LogitScale() float64
	// ID tells models apart: other weights, another ID. Embeddings are cached
	// under it; where it is "" they are not cached.
	ID() string
}

// Class is a category described in words.
type Class struct {
	Name string
	// Phrases are what the class may be called: each is put into every
	// template. Without any, Name is. A phrase that holds the placeholder
	// itself is a template of this class alone, into which Name is put;
	// a class with only such phrases does without the common templates.
	Phrases []string
}

// Named makes classes that are described by their names alone.
func Named(names ...string) []Class {
	classes := make([]Class, len(names))
	for i, name := range names {
		classes[i].Name = name
	}
	return classes
}

// ZeroShotOptions say how a zero-shot classifier works. The zero value is good.
type ZeroShotOptions struct {
	// Background are prompts for what belongs to no class, such as "a photo
	// of an empty room". Each competes with the classes on its own, and an
	// image that suits one of them best is not Known; but none is ever the
	// answer. They are whole texts; the placeholder has no meaning in them.
	Background []string
	// Cache keeps embeddings on disk; nil keeps none, nor does an encoder
	// whose ID is "".
	Cache *Cache
	// Batch is how many pictures or texts are put through the model at a time;
	// 0 means 16.
	Batch int
	// Workers is how many pictures are decoded at a time; 0 means GOMAXPROCS.
	Workers int
	// Scale is the factor between cosines and logits; 0 means the model's. A
	// smaller one makes probabilities less sure; the classes stay.
	Scale float64
	// Limits hold for pictures that come as files (see Opener).
	Limits transform.Limits
}

// ZeroShot classifies pictures by comparing them with descriptions of the
// classes (Radford et al. 2021, arXiv:2103.00020, section 3.1). It is safe for
// concurrent use.
//
// A class is the mean of its prompts: every prompt's embedding is divided by
// its length, the mean over the prompts again. The cosine between that vector
// and the picture's, times the logit scale, is the logit of the class; a softmax
// over all classes and background prompts makes probabilities.
type ZeroShot struct {
	encoder    Encoder
	o          ZeroShotOptions
	classes    label.Classes
	prompts    [][]prompt // [K][...]
	phrases    [][]string // [K][...], as given, or the name
	templates  []string
	background []string
	dim        int
	text       []float64 // [K+B,D], unit vectors: classes, then background
	scale      float64
	transform  transform.Config
	version    string
	images     space // where the cache keeps embeddings of pictures
	texts      space
}

// prompt is a text for a class and where it comes from.
type prompt struct {
	text             string
	template, phrase int // template -1: the phrase is the class's own template
}

// NewZeroShot makes a zero-shot classifier with default options.
func NewZeroShot(ctx context.Context, e Encoder, classes []Class, templates ...string) (*ZeroShot, error) {
	return ZeroShotOptions{}.New(ctx, e, classes, templates...)
}

// ZeroShot makes a zero-shot classifier of the model with default options: see
// [ZeroShotOptions.New]. The error wraps ErrNoVocabulary if the model was opened
// without a vocabulary, and ErrNoTower if it lacks the text tower.
func (m *Model) ZeroShot(ctx context.Context, classes []Class, templates ...string) (*ZeroShot, error) {
	return ZeroShotOptions{}.New(ctx, m, classes, templates...)
}

// New makes a zero-shot classifier: classes are put into templates, [Templates]
// where none are given, and all prompts are embedded.
//
// It is an error, wrapping label.ErrClasses, if there are no classes, or if a
// name is empty or there twice; and, wrapping ErrPrompt, if a template has no
// placeholder, or a template, a phrase or a background prompt is empty, there
// twice or not valid UTF-8. Two classes with the same prompts are an error too:
// nothing could tell them apart.
func (o ZeroShotOptions) New(ctx context.Context, e Encoder, classes []Class, templates ...string) (*ZeroShot, error) {
	if o.Batch == 0 {
		o.Batch = 16
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Batch < 0 || o.Workers < 0 {
		return nil, fmt.Errorf("clip: batch %d, workers %d: must not be negative", o.Batch, o.Workers)
	}
	if len(templates) == 0 {
		templates = Templates
	}
	if e.ID() == "" {
		o.Cache = nil
	}
	z := &ZeroShot{encoder: e, o: o, templates: slices.Clone(templates), background: slices.Clone(o.Background), transform: e.Transform().WithDefaults()}
	z.scale = o.Scale
	if z.scale == 0 {
		z.scale = e.LogitScale()
	}
	if !(z.scale > 0) || math.IsInf(z.scale, 1) {
		return nil, fmt.Errorf("clip: a logit scale of %v", z.scale)
	}
	if err := z.transform.Validate(); err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	if err := z.describe(classes); err != nil {
		return nil, err
	}
	z.texts = newSpace("text", e.ID())
	z.images = newSpace("image", e.ID(), configText(z.transform), fmt.Sprint(o.Limits.IgnoreEXIF))
	if err := z.embedClasses(ctx); err != nil {
		return nil, err
	}
	return z, nil
}

func configText(c transform.Config) string {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Sprintf("%#v", c) // a Config that passed Validate can be written
	}
	// Rounding and Convert are left out of the JSON where they are the default.
	return string(text)
}

// describe checks classes, templates and background and makes the prompts.
func (z *ZeroShot) describe(classes []Class) error {
	for _, c := range classes {
		z.classes = append(z.classes, c.Name)
	}
	if err := z.classes.Check(); err != nil {
		return fmt.Errorf("clip: %w", err)
	}
	if err := checkTemplates(z.templates); err != nil {
		return err
	}
	same := map[string]string{}
	for _, c := range classes {
		if len(c.Phrases) == 0 {
			c.Phrases = []string{c.Name}
			if strings.Contains(c.Name, Placeholder) {
				return fmt.Errorf("clip: the name of class %q has the placeholder in it and there is no phrase: %w", c.Name, ErrPrompt)
			}
		}
		prompts, err := z.promptsOf(c)
		if err != nil {
			return err
		}
		z.prompts = append(z.prompts, prompts)
		z.phrases = append(z.phrases, slices.Clone(c.Phrases))
		key := joined(prompts)
		if other, twice := same[key]; twice {
			return fmt.Errorf("clip: classes %q and %q have the same prompts: %w", other, c.Name, ErrPrompt)
		}
		same[key] = c.Name
	}
	seen := map[string]bool{}
	for _, text := range z.background {
		if err := checkText("a background prompt", text); err != nil {
			return err
		}
		if seen[text] {
			return fmt.Errorf("clip: the background prompt %q is there twice: %w", text, ErrPrompt)
		}
		seen[text] = true
	}
	z.version = z.fingerprint()
	return nil
}

func joined(prompts []prompt) string {
	texts := make([]string, len(prompts))
	for i, p := range prompts {
		texts[i] = p.text
	}
	slices.Sort(texts)
	return strings.Join(texts, "\x00")
}

func (z *ZeroShot) promptsOf(c Class) ([]prompt, error) {
	var prompts []prompt
	seen := map[string]bool{}
	for i, phrase := range c.Phrases {
		if err := checkText(fmt.Sprintf("phrase %d of class %q", i, c.Name), phrase); err != nil {
			return nil, err
		}
		if seen[phrase] {
			return nil, fmt.Errorf("clip: class %q has the phrase %q twice: %w", c.Name, phrase, ErrPrompt)
		}
		seen[phrase] = true
		if strings.Contains(phrase, Placeholder) {
			prompts = append(prompts, prompt{fill(phrase, c.Name), -1, i})
			continue
		}
		for j, t := range z.templates {
			prompts = append(prompts, prompt{fill(t, phrase), j, i})
		}
	}
	return prompts, nil
}

// fingerprint is a hash over everything that is said about the classes.
func (z *ZeroShot) fingerprint() string {
	h := sha256.New()
	for i, name := range z.classes {
		fmt.Fprintf(h, "class %q\n", name)
		for _, p := range z.prompts[i] {
			fmt.Fprintf(h, "prompt %q\n", p.text)
		}
	}
	for _, text := range z.background {
		fmt.Fprintf(h, "background %q\n", text)
	}
	fmt.Fprintf(h, "scale %v\n", z.o.Scale)
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// embedClasses fills z.text.
func (z *ZeroShot) embedClasses(ctx context.Context) error {
	// In one sequence, so that batches are full.
	var texts []string
	for _, prompts := range z.prompts {
		for _, p := range prompts {
			texts = append(texts, p.text)
		}
	}
	texts = append(texts, z.background...)
	next := 0
	var sum []float64
	class, left := 0, len(z.prompts[0])
	return z.embedTexts(ctx, texts, func(v []float64) error {
		if z.dim == 0 {
			z.dim = len(v)
			z.text = make([]float64, 0, (len(z.classes)+len(z.background))*z.dim)
			sum = make([]float64, z.dim)
		}
		text := texts[next]
		next++
		if class == len(z.classes) {
			z.text = append(z.text, v...)
			return nil
		}
		for d, x := range v {
			sum[d] += x
		}
		if left--; left > 0 {
			return nil
		}
		if !unit(sum) {
			return fmt.Errorf("clip: the prompts of class %q (the last is %q) cancel each other out: %w", z.classes[class], text, ErrPrompt)
		}
		z.text = append(z.text, sum...)
		clear(sum)
		if class++; class < len(z.classes) {
			left = len(z.prompts[class])
		}
		return nil
	})
}

// embedTexts calls take with the unit vector of each text, in order. The vector
// is good during the call only.
func (z *ZeroShot) embedTexts(ctx context.Context, texts []string, take func([]float64) error) error {
	for len(texts) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(texts), z.o.Batch)
		vectors := make([][]float32, n)
		keys := make([]key, n)
		var missing []string
		var where []int
		for i, text := range texts[:n] {
			keys[i] = sha256.Sum256([]byte(text))
			if v, ok := z.o.Cache.get(z.texts, keys[i], z.dim); ok {
				vectors[i] = v
				continue
			}
			missing, where = append(missing, text), append(where, i)
		}
		if len(missing) > 0 {
			out, err := z.encodeTexts(ctx, missing)
			if err != nil {
				return err
			}
			d := len(out) / len(missing)
			for j, i := range where {
				vectors[i] = out[j*d : (j+1)*d]
				z.o.Cache.put(z.texts, keys[i], vectors[i])
			}
		}
		for i, v := range vectors {
			u := widen(v)
			switch {
			case z.dim != 0 && len(u) != z.dim:
				return fmt.Errorf("clip: the embedding of %q has %d values, others %d", texts[i], len(u), z.dim)
			case !unit(u):
				return fmt.Errorf("clip: the embedding of %q is no direction: %w", texts[i], ErrEmbedding)
			}
			if err := take(u); err != nil {
				return err
			}
		}
		texts = texts[n:]
	}
	return nil
}

func (z *ZeroShot) encodeTexts(ctx context.Context, texts []string) ([]float32, error) {
	out, err := z.encoder.EncodeTexts(ctx, texts)
	if err != nil {
		return nil, err
	}
	if len(out) == 0 || len(out)%len(texts) != 0 {
		return nil, fmt.Errorf("clip: %d values for the embeddings of %d texts", len(out), len(texts))
	}
	return out, nil
}

// Classes are the names of the classes, in the order of probabilities. The
// caller must not change the slice.
func (z *ZeroShot) Classes() label.Classes { return z.classes }

// Background are the background prompts. The caller must not change the slice.
func (z *ZeroShot) Background() []string { return z.background }

// Version is a short fingerprint of all prompts and of Scale: classifiers that
// ask the same have the same.
func (z *ZeroShot) Version() string { return z.version }

// ModelID is the ID of the encoder.
func (z *ZeroShot) ModelID() string { return z.encoder.ID() }

// Prompts are the texts that describe class i.
func (z *ZeroShot) Prompts(i int) []string {
	texts := make([]string, len(z.prompts[i]))
	for j, p := range z.prompts[i] {
		texts[j] = p.text
	}
	return texts
}

// Classify classifies one picture.
func (z *ZeroShot) Classify(ctx context.Context, img image.Image) (Prediction, error) {
	if err := ctx.Err(); err != nil {
		return Prediction{}, err
	}
	x := make([]float32, z.transform.Len())
	if err := z.transform.Apply(x, img); err != nil {
		return Prediction{}, err
	}
	v, err := z.encodeImages(ctx, x, 1)
	if err != nil {
		return Prediction{}, err
	}
	return z.Score(v)
}

func (z *ZeroShot) encodeImages(ctx context.Context, x []float32, n int) ([]float32, error) {
	v, err := z.encoder.EncodeImages(ctx, x, n)
	if err != nil {
		return nil, err
	}
	if len(v) != n*z.dim {
		return nil, fmt.Errorf("clip: %d values for the embeddings of %d pictures: want %d each, as for texts", len(v), n, z.dim)
	}
	return v, nil
}

// ErrEmbedding is wrapped where an embedding has no direction: it is zero, NaN
// or infinite.
var ErrEmbedding = errors.New("not a usable embedding")

func widen(v []float32) []float64 {
	u := make([]float64, len(v))
	for i, x := range v {
		u[i] = float64(x)
	}
	return u
}

// unit divides v by its length, or reports that it cannot.
func unit(v []float64) bool {
	sum := 0.0
	for _, x := range v {
		sum += float64(x * x)
	}
	norm := math.Sqrt(sum)
	if !(norm > 0) || math.IsInf(norm, 1) {
		return false
	}
	for i := range v {
		v[i] /= norm
	}
	return true
}

// Package winnow classifies images. An app opens a model file and asks:
//
//	c, err := winnow.Open("birds.safetensors") // safe for concurrent use
//	p, err := c.Classify(ctx, img)
//	if !p.Known {
//		// unlike anything the model was taught
//	}
//	fmt.Println(p.Class, p.Prob, p.Top(3))
//
// Everything a model needs is in its file: weights, architecture, class names,
// preprocessing, temperature and the threshold below which an image counts as
// unknown. The file is a .safetensors whose tensors have timm's names, so it
// opens in Python too.
//
// Models come from training: packages dataset, train, ema, metrics and ood,
// tied together in examples/pipeline. New makes a Classifier of a model in
// memory, and Save writes it.
//
// # Probabilities
//
// Prob is the softmax of the logits divided by the model's temperature. Known
// is what the model's decision says (package ood): usually that Prob reaches
// the threshold that kept 95 % of held-out images. A model without a decision
// calls everything known.
//
// # Limits
//
// Images are decoded by package transform, with its limits on size. Pure Go,
// no cgo; fast kernels on amd64, plain Go elsewhere.
package winnow

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/winnow-go/winnow/internal/kernel/elementwise"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/metrics"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/ood"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

// Prediction is what a Classifier says about one image.
type Prediction = label.Prediction

// Errors that callers branch on. Errors about files name the file.
var (
	// ErrModel is wrapped where a file is no winnow model, or the parts of a
	// model (weights, classes, preprocessing, decision) contradict each other.
	// A file that is no safetensors at all wraps weights.ErrFormat instead.
	ErrModel = errors.New("not a usable winnow model")
	// ErrUnsupported is wrapped where a model is of a kind that this version
	// does not know.
	ErrUnsupported = errors.New("model not supported by this version")

	ErrImageFormat   = transform.ErrFormat   // bytes that are no image in a known format
	ErrImageTooLarge = transform.ErrTooLarge // an image beyond the limits
	ErrImageCorrupt  = transform.ErrCorrupt  // a damaged image
)

// Options say how a Classifier runs. The zero value is good.
type Options struct {
	// Threads limits how many processor cores one prediction uses, and how
	// many images Each decodes at a time; 0 means all that Go uses. A server
	// that classifies many images at once is usually best off with 1.
	Threads int
	// Batch is how many images Each puts through the model at a time; 0 means
	// 16.
	Batch int
	// Limits hold for encoded images; the zero value refuses what is beyond
	// 128 MiB or 64 megapixels.
	Limits transform.Limits
}

// Info is what a model file says besides weights.
type Info struct {
	Classes   label.Classes
	Transform transform.Config
	// Decision refuses unknown images; nil refuses none.
	Decision *ood.Decision
	// License is the licence of the weights, an SPDX identifier or free text.
	License string
	// AsStored leaves encoded images as they are stored instead of turning
	// them as EXIF says: published models were fed them so.
	AsStored bool
}

// Classifier classifies images with one model. It is safe for concurrent use:
// calls share the weights and have memory of their own.
type Classifier struct {
	model  nn.Model
	info   Info
	o      Options
	runner *nn.Runner
	origin *origin // where the weights are to be had for Save; nil means in the model
	norm   *transform.Normalizer
	inputs sync.Pool // *[]float32, one image [Size,Size,3]
}

// Open opens a model file with default options.
func Open(path string) (*Classifier, error) { return Options{}.Open(path) }

// New makes a Classifier of a model in memory with default options.
func New(m nn.Model, src weights.Source, info Info) (*Classifier, error) {
	return Options{}.New(m, src, info)
}

// New makes a Classifier of a model in memory: m says which architecture it
// is, src has the weights, which are copied (nil means m's own; an ema.Average
// gives the averaged ones), and info the rest. m may go on training.
func (o Options) New(m nn.Model, src weights.Source, info Info) (*Classifier, error) {
	arch, err := describe(m)
	if err != nil {
		return nil, err
	}
	if src == nil {
		src = nn.Source(m)
	}
	return o.assemble(arch, src, info, nil)
}

// assemble builds a model from its description and loads it.
func (o Options) assemble(arch architecture, src weights.Source, info Info, from *origin) (*Classifier, error) {
	m, err := arch.build()
	if err != nil {
		return nil, err
	}
	if err := nn.Load(m, src, nn.LoadOptions{}); err != nil {
		return nil, fmt.Errorf("winnow: %w: %w", err, ErrModel)
	}
	return o.wrap(m, info, from)
}

// wrap makes a Classifier of a loaded model that is its own, and checks that
// everything fits. With an origin the first prediction takes the weights out of the
// model, which are then in memory once, in the kernels' form; Save gets them
// from there.
func (o Options) wrap(m nn.Model, info Info, from *origin) (*Classifier, error) {
	if info.AsStored {
		o.Limits.IgnoreEXIF = true
	}
	if o.Batch == 0 {
		o.Batch = 16
	}
	if o.Batch < 0 {
		return nil, fmt.Errorf("winnow: batches of %d images", o.Batch)
	}
	if err := info.Classes.Check(); err != nil {
		return nil, fmt.Errorf("winnow: %w: %w", err, ErrModel)
	}
	info.Transform = info.Transform.WithDefaults()
	if err := info.Transform.Validate(); err != nil {
		return nil, fmt.Errorf("winnow: %w: %w", err, ErrModel)
	}
	info.Classes = slices.Clone(info.Classes)
	if info.Decision != nil {
		d := *info.Decision
		if err := d.Validate(); err != nil {
			return nil, fmt.Errorf("winnow: %w: %w", err, ErrModel)
		}
		info.Decision = &d
	}
	classes, err := classesOf(m)
	if err != nil {
		return nil, err
	}
	if classes != len(info.Classes) {
		return nil, fmt.Errorf("winnow: %d class names for a model of %d classes: %w", len(info.Classes), classes, ErrModel)
	}
	for _, p := range m.Params() {
		if v := elementwise.SumSquares(p.Data()); math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("winnow: tensor %s has values that are not numbers: %w", p.Name(), ErrModel)
		}
	}
	norm, err := info.Transform.Normalizer()
	if err != nil {
		return nil, err
	}
	c := &Classifier{model: m, info: info, o: o, norm: norm, origin: from,
		runner: nn.RunnerOptions{Device: nn.NewDevice(nn.DeviceOptions{Threads: o.Threads}), TakeWeights: from != nil}.New(m)}
	c.inputs.New = func() any {
		x := make([]float32, info.Transform.Len())
		return &x
	}
	return c, nil
}

// Classes are the names of the classes, in the order of the model's logits.
// The caller must not change the slice.
func (c *Classifier) Classes() label.Classes { return c.info.Classes }

// Info is what the model file says besides weights. The caller must not change
// the slice of classes.
func (c *Classifier) Info() Info {
	info := c.info
	if info.Decision != nil {
		d := *info.Decision
		info.Decision = &d
	}
	return info
}

// decoders is how many images are decoded at a time.
func (c *Classifier) decoders() int { return c.runner.Device().Threads() }

// Model is the network, read-only: its parameters must not be changed. Those of
// an opened or imported model lose their values in the first prediction, which
// takes them into the form that the kernels need (nn.ErrTaken).
func (c *Classifier) Model() nn.Model { return c.model }

// Classify classifies one image of any size.
func (c *Classifier) Classify(ctx context.Context, img image.Image) (Prediction, error) {
	logits, err := c.Logits(ctx, img)
	if err != nil {
		return Prediction{}, err
	}
	return c.judge(logits)
}

// ClassifyReader classifies one encoded image: JPEG, PNG, GIF, BMP, TIFF or
// WebP. Errors wrap ErrImageFormat, ErrImageTooLarge or ErrImageCorrupt, or
// are those of r.
func (c *Classifier) ClassifyReader(ctx context.Context, r io.Reader) (Prediction, error) {
	if err := ctx.Err(); err != nil {
		return Prediction{}, err
	}
	img, err := transform.Decode(r, c.o.Limits)
	if err != nil {
		return Prediction{}, err
	}
	return c.Classify(ctx, img)
}

// Logits computes the logits [K] of one image, for scores of one's own.
func (c *Classifier) Logits(ctx context.Context, img image.Image) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x := c.inputs.Get().(*[]float32)
	defer c.inputs.Put(x)
	if err := c.prepare(*x, img); err != nil {
		return nil, err
	}
	logits, _, err := c.logits(*x, 1)
	return logits, err
}

// prepare turns an image into the model's input [Size,Size,3].
func (c *Classifier) prepare(dst []float32, img image.Image) error {
	if img == nil || img.Bounds().Empty() {
		return fmt.Errorf("winnow: an image without pixels: %w", ErrImageCorrupt)
	}
	p, err := c.info.Transform.Prepare(img)
	if err != nil {
		return err
	}
	return c.norm.Apply(dst, p)
}

// logits runs the model on n images.
func (c *Classifier) logits(x []float32, n int) ([]float32, int, error) {
	size := c.info.Transform.Size
	return c.runner.PredictFloats(nil, x, n, size, size, 3)
}

// judge makes a prediction of one row of logits.
func (c *Classifier) judge(logits []float32) (Prediction, error) {
	temperature, known := 1.0, true
	if d := c.info.Decision; d != nil {
		if d.Temperature != 0 {
			temperature = d.Temperature
		}
		_, known = d.Decide(logits)
	}
	p, err := label.Predict(c.info.Classes, metrics.Softmax(nil, logits, temperature), known)
	if err != nil {
		return Prediction{}, fmt.Errorf("winnow: logits %v: %w", logits, err)
	}
	return p, nil
}

// Speed measures a model's forward pass or training step and prints one line
// of JSON. It is what claims about speed are judged on.
//
//	go run ./examples/speed -model resnet50 -threads 1
//	go run ./examples/speed -model convnext_tiny -mode train -batch 8 -threads 1
//
// Forward is inference with 1000 classes on random pixels; a training step is
// forward, cross-entropy over 10 classes, backward and AdamW (learning rate
// 1e-3, weight decay 1e-2), ConvNeXt with drop path 0.1. Two runs warm up and
// are not counted.
//
// The line has model, mode, batch, threads; load_ms (opening the file of
// -weights, 0 without one), first_ms (the first run, packing of weights
// included), min_ms and median_ms (of a run), gflops (multiply-adds counted
// as two, at the minimum; a training step counts three forward passes),
// peak_rss_mb, images_per_s (at the minimum) and, of a CLIP, decode_ms and
// resize_ms: what one photograph of 640 x 480 pixels takes before it gets to the
// tower.
//
// With -gc N it has gc_stop_p99_ms instead of times: while every core infers,
// garbage is collected N times, and in 99 of 100 all goroutines had stopped
// after so many milliseconds.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/train"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

type options struct {
	model, mode   string
	batch, size   int
	threads, runs int
	weights, save string
	profile       string
	collections   int
	classes       int
}

type result struct {
	Model    string  `json:"model"`
	Mode     string  `json:"mode"`
	Batch    int     `json:"batch"`
	Size     int     `json:"size"`
	Threads  int     `json:"threads"`
	LoadMS   float64 `json:"load_ms"`
	FirstMS  float64 `json:"first_ms"`
	MinMS    float64 `json:"min_ms"`
	MedianMS float64 `json:"median_ms"`
	GFLOPS   float64 `json:"gflops"`
	PeakRSS  int64   `json:"peak_rss_mb"`

	ImagesPerS float64 `json:"images_per_s"`
	GCStopMS   float64 `json:"gc_stop_p99_ms,omitempty"`
	DecodeMS   float64 `json:"decode_ms,omitempty"`
	ResizeMS   float64 `json:"resize_ms,omitempty"`
}

func main() {
	var o options
	flag.StringVar(&o.model, "model", "resnet18", "architecture: one of the presets")
	flag.StringVar(&o.mode, "mode", "forward", "forward or train")
	flag.IntVar(&o.batch, "batch", 1, "images per run")
	flag.IntVar(&o.size, "size", 224, "width and height in pixels")
	flag.IntVar(&o.threads, "threads", 1, "processor cores; 0 for all")
	flag.IntVar(&o.runs, "runs", 10, "timed runs")
	flag.StringVar(&o.weights, "weights", "", "safetensors file to load (timm's, torchvision's or akamaster's names)")
	flag.StringVar(&o.save, "save", "", "write the weights to a safetensors file before measuring")
	flag.IntVar(&o.collections, "gc", 0, "collect garbage so often while every core infers")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a profile of the timed runs for go tool pprof")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "speed: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "speed:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.mode != "forward" && o.mode != "train" {
		return fmt.Errorf("mode %q, want forward or train", o.mode)
	}
	if o.batch < 1 || o.size < 1 || o.runs < 1 || o.batch > 1<<16 || o.size > 1<<14 {
		return errors.New("batch, size and runs must be at least 1, batch at most 65536 and size 16384")
	}
	o.classes = 1000
	if o.mode == "train" {
		o.classes = 10
	}
	if _, clip := tower(o.model); o.weights != "" && !clip { // as many classes as the file has
		n, err := classesOf(o.weights)
		if err != nil {
			return err
		}
		o.classes = n
	}
	m, translate, err := build(o)
	if err != nil {
		return err
	}
	dev := nn.NewDevice(nn.DeviceOptions{Threads: o.threads})
	r := result{Model: o.model, Mode: o.mode, Batch: o.batch, Size: o.size, Threads: dev.Threads()}
	if o.weights != "" {
		began := time.Now()
		if err := load(m, o.weights, translate); err != nil {
			return err
		}
		r.LoadMS = ms(time.Since(began))
	} else {
		nn.Initialize(m, 0)
	}
	if o.save != "" {
		if err := weights.Write(o.save, nn.Source(m), map[string]string{"format": "pt"}); err != nil {
			return err
		}
	}
	if o.collections > 0 {
		if o.mode != "forward" {
			return errors.New("-gc is for forward passes")
		}
		if r.GCStopMS, err = pauses(o, m, o.collections); err != nil {
			return err
		}
		return write(r)
	}
	step, err := stepper(o, m, dev)
	if err != nil {
		return err
	}
	var times []float64
	for i := range o.runs + 2 {
		if i == 2 && o.profile != "" {
			f, err := os.Create(o.profile)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		began := time.Now()
		if err := step(); err != nil {
			return err
		}
		d := ms(time.Since(began))
		switch {
		case i == 0:
			r.FirstMS = d
		case i >= 2:
			times = append(times, d)
		}
	}
	slices.Sort(times)
	r.MinMS, r.MedianMS = times[0], times[len(times)/2]
	macs, err := count(o, m)
	if err != nil {
		return err
	}
	r.GFLOPS = round(float64(2*macs) / 1e6 / r.MinMS)
	r.PeakRSS = peakRSS()
	r.ImagesPerS = round(1000 * float64(o.batch) / r.MinMS)
	if c, ok := m.(*clip.Model); ok && o.mode == "forward" {
		if r.DecodeMS, r.ResizeMS, err = prepare(c.Transform(), o.runs); err != nil {
			return err
		}
	}
	return write(r)
}

func write(r result) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	return nil
}

// build makes any architecture that has a preset.
func build(o options) (nn.Model, func(weights.Source) weights.Source, error) {
	if cfg, err := convnext.Preset(o.model, o.classes); err == nil {
		if o.mode == "train" {
			cfg.DropPath = 0.1
		}
		m, err := convnext.New(cfg)
		return m, convnext.Translate, err
	}
	if cfg, err := resnet.Preset(o.model, o.classes); err == nil {
		m, err := resnet.New(cfg)
		return m, resnet.Translate, err
	}
	if name, ok := tower(o.model); ok {
		cfg, _, err := clip.Preset(name, "openai")
		if err != nil {
			return nil, nil, err
		}
		cfg.Text, cfg.Vision.Size = nil, o.size
		m, err := clip.New(cfg)
		return m, imagesOnly, err
	}
	return nil, nil, fmt.Errorf("no model %q; there are %v, %v and %v", o.model, convnext.Presets(), resnet.Presets(), towers())
}

// towers are CLIP's image towers: those of the published models that OpenAI has
// weights of, in lower case and with underscores.
func towers() []string {
	var names []string
	for _, name := range clip.Presets() {
		if slices.Contains(clip.Tags(name), "openai") {
			names = append(names, strings.ReplaceAll(strings.ToLower(name), "-", "_"))
		}
	}
	return names
}

// tower is the preset that a name of towers stands for.
func tower(model string) (string, bool) {
	for _, name := range clip.Presets() {
		if slices.Contains(towers(), model) && strings.ReplaceAll(strings.ToLower(name), "-", "_") == model {
			return name, true
		}
	}
	return "", false
}

// imagesOnly is a CLIP without its text tower.
func imagesOnly(src weights.Source) weights.Source {
	return weights.Rename(clip.Translate(src), func(name string) string {
		if strings.HasPrefix(name, "visual.") || name == "logit_scale" {
			return name
		}
		return ""
	})
}

func load(m nn.Model, path string, translate func(weights.Source) weights.Source) error {
	f, err := weights.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := nn.Load(m, translate(f), nn.LoadOptions{}); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// classesOf is the number of classes of a checkpoint: the length of its head's
// bias, under any of the names that heads have.
func classesOf(path string) (int, error) {
	f, err := weights.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for _, name := range f.Names() {
		for _, head := range []string{"head.fc.bias", "fc.bias", "linear.bias", "classifier.2.bias", "head.bias"} {
			if name != head && name != "module."+head {
				continue
			}
			info, err := f.Info(name)
			if err != nil {
				return 0, err
			}
			if len(info.Shape) == 1 {
				return info.Shape[0], nil
			}
		}
	}
	return 0, fmt.Errorf("%s: no tensor looks like the bias of a head", path)
}

// stepper returns what is timed.
func stepper(o options, m nn.Model, dev *nn.Device) (func() error, error) {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, o.batch*o.size*o.size*3)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	if o.mode == "forward" {
		runner := nn.NewRunner(m, dev)
		var logits []float32
		return func() (err error) {
			logits, _, err = runner.PredictFloats(logits[:0], x, o.batch, o.size, o.size, 3)
			return err
		}, nil
	}
	labels := make([]int, o.batch)
	for i := range labels {
		labels[i] = r.IntN(o.classes)
	}
	s, err := train.NewStepper(m, train.StepOptions{Optimizer: &train.AdamW{WeightDecay: 1e-2, Decay: train.DecayAll}, Device: dev})
	if err != nil {
		return nil, err
	}
	images := tensor.New(tensor.WithShape(o.batch, o.size, o.size, 3), tensor.WithBacking(x))
	return func() error {
		_, _, err := s.Step(images, nn.Targets{Labels: labels}, 1e-3)
		return err
	}, nil
}

// count is the number of multiply-adds of a run, of a CLIP that of the whole
// tower, although Image leaves out what does not reach the embedding.
func count(o options, m nn.Model) (int64, error) {
	mode := nn.Inference
	if o.mode == "train" {
		mode = nn.Training
	}
	t := nn.NewTape(mode, nil)
	x := t.Describe(o.batch, o.size, o.size, 3)
	if c, ok := m.(*clip.Model); ok {
		c.WalkImage(t, x, nil)
	} else {
		m.Forward(t, x)
	}
	n := t.MACs()
	if o.mode == "train" {
		n *= 3
	}
	return n, t.Err()
}

// prepare measures what comes before a tower, for one photograph on one
// thread: decoding a JPEG of 640 x 480 pixels, and scaling, cutting and
// normalising it. Both are minima.
func prepare(cfg transform.Config, runs int) (decode, resize float64, err error) {
	picture := image.NewRGBA(image.Rect(0, 0, 640, 480))
	r := rand.New(rand.NewPCG(3, 4))
	for y := range 480 {
		for x := range 640 {
			g := uint8(64 + 64*math.Sin(float64(x)/37) + 48*math.Cos(float64(y)/23) + 12*r.Float64())
			picture.SetRGBA(x, y, color.RGBA{g, uint8(x / 3), uint8(y / 2), 255})
		}
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, picture, &jpeg.Options{Quality: 90}); err != nil {
		return 0, 0, err
	}
	dst := make([]float32, cfg.Len())
	decode, resize = math.Inf(1), math.Inf(1)
	for range runs {
		began := time.Now()
		img, err := transform.Decode(bytes.NewReader(file.Bytes()), transform.Limits{})
		if err != nil {
			return 0, 0, err
		}
		decoded := time.Now()
		if err := cfg.Apply(dst, img); err != nil {
			return 0, 0, err
		}
		decode, resize = min(decode, ms(decoded.Sub(began))), min(resize, ms(time.Since(decoded)))
	}
	return decode, resize, nil
}

func ms(d time.Duration) float64 { return round(float64(d.Microseconds()) / 1000) }

func round(v float64) float64 { return float64(int64(v*100+0.5)) / 100 }

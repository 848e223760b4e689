// Trainclip trains a small CLIP on drawn scenes and captions of them, and says
// how well it names pictures that it has not seen, by words alone.
//
//	go run ./examples/trainclip -out tiny.safetensors
//	go run ./examples/trainclip -out tiny.safetensors -seed 2 -steps 1200
//
// The image tower is a ConvNeXt for 32x32 pixels, the text tower a causal
// Transformer of two layers with a byte-pair vocabulary of about a thousand
// tokens that is learned from the captions. Both learn together, by the symmetric
// contrastive loss with a learned temperature (Radford et al. 2021,
// arXiv:2103.00020); in the beginning they are helped by a layer that guesses
// the captions' words (guess.go). It takes about four minutes of processor time.
//
// The pictures are in the training style of package dataset/scenes, never in its
// test style, and each is seen once; one in eight is of another category than
// the ten, as on the web. Their seed is -seed plus 2^32, so that whoever draws
// scenes with a small seed draws others.
//
// The file of -out is read by clip.Open; clip/tiny carries one. Its metadata has
// the command, the seed, the configuration, the preprocessing, the vocabulary
// and the licence. The same seed gives the same weights on the same kind of
// processor, whatever -threads is.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/nn"
)

type options struct {
	out            string
	seed           uint64
	steps, batch   int
	threads, tests int
}

// What is trained if nobody says otherwise.
const (
	defaultSteps = 1000
	defaultBatch = 128
	defaultTests = 2000
)

func main() {
	var o options
	flag.StringVar(&o.out, "out", "", "file for the model (.safetensors); empty only trains")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of everything random")
	flag.IntVar(&o.steps, "steps", defaultSteps, "training steps")
	flag.IntVar(&o.batch, "batch", defaultBatch, "pairs per step")
	flag.IntVar(&o.threads, "threads", 0, "processor cores; 0 for all")
	flag.IntVar(&o.tests, "tests", defaultTests, "pictures to classify at the end")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "trainclip: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "trainclip:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, w io.Writer) error {
	if o.steps < 1 || o.batch < 2 || o.threads < 0 || o.tests < 10 || o.steps > 1<<20 || o.batch > 1<<12 || o.tests > 1<<20 {
		return fmt.Errorf("want 1 to 2^20 -steps, 2 to 4096 pairs per -batch, 10 to 2^20 -tests and no negative -threads")
	}
	if o.seed >= 1<<32 {
		return fmt.Errorf("-seed %d is not below 2^32", o.seed)
	}
	dev := nn.NewDevice(nn.DeviceOptions{Threads: o.threads})
	began, spent := time.Now(), processorTime()
	p, err := newPairs(o, dev.Threads())
	if err != nil {
		return err
	}
	m, err := build(p)
	if err != nil {
		return err
	}
	m.SetDevice(dev)
	fmt.Fprintf(w, "%d parameters, %d tokens in the vocabulary, %d steps with %d pairs.\n", nn.Count(m), p.vocabulary.Size(), o.steps, o.batch)
	if err := learn(ctx, m, p, dev, o, w); err != nil {
		return err
	}
	fmt.Fprintf(w, "Trained in %.0f s; %.0f s of processor time.\n", time.Since(began).Seconds(), (processorTime() - spent).Seconds())
	if o.out != "" {
		if err := clip.Save(o.out, m, metadata(o)); err != nil {
			return err
		}
		info, err := os.Stat(o.out)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "Wrote %s, %d bytes.\n", o.out, info.Size())
	}
	return judge(ctx, m, o, w)
}

// metadata is what the file says besides what package clip writes.
func metadata(o options) map[string]string {
	command := fmt.Sprintf("go run ./examples/trainclip -out FILE -seed %d -steps %d -batch %d", o.seed, o.steps, o.batch)
	return map[string]string{
		"command":     command,
		"seed":        fmt.Sprint(o.seed),
		"data":        "drawn by github.com/winnow-go/winnow/dataset/scenes in its training style, captions included; nothing else",
		"description": "a small CLIP that knows drawn scenes only",
		"license":     "Apache-2.0",
		"source":      "https://github.com/winnow-go/winnow",
	}
}

// Prelabel proposes labels for a pile of images with a CLIP, keeps what it is
// sure of, and hands the rest to people, sorted.
//
//	go run ./examples/prelabel -clip clip-vit-base-patch32/ -classes classes.txt -images photos/ -out labels/ -sample checked/ -precision 0.95
//	go run ./examples/prelabel -clip model.safetensors -classes classes.txt -images photos/ -out labels/ -threshold 'prob>=0.9,cosine>=0.2' -threshold 'cat: margin>=0.5'
//	go run ./examples/prelabel ... -resume
//
// -clip is a folder or file that clip.Open takes. -classes is a text file, a
// class on each line, its phrases after a colon with bars between them; lines
// that begin with ! add templates and background prompts (clip.ReadPrompts):
//
//	crab
//	bottle: plastic bottle | glass bottle
//	어망: 어망 | 버려진 그물
//	!template: a photo of a {} on a beach.
//	!background: an empty beach | the sea
//
// -images is a folder with images at any depth, or CIFAR-10 or IDX files. -sample
// is a folder of labelled images, a folder for each class (and _none for images of
// no class), drawn at random from the same source: thresholds are fitted on it so
// that the share of right labels among the kept ones is at least -precision, with
// -confidence; 600 are enough for 0.9 and often for 0.95. The report says which
// prompts cannot be told apart, and which classes are left to people. Without
// -sample, -threshold says what is kept; without either nothing is. -holdout
// lists images that must never be labelled, by SHA-256 or path, a line each.
//
// In -out it writes
//
//	labels.jsonl     an object per image, in the order of their paths
//	folders/         keep, review, reject: class by class, links (or copies) to the
//	                 images, named so that the least sure come first
//	tasks.json       for Label Studio, with predictions; labelstudio.xml, its form
//	sheets/          a PNG of images of each class: green kept, amber for review,
//	                 red rejected
//	summary.txt, summary.json
//	report.txt, report.json   what the sample says about thresholds and prompts
//	unreadable.txt   images that could not be read, and why
//	run.json         what the run was started with
//	cache/           embeddings
//
// A line of labels.jsonl has path, sha256, class, prob, cosine, margin, entropy
// (nats), background, verdict (keep, review, reject, held-out or unreadable),
// model, prompts and, where it applies, error. Everything else but the cache and
// report is made from it at the end. Interrupted, by Ctrl-C or a crash, the run is
// taken up with -resume where it stopped: a line that was written only in part is
// written anew, no image is done twice. Lines are handed to the system with every
// batch, and to the disk every two seconds and at the end.
//
// The exit status is 1 after an error, 130 after Ctrl-C. Unreadable images are
// no error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

func main() { os.Exit(program(os.Args[1:], os.Stdout, os.Stderr)) }

func program(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "prelabel:", err)
		}
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch err := prelabel(ctx, o, stdout, stderr); {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "prelabel: interrupted; the same command with -resume goes on")
		return 130
	case err != nil:
		fmt.Fprintln(stderr, "prelabel:", err)
		return 1
	}
	return 0
}

// options are the flags.
type options struct {
	clip, vocabulary, activation     string
	classes, images, out             string
	sample, holdout, cache           string
	measure, files, reject, imageURL string
	thresholds                       repeated
	precision, confidence            float64
	perClass, resume                 bool
	batch, threads, sheet            int
}

// repeated is a flag that may be given more than once.
type repeated []string

func (r *repeated) String() string { return strings.Join(*r, "; ") }
func (r *repeated) Set(s string) error {
	*r = append(*r, s)
	return nil
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("prelabel", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.clip, "clip", "", "folder or file of a CLIP")
	f.StringVar(&o.vocabulary, "vocabulary", "", "its vocabulary, where it lies elsewhere")
	f.StringVar(&o.activation, "activation", "", "quick_gelu or gelu, where files do not tell")
	f.StringVar(&o.classes, "classes", "", "text file of classes")
	f.StringVar(&o.images, "images", "", "folder of images, or CIFAR-10 or IDX files")
	f.StringVar(&o.out, "out", "", "folder to write to")
	f.StringVar(&o.sample, "sample", "", "folder of labelled images to fit thresholds on")
	f.Float64Var(&o.precision, "precision", 0.95, "share of kept labels that must be right")
	f.Float64Var(&o.confidence, "confidence", 0.9, "probability that the promise holds")
	f.StringVar(&o.measure, "measure", "prob", "what thresholds are fitted on: prob, cosine, margin or entropy")
	f.BoolVar(&o.perClass, "per-class", false, "fit a threshold for each class")
	f.Var(&o.thresholds, "threshold", "what is kept, such as 0.9 or 'prob>=0.9,cosine>=0.2' or 'cat: margin>=0.5'; may be repeated")
	f.StringVar(&o.reject, "reject", "", "what must be reached not to be rejected, such as 'cosine>=0.15'")
	f.StringVar(&o.holdout, "holdout", "", "list of images that are never labelled")
	f.StringVar(&o.files, "files", "link", "what lies in folders/: link, copy or none")
	f.StringVar(&o.imageURL, "url", "/data/local-files/?d=", "what Label Studio puts before an image's path")
	f.StringVar(&o.cache, "cache", "", "folder of embeddings; OUT/cache if not given, none for none")
	f.BoolVar(&o.resume, "resume", false, "go on with an interrupted run")
	f.IntVar(&o.batch, "batch", 0, "images at a time; 0 for 16")
	f.IntVar(&o.threads, "threads", 0, "processor cores; 0 for all")
	f.IntVar(&o.sheet, "sheet", 48, "images on a contact sheet; 0 for no sheets")
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: prelabel -clip DIR -classes FILE -images PATH -out DIR [-sample DIR] [-precision P] [-threshold LIMITS] [-resume]")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return o, flag.ErrHelp // it has said what is wrong
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("what is %q?", f.Arg(0))
	case o.clip == "" || o.classes == "" || o.images == "" || o.out == "":
		f.Usage()
		return o, flag.ErrHelp
	case o.files != "link" && o.files != "copy" && o.files != "none":
		return o, fmt.Errorf("-files %q: it is link, copy or none", o.files)
	case o.batch < 0 || o.threads < 0 || o.sheet < 0:
		return o, errors.New("-batch, -threads and -sheet must not be negative")
	case o.sheet > 1000:
		return o, fmt.Errorf("-sheet %d: at most 1000", o.sheet)
	}
	return o, nil
}

// Classify names what is on images, with a model file that examples/pipeline
// or Classifier.Save wrote.
//
//	go run ./examples/classify -model model.safetensors photo.jpg other.png
//	go run ./examples/classify -model model.safetensors -json -top 3 *.jpg
//
// With -json each image is a line {"file","class","prob","known","top"}, or
// {"file","error"} for one that cannot be read. The exit status is 1 if there
// was such an image, 2 if nothing could be done.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/label"
)

func main() {
	model := flag.String("model", "", "model file")
	top := flag.Int("top", 1, "how many classes to list for each image")
	asJSON := flag.Bool("json", false, "one JSON object per line")
	threads := flag.Int("threads", 0, "processor cores; 0 for all")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: classify -model FILE [-top K] [-json] IMAGE...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *model == "" || flag.NArg() == 0 || *top < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	out := bufio.NewWriter(os.Stdout)
	show := text
	if *asJSON {
		show = line
	}
	bad, err := classify(ctx, winnow.Options{Threads: *threads}, *model, flag.Args(), func(r winnow.Result) error {
		if err := show(out, r, *top); err != nil {
			return err
		}
		return out.Flush()
	})
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "classify:", err)
		os.Exit(2)
	case bad > 0:
		os.Exit(1)
	}
}

// classify calls show for each file and counts those that cannot be read.
func classify(ctx context.Context, o winnow.Options, model string, files []string, show func(winnow.Result) error) (bad int, err error) {
	c, err := o.Open(model)
	if err != nil {
		return 0, err
	}
	for r, err := range c.Each(ctx, inputs(files)) {
		if err != nil {
			return bad, err
		}
		if r.Err != nil {
			bad++
		}
		if err := show(r); err != nil {
			return bad, err
		}
	}
	return bad, nil
}

func inputs(files []string) iter.Seq[winnow.Input] {
	return func(yield func(winnow.Input) bool) {
		for _, name := range files {
			in := winnow.Input{Name: name, Open: func() (io.ReadCloser, error) { return os.Open(name) }}
			if !yield(in) {
				return
			}
		}
	}
}

// object is one line of -json.
type object struct {
	File  string        `json:"file"`
	Class string        `json:"class,omitempty"`
	Prob  *float64      `json:"prob,omitempty"`
	Known *bool         `json:"known,omitempty"`
	Top   []label.Score `json:"top,omitempty"`
	Error string        `json:"error,omitempty"`
}

func line(w io.Writer, r winnow.Result, top int) error {
	o := object{File: r.Name}
	if r.Err != nil {
		o.Error = r.Err.Error()
	} else {
		o.Class, o.Prob, o.Known, o.Top = r.Class, &r.Prob, &r.Known, r.Top(top)
	}
	return json.NewEncoder(w).Encode(o)
}

func text(w io.Writer, r winnow.Result, top int) error {
	if r.Err != nil {
		_, err := fmt.Fprintf(w, "%v\n", r.Err)
		return err
	}
	verdict := ""
	if !r.Known {
		verdict = "  (unknown: below the model's threshold)"
	}
	if _, err := fmt.Fprintf(w, "%s\t%s\t%.1f%%%s\n", r.Name, r.Class, 100*r.Prob, verdict); err != nil {
		return err
	}
	for i, s := range r.Top(top) {
		if i == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "\t%s\t%.1f%%\n", s.Class, 100*s.Prob); err != nil {
			return err
		}
	}
	return nil
}

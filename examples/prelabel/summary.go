package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset"
)

// summary is summary.json.
type summary struct {
	Images     int                  `json:"images"`
	Verdicts   map[clip.Verdict]int `json:"verdicts"`
	KeptShare  float64              `json:"kept_share"` // of the images that have a class
	Ignored    int                  `json:"ignored_files"`
	Trouble    []string             `json:"unreadable_folders,omitempty"`
	Gone       int                  `json:"gone,omitempty"` // lines of images that are no longer there
	Model      string               `json:"model"`
	Prompts    string               `json:"prompts"`
	Asked      string               `json:"asked"`
	Thresholds clip.Thresholds      `json:"thresholds"`
	Fit        *clip.Fit            `json:"fit,omitempty"`
	Warnings   []string             `json:"warnings,omitempty"`
	Classes    []classSummary       `json:"classes"`
	// Of the run that ended: how many images it labelled itself, and how fast.
	Labelled int     `json:"labelled"`
	Rate     float64 `json:"images_per_second"`
}

type classSummary struct {
	Class    string               `json:"class"`
	Verdicts map[clip.Verdict]int `json:"verdicts"`
	Kept     float64              `json:"kept_share"` // of its images; 0 without any, as are the means
	Prob     float64              `json:"mean_prob"`
	Entropy  float64              `json:"mean_entropy"`
}

// evenShare is the share of the largest mean entropy beyond which
// probabilities say nothing.
const evenShare = 0.8

// finish makes everything that follows from the labels.
func finish(ctx context.Context, o options, s *started, set dataset.Set, list *pictures, rs *records, stdout io.Writer) error {
	sum := summarise(s, list, rs)
	if err := writeFolders(ctx, o, set, list, rs); err != nil {
		return fmt.Errorf("folders: %w", err)
	}
	if err := writeTasks(o, s, set, rs); err != nil {
		return err
	}
	if err := writeSheets(ctx, o, set, rs); err != nil {
		return fmt.Errorf("sheets: %w", err)
	}
	err := write(filepath.Join(o.out, "unreadable.txt"), func(w io.Writer) error {
		b := bufio.NewWriter(w)
		for i, rec := range rs.all {
			if rec.verdict == clip.Unreadable {
				fmt.Fprintf(b, "%s\t%s\n", set.Name(i), strings.ReplaceAll(rec.err, "\n", " "))
			}
		}
		for _, t := range list.trouble {
			fmt.Fprintf(b, "%s\n", t)
		}
		return b.Flush()
	})
	if err != nil {
		return err
	}
	text := sum.String()
	err = write(filepath.Join(o.out, "summary.txt"), func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(o.out, "summary.json"), sum); err != nil {
		return err
	}
	_, err = io.WriteString(stdout, text)
	return err
}

func summarise(s *started, list *pictures, rs *records) *summary {
	sum := &summary{Images: len(rs.all), Verdicts: map[clip.Verdict]int{}, Ignored: list.ignored, Trouble: list.trouble, Gone: rs.gone,
		Model: s.Model, Prompts: s.Prompts, Asked: s.Asked, Thresholds: s.Thresholds, Fit: s.Fit, Warnings: s.Warnings, Labelled: rs.fresh}
	if rs.took > 0 {
		sum.Rate = float64(rs.fresh) / rs.took.Seconds()
	}
	for _, c := range rs.classes {
		sum.Classes = append(sum.Classes, classSummary{Class: c, Verdicts: map[clip.Verdict]int{}})
	}
	n, entropy := 0, 0.0
	for _, rec := range rs.all {
		sum.Verdicts[rec.verdict]++
		if rec.class >= 0 {
			c := &sum.Classes[rec.class]
			c.Verdicts[rec.verdict]++
			c.Prob += rec.prob
			c.Entropy += rec.entropy
			n++
			entropy += rec.entropy
		}
	}
	if n > 0 {
		sum.KeptShare = float64(sum.Verdicts[clip.Keep]) / float64(n)
	}
	for i := range sum.Classes {
		c := &sum.Classes[i]
		if m := c.images(); m > 0 {
			c.Kept, c.Prob, c.Entropy = float64(c.Verdicts[clip.Keep])/float64(m), c.Prob/float64(m), c.Entropy/float64(m)
		}
	}
	if most := math.Log(float64(len(rs.classes) + len(s.Background))); n > 0 && most > 0 && entropy/float64(n) > evenShare*most {
		sum.Warnings = append(sum.Warnings, fmt.Sprintf("the probabilities are nearly even (mean entropy %.2f of at most %.2f nats): the prompts hardly tell the images apart", entropy/float64(n), most))
	}
	return sum
}

func (c classSummary) images() int {
	n := 0
	for _, v := range c.Verdicts {
		n += v
	}
	return n
}

// String is summary.txt.
func (s *summary) String() string {
	var b strings.Builder
	v := s.Verdicts
	fmt.Fprintf(&b, "%d images: %d kept (%.1f%% of those labelled), %d for review, %d rejected, %d held out, %d unreadable\n",
		s.Images, v[clip.Keep], 100*s.KeptShare, v[clip.Review], v[clip.Reject], v[clip.HeldOut], v[clip.Unreadable])
	if s.Ignored > 0 || len(s.Trouble) > 0 || s.Gone > 0 {
		fmt.Fprintf(&b, "%d other files passed over, %d folders could not be read, %d labelled images are gone\n", s.Ignored, len(s.Trouble), s.Gone)
	}
	fmt.Fprintf(&b, "model %s, prompts %s\n%s\n", s.Model, s.Prompts, s.Asked)
	for _, w := range s.Warnings {
		fmt.Fprintf(&b, "WARNING: %s\n", w)
	}
	if s.Fit != nil {
		b.WriteString(s.Fit.String())
	}
	b.WriteString(s.Thresholds.String())
	if s.Rate > 0 {
		fmt.Fprintf(&b, "%d labelled in this run, %.1f a second\n", s.Labelled, s.Rate)
	}
	fmt.Fprintf(&b, "\n%8s %8s %8s %8s %9s  class\n", "keep", "review", "reject", "kept", "mean prob")
	for _, c := range s.Classes {
		fmt.Fprintf(&b, "%8d %8d %8d %7.1f%% %9.3f  %s\n", c.Verdicts[clip.Keep], c.Verdicts[clip.Review], c.Verdicts[clip.Reject], 100*c.Kept, c.Prob, c.Class)
	}
	return b.String()
}

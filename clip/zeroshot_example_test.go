package clip_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/label"
)

// The usual case: a model, classes in words, a pile of photographs.
func Example() {
	ctx := context.Background()
	m, err := clip.Open("clip-vit-base-patch32", clip.Options{})
	if err != nil {
		log.Fatal(err)
	}
	zs, err := m.ZeroShot(ctx, clip.Named("cat", "dog"), clip.Templates...)
	if err != nil {
		log.Fatal(err)
	}
	photos, err := dataset.OpenUnlabelled("photos", dataset.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for r, err := range zs.Each(ctx, photos) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Name, r.Class, r.Prob, r.Cosine, r.Err)
	}
}

// Thresholds that a labelled sample can promise, then labels.
func ExamplePrelabel() {
	ctx := context.Background()
	var zs *clip.ZeroShot           // see Example
	var checked, photos dataset.Set // some hundred labelled pictures; the pile
	s, err := zs.Judge(ctx, checked)
	if err != nil {
		log.Fatal(err)
	}
	fit, err := s.Fit(clip.FitOptions{Precision: 0.95})
	if err != nil {
		log.Fatal(err) // errors.Is(err, clip.ErrPrecision): the sample is too small, or the prompts too vague
	}
	for p, err := range clip.Prelabel(ctx, zs, photos, clip.PrelabelOptions{Thresholds: fit.Thresholds}) {
		if err != nil {
			log.Fatal(err)
		}
		if p.Verdict == clip.Keep {
			fmt.Println(p.Name, p.Class)
		}
	}
}

func ExampleReadPrompts() {
	p, err := clip.ReadPrompts(strings.NewReader(`
# what lies on our beach
crab
bottle: plastic bottle | glass bottle
!template: a photo of a {} on a beach.
!background: an empty beach`))
	fmt.Println(err)
	fmt.Printf("%q %q %q\n", p.Classes, p.Templates, p.Background)
	// Output:
	// <nil>
	// [{"crab" []} {"bottle" ["plastic bottle" "glass bottle"]}] ["a photo of a {} on a beach."] ["an empty beach"]
}

func ExampleFitThresholds() {
	classes := label.Classes{"cat", "dog"}
	var sample []clip.Judged
	for i := range 200 { // sure ones are right, others not always
		p := clip.Prediction{Prediction: label.Prediction{Class: "cat", Prob: 1 - float64(i)/400, Known: true}}
		j := clip.Judged{Prediction: p, Label: 0}
		if i > 120 && i%4 == 0 {
			j.Label = 1
		}
		sample = append(sample, j)
	}
	fit, err := clip.FitThresholds(classes, sample, clip.FitOptions{Precision: 0.95})
	fmt.Print(fit)
	fmt.Println(err)

	_, err = clip.FitThresholds(classes, sample[:10], clip.FitOptions{Precision: 0.99})
	fmt.Println(errors.Is(err, clip.ErrPrecision))
	// Output:
	// thresholds on prob for a precision of 0.95 with confidence 0.9
	//   all classes: prob>=0.6725 keeps 132 of 200 pictures, 130 of them right: at least 0.960
	// <nil>
	// true
}

func ExamplePrecisionBounds() {
	lower, upper := clip.PrecisionBounds(10, 10, 0.9)
	fmt.Printf("%.3f-%.3f\n", lower, upper)
	lower, upper = clip.PrecisionBounds(95, 100, 0.9)
	fmt.Printf("%.3f-%.3f\n", lower, upper)
	// Output:
	// 0.794-1.000
	// 0.909-0.975
}

func ExampleRule() {
	keep, err := clip.ParseLimits("prob>=0.9,cosine>=0.2")
	if err != nil {
		log.Fatal(err)
	}
	r := clip.Rule{Keep: keep}
	p := clip.Prediction{Prediction: label.Prediction{Class: "cat", Prob: 0.95, Known: true}, Cosine: 0.18}
	fmt.Println(r, "-", r.Verdict(p))
	// Output: keep where prob>=0.9 and cosine>=0.2 - review
}

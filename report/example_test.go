package report_test

import (
	"bytes"
	"fmt"
	"image/png"
	"log"

	"github.com/winnow-go/winnow/metrics"
	"github.com/winnow-go/winnow/report"
)

func ExampleConfusion() {
	c := metrics.NewConfusion("cat", "dog", "fox")
	for _, p := range [][2]int{{0, 0}, {0, 1}, {1, 1}, {2, 2}} {
		if err := c.Add(p[0], p[1]); err != nil {
			log.Fatal(err)
		}
	}
	var picture bytes.Buffer // or a file, or an http.ResponseWriter
	if err := report.Confusion(&picture, "Three animals", c); err != nil {
		log.Fatal(err)
	}
	_, err := png.DecodeConfig(&picture)
	fmt.Println("a PNG:", err == nil)
	// Output: a PNG: true
}

func ExampleCurves() {
	run := report.Run{
		Name:        "ResNet",
		Loss:        report.Series{X: []float64{0.5, 1, 1.5, 2}, Y: []float64{1.9, 1.2, 0.9, 0.8}}, // every half epoch
		Accuracy:    report.Series{Y: []float64{0.71, 0.78}},                                       // after every epoch
		EMAAccuracy: report.Series{Y: []float64{0.62, 0.80}},
	}
	var picture bytes.Buffer
	if err := report.Curves(&picture, "Two epochs", run); err != nil {
		log.Fatal(err)
	}
	_, err := png.DecodeConfig(&picture)
	fmt.Println("a PNG:", err == nil)
	// Output: a PNG: true
}

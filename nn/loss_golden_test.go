package nn_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/nn"
)

func TestLossesMatchGolden(t *testing.T) {
	golden.Each(t, "loss/*.json", losses)
}

// losses compares every loss that has a gradient in one file like losses.json;
// its configuration is in its name.
func losses(t *testing.T, g *golden.File) {
	var c struct {
		N           int
		K           int
		Lambda      float64 `json:"mixup_lambda"` // how targets were mixed, for who mixes
		Box         []int   `json:"cutmix_box_x1y1x2y2"`
		BoxLambda   float64 `json:"cutmix_lambda"`
		Definitions map[string]string
	}
	g.Config(&c, golden.Remarks...)
	w := g.Tensors(".safetensors")
	ran := 0
	for _, name := range w.Names("grad.") {
		name = strings.TrimPrefix(name, "grad.")
		if strings.HasSuffix(name, "_f64") && w.Has(strings.TrimSuffix(name, "_f64")) {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) { loss(t, w.With(t), name, c.N, c.K) })
	}
	if ran == 0 {
		t.Fatal("no losses in the file")
	}
}

// crossEntropy reads names such as soft_ce_w_ls0.1_none.
var crossEntropy = regexp.MustCompile(`^(soft_)?ce(_w)?(_ignore)?(?:_ls([0-9.]+))?(_mean|_none|_sum)?$`)

func loss(t *testing.T, w *golden.Tensors, name string, rows, classes int) {
	var y nn.Targets
	switch part := crossEntropy.FindStringSubmatch(name); {
	case name == "mixup.loss" || name == "cutmix.loss":
		y.Soft = w.Float32(strings.TrimSuffix(name, "loss") + "targets")
	case part == nil:
		t.Skipf("loss %q is not built", name)
	default:
		labels := "labels"
		if part[3] != "" {
			ignored := -100
			y.Ignore, labels = &ignored, "labels_with_ignore"
			y.Smoothing = 0.1 // what ce_ignore was made with, though its name does not say so
		}
		if part[1] != "" {
			y.Soft = w.Float32("soft_targets")
		} else {
			for _, l := range w.Int64(labels) {
				y.Labels = append(y.Labels, int(l))
			}
		}
		if part[2] != "" {
			y.Weight = w.Float32("class_weights")
		}
		if part[4] != "" {
			var err error
			if y.Smoothing, err = strconv.ParseFloat(part[4], 64); err != nil {
				t.Fatal(err)
			}
		}
		y.Reduction = map[string]nn.Reduction{"": nn.Mean, "_mean": nn.Mean, "_none": nn.PerItem, "_sum": nn.Sum}[part[5]]
	}
	var want64, grad64 []float64
	if w.Has(name + "_f64") {
		want64, grad64 = w.Float64(name+"_f64"), w.Float64("grad."+name+"_f64")
	}
	dev := nn.NewDevice(nn.DeviceOptions{})
	tape := nn.NewTape(nn.Training, dev)
	logits := tape.InputFloats(w.Float32("logits"), rows, classes).WantGradient()
	loss := tape.CrossEntropy(logits, y)
	if err := tape.Backward(loss); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, name, floats(t, loss), want64, w.Float32(name))
	golden.Compare(t, "grad."+name, logits.Gradient(), grad64, w.Float32("grad."+name))
	tape.Reset()

	// In inference the same value, and no gradient.
	eval := nn.NewTape(nn.Inference, dev)
	value := eval.CrossEntropy(eval.InputFloats(w.Float32("logits"), rows, classes), y)
	golden.Compare(t, name+" in inference", floats(t, value), want64, w.Float32(name))
	eval.Reset()
	noLeak(t, dev)
}

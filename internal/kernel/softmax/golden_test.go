package softmax

import (
	"fmt"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

func narrow(x []int64) []int32 {
	y := make([]int32, len(x))
	for i, v := range x {
		y[i] = int32(v)
	}
	return y
}

func TestLossesMatchPyTorch(t *testing.T) {
	w := golden.Independent(t, "loss/losses.json").Tensors(".safetensors")
	const rows, k = 12, 7
	logits, labels, soft := w.Float32("logits"), narrow(w.Int64("labels")), w.Float32("soft_targets")
	weights := w.Float32("class_weights")

	type sample struct {
		name string
		loss CrossEntropy
	}
	cases := []sample{
		{"ce_ignore", CrossEntropy{Labels: narrow(w.Int64("labels_with_ignore")), Smoothing: 0.1}},
		{"mixup.loss", CrossEntropy{Targets: w.Float32("mixup.targets")}},
		{"cutmix.loss", CrossEntropy{Targets: w.Float32("cutmix.targets")}},
	}
	for _, ε := range []float64{0, 0.1, 0.2} {
		hard := CrossEntropy{Labels: labels, Smoothing: ε}
		sum, none, weighted := hard, hard, hard
		sum.Reduction, none.Reduction, weighted.Weights = Sum, None, weights
		cases = append(cases,
			sample{fmt.Sprintf("ce_ls%.1f", ε), hard},
			sample{fmt.Sprintf("ce_ls%.1f_sum", ε), sum},
			sample{fmt.Sprintf("ce_ls%.1f_none", ε), none},
			sample{fmt.Sprintf("ce_w_ls%.1f", ε), weighted},
			sample{fmt.Sprintf("soft_ce_ls%.1f", ε), CrossEntropy{Targets: soft, Smoothing: ε}})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := w.With(t)
			dlogits, each := make([]float32, rows*k), make([]float32, rows)
			got := []float64{c.loss.Loss(dlogits, each, logits, rows, k)}
			if c.loss.Reduction == None {
				got = kerneltest.Widen(each)
			}
			golden.Compare(t, "loss", got, w.Float64(c.name+"_f64"), w.Float32(c.name))
			golden.Compare(t, "gradient", dlogits, w.Float64("grad."+c.name+"_f64"), w.Float32("grad."+c.name))
		})
	}
}

func TestSoftmaxMatchesPyTorch(t *testing.T) {
	w := golden.Independent(t, "loss/losses.json").Tensors(".safetensors")
	const rows, k = 12, 7
	logits, got, lse := w.Float32("logits"), make([]float32, rows*k), make([]float32, rows)
	eachVariant(t, func(t *testing.T) {
		w := w.With(t)
		Softmax(got, logits, rows, k)
		golden.Compare(t, "softmax", got, nil, w.Float32("softmax"))
		LogSoftmax(got, logits, rows, k)
		golden.Compare(t, "log-softmax", got, nil, w.Float32("log_softmax"))
		LogSumExp(lse, logits, rows, k)
		golden.Compare(t, "log-sum-exp", lse, nil, w.Float32("logsumexp"))
	})
}

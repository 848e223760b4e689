package metrics

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
)

// tight is the bound of everything that is a sum of float64: it leaves room
// for another order of summation over 10,000 samples and no more.
const tight = 1e-11

// notBuilt are measures that the goldens have and this package does not.
var notBuilt = []string{
	"f2_macro", "mcc", "kappa", "kappa_linear", "kappa_quadratic", "jaccard_macro", "hamming_loss",
	"roc_auc_ovo_macro", "ece15_adaptive", "ece15_classwise", "pr_auc_trapezoid", "brier",
}

// input is what a golden was computed on.
type input struct {
	n, k   int
	logits []float32 // [N,K], nil where probs are given
	probs  []float64 // [N,K]
	labels []int
}

func (in input) predictions(t *testing.T) *Predictions {
	t.Helper()
	p, err := FromProbs(in.probs, in.labels)
	if in.logits != nil {
		p, err = FromLogits(in.logits, in.labels, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// load reads the tensors of a synthetic set beside the golden, or the logits
// of a real one, whose name says which: real_NET_SET.
func load(t *testing.T, g *golden.File, name string, n int) input {
	t.Helper()
	var in input
	var probs bool
	set, _, _ := strings.Cut(name, "_")
	if set == "real" {
		parts := strings.Split(name, "_")
		if len(parts) != 3 {
			t.Fatalf("%s: want real_NET_SET", name)
		}
		w := golden.OpenTensors(t, golden.Dir(t)+"/logits/cifar10_"+parts[1]+"_logits.safetensors")
		rows := "test_" + parts[2]
		if !w.Has(rows) {
			rows = strings.TrimRight(rows, "0123456789")
		}
		in.logits = w.Float32(rows)
		in.k = w.Shape(rows)[1]
		in.logits = in.logits[:n*in.k]
		labels, err := os.ReadFile(golden.Data(t, "cifar10/labels_test.u8"))
		if err != nil {
			t.Fatal(err)
		}
		for _, label := range labels[:n] {
			in.labels = append(in.labels, int(label))
		}
	} else {
		w := g.Tensors("_inputs.safetensors")
		rows := set + ".logits"
		if probs = w.Has(set + ".probs"); probs {
			rows = set + ".probs"
			in.probs = w.Float64(rows)
		} else {
			in.logits = w.Float32(rows)
		}
		in.k = w.Shape(rows)[1]
		for _, label := range w.Int64(set + ".labels") {
			in.labels = append(in.labels, int(label))
		}
	}
	if in.n = len(in.labels); in.n != n {
		t.Fatalf("%d labels, want %d", in.n, n)
	}
	if !probs {
		in.probs = make([]float64, 0, n*in.k)
		for i := range n {
			in.probs = append(in.probs, Softmax(nil, in.logits[i*in.k:(i+1)*in.k], 1)...)
		}
	}
	return in
}

func (in input) confusion(t *testing.T) *Confusion {
	t.Helper()
	c := NewConfusion(make([]string, in.k)...)
	for i, label := range in.labels {
		best := 0
		for k, p := range in.probs[i*in.k : (i+1)*in.k] {
			if p > in.probs[i*in.k+best] {
				best = k
			}
		}
		if err := c.Add(label, best); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// class ranks the samples of one class against the others by its probability.
func (in input) class(c int) *Ranking {
	var yes, no []float64
	for i, label := range in.labels {
		if p := in.probs[i*in.k+c]; label == c {
			yes = append(yes, p)
		} else {
			no = append(no, p)
		}
	}
	return Rank(yes, no)
}

// micro ranks every probability of the right class against all others.
func (in input) micro() *Ranking {
	var yes, no []float64
	for i, p := range in.probs {
		if in.labels[i/in.k] == i%in.k {
			yes = append(yes, p)
		} else {
			no = append(no, p)
		}
	}
	return Rank(yes, no)
}

func TestMeasuresMatchGolden(t *testing.T) {
	golden.Each(t, "metrics/*.json", func(t *testing.T, g *golden.File) {
		var file struct {
			Sklearn    string                                `json:"sklearn"`
			RealInputs string                                `json:"real_inputs"`
			Results    map[string]map[string]json.RawMessage `json:"results"`
		}
		g.Config(&file, golden.Remarks...)
		if len(file.Results) == 0 {
			t.Fatal("no results")
		}
		var reference struct {
			Definitions struct {
				ZeroDivision float64 `json:"zero_division"`
			} `json:"definitions"`
		}
		if g.Loose(&reference); reference.Definitions.ZeroDivision != 0 {
			t.Fatalf("zero_division is %v: this test knows 0", reference.Definitions.ZeroDivision)
		}
		for name, result := range file.Results {
			t.Run(name, func(t *testing.T) {
				g := g.With(t)
				var n int
				g.Strict(result["n"], &n)
				in := load(t, g, name, n)
				m := measured{in, in.confusion(t), in.predictions(t)}
				keys := []string{}
				for key := range result {
					keys = append(keys, key)
				}
				slices.Sort(keys)
				for _, key := range keys {
					if key == "n" || key == "note" {
						continue
					}
					t.Run(key, func(t *testing.T) { m.check(t, g.With(t), key, result[key]) })
				}
			})
		}
	})
}

type measured struct {
	in          input
	confusion   *Confusion
	predictions *Predictions
}

func same(t *testing.T, name string, got, want float64) {
	t.Helper()
	golden.CompareWithin(t, name, []float64{got}, []float64{want}, tight)
}

func (m measured) check(t *testing.T, g *golden.File, key string, text json.RawMessage) {
	if slices.Contains(notBuilt, key) {
		t.Skipf("%s is not built", key)
	}
	number := func() float64 {
		var v golden.Number
		g.Strict(text, &v)
		return float64(v)
	}
	k := m.in.k
	switch key {
	case "accuracy":
		same(t, "matrix", m.confusion.Accuracy(), number())
		same(t, "predictions", m.predictions.Accuracy(), number())
	case "balanced_accuracy":
		same(t, key, m.confusion.MeanClassAccuracy(), number())
	case "confusion_matrix_rows_true_cols_pred":
		var rows [][]int
		g.Strict(text, &rows)
		golden.CompareInts(t, key, m.confusion.counts, slices.Concat(rows...))
	case "per_class":
		var want struct {
			Precision []golden.Number `json:"precision"`
			Recall    []golden.Number `json:"recall"`
			F1        []golden.Number `json:"f1"`
			Support   []int           `json:"support"`
		}
		g.Strict(text, &want)
		if len(want.Support) != k {
			t.Fatalf("%d classes, want %d", k, len(want.Support))
		}
		for i, s := range m.confusion.PerClass() {
			same(t, "precision", zero(s.Precision), float64(want.Precision[i]))
			same(t, "recall", zero(s.Recall), float64(want.Recall[i]))
			same(t, "F1", zero(s.F1), float64(want.F1[i]))
			golden.CompareInts(t, "support", []int{s.Support}, want.Support[i:i+1])
		}
	case "macro", "weighted", "micro":
		var want struct {
			Precision float64 `json:"precision"`
			Recall    float64 `json:"recall"`
			F1        float64 `json:"f1"`
		}
		g.Strict(text, &want)
		got := Average{m.confusion.Accuracy(), m.confusion.Accuracy(), m.confusion.Accuracy()} // micro: all the same
		weight := func(ClassScore) float64 { return 1 }
		switch key {
		case "macro":
			got = m.confusion.Macro()
		case "weighted":
			got = m.confusion.Weighted()
			weight = func(s ClassScore) float64 { return float64(s.Support) }
		}
		if key != "micro" {
			// The reference lets an undefined value into the average as 0 (its
			// zero_division), we leave the class out: ours is larger by the
			// weight of all classes over that of the defined ones.
			part := func(value func(ClassScore) float64) float64 {
				var defined, all float64
				for _, s := range m.confusion.PerClass() {
					all += weight(s)
					if !math.IsNaN(value(s)) {
						defined += weight(s)
					}
				}
				return defined / all
			}
			got.Precision *= part(func(s ClassScore) float64 { return s.Precision })
			got.Recall *= part(func(s ClassScore) float64 { return s.Recall })
			got.F1 *= part(func(s ClassScore) float64 { return s.F1 })
		}
		same(t, "precision", got.Precision, want.Precision)
		same(t, "recall", got.Recall, want.Recall)
		same(t, "F1", got.F1, want.F1)
	case "top1", "top2", "top3", "top5":
		top := int(key[3] - '0')
		// The reference breaks ties in an order of its own: with ties at the
		// border its value lies between counting all of them and none.
		least, most := m.tiedTopK(top)
		if got := m.predictions.TopK(top); got < least || got > most {
			t.Errorf("%v, not in %v..%v", got, least, most)
		}
		if least == most {
			same(t, key, m.predictions.TopK(top), number())
		} else if want := number(); want < least || want > most {
			t.Errorf("the reference's %v is not in %v..%v", want, least, most)
		}
	case "log_loss":
		same(t, key, m.predictions.NLL()-m.clipped(), number())
	case "brier_multiclass_sum":
		same(t, key, m.predictions.Brier(), number())
	case "brier_multiclass_mean":
		same(t, key, m.predictions.Brier()/float64(k), number())
	case "per_class_ovr":
		m.checkRankings(t, g, text)
	case "roc_auc_ovr_macro", "average_precision_macro", "roc_auc_ovr_weighted":
		var sum, all float64
		for c := range k {
			w := 1.0
			if strings.HasSuffix(key, "weighted") {
				w = float64(m.confusion.PerClass()[c].Support)
			}
			v := m.in.class(c).AUROC()
			if strings.HasPrefix(key, "average") {
				v = m.in.class(c).AveragePrecision()
			}
			sum += w * v
			all += w
		}
		same(t, key, sum/all, number())
	case "roc_auc_micro":
		same(t, key, m.in.micro().AUROC(), number())
	case "average_precision_micro":
		same(t, key, m.in.micro().AveragePrecision(), number())
	case "ece15":
		same(t, key, m.predictions.ECE(), number())
	case "ece10":
		same(t, key, ECE(m.predictions.Reliability(10)), number())
	case "mce15":
		same(t, key, m.predictions.MCE(), number())
	case "ece15_bins":
		var want []struct {
			Lo    float64       `json:"lo"`
			Hi    float64       `json:"hi"`
			Count int           `json:"count"`
			Acc   golden.Number `json:"acc"`
			Conf  golden.Number `json:"conf"`
		}
		g.Strict(text, &want)
		got := m.predictions.Reliability(15)
		if len(got) != len(want) {
			t.Fatalf("%d bins, want %d", len(got), len(want))
		}
		for i, b := range got {
			w := want[i]
			if b.Lo != w.Lo || b.Hi != w.Hi || b.Count != w.Count {
				t.Errorf("bin %d: %+v, want %+v", i, b, w)
			}
			if math.IsNaN(float64(w.Acc)) != math.IsNaN(b.Accuracy) || math.IsNaN(float64(w.Conf)) != math.IsNaN(b.Confidence) {
				t.Errorf("bin %d: %+v, want %+v", i, b, w)
			} else if w.Count > 0 {
				same(t, "accuracy of a bin", b.Accuracy, float64(w.Acc))
				same(t, "confidence of a bin", b.Confidence, float64(w.Conf))
			}
		}
	case "temperature":
		m.checkTemperature(t, g, text)
	default:
		t.Errorf("unknown key")
	}
}

// zero is what the reference has for an undefined value.
func zero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// clipped is what the reference's clipping of probabilities at 1e-15 takes off
// the mean log loss.
func (m measured) clipped() float64 {
	var sum float64
	for i, label := range m.in.labels {
		if p := m.in.probs[i*m.in.k+label]; p < 1e-15 {
			sum += math.Log(1e-15) - math.Log(p)
		}
	}
	return sum / float64(m.in.n)
}

func (m measured) tiedTopK(top int) (least, most float64) {
	var sure, possible int
	for i, label := range m.in.labels {
		row := m.in.probs[i*m.in.k : (i+1)*m.in.k]
		above, equal := 0, 0
		for _, p := range row {
			if p > row[label] {
				above++
			} else if p == row[label] {
				equal++ // itself too
			}
		}
		if above+equal <= top {
			sure++
		}
		if above < top {
			possible++
		}
	}
	return share(sure, m.in.n), share(possible, m.in.n)
}

func (m measured) checkRankings(t *testing.T, g *golden.File, text json.RawMessage) {
	var classes map[int]map[string]json.RawMessage
	g.Strict(text, &classes)
	if len(classes) != m.in.k {
		t.Fatalf("%d classes, want %d", len(classes), m.in.k)
	}
	for c, keys := range classes {
		r := m.in.class(c)
		for key, text := range keys {
			var want float64
			g.Strict(text, &want)
			switch {
			case key == "roc_auc":
				same(t, key, r.AUROC(), want)
			case key == "average_precision":
				same(t, key, r.AveragePrecision(), want)
			case key == "fpr_at_95tpr":
				same(t, key, r.AtTPR(0.95).FPR, want)
			case slices.Contains(notBuilt, key):
				if c == 0 {
					t.Run(key, func(t *testing.T) { t.Skipf("%s of one class is not built", key) })
				}
			default:
				t.Errorf("class %d: unknown key %q", c, key)
			}
		}
	}
}

// checkTemperature holds the measures before and after scaling to the
// reference at the reference's own temperature; package ood fits its own.
func (m measured) checkTemperature(t *testing.T, g *golden.File, text json.RawMessage) {
	type quality struct {
		NLL   float64 `json:"nll"`
		ECE   float64 `json:"ece15"`
		Brier float64 `json:"brier"`
		Acc   float64 `json:"acc"`
	}
	var want struct {
		Fit          string             `json:"fit"`
		Eval         string             `json:"eval"`
		Temperatures map[string]float64 `json:"temperatures"`
		Used         string             `json:"used_for_after"`
		FitBefore    quality            `json:"fit_before"`
		FitAfter     quality            `json:"fit_after"`
		EvalBefore   quality            `json:"eval_before"`
		EvalAfter    quality            `json:"eval_after"`
	}
	g.Strict(text, &want)
	name, _, _ := strings.Cut(want.Used, " ")
	scaled, ok := want.Temperatures[name]
	if !ok || want.Fit != "first n//2 rows" || want.Eval != "remaining rows" {
		t.Fatalf("%+v: another experiment than this test knows", want)
	}
	half := m.in.n / 2
	for _, part := range []struct {
		name        string
		from, to    int
		temperature float64
		want        quality
	}{
		{"fit before", 0, half, 1, want.FitBefore}, {"fit after", 0, half, scaled, want.FitAfter},
		{"eval before", half, m.in.n, 1, want.EvalBefore}, {"eval after", half, m.in.n, scaled, want.EvalAfter},
	} {
		// The reference divides the logits by the temperature in float32 (an
		// array of float32 stays one), and goes on in float64. Done its way we
		// agree as closely as elsewhere; our own way, in float64 throughout, to
		// what that rounding does: 2⁻²⁴ of a logit, about 1e-8 of a mean.
		logits := m.in.logits[part.from*m.in.k : part.to*m.in.k]
		labels := m.in.labels[part.from:part.to]
		rounded := make([]float32, len(logits))
		for i, z := range logits {
			rounded[i] = z / float32(part.temperature)
		}
		for _, way := range []struct {
			name        string
			logits      []float32
			temperature float64
			bound       float64
		}{{"float32", rounded, 1, tight}, {"float64", logits, part.temperature, 1e-6}} {
			p, err := FromLogits(way.logits, labels, way.temperature)
			if err != nil {
				t.Fatal(err)
			}
			got := []float64{p.NLL(), p.ECE(), p.Brier(), p.Accuracy()}
			want := []float64{part.want.NLL, part.want.ECE, part.want.Brier, part.want.Acc}
			for i, what := range []string{"NLL", "ECE", "Brier", "accuracy"} {
				golden.CompareWithin(t, part.name+", scaled in "+way.name+": "+what, got[i:i+1], want[i:i+1], way.bound)
			}
		}
	}
}

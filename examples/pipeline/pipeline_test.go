package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/dataset/scenes"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/nn"
)

// folder writes a folder of n PNG files for each class: bars that lie, stand or
// lean, of 16x16 pixels.
func folder(t *testing.T, dir string, n int, classes ...string) {
	t.Helper()
	for k, class := range classes {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			r := rng.New(uint64(k), rng.Test, uint64(i))
			img := image.NewRGBA(image.Rect(0, 0, 16, 16))
			a, b, phase := uint8(r.IntN(256)), uint8(r.IntN(256)), r.IntN(6)
			for y := range 16 {
				for x := range 16 {
					c := color.RGBA{a, 255 - a, b, 255}
					if ([]int{y, x, x + y, x * y}[k%4]+phase)/3%2 == 0 {
						c = color.RGBA{255 - a, b, a, 255}
					}
					img.Set(x, y, c)
				}
			}
			var file bytes.Buffer
			if err := png.Encode(&file, img); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, class, fmt.Sprintf("%03d.png", i)), file.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestPipelineOnFolders(t *testing.T) {
	dir := t.TempDir()
	folder(t, filepath.Join(dir, "data", "train"), 60, "lying", "standing", "leaning")
	folder(t, filepath.Join(dir, "data", "test"), 20, "lying", "standing", "leaning")
	folder(t, filepath.Join(dir, "strangers"), 20, "x", "y", "z", "crossed")
	out := filepath.Join(dir, "out")
	var log bytes.Buffer
	o := options{data: filepath.Join(dir, "data"), strangers: filepath.Join(dir, "strangers"), out: out, epochs: 3, batch: 16, seed: 1}
	if err := run(context.Background(), o, &log); err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	text, err := os.ReadFile(filepath.Join(out, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if s["train_images"] != 144.0 || s["held_out_images"] != 36.0 || s["test_images"] != 60.0 {
		t.Errorf("%v train, %v held out, %v test; want 144, 36 and 60", s["train_images"], s["held_out_images"], s["test_images"])
	}
	models := s["models"].(map[string]any)
	for _, name := range []string{"convnext", "resnet"} {
		m := models[name].(map[string]any)
		for _, key := range []string{"params", "epochs", "test_accuracy", "ema_test_accuracy", "mean_class_accuracy", "seconds"} {
			if v, ok := m[key].(float64); !ok || v <= 0 {
				t.Errorf("%s.%s is %v", name, key, m[key])
			}
		}
		for _, key := range []string{"loss_curve", "accuracy_curve"} {
			if c, ok := m[key].([]any); !ok || len(c) != 3 {
				t.Errorf("%s.%s is %v", name, key, m[key])
			}
		}
	}
	for _, key := range []string{"data", "classes", "best", "temperature", "ece_before", "ece_after"} {
		if s[key] == nil {
			t.Errorf("%s is missing", key)
		}
	}
	for _, key := range []string{"auroc", "fpr95", "threshold", "kept_known", "refused_unknown"} {
		if v, ok := s["ood"].(map[string]any)[key].(float64); !ok || v < 0 || v > 1 {
			t.Errorf("ood.%s is %v", key, v)
		}
	}
	for _, name := range []string{"curves.png", "confusion.png", "reliability.png", "sweep.png"} {
		f, err := os.Open(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if c, err := png.DecodeConfig(f); err != nil || c.Width < 400 || c.Height < 300 {
			t.Errorf("%s: %dx%d, %v", name, c.Width, c.Height, err)
		}
		f.Close()
	}
	for _, want := range []string{"epoch  3", "mean class accuracy", "Temperature", "Strangers"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the printed summary lacks %q", want)
		}
	}

	// The saved model says what the summary says.
	c, err := winnow.Open(filepath.Join(out, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	right, kept, n := 0, 0, 0
	for _, class := range c.Classes() {
		files, err := filepath.Glob(filepath.Join(dir, "data", "test", class, "*.png"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			p, err := c.ClassifyReader(context.Background(), f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			if p.Class == class {
				right++
			}
			if p.Known {
				kept++
			}
			n++
		}
	}
	best := models[s["best"].(string)].(map[string]any)
	key := "test_accuracy"
	if s["best_weights"] == "ema" {
		key = "ema_test_accuracy"
	}
	if got := float64(right) / float64(n); math.Abs(got-best[key].(float64)) > 1e-9 {
		t.Errorf("the saved model is right on %v of the test images, the summary says %v", got, best[key])
	}
	if got := float64(kept) / float64(n); math.Abs(got-s["ood"].(map[string]any)["kept_known"].(float64)) > 1e-9 {
		t.Errorf("the saved model keeps %v of the test images, the summary says %v", got, s["ood"].(map[string]any)["kept_known"])
	}
}

func TestWithoutStrangersOODIsNull(t *testing.T) {
	dir := t.TempDir()
	folder(t, filepath.Join(dir, "data"), 40, "lying", "standing")
	out := filepath.Join(dir, "out")
	if err := run(context.Background(), options{data: filepath.Join(dir, "data"), out: out, epochs: 1, batch: 16, seed: 1}, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	var s struct {
		OOD map[string]any `json:"ood"`
	}
	text, err := os.ReadFile(filepath.Join(out, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"auroc", "fpr95", "refused_unknown"} {
		if v, ok := s.OOD[key]; !ok || v != nil {
			t.Errorf("ood.%s is %v, want null", key, v)
		}
	}
	if s.OOD["threshold"] == nil || s.OOD["kept_known"] == nil {
		t.Errorf("ood is %v", s.OOD)
	}
}

func TestBadDataIsAnErrorThatNamesIt(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	one := filepath.Join(dir, "one")
	hollow := filepath.Join(dir, "hollow")
	broken := filepath.Join(dir, "broken")
	if err := os.MkdirAll(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	folder(t, one, 10, "only")
	folder(t, hollow, 10, "full", "other")
	if err := os.MkdirAll(filepath.Join(hollow, "nothing"), 0o755); err != nil {
		t.Fatal(err)
	}
	folder(t, broken, 10, "good", "bad")
	if err := os.WriteFile(filepath.Join(broken, "bad", "zero.jpg"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, names := range map[string]string{
		empty: "empty", one: "one", hollow: "nothing", broken: "zero.jpg", filepath.Join(dir, "absent"): "absent",
	} {
		out := filepath.Join(dir, "out")
		err := run(context.Background(), options{data: path, out: out, epochs: 1, seed: 1}, new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	if err := run(context.Background(), options{epochs: -1, out: filepath.Join(dir, "out")}, new(bytes.Buffer)); err == nil {
		t.Error("negative epochs: no error")
	}
}

// TestPrelabellingKeepsNothingOfGuesses runs the stage with a CLIP of random
// weights, which is right by chance: the sample must say so, and nothing be
// kept.
func TestPrelabellingKeepsNothingOfGuesses(t *testing.T) {
	dir := t.TempDir()
	vocabulary, err := clip.TrainVocabulary(slices.Values([]string{"a photo of a lying bar", "standing", "leaning"}), 520)
	if err != nil {
		t.Fatal(err)
	}
	m, err := clip.New(clip.Config{
		Embed: 16, Text: &clip.Text{Vocabulary: vocabulary.Size(), Context: 77, Width: 64, Layers: 1},
		Vision: &clip.Vision{Kind: clip.ViT, Size: 16, Width: 64, Layers: 1, Patch: 8, MLP: 128, Act: "quick_gelu"},
	})
	if err != nil {
		t.Fatal(err)
	}
	nn.Initialize(m, 1)
	if err := m.SetTokenizer(clip.NewTokenizer(vocabulary, clip.TokenizerOptions{})); err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(dir, "clip.safetensors")
	if err := clip.Save(model, m, nil); err != nil {
		t.Fatal(err)
	}
	folder(t, filepath.Join(dir, "data", "train"), 80, "lying", "standing", "leaning")
	folder(t, filepath.Join(dir, "data", "test"), 10, "lying", "standing", "leaning")
	out := filepath.Join(dir, "out")
	var log bytes.Buffer
	o := options{data: filepath.Join(dir, "data"), out: out, clip: model, epochs: 1, batch: 16, seed: 1}
	if err := run(context.Background(), o, &log); err != nil {
		t.Fatal(err)
	}
	var s summary
	text, err := os.ReadFile(filepath.Join(out, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	p := s.Prelabel
	if p == nil || p.RawImages != 180 || p.AccuracyAll == nil || p.KeptFraction == nil || *p.KeptFraction != 0 || p.AccuracyKept != nil || p.Kept != nil || p.TrueLabel == nil {
		t.Errorf("prelabel %+v after\n%s", p, log.String())
	}
}

// drawn are scenes to pre-label: 400 of them are the sample.
func drawn(t *testing.T) *data {
	t.Helper()
	pool, err := scenes.New(scenes.Options{Seed: 4, N: 1600})
	if err != nil {
		t.Fatal(err)
	}
	return &data{classes: pool.Classes(), pool: pool}
}

func TestKeptLabelsAreWhatWasAskedFor(t *testing.T) {
	d := drawn(t)
	var log bytes.Buffer
	o := options{prelabel: true, precision: 0.9, seed: 1}
	p, err := prelabel(t.Context(), d, nn.NewDevice(nn.DeviceOptions{}), o, &log)
	if err != nil {
		t.Fatal(err)
	}
	if p.raw != 1200 || p.sample.Len() != 400 || p.keptShare < 0.2 || float64(p.kept.Len()) != p.keptShare*1200 {
		t.Errorf("%d raw, %d in the sample, %d kept, a share of %v", p.raw, p.sample.Len(), p.kept.Len(), p.keptShare)
	}
	if p.accuracyAll < 0.6 || p.accuracyAll > 0.9 || p.accuracy < p.accuracyAll+0.05 || p.accuracy < 0.88 {
		t.Errorf("of all labels %v are right, of the kept ones %v", p.accuracyAll, p.accuracy)
	}
	// The sample is drawn at random, and nothing of it is among the kept.
	sampled := map[string]bool{}
	for i := range p.sample.Len() {
		sampled[p.sample.Name(i)] = true
	}
	for i := range p.kept.Len() {
		if sampled[p.kept.Name(i)] {
			t.Fatalf("%s is in the sample, and kept", p.kept.Name(i))
		}
	}
	if counts := dataset.Counts(p.sample); slices.Min(counts) == slices.Max(counts) {
		t.Errorf("a sample with %v of each class has seen labels", counts)
	}
	if !strings.Contains(log.String(), "kept: airplane ") {
		t.Errorf("the counts of classes are missing:\n%s", log.String())
	}
}

func TestVaguePromptsAreSaidToBe(t *testing.T) {
	d := drawn(t)
	var log bytes.Buffer
	o := options{prelabel: true, prompts: "vague.txt", precision: 0.9, seed: 1}
	p, err := prelabel(t.Context(), d, nn.NewDevice(nn.DeviceOptions{}), o, &log)
	if err != nil {
		t.Fatal(err)
	}
	if p.keptShare > 0.05 {
		t.Errorf("vague prompts keep %.3f", p.keptShare)
	}
	for _, want := range []string{"WARNING: nothing is kept", "none is kept", "name the right class for only", "cannot be told apart", "the class hangs on the template"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is missing:\n%s", want, log.String())
		}
	}
	found := map[string]bool{}
	for _, pair := range p.report.Inseparable {
		found[pair.A+" "+pair.B] = true
	}
	for _, want := range []string{"bird cat", "cat fish", "flower mushroom"} {
		if !found[want] {
			t.Errorf("%s are said to be told apart: %v", want, p.report.Inseparable)
		}
	}
	// And what would otherwise be trained on them is not.
	if err := p.trainOnKept(t.Context(), recipe{}, d, nil, o, &log); err != nil || p.model != nil || !strings.Contains(log.String(), "nothing to train on") {
		t.Errorf("%v after\n%s", err, log.String())
	}
}

func TestPromptsWithoutCLIPAreAnError(t *testing.T) {
	for _, o := range []options{{data: "photos", prelabel: true, prompts: "vague.txt"}, {prompts: "vague.txt"}} {
		if _, _, err := openCLIP(drawn(t), nil, o); err == nil || !strings.Contains(err.Error(), "-clip") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if m, _, err := openCLIP(drawn(t), nil, options{data: "photos", prelabel: true}); m != nil || err != nil {
		t.Errorf("photos without a CLIP: %v, %v", m, err)
	}
	d := drawn(t)
	d.classes = d.classes[1:]
	if _, _, err := openCLIP(d, nil, options{prelabel: true, prompts: "vague.txt"}); err == nil || !strings.Contains(err.Error(), "vague.txt: 10 classes, the data have 9") {
		t.Errorf("other classes: %v", err)
	}
}

func TestImagesOfClassesWithFewAreShownMoreOften(t *testing.T) {
	var labels []int
	for i := range 100 {
		labels = append(labels, 0)
		if i%4 == 3 { // a quarter of the first class: twice
			labels = append(labels, 1)
		}
		if i%25 == 0 { // a twenty-fifth: five times
			labels = append(labels, 2)
		}
		if i%2 == 0 { // half: 1.41 times
			labels = append(labels, 3)
		}
	}
	times := make([]int, len(labels))
	shown := make([]int, 5)
	for _, i := range evened(labels, 5) {
		times[i]++
		shown[labels[i]]++
	}
	if !slices.Equal(shown, []int{100, 50, 20, 70, 0}) {
		t.Errorf("shown %v", shown)
	}
	for i, n := range times {
		if k := labels[i]; k < 3 && n != []int{1, 2, 5}[k] || k == 3 && n != 1 && n != 2 {
			t.Errorf("image %d of class %d is shown %d times", i, k, n)
		}
	}
}

func TestDamagedTestImageIsFoundBeforeTraining(t *testing.T) {
	dir := t.TempDir()
	folder(t, filepath.Join(dir, "data", "train"), 40, "lying", "standing")
	folder(t, filepath.Join(dir, "data", "test"), 10, "lying", "standing")
	bad := filepath.Join(dir, "data", "test", "standing", "003.png")
	data, err := os.ReadFile(bad)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	err = run(context.Background(), options{data: filepath.Join(dir, "data"), out: filepath.Join(dir, "out"), epochs: 1, seed: 1}, &log)
	if err == nil || !strings.Contains(err.Error(), "003.png") || strings.Contains(log.String(), "epoch") {
		t.Errorf("%v after\n%s", err, log.String())
	}
}

func TestResultsThatCannotBeWrittenAreToldBeforeTraining(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{file, filepath.Join(file, "below")} {
		var log bytes.Buffer
		if err := run(context.Background(), options{out: out, epochs: 1, seed: 1, quick: true}, &log); err == nil || log.Len() > 0 {
			t.Errorf("%s: %v after\n%s", out, err, log.String())
		}
	}
}

func TestValidationFolderIsHeldOut(t *testing.T) {
	dir := t.TempDir()
	for part, n := range map[string]int{"train": 20, "val": 7, "test": 5} {
		folder(t, filepath.Join(dir, part), n, "lying", "standing")
	}
	d, err := open(options{data: dir, seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if d.train.Len() != 40 || d.held.Len() != 14 || d.test.Len() != 10 || !d.val {
		t.Errorf("%d train, %d held out, %d test", d.train.Len(), d.held.Len(), d.test.Len())
	}
}

func TestFashionMNISTOpensAsGolden(t *testing.T) {
	d, err := open(options{data: golden.Data(t, "fashion-mnist"), strangers: golden.Data(t, "mnist"), seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if d.train.Len()+d.held.Len() != 60000 || d.held.Len() != 3000 || d.test.Len() != 10000 || d.strangers.Len() != 10000 {
		t.Errorf("%d train, %d held out, %d test, %d strangers", d.train.Len(), d.held.Len(), d.test.Len(), d.strangers.Len())
	}
	if d.mirror || !d.small || d.transform.Size != 28 {
		t.Errorf("mirror %v, small %v, size %d", d.mirror, d.small, d.transform.Size)
	}
	for c := range 3 {
		if math.Abs(float64(d.transform.Mean[c])-0.286) > 0.005 || math.Abs(float64(d.transform.Std[c])-0.353) > 0.005 {
			t.Errorf("mean %v, deviation %v; published 0.286 and 0.353", d.transform.Mean, d.transform.Std)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

// noise is a picture that no other index gives.
func noise(i, side int) *image.NRGBA {
	r := rng.New(7, rng.Test, uint64(i))
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	for p := range m.Pix {
		m.Pix[p] = uint8(r.IntN(256))
		if p%4 == 3 {
			m.Pix[p] = 255
		}
	}
	return m
}

// folder writes n PNG files for each class.
func folder(t *testing.T, dir string, n, side int, classes ...string) {
	t.Helper()
	for k, class := range classes {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			var b bytes.Buffer
			if err := png.Encode(&b, noise(100*k+i, side)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, class, fmt.Sprintf("%02d.png", i)), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// modelFile writes an untrained model.
func modelFile(t *testing.T, size int, classes ...string) (string, *winnow.Classifier) {
	t.Helper()
	m := resnet.CIFAR8(len(classes))
	nn.Initialize(m, 3)
	c, err := winnow.New(m, nil, winnow.Info{Classes: label.Classes(classes), Transform: transform.Config{Size: size, Resize: size + 2}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	return path, c
}

func mustEvaluate(t *testing.T, o options) (*scores, string) {
	t.Helper()
	var notes bytes.Buffer
	s, err := evaluate(context.Background(), o, &notes)
	if err != nil {
		t.Fatal(err)
	}
	return s, notes.String()
}

// The model's classes stand in another order than the data's; what is counted
// is compared with the Classifier, image by image.
func TestModelFileScoresAsTheClassifierDoes(t *testing.T) {
	path, c := modelFile(t, 12, "pear", "apple", "fig", "plum", "quince", "cherry", "lime")
	dir := t.TempDir()
	folder(t, dir, 5, 20, "apple", "fig", "pear")
	o := options{model: path, data: dir, batch: 4, logits: filepath.Join(t.TempDir(), "out.safetensors")}
	s, notes := mustEvaluate(t, o)
	if !strings.Contains(notes, "15 images, all of") {
		t.Errorf("notes: %s", notes)
	}
	got := golden.OpenTensors(t, o.logits)
	logits, labels := got.Float32("logits"), got.Int64("labels")
	if shape := got.Shape("logits"); !slices.Equal(shape, []int{15, 7}) {
		t.Fatalf("logits are %v", shape)
	}
	top1, top5, nll, recall := 0.0, 0.0, 0.0, 0.0
	n := 0
	for k, class := range []string{"apple", "fig", "pear"} {
		for i := range 5 {
			want, err := c.Logits(t.Context(), noise(100*k+i, 20))
			if err != nil {
				t.Fatal(err)
			}
			golden.CompareWithin(t, class, logits[7*n:7*n+7], want, 1e-6)
			number := slices.Index(c.Classes(), class)
			if labels[n] != int64(number) {
				t.Errorf("label %d is %d, want %d", n, labels[n], number)
			}
			sum, before := 0.0, 0
			for _, v := range want {
				sum += math.Exp(float64(v - want[number]))
				if v > want[number] {
					before++
				}
			}
			nll += math.Log(sum) / 15
			if before == 0 {
				top1 += 1.0 / 15
				recall += 1.0 / 15 // classes are of one size
			}
			if before < 5 {
				top5 += 1.0 / 15
			}
			n++
		}
	}
	for name, v := range map[string][2]float64{"top1": {s.Top1, top1}, "top5": {s.Top5, top5}, "nll": {s.NLL, nll}, "mean": {s.MeanClass, recall}, "n": {float64(s.N), 15}} {
		if math.Abs(v[0]-v[1]) > 1e-5 {
			t.Errorf("%s is %v, want %v", name, v[0], v[1])
		}
	}
	if !(s.PerSecond > 0) {
		t.Errorf("%v images per second", s.PerSecond)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"n", "top1", "top5", "mean_class_accuracy", "nll", "images_per_second"} {
		if !bytes.Contains(text, []byte(`"`+key+`":`)) {
			t.Errorf("%s lacks %s", text, key)
		}
	}
}

// Batches and threads change nothing.
func TestBatchesAndThreadsDoNotMatter(t *testing.T) {
	path, _ := modelFile(t, 12, "a", "b")
	dir := t.TempDir()
	folder(t, dir, 6, 16, "a", "b")
	var first []byte
	for i, o := range []options{{batch: 64}, {batch: 5, threads: 1}, {batch: 1, threads: 3}} {
		o.model, o.data, o.logits = path, dir, filepath.Join(t.TempDir(), "out")
		mustEvaluate(t, o)
		data, err := os.ReadFile(o.logits)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = data
		} else if !bytes.Equal(data, first) {
			t.Errorf("%+v gives other logits", o)
		}
	}
}

func TestTestPartIsUsedWhereNamesTellIt(t *testing.T) {
	path, _ := modelFile(t, 12, "a", "b")
	dir := t.TempDir()
	folder(t, filepath.Join(dir, "train"), 7, 16, "a", "b")
	folder(t, filepath.Join(dir, "test"), 3, 16, "a", "b")
	s, notes := mustEvaluate(t, options{model: path, data: dir})
	if s.N != 6 || !strings.Contains(notes, "the test part") {
		t.Errorf("%d images: %s", s.N, notes)
	}
}

// cifarBin writes n records; the class of record i is i % classes.
func cifarBin(t *testing.T, n, classes int) string {
	t.Helper()
	var b bytes.Buffer
	for i := range n {
		b.WriteByte(byte(i % classes))
		m := noise(i, 32)
		for c := range 3 {
			for p := range 32 * 32 {
				b.WriteByte(m.Pix[4*p+c])
			}
		}
	}
	path := filepath.Join(t.TempDir(), "data.bin")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file's order is kept, and pixels of the model's size are divided by 255 and
// normalised, nothing else, even where the model would scale photos.
func TestBinaryImagesOfTheModelsSizeAreNotScaled(t *testing.T) {
	m := resnet.CIFAR8(4)
	nn.Initialize(m, 5)
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	if err := weights.Write(path, nn.Source(m), nil); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.json")
	const text = `{"architecture":"resnet8_cifar","pretrained_cfg":{"input_size":[3,32,32],"crop_pct":0.8,"mean":[0.4,0.5,0.6],"std":[0.2,0.25,0.3]}}`
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run := nn.NewRunner(m, nil)
	for name, tc := range map[string]struct {
		o         options
		mean, std [3]float32
	}{
		"CIFAR name":      {options{arch: "resnet8_cifar"}, [3]float32{0.485, 0.456, 0.406}, [3]float32{0.229, 0.224, 0.225}},
		"file":            {options{arch: "resnet8_cifar", config: config}, [3]float32{0.4, 0.5, 0.6}, [3]float32{0.2, 0.25, 0.3}},
		"file names arch": {options{config: config}, [3]float32{0.4, 0.5, 0.6}, [3]float32{0.2, 0.25, 0.3}},
	} {
		t.Run(name, func(t *testing.T) {
			o := tc.o
			o.model, o.data, o.batch, o.logits = path, cifarBin(t, 10, 3), 4, filepath.Join(t.TempDir(), "out")
			s, _ := mustEvaluate(t, o)
			if s.N != 10 {
				t.Errorf("%d images", s.N)
			}
			got := golden.OpenTensors(t, o.logits)
			x := make([]float32, 0, 10*32*32*3)
			for i := range 10 {
				for p, v := range noise(i, 32).Pix {
					if c := p % 4; c < 3 {
						x = append(x, (float32(v)/255-tc.mean[c])/tc.std[c])
					}
				}
			}
			want, _, err := run.PredictFloats(nil, x, 10, 32, 32, 3)
			if err != nil {
				t.Fatal(err)
			}
			golden.CompareWithin(t, "logits", got.Float32("logits"), want, 1e-6)
			for i, l := range got.Int64("labels") {
				if l != int64(i%3) {
					t.Errorf("label %d is %d", i, l)
				}
			}
		})
	}
}

func TestRecipeFollowsTheName(t *testing.T) {
	m := resnet.ResNet18(3)
	nn.Initialize(m, 1)
	dir := t.TempDir()
	path := filepath.Join(dir, "resnet18.safetensors")
	if err := weights.Write(path, nn.Source(m), nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		size, resize int
		how          transform.Interpolation
		noted        bool
	}{
		"resnet18.tv_in1k":                      {224, 256, transform.Bilinear, false},
		"resnet18.a1_in1k":                      {224, 235, transform.Bicubic, false},
		"ResNet18_Weights.IMAGENET1K_V1":        {224, 256, transform.Bilinear, false},
		"resnet18":                              {224, 235, transform.Bicubic, true},
		"timm/resnet18.fb_ssl_yfcc100m_ft_in1k": {224, 256, transform.Bilinear, false},
	} {
		var notes bytes.Buffer
		s, err := open(options{model: path, arch: name}, &notes)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c := s.transform; c.Size != want.size || c.Resize != want.resize || c.Interpolation != want.how || s.upright {
			t.Errorf("%s: %+v", name, c)
		}
		if noted := strings.Contains(notes.String(), "prepared as for"); noted != want.noted {
			t.Errorf("%s: notes %q", name, notes.String())
		}
	}
}

func TestCheckpointsInWrappings(t *testing.T) {
	m := convnext.Atto(5)
	nn.Initialize(m, 1)
	for _, prefix := range []string{"", "state_dict.module.", "net._orig_mod."} {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		wrapped := weights.Rename(nn.Source(m), func(name string) string { return prefix + name })
		if err := weights.Write(path, wrapped, nil); err != nil {
			t.Fatal(err)
		}
		s, err := open(options{model: path, arch: "convnext_atto.d2_in1k"}, io.Discard)
		if err != nil {
			t.Errorf("%q: %v", prefix, err)
			continue
		}
		if got := s.model.(*convnext.Model).Config().Classes; got != 5 {
			t.Errorf("%q: %d classes", prefix, got)
		}
	}
}

// The last norm of Hugging Face's ConvNeXt has an epsilon of its own.
func TestHuggingFaceCheckpoint(t *testing.T) {
	cfg, err := convnext.Preset("convnext_atto", 3)
	if err != nil {
		t.Fatal(err)
	}
	m, err := convnext.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	nn.Initialize(m, 1)
	parts := regexp.MustCompile(`^(?:stem\.([01])|stages\.(\d)\.(?:downsample\.([01])|blocks\.(\d)\.(.+))|head\.(norm|fc))\.?(weight|bias)?$`)
	theirs := weights.Rename(nn.Source(m), func(name string) string {
		p := parts.FindStringSubmatch(name)
		switch {
		case p == nil:
			t.Fatalf("no name for %s", name)
		case p[1] == "0":
			return "convnext.embeddings.patch_embeddings." + p[7]
		case p[1] == "1":
			return "convnext.embeddings.layernorm." + p[7]
		case p[3] != "":
			return "convnext.encoder.stages." + p[2] + ".downsampling_layer." + p[3] + "." + p[7]
		case p[4] != "":
			inner := strings.NewReplacer("gamma", "layer_scale_parameter", "conv_dw", "dwconv", "norm", "layernorm", "mlp.fc", "pwconv").Replace(p[5])
			return "convnext.encoder.stages." + p[2] + ".layers." + p[4] + "." + inner
		case p[6] == "norm":
			return "convnext.layernorm." + p[7]
		}
		return "classifier." + p[7]
	})
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := weights.Write(path, theirs, nil); err != nil {
		t.Fatal(err)
	}
	s, err := open(options{model: path, arch: "convnext_atto.d2_in1k"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.model.(*convnext.Model).Config(); got.HeadEpsilon != 1e-12 || got.Classes != 3 {
		t.Errorf("%+v", got)
	}
}

func TestClassesByPositionWhereNoNameIsKnown(t *testing.T) {
	path, _ := modelFile(t, 12, "cat", "dog")
	dir := t.TempDir()
	folder(t, dir, 2, 16, "0", "1")
	s, notes := mustEvaluate(t, options{model: path, data: dir})
	if s.N != 4 || !strings.Contains(notes, "by position") {
		t.Errorf("%d images: %s", s.N, notes)
	}
}

func TestWhatCannotBeEvaluatedIsAnError(t *testing.T) {
	model, c := modelFile(t, 12, "a", "b")
	data := t.TempDir()
	folder(t, data, 2, 16, "a", "b")
	strange := t.TempDir()
	folder(t, strange, 2, 16, "a", "b", "c")
	plain := filepath.Join(t.TempDir(), "plain.safetensors")
	if err := weights.Write(plain, nn.Source(c.Model()), nil); err != nil {
		t.Fatal(err)
	}
	headless := filepath.Join(t.TempDir(), "headless.safetensors")
	if err := weights.Write(headless, weights.Omit(nn.Source(c.Model()), "fc."), nil); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(config, []byte(`{"pretrained_cfg":{"input_size":[1,28,28]}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.safetensors")
	for name, tc := range map[string]struct {
		o    options
		want string
	}{
		"absent model":            {options{model: "absent.safetensors", data: data}, "absent.safetensors"},
		"absent data":             {options{model: model, data: filepath.Join(data, "absent")}, "absent"},
		"checkpoint without arch": {options{model: plain, data: data}, "-arch"},
		"unknown arch":            {options{model: plain, arch: "resnet9000", data: data}, "-config"},
		"unknown tag":             {options{model: plain, arch: "resnet18.nonsense", data: data}, "resnet18.nonsense"},
		"arch of another family":  {options{model: plain, arch: "convnext_tiny.fb_in1k", data: data}, "not named like"},
		"wrong depth":             {options{model: plain, arch: "resnet20_cifar", data: data}, "missing"},
		"no head":                 {options{model: headless, arch: "resnet8_cifar", data: data}, "no classifier"},
		"strange class":           {options{model: model, data: strange}, `"c"`},
		"too many classes":        {options{model: plain, arch: "resnet8_cifar", data: strange, logits: out}, "the model has 2"},
		"grey config":             {options{model: model, config: config, data: data}, "3 channels"},
		"absent config":           {options{model: model, config: "absent.json", data: data}, "absent.json"},
		"nowhere to write":        {options{model: model, data: data, logits: filepath.Join(data, "absent", "x")}, "absent"},
	} {
		s, err := evaluate(context.Background(), tc.o, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, %v, want an error with %q", name, s, err, tc.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) > 0 {
		t.Errorf("a run that failed left %v", left)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := evaluate(ctx, options{model: model, data: data}, io.Discard); err == nil {
		t.Error("a cancelled run succeeds")
	}
}

// Published models see a picture as it is stored.
func TestOrientation(t *testing.T) {
	for _, tc := range []struct {
		o       options
		upright bool
	}{{options{}, true}, {options{arch: "resnet8_cifar"}, false}} {
		o := tc.o
		o.model, _ = modelFile(t, 12, "a", "b")
		s, err := open(o, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if s.upright != tc.upright {
			t.Errorf("%+v: upright %v", tc.o, s.upright)
		}
	}
}

package winnow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/ema"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/ood"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

// small returns an untrained model of four classes with its Info.
func small(t testing.TB) (nn.Model, winnow.Info) {
	t.Helper()
	m := convnext.Mini(4)
	nn.Initialize(m, 7)
	return m, winnow.Info{
		Classes:   label.Classes{"ant", "bee", "cat", "dog"},
		Transform: transform.Native(32),
		Decision:  &ood.Decision{Score: "msp", Temperature: 1.5, Threshold: 0.3, Keep: 0.95},
		License:   "CC0-1.0",
	}
}

func newSmall(t testing.TB) *winnow.Classifier {
	t.Helper()
	m, info := small(t)
	c, err := winnow.New(m, nil, info)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// picture is a test image whose content depends on n.
func picture(w, h, n int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{uint8(x*n + y), uint8(x + y*n), uint8(x*y + 31*n), 255})
		}
	}
	return img
}

func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSavedModelPredictsTheSame(t *testing.T) {
	ctx := context.Background()
	for _, m := range []nn.Model{convnext.Mini(4), resnet.CIFAR8(4)} {
		t.Run(fmt.Sprintf("%T", m), func(t *testing.T) {
			nn.Initialize(m, 3)
			_, info := small(t)
			c, err := winnow.New(m, nil, info)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "model.safetensors")
			if err := c.Save(path); err != nil {
				t.Fatal(err)
			}
			again, err := winnow.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 5 {
				a, err := c.Classify(ctx, picture(40, 30, n))
				if err != nil {
					t.Fatal(err)
				}
				b, err := again.Classify(ctx, picture(40, 30, n))
				if err != nil {
					t.Fatal(err)
				}
				if a.Class != b.Class || a.Prob != b.Prob || a.Known != b.Known {
					t.Errorf("image %d: %v %v %v before, %v %v %v after", n, a.Class, a.Prob, a.Known, b.Class, b.Prob, b.Known)
				}
			}
			// Predictions have taken the weights; saving reads them again, also
			// over the file itself.
			copied := filepath.Join(t.TempDir(), "copy.safetensors")
			if err := again.Save(copied); err != nil {
				t.Fatal(err)
			}
			a, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(copied); err != nil || !bytes.Equal(a, b) {
				t.Errorf("a copy of %d bytes of a file of %d, %v", len(b), len(a), err)
			}
			for range 2 {
				if err := again.Save(path); err != nil {
					t.Error(err)
				}
			}
			if err := os.WriteFile(path, []byte("other"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := again.Save(copied); err == nil {
				t.Error("saved from a file that is another by now")
			}
			got := again.Info()
			if !got.Classes.Equal(info.Classes) || got.Transform != info.Transform.WithDefaults() || *got.Decision != *info.Decision || got.License != info.License {
				t.Errorf("info %+v, saved %+v", got, info)
			}
		})
	}
}

func TestNewCopiesTheWeights(t *testing.T) {
	ctx := context.Background()
	m, info := small(t)
	c, err := winnow.New(m, nil, info)
	if err != nil {
		t.Fatal(err)
	}
	before, err := c.Logits(ctx, picture(32, 32, 1))
	if err != nil {
		t.Fatal(err)
	}
	avg := &ema.Average{}
	if err := avg.Start(m); err != nil {
		t.Fatal(err)
	}
	nn.Initialize(m, 8) // training goes on
	after, err := c.Logits(ctx, picture(32, 32, 1))
	if err != nil {
		t.Fatal(err)
	}
	averaged, err := winnow.New(m, avg, info)
	if err != nil {
		t.Fatal(err)
	}
	ofAverage, err := averaged.Logits(ctx, picture(32, 32, 1))
	if err != nil {
		t.Fatal(err)
	}
	for k := range before {
		if before[k] != after[k] {
			t.Errorf("logit %d changed from %v to %v with the model", k, before[k], after[k])
		}
		if before[k] != ofAverage[k] {
			t.Errorf("logit %d of the average is %v, want %v", k, ofAverage[k], before[k])
		}
	}
}

func TestProbabilitiesFollowTheDecision(t *testing.T) {
	ctx := context.Background()
	m, info := small(t)
	img := picture(32, 32, 2)
	plain := info
	plain.Decision = nil
	c, err := winnow.New(m, nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	logits, err := c.Logits(ctx, img)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*ood.Decision{nil, {Temperature: 1, Threshold: 0}, {Temperature: 4, Threshold: 0.26}, {Temperature: 0.5, Threshold: 1}} {
		info.Decision = d
		c, err := winnow.New(m, nil, info)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Classify(ctx, img)
		if err != nil {
			t.Fatal(err)
		}
		temperature, threshold := 1.0, 0.0
		if d != nil {
			temperature, threshold = d.Temperature, d.Threshold
		}
		sum, best := 0.0, 0
		for k, z := range logits {
			sum += math.Exp(float64(z) / temperature)
			if z > logits[best] {
				best = k
			}
		}
		want := math.Exp(float64(logits[best])/temperature) / sum
		if p.Index != best || math.Abs(p.Prob-want) > 1e-12 {
			t.Errorf("decision %+v: class %d with %v, want %d with %v", d, p.Index, p.Prob, best, want)
		}
		if p.Known != (p.Prob >= threshold) {
			t.Errorf("decision %+v: known %v at %v", d, p.Known, p.Prob)
		}
		if top := p.Top(4); len(top) != 4 || top[0].Class != p.Class || math.Abs(top[0].Prob+top[1].Prob+top[2].Prob+top[3].Prob-1) > 1e-12 {
			t.Errorf("top %v", top)
		}
	}
}

func TestReaderAndImageAgree(t *testing.T) {
	ctx := context.Background()
	c := newSmall(t)
	img := picture(50, 33, 5)
	a, err := c.Classify(ctx, img)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.ClassifyReader(ctx, bytes.NewReader(encoded(t, img)))
	if err != nil {
		t.Fatal(err)
	}
	if a.Class != b.Class || a.Prob != b.Prob {
		t.Errorf("image %v %v, reader %v %v", a.Class, a.Prob, b.Class, b.Prob)
	}
}

func TestManyGoroutinesShareOneClassifier(t *testing.T) {
	ctx := context.Background()
	c := newSmall(t)
	var want [8]winnow.Prediction
	for n := range want {
		p, err := c.Classify(ctx, picture(32, 32, n))
		if err != nil {
			t.Fatal(err)
		}
		want[n] = p
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 8 {
				n := (g + i) % len(want)
				p, err := c.Classify(ctx, picture(32, 32, n))
				if err != nil || p.Class != want[n].Class || p.Prob != want[n].Prob {
					t.Errorf("image %d: %v %v %v, alone %v %v", n, p.Class, p.Prob, err, want[n].Class, want[n].Prob)
				}
			}
		})
	}
	wg.Wait()
}

// inputs yields n encoded images, those in bad damaged.
func inputs(t testing.TB, n int, bad map[int]bool, opened *int) iter.Seq[winnow.Input] {
	return func(yield func(winnow.Input) bool) {
		for i := range n {
			data := encoded(t, picture(20+i%9, 31, i))
			if bad[i] {
				data = data[:len(data)/2]
			}
			if opened != nil {
				*opened++
			}
			in := winnow.Input{Name: fmt.Sprint(i), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
			if i%5 == 4 && !bad[i] {
				in = winnow.Input{Name: fmt.Sprint(i), Image: picture(20+i%9, 31, i)}
			}
			if !yield(in) {
				return
			}
		}
	}
}

func TestEachAgreesWithClassify(t *testing.T) {
	ctx := context.Background()
	m, info := small(t)
	bad := map[int]bool{0: true, 7: true, 8: true, 9: true, 10: true}
	for _, batch := range []int{1, 4, 100} {
		c, err := winnow.Options{Batch: batch}.New(m, nil, info)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for r, err := range c.Each(ctx, inputs(t, 23, bad, nil)) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Name != fmt.Sprint(i) {
				t.Fatalf("batch %d: result %d is of %s", batch, i, r.Name)
			}
			switch {
			case bad[i]:
				if !errors.Is(r.Err, winnow.ErrImageCorrupt) || !strings.HasPrefix(r.Err.Error(), r.Name+": ") {
					t.Errorf("batch %d: damaged image %d: %v", batch, i, r.Err)
				}
			case r.Err != nil:
				t.Errorf("batch %d: image %d: %v", batch, i, r.Err)
			default:
				p, err := c.Classify(ctx, picture(20+i%9, 31, i))
				if err != nil {
					t.Fatal(err)
				}
				// Batches change the order of sums at most.
				if p.Class != r.Class || math.Abs(p.Prob-r.Prob) > 1e-6 {
					t.Errorf("batch %d: image %d: %v %v, alone %v %v", batch, i, r.Class, r.Prob, p.Class, p.Prob)
				}
			}
			i++
		}
		if i != 23 {
			t.Errorf("batch %d: %d results", batch, i)
		}
	}
}

func TestEachStopsWithoutLeaks(t *testing.T) {
	m, info := small(t)
	c, err := winnow.Options{Batch: 4, Threads: 1}.New(m, nil, info)
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	opened, n := 0, 0
	for _, err := range c.Each(context.Background(), inputs(t, 1000, nil, &opened)) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 5 {
			break
		}
	}
	if opened > 30 {
		t.Errorf("%d inputs were taken for 5 results", opened)
	}
	var busy atomic.Int64
	for range c.Each(context.Background(), func(yield func(winnow.Input) bool) {
		for yield(winnow.Input{Open: func() (io.ReadCloser, error) {
			busy.Add(1)
			defer busy.Add(-1)
			time.Sleep(5 * time.Millisecond)
			return nil, fs.ErrNotExist
		}}) {
		}
	}) {
		break
	}
	if n := busy.Load(); n != 0 {
		t.Errorf("%d images are being opened after the loop", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n = 0
	var last error
	for _, err := range c.Each(ctx, inputs(t, 1000, nil, nil)) {
		if last = err; err == nil {
			if n++; n == 3 {
				cancel()
			}
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("after cancelling the last error was %v", last)
	}
	cancel()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

func TestEachOfNothingYieldsNothing(t *testing.T) {
	for r, err := range newSmall(t).Each(context.Background(), inputs(t, 0, nil, nil)) {
		t.Errorf("%v, %v", r, err)
	}
}

// trap is an image that panics when it is looked at.
type trap struct{ image.Image }

func (trap) ColorModel() color.Model { return color.RGBAModel }
func (trap) Bounds() image.Rectangle { return image.Rect(0, 0, 9, 9) }
func (trap) At(int, int) color.Color { panic("trap") }

func TestPanickingImageIsItsOwnError(t *testing.T) {
	c := newSmall(t)
	seq := func(yield func(winnow.Input) bool) {
		_ = yield(winnow.Input{Name: "trap", Image: trap{}}) && yield(winnow.Input{Name: "good", Image: picture(9, 9, 1)})
	}
	var got []string
	for r, err := range c.Each(context.Background(), seq) {
		got = append(got, fmt.Sprint(r.Name, r.Err != nil, err))
	}
	if fmt.Sprint(got) != "[traptrue <nil> goodfalse <nil>]" {
		t.Errorf("%v", got)
	}
}

func TestNaNWeightsAreRefused(t *testing.T) {
	m, info := small(t)
	m.Params()[3].Data()[0] = float32(math.NaN())
	if _, err := winnow.New(m, nil, info); !errors.Is(err, winnow.ErrModel) || !strings.Contains(err.Error(), m.Params()[3].Name()) {
		t.Errorf("%v", err)
	}
}

func TestBadImagesAreErrors(t *testing.T) {
	ctx := context.Background()
	c := newSmall(t)
	jpg := new(bytes.Buffer)
	if err := jpeg.Encode(jpg, picture(60, 60, 1), nil); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":       {nil, winnow.ErrImageFormat},
		"text":          {[]byte("this is no image at all, not even a small one"), winnow.ErrImageFormat},
		"half a JPEG":   {jpg.Bytes()[:jpg.Len()/2], winnow.ErrImageCorrupt},
		"a giant's PNG": {giant(), winnow.ErrImageTooLarge},
	} {
		if _, err := c.ClassifyReader(ctx, bytes.NewReader(test.data)); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	for name, img := range map[string]image.Image{"nil": nil, "empty": image.NewRGBA(image.Rectangle{})} {
		if _, err := c.Classify(ctx, img); err == nil {
			t.Errorf("%s image: no error", name)
		}
		if _, err := c.Logits(ctx, img); err == nil {
			t.Errorf("%s image: no error from Logits", name)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Classify(gone, picture(32, 32, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// giant is the beginning of a PNG of 60,000 x 60,000 pixels.
func giant() []byte {
	b := encodedHeader()
	copy(b[16:], []byte{0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60})
	crc := crc32(b[12:29])
	copy(b[29:], []byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)})
	return b
}

func encodedHeader() []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 3)))
	return b.Bytes()
}

func crc32(b []byte) uint32 {
	c := ^uint32(0)
	for _, v := range b {
		c ^= uint32(v)
		for range 8 {
			c = c>>1 ^ 0xedb88320&-(c&1)
		}
	}
	return ^c
}

func TestBadModelFilesAreErrors(t *testing.T) {
	c := newSmall(t)
	dir := t.TempDir()
	good := filepath.Join(dir, "good.safetensors")
	if err := c.Save(good); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(good)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	edit := func(name string, change func(map[string]string)) string {
		meta := map[string]string{}
		for k, v := range f.Metadata() {
			meta[k] = v
		}
		change(meta)
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "_"))
		if err := weights.Write(path, f, meta); err != nil {
			t.Fatal(err)
		}
		return path
	}
	set := func(key, value string) func(map[string]string) {
		return func(m map[string]string) { m[key] = value }
	}
	drop := func(key string) func(map[string]string) {
		return func(m map[string]string) { delete(m, key) }
	}
	for name, test := range map[string]struct {
		change func(map[string]string)
		want   error
	}{
		"not ours":            {drop("winnow.version"), winnow.ErrModel},
		"version zero":        {set("winnow.version", "0"), winnow.ErrModel},
		"version of tomorrow": {set("winnow.version", "99"), winnow.ErrUnsupported},
		"no classes":          {drop("winnow.classes"), winnow.ErrModel},
		"too few classes":     {set("winnow.classes", `["a","b"]`), winnow.ErrModel},
		"twin classes":        {set("winnow.classes", `["a","b","c","a"]`), winnow.ErrModel},
		"other architecture":  {set("winnow.architecture", "vit"), winnow.ErrUnsupported},
		"unknown setting":     {set("winnow.config", `{"depths":[3,1],"dims":[32,64],"classes":4,"twist":2}`), winnow.ErrUnsupported},
		"impossible setting":  {set("winnow.config", `{"depths":[3,1],"dims":[32],"classes":4}`), winnow.ErrModel},
		"billions of weights": {set("winnow.config", `{"depths":[3,1],"dims":[32,60000],"classes":4,"stem":2}`), winnow.ErrModel},
		"broken transform":    {set("winnow.transform", `{"size":-3}`), winnow.ErrModel},
		"strange decision":    {set("winnow.decision", `{"score":"msp","mood":1}`), winnow.ErrUnsupported},
		"null transform":      {set("winnow.transform", "null"), winnow.ErrModel},
		"trailing text":       {set("winnow.classes", `["a","b","c","d"] x`), winnow.ErrModel},
		"broken decision":     {set("winnow.decision", `{"score":"msp","temperature":-1}`), winnow.ErrModel},
	} {
		path := edit(name, test.change)
		_, err := winnow.Open(path)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the error does not name the file: %v", name, err)
		}
	}
	if _, err := winnow.Open(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 5, 300, len(data) - 1} {
		path := filepath.Join(dir, "cut")
		if err := os.WriteFile(path, data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := winnow.Open(path); !errors.Is(err, weights.ErrFormat) || !strings.Contains(err.Error(), path) {
			t.Errorf("%d bytes of a file: %v", n, err)
		}
	}
}

func TestWrongClassCountIsAnError(t *testing.T) {
	m, info := small(t)
	info.Classes = info.Classes[:3]
	if _, err := winnow.New(m, nil, info); !errors.Is(err, winnow.ErrModel) {
		t.Errorf("%v", err)
	}
	if _, err := winnow.New(convnext.Mini(4), nil, info); err == nil {
		t.Error("a model without weights made a classifier")
	}
	if _, err := winnow.New(convnext.Mini(0), nil, info); err == nil {
		t.Error("a model of no classes made a classifier")
	}
}

func Example() {
	// A model from training; winnow.Open("model.safetensors") opens a saved one.
	m := convnext.Mini(2)
	nn.Initialize(m, 1)
	c, err := winnow.New(m, nil, winnow.Info{
		Classes:   label.Classes{"cat", "dog"},
		Transform: transform.Native(32),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := c.Classify(context.Background(), image.NewRGBA(image.Rect(0, 0, 64, 48)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(p.Top(2)), p.Known)
	// Output: 2 true
}

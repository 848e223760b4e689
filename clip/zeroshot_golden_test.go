package clip

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/rng"
)

// tinyGolden opens OpenAI's CLIP of clip_vit_tiny with the full vocabulary.
func tinyGolden(t *testing.T, vocabulary string) (*Model, *golden.File, []string) {
	t.Helper()
	g := golden.Independent(t, "clip/clip_vit_tiny.json")
	var d struct {
		Texts  []string `json:"texts"`
		Config struct {
			Embed  int `json:"embed_dim"`
			Size   int `json:"image_resolution"`
			Layers int `json:"vision_layers"`
			Width  int `json:"vision_width"`
			Patch  int `json:"vision_patch_size"`
			Words  int `json:"vocab_size"`
			TextW  int `json:"transformer_width"`
			TextH  int `json:"transformer_heads"`
			TextL  int `json:"transformer_layers"`
		} `json:"config"`
	}
	g.Loose(&d)
	c := d.Config
	m, err := Open(g.Path()[:len(g.Path())-len(".json")]+".weights.safetensors", Options{
		Config: &Config{
			Embed:  c.Embed,
			Vision: &Vision{Kind: ViT, Size: c.Size, Width: c.Width, Patch: c.Patch, Layers: c.Layers, Act: "quick_gelu"},
			Text:   &Text{Vocabulary: c.Words, Context: Context, Width: c.TextW, Layers: c.TextL, Heads: c.TextH, Act: "quick_gelu"},
		},
		Vocabulary: vocabulary,
		Tokenizer:  TokenizerOptions{Truncate: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, g, d.Texts
}

func TestZeroShotMatchesGoldenFromStrings(t *testing.T) {
	m, g, texts := tinyGolden(t, golden.Data(t, "clip/bpe_simple_vocab_16e6.txt.gz"))
	classes := make([]Class, len(texts))
	for i, text := range texts {
		classes[i] = Class{Name: fmt.Sprint("text ", i), Phrases: []string{text}}
	}
	w := g.Tensors(".golden.safetensors")
	planes, shape := w.Float32("image"), w.Shape("image") // [N,3,H,W]
	n, size := shape[0], shape[2]*shape[3]
	x := make([]float32, len(planes)) // [N,H,W,3]
	for i := range n {
		for c := range 3 {
			for p := range size {
				x[(i*size+p)*3+c] = planes[(i*3+c)*size+p]
			}
		}
	}
	for _, batch := range []int{1, 2, 16} {
		z, err := ZeroShotOptions{Batch: batch}.New(t.Context(), m, classes, TemplatePlain...)
		if err != nil {
			t.Fatal(err)
		}
		v, err := z.encodeImages(t.Context(), x, n)
		if err != nil {
			t.Fatal(err)
		}
		var logits, probs []float64
		for i := range n {
			embedding := v[i*z.dim : (i+1)*z.dim]
			cos, err := z.cosines(embedding)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cos {
				logits = append(logits, c*z.scale)
			}
			p, err := z.Score(embedding)
			if err != nil {
				t.Fatal(err)
			}
			probs = append(probs, p.Probs()...)
		}
		golden.Compare(t, "logits_per_image", logits, w.Float64("logits_per_image_f64"), w.Float32("logits_per_image"))
		golden.Compare(t, "probs", probs, nil, w.Float32("probs"))
	}
}

func TestAMissingVocabularyIsAClearError(t *testing.T) {
	m, _, _ := tinyGolden(t, "") // the folder of the weights has none
	if _, err := m.ZeroShot(t.Context(), Named("cat", "dog")); !errors.Is(err, ErrNoVocabulary) {
		t.Errorf("%v", err)
	}
}

func TestEmbeddingsDoNotDependOnTheBatch(t *testing.T) {
	m, _, _ := tinyGolden(t, "")
	r := rng.New(3, rng.Test)
	size := m.Transform().Len()
	x := random(21*size, r)
	alone := make([]float32, 0, 21*m.Dim())
	for i := range 21 {
		v, err := m.EncodeImages(t.Context(), x[i*size:(i+1)*size], 1)
		if err != nil {
			t.Fatal(err)
		}
		alone = append(alone, v...)
	}
	for _, batch := range []int{2, 3, 5, 16, 21} {
		var all []float32
		for i := 0; i < 21; i += batch {
			n := min(batch, 21-i)
			v, err := m.EncodeImages(t.Context(), x[i*size:(i+n)*size], n)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, v...)
		}
		if !slices.Equal(all, alone) {
			t.Errorf("in batches of %d embeddings differ", batch)
		}
	}
}

var _ Encoder = (*Model)(nil)

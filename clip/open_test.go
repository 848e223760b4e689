package clip_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
	"github.com/winnow-go/winnow/weights/weightstest"
)

// words is a vocabulary of 520 tokens.
func words(t testing.TB) *clip.Vocabulary {
	t.Helper()
	v, err := clip.TrainVocabulary(slices.Values([]string{"cat cat cat dog dog a photo of a cat", "a photo of a dog"}), 520)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func smallText(size int) *clip.Text {
	return &clip.Text{Vocabulary: size, Context: 12, Width: 64, Layers: 2, MLP: 96, Act: "quick_gelu"}
}

// small is a model with random weights, biases and norms included, so that
// nothing that is left out goes unseen.
func small(t testing.TB, c clip.Config) *clip.Model {
	t.Helper()
	m, err := clip.New(c)
	if err != nil {
		t.Fatal(err)
	}
	nn.Initialize(m, 1)
	for i, p := range m.Params() {
		if p.Dims() == 1 && p.Kind() == nn.Learnable {
			kerneltest.Normal(p.Data(), uint64(i), 0.5, 0.3)
		}
	}
	return m
}

func smallViT(t testing.TB) *clip.Model {
	size := words(t).Size()
	return small(t, clip.Config{Embed: 24, Text: smallText(size),
		Vision: &clip.Vision{Kind: clip.ViT, Size: 16, Width: 64, Layers: 2, Patch: 8, MLP: 128, Act: "quick_gelu"}})
}

// huggingFace is a model's weights under Hugging Face's names: what Translate
// does, the other way round.
func huggingFace(t testing.TB, m *clip.Model) *weights.Map {
	t.Helper()
	out := weights.NewMap()
	for _, p := range m.Params() {
		d, err := p.Tensor()
		if err != nil {
			t.Fatal(err)
		}
		tower, name := "text_model.", p.Name()
		if rest, ok := strings.CutPrefix(name, "visual."); ok {
			tower, name = "vision_model.", rest
		}
		if name == "logit_scale" {
			out.Set(name, d)
			continue
		}
		for _, r := range [][2]string{
			{"transformer.resblocks.", tower + "encoder.layers."}, {".ln_1.", ".layer_norm1."}, {".ln_2.", ".layer_norm2."},
			{"mlp.c_fc", "mlp.fc1"}, {"mlp.c_proj", "mlp.fc2"}, {"attn.", "self_attn."},
			{"token_embedding", tower + "embeddings.token_embedding"}, {"ln_final", tower + "final_layer_norm"},
			{"ln_pre", tower + "pre_layrnorm"}, {"ln_post", tower + "post_layernorm"},
			{"class_embedding", tower + "embeddings.class_embedding"}, {"conv1", tower + "embeddings.patch_embedding"},
		} {
			name = strings.ReplaceAll(name, r[0], r[1])
		}
		switch {
		case name == "positional_embedding":
			name = tower + "embeddings.position_embedding.weight"
		case name == "proj":
			name, d = "visual_projection.weight", turned(d)
		case name == "text_projection":
			name, d = "text_projection.weight", turned(d)
		case strings.Contains(name, "in_proj_"):
			flat, shape := d.Data().([]float32), slices.Clone(d.Shape())
			shape[0] /= 3
			for i, letter := range []string{"q", "k", "v"} {
				part := flat[i*len(flat)/3:][:len(flat)/3]
				out.Set(strings.Replace(name, "in_proj_", letter+"_proj.", 1), tensor.New(tensor.WithShape(shape...), tensor.WithBacking(part)))
			}
			continue
		}
		out.Set(name, d)
	}
	ids := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]int64{0, 1}))
	out.Set("text_model.embeddings.position_ids", ids)
	return out
}

func turned(d *tensor.Dense) *tensor.Dense {
	rows, cols, x := d.Shape()[0], d.Shape()[1], d.Data().([]float32)
	y := make([]float32, len(x))
	for i := range rows {
		for j := range cols {
			y[j*rows+i] = x[i*cols+j]
		}
	}
	return tensor.New(tensor.WithShape(cols, rows), tensor.WithBacking(y))
}

func write(t testing.TB, path string, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := value.(string); ok {
		text = []byte(s)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

type object = map[string]any

// The files of the small Vision Transformer as others describe it.
func huggingFaceConfig(size int) object {
	return object{"model_type": "clip", "projection_dim": 24, "torch_dtype": "float32", "architectures": []string{"CLIPModel"},
		"text_config": object{"vocab_size": size, "max_position_embeddings": 12, "hidden_size": 64, "num_hidden_layers": 2,
			"num_attention_heads": 1, "intermediate_size": 96, "eos_token_id": 2},
		"vision_config": object{"image_size": 16, "patch_size": 8, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1,
			"intermediate_size": 128, "hidden_act": "quick_gelu"}}
}

func openCLIPConfig(size int) object {
	return object{
		"model_cfg": object{"embed_dim": 24, "quick_gelu": true,
			"vision_cfg": object{"image_size": 16, "layers": 2, "width": 64, "patch_size": 8, "mlp_ratio": 2},
			"text_cfg":   object{"context_length": 12, "vocab_size": size, "width": 64, "heads": 1, "layers": 2, "mlp_ratio": 1.5}},
		"preprocess_cfg": object{"mean": []float64{0.5, 0.4, 0.3}, "std": []float64{0.3, 0.2, 0.1}, "interpolation": "bilinear", "resize_mode": "squash"},
	}
}

var processor = object{"image_processor_type": "CLIPImageProcessor", "size": object{"shortest_edge": 16}, "crop_size": object{"height": 16, "width": 16},
	"image_mean": []float64{0.5, 0.4, 0.3}, "image_std": []float64{0.3, 0.2, 0.1}, "resample": 3}

// writeVocabulary puts the vocabulary into a folder.
func writeVocabulary(t testing.TB, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "bpe_simple_vocab_16e6.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := words(t).WriteTo(f); err != nil {
		t.Fatal(err)
	}
}

func save(t testing.TB, path string, src weights.Source) {
	t.Helper()
	if err := weights.Write(path, src, nil); err != nil {
		t.Fatal(err)
	}
}

// embeddings are what a model makes of two images and three texts.
func embeddings(t testing.TB, m *clip.Model) []float32 {
	t.Helper()
	x := make([]float32, 2*16*16*3)
	kerneltest.Normal(x, 5, 0, 1)
	images, err := m.EncodeImages(t.Context(), x, 2)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := m.EncodeTexts(t.Context(), []string{"a photo of a cat", "dog", ""})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(images, texts)
}

func withWords(t testing.TB, m *clip.Model) *clip.Model {
	t.Helper()
	if err := m.SetTokenizer(clip.NewTokenizer(words(t), clip.TokenizerOptions{})); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOpenReadsWhatOthersWrite(t *testing.T) {
	m := withWords(t, smallViT(t))
	size := words(t).Size()
	want := embeddings(t, m)
	theirs := transform.Config{Size: 16, Resize: 16, Mean: [3]float32{0.5, 0.4, 0.3}, Std: [3]float32{0.3, 0.2, 0.1}}
	hugging, squashed := theirs, theirs
	hugging.Interpolation, hugging.Rounding = transform.Bicubic, transform.Down
	squashed.Crop, squashed.Convert = transform.Squash, transform.AfterCrop
	for _, c := range []struct {
		name  string
		write func(dir string)
		open  string // in the folder
		prep  transform.Config
	}{
		{"Hugging Face", func(dir string) {
			write(t, filepath.Join(dir, "config.json"), huggingFaceConfig(size))
			write(t, filepath.Join(dir, "preprocessor_config.json"), processor)
			save(t, filepath.Join(dir, "model.safetensors"), huggingFace(t, m))
		}, "", hugging},
		{"a file of Hugging Face's", func(dir string) {
			write(t, filepath.Join(dir, "config.json"), huggingFaceConfig(size))
			save(t, filepath.Join(dir, "model.safetensors"), huggingFace(t, m))
		}, "model.safetensors", clip.Preprocessing(16)},
		{"open_clip", func(dir string) {
			write(t, filepath.Join(dir, "open_clip_config.json"), openCLIPConfig(size))
			save(t, filepath.Join(dir, "open_clip_model.safetensors"), nn.Source(m))
		}, "", squashed},
		{"open_clip with a text tower of its own", func(dir string) {
			write(t, filepath.Join(dir, "open_clip_config.json"), openCLIPConfig(size))
			save(t, filepath.Join(dir, "weights.safetensors"), weights.Rename(nn.Source(m), func(name string) string {
				if strings.HasPrefix(name, "visual.") || name == "logit_scale" {
					return name
				}
				return "text." + name
			}))
		}, "", squashed},
		{"both", func(dir string) { // as on the hub of timm, whose config.json is another
			write(t, filepath.Join(dir, "open_clip_config.json"), openCLIPConfig(size))
			write(t, filepath.Join(dir, "config.json"), object{"architecture": "vit_tiny", "num_classes": 0})
			write(t, filepath.Join(dir, "model.safetensors"), "not looked at")
			save(t, filepath.Join(dir, "open_clip_model.safetensors"), nn.Source(m))
		}, "", squashed},
		{"a checkpoint of OpenAI's", func(dir string) {
			all := weights.NewMap()
			all.Set("input_resolution", tensor.New(tensor.FromScalar(int64(16))))
			all.Set("context_length", tensor.New(tensor.FromScalar(int64(12))))
			all.Set("vocab_size", tensor.New(tensor.FromScalar(int64(size))))
			save(t, filepath.Join(dir, "tiny.safetensors"), weights.Join(nn.Source(m), all))
		}, "tiny.safetensors", clip.Preprocessing(16)},
		{"a checkpoint of a training", func(dir string) {
			save(t, filepath.Join(dir, "epoch_3.safetensors"), weights.Rename(nn.Source(m), func(name string) string { return "state_dict.module." + name }))
		}, "", clip.Preprocessing(16)},
		{"Save", func(dir string) {
			if err := m.SetTransform(squashed); err != nil {
				t.Fatal(err)
			}
			if err := clip.Save(filepath.Join(dir, "own.safetensors"), m, map[string]string{"licence": "mit"}); err != nil {
				t.Fatal(err)
			}
		}, "own.safetensors", squashed},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.write(dir)
			if c.name != "Save" { // which has its vocabulary inside
				writeVocabulary(t, dir)
			}
			got, err := clip.Open(filepath.Join(dir, c.open), clip.Options{Device: nn.NewDevice(nn.DeviceOptions{Threads: 1})})
			if err != nil {
				t.Fatal(err)
			}
			if got.Transform().WithDefaults() != c.prep.WithDefaults() {
				t.Errorf("preprocessing %+v, want %+v", got.Transform(), c.prep)
			}
			if y := embeddings(t, got); !slices.Equal(y, want) {
				t.Errorf("other embeddings: %v, want %v", y[:4], want[:4])
			}
			if got.LogitScale() != m.LogitScale() || got.Dim() != 24 {
				t.Errorf("scale %v, %d elements", got.LogitScale(), got.Dim())
			}
		})
	}
}

func TestReadIsOpenWithNothingBesideTheFile(t *testing.T) {
	m := withWords(t, smallViT(t))
	want := embeddings(t, m)
	dir := t.TempDir()
	file := func(name string, write func(path string)) []byte {
		path := filepath.Join(dir, name)
		write(path)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	own := file("own.safetensors", func(path string) {
		if err := clip.Save(path, m, nil); err != nil {
			t.Fatal(err)
		}
	})
	bare := file("bare.safetensors", func(path string) { save(t, path, nn.Source(m)) })
	hugging := file("hugging.safetensors", func(path string) { save(t, path, huggingFace(t, m)) })
	writeVocabulary(t, dir)
	c := m.Config()
	for name, from := range map[string]struct {
		data []byte
		o    clip.Options
	}{
		"what Save wrote":                   {own, clip.Options{}},
		"names and shapes":                  {bare, clip.Options{Vocabulary: dir}},
		"Hugging Face's, configuration too": {hugging, clip.Options{Config: &c, Vocabulary: dir}},
	} {
		got, err := clip.Read(bytes.NewReader(from.data), int64(len(from.data)), from.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		clear(from.data) // the model has what it needs
		if y := embeddings(t, got); !slices.Equal(y, want) {
			t.Errorf("%s: other embeddings: %v, want %v", name, y[:4], want[:4])
		}
	}
	data := file("again.safetensors", func(path string) { save(t, path, nn.Source(m)) })
	dumb, err := clip.Read(bytes.NewReader(data), int64(len(data)), clip.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dumb.EncodeTexts(t.Context(), []string{"cat"}); !errors.Is(err, clip.ErrNoVocabulary) {
		t.Errorf("a text without a vocabulary: %v", err)
	}
	wide := c
	wide.Embed = 32
	var misfit *nn.LoadError
	if _, err := clip.Read(bytes.NewReader(data), int64(len(data)), clip.Options{Config: &wide}); !errors.As(err, &misfit) {
		t.Errorf("another shape: %v", err)
	}
	if _, err := clip.Read(bytes.NewReader(data[:100]), 100, clip.Options{}); !errors.Is(err, weights.ErrFormat) || !strings.HasPrefix(err.Error(), "clip: read: ") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestATowerMayBeLeftOut(t *testing.T) {
	m := withWords(t, smallViT(t))
	want := embeddings(t, m)
	dir := t.TempDir()
	writeVocabulary(t, dir)
	size := words(t).Size()
	write(t, filepath.Join(dir, "config.json"), huggingFaceConfig(size))
	path := filepath.Join(dir, "model.safetensors")
	only := func(prefixes ...string) weights.Source {
		return weights.Rename(huggingFace(t, m), func(name string) string {
			if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
				return name
			}
			return ""
		})
	}
	x := make([]float32, 2*16*16*3)
	kerneltest.Normal(x, 5, 0, 1)
	for _, c := range []struct {
		name string
		src  weights.Source
		o    clip.Options
	}{
		{"no text", huggingFace(t, m), clip.Options{NoText: true}},
		{"no images", huggingFace(t, m), clip.Options{NoImages: true}},
		{"text that is not there", only("vision_model.", "visual_"), clip.Options{NoText: true}},
		{"images that are not there", only("text_"), clip.Options{NoImages: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			save(t, path, c.src)
			got, err := clip.Open(dir, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if c.o.NoText {
				y, err := got.EncodeImages(t.Context(), x, 2)
				if err != nil || !slices.Equal(y, want[:48]) {
					t.Errorf("%v", err)
				}
				if _, err := got.EncodeTexts(t.Context(), []string{"cat"}); !errors.Is(err, clip.ErrNoTower) {
					t.Errorf("a text: %v", err)
				}
				if err := got.SetTokenizer(nil); !errors.Is(err, clip.ErrNoTower) {
					t.Errorf("a tokenizer: %v", err)
				}
			} else {
				y, err := got.EncodeTexts(t.Context(), []string{"a photo of a cat", "dog", ""})
				if err != nil || !slices.Equal(y, want[48:]) {
					t.Errorf("%v", err)
				}
				if _, err := got.EncodeImages(t.Context(), x, 2); !errors.Is(err, clip.ErrNoTower) {
					t.Errorf("an image: %v", err)
				}
			}
			if s := got.LogitScale(); !(s > 14 && s < 15) {
				t.Errorf("scale %v", s)
			}
		})
	}
	if _, err := clip.Open(dir, clip.Options{NoText: true, NoImages: true}); err == nil {
		t.Error("neither tower: no error")
	}
}

func TestTakenWeightsGiveTheSameEmbeddings(t *testing.T) {
	m := withWords(t, smallViT(t))
	want := embeddings(t, m)
	dir := t.TempDir()
	if err := clip.Save(filepath.Join(dir, "own.safetensors"), m, nil); err != nil {
		t.Fatal(err)
	}
	kept, err := clip.Open(dir, clip.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := clip.Open(dir, clip.Options{TakeWeights: true})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			x := make([]float32, 2*16*16*3)
			kerneltest.Normal(x, 5, 0, 1)
			images, err := got.EncodeImages(context.Background(), x, 2)
			if err != nil || !slices.Equal(images, want[:48]) {
				t.Errorf("images: %v", err)
			}
			texts, err := got.EncodeTexts(context.Background(), []string{"a photo of a cat", "dog", ""})
			if err != nil || !slices.Equal(texts, want[48:]) {
				t.Errorf("texts: %v", err)
			}
		}()
	}
	wg.Wait()
	got.Refresh()
	got.SetDevice(nil)
	if !slices.Equal(embeddings(t, got), want) || got.ID() != kept.ID() || got.LogitScale() != kept.LogitScale() {
		t.Error("the model changed")
	}
	if err := clip.Save(filepath.Join(dir, "again.safetensors"), got, nil); !errors.Is(err, nn.ErrTaken) {
		t.Errorf("saving what was taken: %v", err)
	}
}

func TestWhatIsWrongWithAFolderIsSaid(t *testing.T) {
	m := smallViT(t)
	size := words(t).Size()
	without := func(part string) weights.Source {
		return weights.Rename(huggingFace(t, m), func(name string) string {
			if strings.Contains(name, part) {
				return ""
			}
			return name
		})
	}
	changed := func(keys ...any) object { // path of keys, then the value
		c := huggingFaceConfig(size)
		at := c
		for _, k := range keys[:len(keys)-2] {
			at = at[k.(string)].(object)
		}
		at[keys[len(keys)-2].(string)] = keys[len(keys)-1]
		return c
	}
	var misfit *nn.LoadError
	for _, c := range []struct {
		name   string
		config any
		src    weights.Source
		o      clip.Options
		is     error
		says   string
	}{
		{name: "an incomplete tower", src: without("layers.1.mlp"), says: "visual.transformer.resblocks.1.mlp.c_fc.weight"},
		{name: "one projection missing", src: without("layers.1.self_attn.k_proj.w"), says: "transformer.resblocks.1.attn.in_proj_weight"},
		{name: "no scale", src: without("logit_scale"), says: "logit_scale"},
		{name: "a tower of another width", config: changed("vision_config", "hidden_size", 128), says: "visual.class_embedding is [64], the model wants [128]"},
		{name: "a tower of another depth", config: changed("text_config", "num_hidden_layers", 3), says: "transformer.resblocks.2"},
		{name: "another size of images", config: changed("vision_config", "image_size", 24), says: "visual.positional_embedding is [5 64], the model wants [10 64]"},
		{name: "another kind of model", config: changed("model_type", "siglip"), is: clip.ErrUnsupported, says: "siglip"},
		{name: "an unknown activation", config: changed("vision_config", "hidden_act", "mish"), is: clip.ErrUnsupported, says: "mish"},
		{name: "heads that do not divide", config: changed("vision_config", "num_attention_heads", 5), is: clip.ErrConfig, says: "5 heads"},
		{name: "sizes beyond reason", config: changed("text_config", "vocab_size", 1<<40), is: clip.ErrConfig, says: "vocabulary"},
		{name: "a negative size", config: changed("vision_config", "hidden_size", -64), is: clip.ErrConfig, says: "-64"},
		{name: "text where a number is wanted", config: changed("vision_config", "hidden_size", "wide"), is: clip.ErrConfig, says: "hidden_size"},
		{name: "no JSON", config: "{", is: clip.ErrConfig, says: "config.json"},
		{name: "an unknown activation asked for", o: clip.Options{Activation: "swosh"}, says: "swosh"},
		{name: "a vocabulary that is not there", o: clip.Options{Vocabulary: "/no/such/file"}, is: fs.ErrNotExist, says: "vocabulary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.config == nil {
				c.config = huggingFaceConfig(size)
			}
			if c.src == nil {
				c.src = huggingFace(t, m)
			}
			write(t, filepath.Join(dir, "config.json"), c.config)
			save(t, filepath.Join(dir, "model.safetensors"), c.src)
			_, err := clip.Open(dir, c.o)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), dir) && c.is == nil {
				t.Errorf("%v, want it to say %q", err, c.says)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			if c.is == nil && c.o.Activation == "" && !errors.As(err, &misfit) {
				t.Errorf("%v is no LoadError", err)
			}
		})
	}
	empty := t.TempDir()
	if _, err := clip.Open(empty, clip.Options{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := clip.Open(filepath.Join(empty, "absent"), clip.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	save(t, filepath.Join(empty, "a.safetensors"), nn.Source(m))
	save(t, filepath.Join(empty, "b.safetensors"), nn.Source(m))
	if _, err := clip.Open(empty, clip.Options{}); !errors.Is(err, clip.ErrConfig) || !strings.Contains(err.Error(), "several") {
		t.Errorf("two files: %v", err)
	}
	if _, err := clip.Open(filepath.Join(empty, "a.safetensors"), clip.Options{Config: &clip.Config{Embed: 3}}); !errors.Is(err, clip.ErrConfig) {
		t.Errorf("a configuration without towers: %v", err)
	}
}

func TestAMissingVocabularyIsAnErrorWhenATextComes(t *testing.T) {
	m := smallViT(t)
	dir := t.TempDir()
	save(t, filepath.Join(dir, "tiny.safetensors"), nn.Source(m))
	got, err := clip.Open(dir, clip.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if y, err := got.EncodeImages(t.Context(), make([]float32, 16*16*3), 1); err != nil || len(y) != 24 {
		t.Errorf("an image: %v", err)
	}
	if _, err := got.EncodeTexts(t.Context(), []string{"cat"}); !errors.Is(err, clip.ErrNoVocabulary) || !strings.Contains(err.Error(), "neither its file nor the folder "+dir) {
		t.Errorf("a text: %v", err)
	}
	if _, err := m.EncodeTexts(t.Context(), []string{"cat"}); !errors.Is(err, clip.ErrNoVocabulary) {
		t.Errorf("a text for a new model: %v", err)
	}
	// One that does not fit is an error at once.
	big, err := clip.TrainVocabulary(slices.Values([]string{"the quick brown fox the quick brown fox jumps jumps"}), 540)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.SetTokenizer(clip.NewTokenizer(big, clip.TokenizerOptions{})); !errors.Is(err, clip.ErrConfig) {
		t.Errorf("a vocabulary that is too large: %v", err)
	}
	c := m.Config()
	other := *c.Text
	other.End = 3
	c.Text = &other
	if err := small(t, c).SetTokenizer(clip.NewTokenizer(words(t), clip.TokenizerOptions{})); !errors.Is(err, clip.ErrConfig) {
		t.Errorf("another end token: %v", err)
	}
}

func TestHuggingFacesDefaultsAreFilledIn(t *testing.T) {
	c, err := clip.ReadHuggingFace([]byte(`{"model_type":"clip"}`))
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := clip.Preset("ViT-B-32", "openai")
	if err != nil {
		t.Fatal(err)
	}
	same(t, c, want)
	if activation(c) != "quick_gelu" || c.Vision.Act != "quick_gelu" || c.Text.End != 0 {
		t.Errorf("%+v %+v", c.Vision, c.Text)
	}
	c, err = clip.ReadHuggingFace([]byte(`{"model_type":"clip","text_config":{"eos_token_id":7,"vocab_size":100,"hidden_act":"gelu_new"},"vision_config":null,"vision_config_dict":{"patch_size":16}}`))
	if err != nil || c.Text.End != 7 || c.Text.Act != "gelu_tanh" || c.Vision.Patch != 16 {
		t.Errorf("%+v %+v: %v", c.Vision, c.Text, err)
	}
	c, err = clip.ReadHuggingFace([]byte(`{"model_type":"clip_vision_model","hidden_size":128,"num_attention_heads":4}`))
	if err != nil || c.Text != nil || c.Vision.Width != 128 {
		t.Errorf("the vision model alone: %+v, %v", c, err)
	}
	c, err = clip.ReadHuggingFace([]byte(`{"model_type":"clip_text_model"}`))
	if err != nil || c.Vision != nil || c.Text.Width != 512 {
		t.Errorf("the text model alone: %+v, %v", c, err)
	}
	for _, text := range []string{``, `[]`, `{}`, `{"model_type":"bert"}`, `{"model_type":"clip","vision_config":[]}`,
		`{"model_type":"clip","vision_config":{"num_channels":4}}`, `{"model_type":"clip","projection_dim":0}`,
		`{"model_type":"clip","vision_config":{"image_size":[224,160]}}`, `{"model_type":"clip","vision_config":{"layer_norm_eps":-1}}`} {
		if _, err := clip.ReadHuggingFace([]byte(text)); !errors.Is(err, clip.ErrConfig) && !errors.Is(err, clip.ErrUnsupported) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestModelsThatAreNotBuiltAreNamed(t *testing.T) {
	text := `"text_cfg":{"width":64,"heads":1,"layers":1}`
	for _, c := range []struct{ name, config, says string }{
		{"SigLIP", `{"embed_dim":768,"init_logit_bias":-10,"vision_cfg":{"timm_model_name":"vit_base_patch16_siglip_224"},` + text + `}`, "SigLIP"},
		{"SigLIP 2", `{"embed_dim":768,"vision_cfg":{"timm_model_name":"vit_base_patch16_siglip_224"},"text_cfg":{"hf_tokenizer_name":"timm/ViT-B-16-SigLIP2"}}`, "SigLIP"},
		{"MobileCLIP", `{"embed_dim":512,"vision_cfg":{"timm_model_name":"fastvit_mci1","image_size":256},` + text + `}`, "MobileCLIP"},
		{"CoCa", `{"embed_dim":512,"multimodal_cfg":{},"vision_cfg":{},` + text + `}`, "CoCa"},
		{"EVA", `{"embed_dim":512,"vision_cfg":{"timm_model_name":"eva02_base_patch16_clip_224"},` + text + `}`, "EVA"},
		{"a trunk that is not built", `{"embed_dim":512,"vision_cfg":{"timm_model_name":"swin_base"},` + text + `}`, "swin_base"},
		{"a key that changes the tower", `{"embed_dim":512,"vision_cfg":{"no_ln_pre":true},` + text + `}`, "no_ln_pre"},
		{"a key that nobody knows", `{"embed_dim":512,"vision_cfg":{"hyperbolic":true},` + text + `}`, "hyperbolic"},
		{"no causal mask", `{"embed_dim":512,"vision_cfg":{},"text_cfg":{"no_causal_mask":true}}`, "no_causal_mask"},
		{"a square that is none", `{"embed_dim":512,"vision_cfg":{"image_size":[224,448]},` + text + `}`, "image_size"},
		{"an interpolation", `{"model_cfg":{"embed_dim":512,"vision_cfg":{},` + text + `},"preprocess_cfg":{"interpolation":"random"}}`, "random"},
	} {
		_, _, err := clip.ReadOpenCLIP([]byte(c.config))
		if !errors.Is(err, clip.ErrUnsupported) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, text := range []string{``, `7`, `{}`, `{"embed_dim":512}`, `{"embed_dim":512,"vision_cfg":7}`, `{"embed_dim":1e9,"vision_cfg":{}}`,
		`{"embed_dim":512,"vision_cfg":{"head_width":0}}`, `{"embed_dim":512,"vision_cfg":{"mlp_ratio":1e300}}`, `{"embed_dim":512,"vision_cfg":{"layers":[1,2]}}`,
		`{"embed_dim":512,"vision_cfg":{"layers":[1,2,3,-4],"width":64}}`, `{"embed_dim":512,"vision_cfg":{"width":-768}}`,
		`{"model_cfg":{"embed_dim":512,"vision_cfg":{}},"preprocess_cfg":{"std":[0,1,1]}}`} {
		if _, _, err := clip.ReadOpenCLIP([]byte(text)); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
	for _, c := range []struct{ tensor, says string }{
		{"logit_bias", "SigLIP"}, {"vision_model.head.probe", "SigLIP"}, {"visual.trunk.patch_embed.proj.weight", "timm"},
		{"text_decoder.ln_final.weight", "CoCa"}, {"visual.blocks.0.norm1.weight", "EVA"},
	} {
		src := weights.NewMap()
		src.Set("visual.class_embedding", tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{0})))
		src.Set(c.tensor, tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{0})))
		if _, err := clip.Detect(src); !errors.Is(err, clip.ErrUnsupported) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("weights with %s: %v", c.tensor, err)
		}
	}
}

// A checkpoint's shapes may be anything.
func TestDetectSurvivesOddShapes(t *testing.T) {
	names := map[string]bool{}
	for _, name := range []string{"ViT-S-32", "RN50", "convnext_base"} {
		c, _, _ := clip.Preset(name, "")
		m, err := clip.New(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Params() {
			names[p.Name()] = true
		}
	}
	all := slices.Sorted(maps.Keys(names))
	for seed := range 40 {
		src := weights.NewMap()
		for i, name := range all {
			if (i*7+seed)%5 == 0 {
				continue
			}
			shape, n := []int{}, 1
			for d := range (i + seed) % 5 {
				shape = append(shape, 1+(i+d*seed)%3)
				n *= shape[d]
			}
			if len(shape) == 0 {
				src.Set(name, tensor.New(tensor.FromScalar(float32(1))))
				continue
			}
			src.Set(name, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(make([]float32, n))))
		}
		if _, err := clip.Detect(src); err != nil && !errors.Is(err, clip.ErrConfig) && !errors.Is(err, clip.ErrUnsupported) {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	if _, err := clip.Detect(weights.NewMap()); !errors.Is(err, clip.ErrConfig) {
		t.Errorf("nothing: %v", err)
	}
}

func TestTranslatedWeightsAreASource(t *testing.T) {
	m := smallViT(t)
	src, d := clip.Recognize(huggingFace(t, m))
	if d != clip.HuggingFace {
		t.Errorf("taken for %s's", d)
	}
	if err := weightstest.Source(src); err != nil {
		t.Error(err)
	}
	got, err := clip.New(m.Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := clip.Load(got, huggingFace(t, m), nn.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Params() {
		if q := got.Params()[i]; !slices.Equal(p.Data(), q.Data()) {
			t.Errorf("%s differs", p.Name())
		}
	}
	// Projections that cannot be joined, and one that is no matrix.
	bad := huggingFace(t, m)
	bad.Set("text_model.encoder.layers.0.self_attn.v_proj.weight", tensor.New(tensor.WithShape(64, 2), tensor.WithBacking(make([]float32, 128))))
	bad.Set("visual_projection.weight", tensor.New(tensor.WithShape(4), tensor.WithBacking(make([]float32, 4))))
	for _, name := range []string{"transformer.resblocks.0.attn.in_proj_weight", "visual.proj"} {
		if _, err := clip.Translate(bad).Tensor(name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := clip.Load(got, bad, nn.LoadOptions{}); err == nil || !strings.Contains(err.Error(), "huggingface") {
		t.Errorf("%v", err)
	}
	if src, d := clip.Recognize(bad); d != clip.HuggingFace || weights.Close(src) != nil {
		t.Errorf("%s", d)
	}
	other := weights.NewMap()
	other.Set("fc.weight", tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{0})))
	if _, d := clip.Recognize(other); d != clip.Unknown {
		t.Errorf("taken for %s's", d)
	}
}

func TestAnEmbeddingDoesNotDependOnItsBatch(t *testing.T) {
	trunk := convnext.Config{Depths: []int{1, 1}, Dims: []int{8, 16}, Stem: 4, Classes: 1}
	for _, v := range []clip.Vision{
		{Kind: clip.ViT, Size: 24, Width: 64, Layers: 2, Patch: 8},
		{Kind: clip.ResNet, Size: 32, Width: 8, Depths: []int{1, 1, 1, 1}},
		{Kind: clip.ConvNeXt, Size: 32, Trunk: &trunk, Projection: clip.MLP},
	} {
		t.Run(string(v.Kind), func(t *testing.T) {
			m := withWords(t, small(t, clip.Config{Embed: 20, Vision: &v, Text: smallText(words(t).Size())}))
			x := make([]float32, 7*v.Size*v.Size*3)
			kerneltest.Normal(x, 2, 0, 1)
			texts := []string{"cat", "a photo of a dog", "", "dog dog dog", "of a"}
			images, err := m.EncodeImages(t.Context(), x, 7)
			if err != nil {
				t.Fatal(err)
			}
			captions, err := m.EncodeTexts(t.Context(), texts)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 7 {
				sum := 0.0
				for _, e := range images[i*20:][:20] {
					sum += float64(e) * float64(e)
				}
				if math.Abs(sum-1) > 1e-5 {
					t.Errorf("image %d has length %v", i, math.Sqrt(sum))
				}
			}
			m.SetDevice(nn.NewDevice(nn.DeviceOptions{Threads: 3}))
			var wg sync.WaitGroup
			for i := range 7 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					y, err := m.EncodeImages(t.Context(), x[i*v.Size*v.Size*3:][:v.Size*v.Size*3], 1)
					if err != nil || !slices.Equal(y, images[i*20:][:20]) {
						t.Errorf("image %d alone: %v %v", i, y, err)
					}
					if i < len(texts) {
						y, err := m.EncodeTexts(t.Context(), texts[i:i+1])
						if err != nil || !slices.Equal(y, captions[i*20:][:20]) {
							t.Errorf("text %d alone: %v %v", i, y, err)
						}
					}
				}()
			}
			wg.Wait()
			if y, err := m.EncodeImages(t.Context(), nil, 0); len(y) != 0 || err != nil {
				t.Errorf("no images: %v %v", y, err)
			}
			if y, err := m.EncodeTexts(t.Context(), nil); len(y) != 0 || err != nil {
				t.Errorf("no texts: %v %v", y, err)
			}
			if _, err := m.EncodeImages(t.Context(), x[1:], 7); err == nil {
				t.Error("too few pixels: no error")
			}
			if _, err := m.EncodeTexts(t.Context(), []string{strings.Repeat("dog ", 40)}); !errors.Is(err, clip.ErrTooLong) {
				t.Errorf("a long text: %v", err)
			}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := m.EncodeImages(gone, x, 7); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
			if _, err := m.EncodeTexts(gone, texts); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

func TestWrongTokensAreErrors(t *testing.T) {
	m := smallViT(t)
	size := int32(words(t).Size())
	c := m.Config()
	text := *c.Text
	text.End = size - 1
	c.Text = &text
	ended := small(t, c)
	for name, tokens := range map[string][][]int32{
		"none": {}, "empty": {{}}, "unequal": {{1, 2}, {1}}, "too long": {make([]int32, 13)}, "negative": {{1, -1, 5}}, "unknown": {{1, size, 2}},
	} {
		tape := nn.NewTape(nn.Inference, nil)
		if err := tape.Eval(m.Text(tape, tokens)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	tape := nn.NewTape(nn.Inference, nil)
	if err := tape.Eval(ended.Text(tape, [][]int32{{1, 2, 3}})); err == nil || !strings.Contains(err.Error(), "end token") {
		t.Errorf("no end: %v", err)
	}
	if _, err := ended.EncodeTokens(t.Context(), [][]int32{{1, size - 1, 3}}); err != nil {
		t.Error(err)
	}
	none, err := clip.New(clip.Config{Embed: 4, Text: smallText(600)})
	if err != nil {
		t.Fatal(err)
	}
	tape.Reset()
	if err := tape.Eval(none.Image(tape, tape.InputFloats(make([]float32, 3), 1, 1, 1, 3))); !errors.Is(err, clip.ErrNoTower) {
		t.Errorf("an image: %v", err)
	}
	if !math.IsNaN(none.LogitScale()) {
		t.Errorf("a scale of %v", none.LogitScale())
	}
	if _, err := none.EncodeTokens(t.Context(), [][]int32{{1, 2}}); err == nil || !strings.Contains(err.Error(), "no values") {
		t.Errorf("a model without values: %v", err)
	}
}

func TestIDTellsWeightsAndConfigurationsApart(t *testing.T) {
	m := smallViT(t)
	id := m.ID()
	if len(id) != 32 || smallViT(t).ID() != id {
		t.Errorf("%q and %q", id, smallViT(t).ID())
	}
	p := m.Params()[len(m.Params())-1]
	p.Data()[3] = math.Nextafter32(p.Data()[3], 9)
	if m.ID() != id {
		t.Error("the digest was made again")
	}
	m.Refresh()
	if m.ID() == id {
		t.Error("other weights, one ID")
	}
	if small(t, m.Config().WithActivation("gelu")).ID() == id {
		t.Error("another activation, one ID")
	}
	if err := clip.Save(filepath.Join(t.TempDir(), "x"), m, map[string]string{"clip.config": ""}); err == nil {
		t.Error("a key that is taken: no error")
	}
}

func TestConfigurationsThatCannotBe(t *testing.T) {
	good := clip.Config{Embed: 8, Vision: &clip.Vision{Kind: clip.ViT, Size: 32, Width: 64, Layers: 1, Patch: 8}, Text: smallText(600)}
	for name, change := range map[string]func(c *clip.Config){
		"no embedding":      func(c *clip.Config) { c.Embed = 0 },
		"no towers":         func(c *clip.Config) { c.Vision, c.Text = nil, nil },
		"kind":              func(c *clip.Config) { c.Vision.Kind = "swin" },
		"patches too large": func(c *clip.Config) { c.Vision.Patch = 64 },
		"no patches":        func(c *clip.Config) { c.Vision.Patch = 0 },
		"narrow":            func(c *clip.Config) { c.Vision.Width = 32 },
		"activation":        func(c *clip.Config) { c.Vision.Act = "mish" },
		"epsilon":           func(c *clip.Config) { c.Vision.Eps = math.NaN() },
		"layers":            func(c *clip.Config) { c.Vision.Layers = 1 << 20 },
		"hidden":            func(c *clip.Config) { c.Text.MLP = -1 },
		"heads":             func(c *clip.Config) { c.Text.Heads = 7 },
		"vocabulary":        func(c *clip.Config) { c.Text.Vocabulary = 0 },
		"context":           func(c *clip.Config) { c.Text.Context = 0 },
		"end":               func(c *clip.Config) { c.Text.End = 600 },
		"three stages": func(c *clip.Config) {
			c.Vision = &clip.Vision{Kind: clip.ResNet, Size: 32, Width: 8, Depths: []int{1, 1, 1}}
		},
		"an empty stage": func(c *clip.Config) {
			c.Vision = &clip.Vision{Kind: clip.ResNet, Size: 32, Width: 8, Depths: []int{1, 0, 1, 1}}
		},
		"an odd width": func(c *clip.Config) {
			c.Vision = &clip.Vision{Kind: clip.ResNet, Size: 32, Width: 9, Depths: []int{1, 1, 1, 1}}
		},
		"not a multiple": func(c *clip.Config) {
			c.Vision = &clip.Vision{Kind: clip.ResNet, Size: 40, Width: 8, Depths: []int{1, 1, 1, 1}}
		},
		"pool heads": func(c *clip.Config) {
			c.Vision = &clip.Vision{Kind: clip.ResNet, Size: 32, Width: 8, Heads: 7, Depths: []int{1, 1, 1, 1}}
		},
		"no trunk": func(c *clip.Config) { c.Vision = &clip.Vision{Kind: clip.ConvNeXt, Size: 32} },
		"an impossible one": func(c *clip.Config) {
			c.Vision = &clip.Vision{Kind: clip.ConvNeXt, Size: 32, Trunk: &convnext.Config{}}
		},
		"unknown projection": func(c *clip.Config) {
			c.Vision = &clip.Vision{Kind: clip.ConvNeXt, Size: 32, Trunk: &convnext.Config{Depths: []int{1}, Dims: []int{8}}, Projection: "x"}
		},
	} {
		c := good
		v, x := *good.Vision, *good.Text
		c.Vision, c.Text = &v, &x
		change(&c)
		if _, err := clip.New(c); !errors.Is(err, clip.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := small(t, good)
	if err := m.SetTransform(transform.Config{Size: 64}); !errors.Is(err, clip.ErrConfig) {
		t.Errorf("images of another size: %v", err)
	}
	if err := m.SetTransform(transform.Config{Size: -1}); !errors.Is(err, transform.ErrConfig) {
		t.Errorf("images of no size: %v", err)
	}
	text, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	var back clip.Config
	if err := json.Unmarshal(text, &back); err != nil || fmt.Sprint(*back.Vision, *back.Text) != fmt.Sprint(*good.Vision, *good.Text) {
		t.Errorf("%s: %v", text, err)
	}
}

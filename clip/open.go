package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

// Options say how Open and Read open a model. The zero value takes everything from the
// files.
type Options struct {
	// Config is the model's configuration; nil means the one beside or in the
	// weights, or what Detect makes of them.
	Config *Config
	// Activation is that of both towers, such as "quick_gelu" or "gelu" (see
	// nn.ParseActivation); "" means that of the configuration. It is needed
	// where a single checkpoint does not tell, see Detect.
	Activation string
	// NoText and NoImages leave a tower out: it takes no memory, and its
	// weights may be missing or wrong.
	NoText, NoImages bool
	// Vocabulary is the path of a vocabulary, a file or a folder as
	// OpenVocabulary takes it; "" means the folder of the weights.
	Vocabulary string
	// Tokenizer says how texts are read.
	Tokenizer TokenizerOptions
	// Device is where the model computes; nil means a new one.
	Device *nn.Device
	// TakeWeights keeps the weights in memory once, as they are packed for
	// EncodeImages and EncodeTexts, and not a second time: the model is then
	// good for these alone, and whoever wants its weights (a tape of his own,
	// Save) gets nn.ErrTaken.
	TakeWeights bool
}

// Names of files in a folder.
const (
	openCLIPConfig    = "open_clip_config.json"
	huggingFaceConfig = "config.json"
	processorConfig   = "preprocessor_config.json"
)

// The weights that a folder may hold, those that are preferred first.
var (
	openCLIPWeights    = []string{"open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"}
	huggingFaceWeights = []string{"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"}
	weightEndings      = []string{".safetensors", ".bin", ".pt", ".pth"}
)

// Open opens a model:
//
//   - a folder of Hugging Face's: config.json, weights in model.safetensors or
//     pytorch_model.bin, in one piece or several, preprocessor_config.json;
//   - a folder of open_clip's: open_clip_config.json and weights in
//     open_clip_model.safetensors, open_clip_pytorch_model.bin or any other
//     single file;
//   - a folder with one file of weights, or such a file, safetensors or
//     PyTorch's: the configuration is the one that Save put into it, or that of
//     a configuration file beside it, or what Detect makes of names and shapes.
//
// A folder that is both of the first has its open_clip files read. The
// vocabulary is looked for in the same folder (see OpenVocabulary); that it is
// missing is an error only when a text is given to the model, and wraps
// ErrNoVocabulary.
//
// Errors name the file. Weights that do not fit the configuration, be it that
// they are incomplete or that a tower has another shape, wrap *nn.LoadError; a
// model of a kind that is not built wraps ErrUnsupported.
func Open(path string, o Options) (*Model, error) {
	m, err := open(path, o)
	if err != nil {
		return nil, fmt.Errorf("clip: open %s: %w", path, err)
	}
	return m, nil
}

func open(path string, o Options) (*Model, error) {
	found, err := look(path)
	if err != nil {
		return nil, err
	}
	file, err := weights.Open(found.weights)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return found.build(file, o)
}

// Read opens a model that is one file of size bytes, in memory or elsewhere: one
// that Save wrote, or a checkpoint as Open takes them, its configuration then in
// the options or what Detect makes of it, and its vocabulary at
// Options.Vocabulary. r is not in use after the call. Errors are those of Open.
func Read(r io.ReaderAt, size int64, o Options) (*Model, error) {
	file, err := weights.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("clip: read: %w", err)
	}
	m, err := found{}.build(file, o)
	if err != nil {
		return nil, fmt.Errorf("clip: read: %w", err)
	}
	return m, nil
}

// build makes the model of a file and of what lies beside it.
func (f found) build(file *weights.File, o Options) (*Model, error) {
	if o.NoText && o.NoImages {
		return nil, errors.New("neither tower is wanted")
	}
	cfg, prep, err := f.config(file, o.Config)
	if err != nil {
		return nil, err
	}
	if o.Activation != "" {
		if _, err := nn.ParseActivation(o.Activation); err != nil {
			return nil, err
		}
		cfg = cfg.WithActivation(o.Activation)
	}
	if o.NoText {
		cfg.Text = nil
	}
	if o.NoImages {
		cfg.Vision = nil
	}
	m, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if err := m.load(file); err != nil {
		return nil, err
	}
	if prep != nil {
		if err := m.SetTransform(*prep); err != nil {
			return nil, err
		}
	}
	m.dev = o.Device
	if o.TakeWeights {
		m.ID() // while they are there
		m.taken = true
	}
	if m.text == nil {
		return m, nil
	}
	if err := m.openVocabulary(f, file, o); err != nil {
		return nil, err
	}
	return m, nil
}

// found is what a path leads to; the zero value is a file with nothing beside
// it.
type found struct {
	dir     string // the folder, "" without
	weights string // the path to open
	open    string // path of open_clip's configuration, "" without
	hugging string // path of Hugging Face's
}

// look finds the files of a model.
func look(path string) (found, error) {
	info, err := os.Stat(path)
	if err != nil {
		return found{}, plainError(err)
	}
	dir, name := path, ""
	if !info.IsDir() {
		dir, name = filepath.Split(path)
		dir = filepath.Clean(dir)
	}
	there := func(names ...string) string {
		for _, name := range names {
			at := filepath.Join(dir, name)
			if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() {
				return at
			}
		}
		return ""
	}
	f := found{dir: dir, weights: path, open: there(openCLIPConfig)}
	hugging := there(huggingFaceConfig)
	kind, err := modelType(hugging)
	if kind == "" {
		hugging = ""
	}
	if name != "" { // a file: what lies beside it may describe it, or something else
		if slices.Contains(huggingFaceWeights, name) && hugging != "" || f.open == "" && strings.HasPrefix(kind, "clip") {
			f.open, f.hugging = "", hugging
		}
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if f.open != "" {
		if f.weights = there(openCLIPWeights...); f.weights != "" {
			return f, nil
		}
	}
	if at := there(huggingFaceWeights...); at != "" && hugging != "" {
		f.open, f.hugging, f.weights = "", hugging, at
		return f, nil
	}
	if f.weights = there(slices.Concat(openCLIPWeights, huggingFaceWeights)...); f.weights != "" {
		return f, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return f, plainError(err)
	}
	for _, e := range entries { // in the order of names
		if !e.Type().IsRegular() || !slices.Contains(weightEndings, strings.ToLower(filepath.Ext(e.Name()))) {
			continue
		}
		if f.weights != "" {
			return f, fmt.Errorf("the folder holds several files of weights, %s and %s among them: name one: %w", filepath.Base(f.weights), e.Name(), ErrConfig)
		}
		f.weights = filepath.Join(path, e.Name())
	}
	if f.weights == "" {
		return f, fmt.Errorf("a folder without weights (%s): %w", strings.Join(slices.Concat(huggingFaceWeights, openCLIPWeights), ", "), fs.ErrNotExist)
	}
	return f, nil
}

// modelType is what Hugging Face's configuration at path says, "" without one,
// as in one of timm's, which has the same name.
func modelType(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	data, err := readConfig(path)
	if err != nil {
		return "", err
	}
	var c struct {
		Kind string `json:"model_type"`
	}
	if json.Unmarshal(data, &c) != nil {
		return "", fmt.Errorf("%s: not JSON: %w", path, ErrConfig)
	}
	return c.Kind, nil
}

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, plainError(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("more than %d bytes: %w", maxConfig, ErrConfig)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, plainError(err))
	}
	return data, nil
}

// plainError leaves the path out of an error, which is said elsewhere.
func plainError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// config is the model's configuration, and its preprocessing if anything says
// something about that.
func (f found) config(file *weights.File, given *Config) (cfg Config, prep *transform.Config, err error) {
	cfg, prep, inside, err := saved(file)
	switch {
	case err != nil:
		return cfg, nil, err
	case inside:
	case f.open != "":
		data, err := readConfig(f.open)
		if err != nil {
			return cfg, nil, err
		}
		var p transform.Config
		if cfg, p, err = ReadOpenCLIP(data); err != nil && given == nil {
			return cfg, nil, fmt.Errorf("%s: %w", f.open, err)
		} else if err == nil {
			prep = &p
		}
	case f.hugging != "":
		data, err := readConfig(f.hugging)
		if err != nil {
			return cfg, nil, err
		}
		if cfg, err = ReadHuggingFace(data); err != nil && given == nil {
			return cfg, nil, fmt.Errorf("%s: %w", f.hugging, err)
		}
		at := filepath.Join(f.dir, processorConfig)
		if _, err := os.Stat(at); err == nil {
			data, err := readConfig(at)
			if err != nil {
				return cfg, nil, err
			}
			r, err := transform.ReadRecipe(data)
			if err != nil {
				return cfg, nil, fmt.Errorf("%s: %w", at, err)
			}
			prep = &r.Config
		}
	case given == nil:
		if cfg, err = Detect(file); err != nil {
			return cfg, nil, err
		}
	}
	if given != nil {
		cfg = *given
	}
	return cfg, prep, nil
}

// load fills the towers that m has from a file that may have both.
func (m *Model) load(src weights.Source) error {
	src, d := Recognize(src)
	if family := strangers(src.Names()); family != "" {
		return fmt.Errorf("weights of the kind %s: %w", family, ErrUnsupported)
	}
	scale := false
	src = weights.Rename(src, func(name string) string {
		image := strings.HasPrefix(name, "visual.") || strings.HasPrefix(name, "vision_model.")
		switch {
		case name == "logit_scale":
			scale = true
		case m.vision == nil && image, m.text == nil && !image:
			return ""
		}
		return name
	})
	// A tower that was published alone has no scale: the one of a new model
	// stands in for it.
	if alone := m.vision == nil || m.text == nil; alone && !scale {
		nn.Initialize(only{m.scale}, 0)
	}
	if err := nn.Load(m, src, nn.LoadOptions{Partial: true}); err != nil {
		return fmt.Errorf("names taken for %s's: %w", d, err)
	}
	return nil
}

// only is some parameters as a model.
type only []*nn.Param

func (o only) Params() []*nn.Param                         { return o }
func (o only) Forward(_ *nn.Tape, x *nn.Tensor) *nn.Tensor { return x }

// openVocabulary gives m the tokenizer that the options or the files have.
func (m *Model) openVocabulary(f found, file *weights.File, o Options) error {
	var v *Vocabulary
	var err error
	text, inside := file.Metadata()[savedVocabulary]
	switch {
	case o.Vocabulary != "":
		v, err = OpenVocabulary(o.Vocabulary)
	case inside:
		v, err = ReadVocabulary(strings.NewReader(text))
	case f.dir == "":
		return nil
	default:
		v, err = OpenVocabulary(f.dir)
	}
	if errors.Is(err, fs.ErrNotExist) && o.Vocabulary == "" {
		m.lacks = fmt.Errorf("%w: neither its file nor the folder %s holds one (vocab.json with merges.txt, tokenizer.json, bpe_simple_vocab_16e6.txt.gz, merges.txt)", ErrNoVocabulary, f.dir)
		return nil
	}
	if err != nil {
		return err
	}
	return m.SetTokenizer(NewTokenizer(v, o.Tokenizer))
}

package clip

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

// Keys of a model file's metadata.
const (
	savedConfig     = "clip.config"     // Config as JSON
	savedTransform  = "clip.transform"  // transform.Config as JSON
	savedVocabulary = "clip.vocabulary" // as Vocabulary.WriteTo writes it
)

// Save writes a model to one safetensors file that Open reads: the weights under
// open_clip's names, and in its metadata the configuration, the preprocessing
// and, if the model has a tokenizer, its vocabulary. meta adds keys of the
// caller's, which must not begin with "clip."; nil adds none. Writing is atomic.
func Save(path string, m *Model, meta map[string]string) error {
	fail := func(err error) error { return fmt.Errorf("clip: save %s: %w", path, err) }
	all := map[string]string{}
	for key, value := range meta {
		if strings.HasPrefix(key, "clip.") {
			return fail(fmt.Errorf("the key %s of metadata is taken", quoted(key)))
		}
		all[key] = value
	}
	own := map[string]string{}
	for key, v := range map[string]any{savedConfig: m.cfg, savedTransform: m.transform} {
		text, err := json.Marshal(v)
		if err != nil {
			return fail(err)
		}
		own[key] = string(text)
	}
	if m.tokenizer != nil {
		var b strings.Builder
		if _, err := m.tokenizer.Vocabulary().WriteTo(&b); err != nil {
			return fail(err)
		}
		own[savedVocabulary] = b.String()
	}
	maps.Copy(all, own)
	return weights.Write(path, nn.Source(m), all)
}

// saved reads what Save put into a file's metadata, false if it did not write
// it.
func saved(file *weights.File) (c Config, p *transform.Config, ok bool, err error) {
	meta := file.Metadata()
	text, ok := meta[savedConfig]
	if !ok {
		return c, nil, false, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, nil, false, fmt.Errorf("metadata: %s: %w: %w", savedConfig, err, ErrConfig)
	}
	if text, ok := meta[savedTransform]; ok {
		p = new(transform.Config)
		if err := json.Unmarshal([]byte(text), p); err != nil {
			return c, nil, false, fmt.Errorf("metadata: %s: %w", savedTransform, err)
		}
	}
	return c, p, true, nil
}

package winnow

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

// Keys of a model file's metadata. Values are JSON but for the version, the
// family and the licence.
const (
	keyVersion      = "winnow.version"
	keyArchitecture = "winnow.architecture"
	keyConfig       = "winnow.config"
	keyClasses      = "winnow.classes"
	keyTransform    = "winnow.transform"
	keyDecision     = "winnow.decision"
	keyLicense      = "winnow.license"

	fileVersion = 1
)

// Open opens a model file. Errors name the file and wrap fs.ErrNotExist,
// weights.ErrFormat, ErrModelFile or ErrUnsupported.
func (o Options) Open(path string) (*Classifier, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := o.read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (o Options) read(f *weights.File) (*Classifier, error) {
	meta := f.Metadata()
	version, ok := meta[keyVersion]
	if !ok {
		return nil, fmt.Errorf("winnow: the metadata has no %s: %w", keyVersion, ErrModelFile)
	}
	if v, err := strconv.Atoi(version); err != nil || v < 1 {
		return nil, fmt.Errorf("winnow: version %q: %w", version, ErrModelFile)
	} else if v > fileVersion {
		return nil, fmt.Errorf("winnow: version %d of the file, this is for %d: %w", v, fileVersion, ErrUnsupported)
	}
	info := Info{License: meta[keyLicense]}
	for key, into := range map[string]any{keyClasses: &info.Classes, keyTransform: &info.Transform, keyDecision: &info.Decision} {
		text, ok := meta[key]
		if !ok && key == keyDecision {
			continue
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return nil, fmt.Errorf("winnow: metadata %s: %w: %w", key, err, ErrModelFile)
		}
	}
	return o.assemble(architecture{meta[keyArchitecture], []byte(meta[keyConfig])}, f, info)
}

// Save writes the model to a file that Open opens, atomically: an older file
// is replaced only when the new one is complete.
func (c *Classifier) Save(path string) error {
	arch, err := describe(c.model)
	if err != nil {
		return err
	}
	meta := map[string]string{
		"format":        "pt", // what Hugging Face's tools look for
		keyVersion:      strconv.Itoa(fileVersion),
		keyArchitecture: arch.family,
		keyConfig:       string(arch.config),
	}
	values := map[string]any{keyClasses: c.info.Classes, keyTransform: c.info.Transform}
	if c.info.Decision != nil {
		values[keyDecision] = c.info.Decision
	}
	for key, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("winnow: save %s: %w", path, err)
		}
		meta[key] = string(text)
	}
	if c.info.License != "" {
		meta[keyLicense] = c.info.License
	}
	return weights.Write(path, nn.Source(c.model), meta)
}

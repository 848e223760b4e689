package winnow

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

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
	keyAsStored     = "winnow.as_stored"

	fileVersion = 1
)

// Open opens a model file. Errors name the file and wrap fs.ErrNotExist,
// weights.ErrFormat, ErrModel or ErrUnsupported.
func (o Options) Open(path string) (*Classifier, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	from, err := newOrigin(path, func() (weights.Source, error) { return weights.Open(path) })
	if err != nil {
		return nil, err
	}
	c, err := o.read(f, from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (o Options) read(f *weights.File, from *origin) (*Classifier, error) {
	meta := f.Metadata()
	version, ok := meta[keyVersion]
	if !ok {
		return nil, fmt.Errorf("winnow: the metadata has no %s: %w", keyVersion, ErrModel)
	}
	if v, err := strconv.Atoi(version); err != nil || v < 1 {
		return nil, fmt.Errorf("winnow: version %q: %w", version, ErrModel)
	} else if v > fileVersion {
		return nil, fmt.Errorf("winnow: version %d of the file, this is for %d: %w", v, fileVersion, ErrUnsupported)
	}
	info := Info{License: meta[keyLicense]}
	if v, ok := meta[keyAsStored]; ok {
		if info.AsStored = v == "true"; !info.AsStored {
			return nil, fmt.Errorf("winnow: metadata %s: %q: %w", keyAsStored, v, ErrModel)
		}
	}
	for _, part := range []struct {
		key      string
		into     any
		optional bool
	}{{keyClasses, &info.Classes, false}, {keyTransform, &info.Transform, false}, {keyDecision, &info.Decision, true}} {
		text, ok := meta[part.key]
		if !ok && part.optional {
			continue
		}
		if err := decode(part.key, text, part.into); err != nil {
			return nil, err
		}
	}
	return o.assemble(architecture{meta[keyArchitecture], meta[keyConfig]}, f, info, from)
}

// decode reads one JSON value of the metadata. A key that is not known may
// change what the model computes, so it cannot be passed over.
func decode(key, text string, into any) error {
	if text == "" || text == "null" {
		return fmt.Errorf("winnow: the metadata has no %s: %w", key, ErrModel)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		kind := ErrModel
		if strings.Contains(err.Error(), "unknown field") { // encoding/json has no type for it
			kind = ErrUnsupported
		}
		return fmt.Errorf("winnow: metadata %s: %w: %w", key, err, kind)
	}
	if d.More() {
		return fmt.Errorf("winnow: metadata %s: something follows the value: %w", key, ErrModel)
	}
	return nil
}

// Save writes the model to a file that Open opens, atomically: an older file
// is replaced only when the new one is complete. The weights of an opened or
// imported model are read from its file again, which must still be there and
// unchanged; that file may be the one to be written.
func (c *Classifier) Save(path string) error {
	arch, err := describe(c.model)
	if err != nil {
		return err
	}
	meta := map[string]string{
		"format":        "pt", // what Hugging Face's tools look for
		keyVersion:      strconv.Itoa(fileVersion),
		keyArchitecture: arch.family,
		keyConfig:       arch.config,
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
	if c.info.AsStored {
		meta[keyAsStored] = "true"
	}
	src := nn.Source(c.model)
	if c.origin == nil {
		return weights.Write(path, src, meta)
	}
	if src, err = c.origin.weights(); err != nil {
		return fmt.Errorf("winnow: save %s: the weights are read again: %w", path, err)
	}
	defer weights.Close(src)
	if err := weights.Write(path, src, meta); err != nil {
		return err
	}
	c.origin.saved(path)
	return nil
}

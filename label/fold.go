package label

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Fold maps finer classes to coarser ones, each to exactly one. The
// probability of a coarse class is the sum of those of its finer ones. As JSON
// it is {"fine":[names],"coarse":[names],"to":[an index into coarse for each
// fine class]}. It is read-only and safe for concurrent use.
type Fold struct {
	fine, coarse Classes
	to           []int // [len(fine)]
}

// NewFold folds fine by names: into[f] is the coarse class of fine class f. A
// fine class that into does not mention keeps its name. Coarse classes come in
// the order of their first fine class. A name in into that is not a fine class
// is an error.
func NewFold(fine Classes, into map[string]string) (*Fold, error) {
	if err := fine.Check(); err != nil {
		return nil, err
	}
	for name := range into {
		if _, ok := fine.Index(name); !ok {
			return nil, fmt.Errorf("label: folding %q, which is not a class", name)
		}
	}
	f := &Fold{fine: slices.Clone(fine), to: make([]int, len(fine))}
	at := map[string]int{}
	for i, name := range fine {
		if coarse, ok := into[name]; ok {
			name = coarse
		}
		j, ok := at[name]
		if !ok {
			j = len(f.coarse)
			at[name] = j
			f.coarse = append(f.coarse, name)
		}
		f.to[i] = j
	}
	if err := f.coarse.Check(); err != nil { // a name in into may be empty
		return nil, err
	}
	return f, nil
}

// FoldTo folds by indices: fine class i belongs to coarse class to[i]. A coarse
// class may have no finer one; its probability is 0.
func FoldTo(fine, coarse Classes, to []int) (*Fold, error) {
	f := &Fold{slices.Clone(fine), slices.Clone(coarse), slices.Clone(to)}
	if err := f.check(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Fold) check() error {
	if err := f.fine.Check(); err != nil {
		return err
	}
	if err := f.coarse.Check(); err != nil {
		return err
	}
	if len(f.to) != len(f.fine) {
		return fmt.Errorf("label: folding %d classes by %d indices", len(f.fine), len(f.to))
	}
	for i, j := range f.to {
		if j < 0 || j >= len(f.coarse) {
			return fmt.Errorf("label: folding %q into class %d of %d", f.fine[i], j, len(f.coarse))
		}
	}
	return nil
}

// Fine are the classes that are folded.
func (f *Fold) Fine() Classes { return slices.Clone(f.fine) }

// Coarse are the classes that they are folded into.
func (f *Fold) Coarse() Classes { return slices.Clone(f.coarse) }

// Index is the coarse class of fine class i; it panics if there is no such
// class, as indexing does.
func (f *Fold) Index(i int) int { return f.to[i] }

// Probs adds up probabilities of the fine classes, in the order of the classes,
// and returns those of the coarse ones. The length must be that of Fine, and
// none may be NaN, less than 0 or infinite.
func (f *Fold) Probs(fine []float64) ([]float64, error) {
	if len(fine) != len(f.fine) {
		return nil, fmt.Errorf("label: folding %d probabilities of %d classes", len(fine), len(f.fine))
	}
	if err := check(f.fine, fine); err != nil {
		return nil, err
	}
	sums := make([]float64, len(f.coarse))
	for i, p := range fine {
		sums[f.to[i]] += p
	}
	return sums, nil
}

// Apply folds a Prediction over the fine classes. The likeliest coarse class
// need not be the one of the likeliest fine class; Known stays as it is. A
// Prediction that was not made by Predict is an error.
func (f *Fold) Apply(p Prediction) (Prediction, error) {
	if !p.classes.Equal(f.fine) {
		return Prediction{}, fmt.Errorf("label: folding a prediction over %d classes, which are not the fold's %d", len(p.classes), len(f.fine))
	}
	probs, err := f.Probs(p.probs)
	if err != nil {
		return Prediction{}, err
	}
	return Predict(f.coarse, probs, p.Known)
}

type foldJSON struct {
	Fine   Classes `json:"fine"`
	Coarse Classes `json:"coarse"`
	To     []int   `json:"to"`
}

// MarshalJSON implements json.Marshaler.
func (f *Fold) MarshalJSON() ([]byte, error) { return json.Marshal(foldJSON{f.fine, f.coarse, f.to}) }

// UnmarshalJSON implements json.Unmarshaler, with the checks of FoldTo.
func (f *Fold) UnmarshalJSON(text []byte) error {
	var j foldJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return fmt.Errorf("label: reading a fold: %w", err)
	}
	read, err := FoldTo(j.Fine, j.Coarse, j.To)
	if err != nil {
		return err
	}
	*f = *read
	return nil
}

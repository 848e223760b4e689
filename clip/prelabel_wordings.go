package clip

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
)

// Wording is one way to put things, and what it does to a sample.
type Wording struct {
	// Class is the class that a phrase belongs to; "" for a template, which
	// serves all.
	Class string `json:"class,omitempty"`
	Text  string `json:"text"`
	// Alone is the accuracy if this were the only template, or the only phrase
	// of its class; other classes keep all of theirs.
	Alone float64 `json:"alone"`
	// Without is the accuracy if it were left out.
	Without float64 `json:"without"`
	// Agreement is the share of pictures that get the ensemble's class from
	// this wording alone.
	Agreement float64 `json:"agreement"`
	// Won are the pictures that are right only with it, Lost those that are
	// right only without.
	Won  int `json:"won"`
	Lost int `json:"lost"`
	// Keep is false if it does harm beyond chance: if Lost of Won+Lost, or
	// more, come up with probability 0.1 at most where both are equally
	// likely. With many wordings some are condemned by chance.
	Keep bool `json:"keep"`
}

// Name is what the wording is called in messages.
func (w Wording) Name() string {
	if w.Class == "" {
		return fmt.Sprintf("template %q", w.Text)
	}
	return fmt.Sprintf("phrase %q of class %q", w.Text, w.Class)
}

// Wordings compares the templates with each other, and the phrases of every
// class that has several.
type Wordings struct {
	Accuracy float64 `json:"accuracy"` // with all of them
	// Agreement is the mean, over pairs of templates, of the share of pictures
	// that both give the same class; 1 with fewer than two templates.
	Agreement float64 `json:"agreement"`
	// Sensitive is the share of pictures to which not all templates give the
	// same class.
	Sensitive float64   `json:"sensitive"`
	Rows      []Wording `json:"rows"` // templates, then phrases by class
}

// Wordings says how much hangs on the words: it classifies the sample with every
// template alone and without it, and so for phrases. Pictures do not go through
// the model again, prompts do unless they are cached. ctx and the model are the
// only sources of errors.
func (s *Sample) Wordings(ctx context.Context) (*Wordings, error) {
	z := s.z
	var texts []string
	for _, prompts := range z.prompts {
		for _, p := range prompts {
			texts = append(texts, p.text)
		}
	}
	vectors := make([][]float64, 0, len(texts))
	if err := z.embedTexts(ctx, texts, func(v []float64) error {
		vectors = append(vectors, slices.Clone(v))
		return nil
	}); err != nil {
		return nil, err
	}
	v := &variants{Sample: s, vectors: vectors, pictures: make([][]float64, len(s.embeddings))}
	for i, e := range s.embeddings {
		v.pictures[i] = widen(e)
		unit(v.pictures[i]) // it was possible before
	}
	all := func(int, prompt) bool { return true }
	v.ensemble = v.named(all)
	w := &Wordings{Accuracy: v.accuracy(v.ensemble), Agreement: 1}
	if len(z.templates) > 1 {
		var each [][]int
		for t, text := range z.templates {
			alone := v.named(func(_ int, p prompt) bool { return p.template == t })
			each = append(each, alone)
			w.Rows = append(w.Rows, v.wording("", text, alone, v.named(func(_ int, p prompt) bool { return p.template != t })))
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		w.Agreement, w.Sensitive = agreement(each)
	}
	for k, name := range z.classes {
		for i, phrase := range z.phrases[k] {
			if len(z.phrases[k]) == 1 {
				break // nothing to compare it with
			}
			alone := v.named(func(c int, p prompt) bool { return c != k || p.phrase == i })
			without := v.named(func(c int, p prompt) bool { return c != k || p.phrase != i })
			w.Rows = append(w.Rows, v.wording(name, phrase, alone, without))
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

// variants classifies a sample with parts of the prompts.
type variants struct {
	*Sample
	vectors  [][]float64 // unit vectors of all prompts, class by class
	pictures [][]float64 // unit vectors
	ensemble []int
}

// named is the class of every picture if only some prompts are used; a class
// that would have none keeps all of its own.
func (v *variants) named(use func(class int, p prompt) bool) []int {
	z := v.z
	text := make([]float64, 0, len(z.classes)*z.dim)
	next := 0
	for k, prompts := range z.prompts {
		sum := make([]float64, z.dim)
		add := func(use func(int, prompt) bool) (n int) {
			for i, p := range prompts {
				if use(k, p) {
					n++
					for d, x := range v.vectors[next+i] {
						sum[d] += x
					}
				}
			}
			return n
		}
		if add(use) == 0 || !unit(sum) {
			clear(sum)
			add(func(int, prompt) bool { return true })
			unit(sum) // the classifier was made of it
		}
		next += len(prompts)
		text = append(text, sum...)
	}
	out := make([]int, len(v.pictures))
	for i, p := range v.pictures {
		cos := cosines(text, p)
		for k, c := range cos {
			if c > cos[out[i]] {
				out[i] = k
			}
		}
	}
	return out
}

func (v *variants) accuracy(named []int) float64 {
	right := 0
	for i, j := range v.Judged {
		if named[i] == j.Label {
			right++
		}
	}
	return ratio(right, len(named))
}

func (v *variants) wording(class, text string, alone, without []int) Wording {
	w := Wording{Class: class, Text: text, Alone: v.accuracy(alone), Without: v.accuracy(without)}
	same := 0
	for i, j := range v.Judged {
		if alone[i] == v.ensemble[i] {
			same++
		}
		with, less := v.ensemble[i] == j.Label, without[i] == j.Label
		switch {
		case with && !less:
			w.Won++
		case less && !with:
			w.Lost++
		}
	}
	w.Agreement = ratio(same, len(alone))
	w.Keep = w.Lost == 0 || tail(w.Lost, w.Won+w.Lost, 0.5) > 0.1
	return w
}

// agreement compares several answers to the same pictures.
func agreement(answers [][]int) (pairs, sensitive float64) {
	n := len(answers[0])
	same, differ := 0, 0
	for i := range n {
		split := false
		for a := range answers {
			for b := range a {
				if answers[a][i] == answers[b][i] {
					same++
				} else {
					split = true
				}
			}
		}
		if split {
			differ++
		}
	}
	return ratio(same, n*len(answers)*(len(answers)-1)/2), ratio(differ, n)
}

// WriteTo writes the comparison as text.
func (w *Wordings) WriteTo(out io.Writer) (int64, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "wordings: %.3f right with all; two templates agree on %.3f of the pictures, not all on %.3f\n", w.Accuracy, w.Agreement, w.Sensitive)
	if len(w.Rows) > 0 {
		fmt.Fprintf(&b, "  %6s %7s %9s %4s %4s\n", "alone", "without", "agreement", "won", "lost")
	}
	for _, r := range w.Rows {
		advice := ""
		if !r.Keep {
			advice = "  <- leave out"
		}
		fmt.Fprintf(&b, "  %6.3f %7.3f %9.3f %4d %4d  %s%s\n", r.Alone, r.Without, r.Agreement, r.Won, r.Lost, r.Name(), advice)
	}
	return b.WriteTo(out)
}

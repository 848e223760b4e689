package main

import (
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/dataset/scenes"
	"github.com/winnow-go/winnow/transform"
)

const (
	// Seeds of scenes are these plus that of the options: far from the small
	// ones that other programs take.
	trainSeeds uint64 = 1 << 32
	testSeeds  uint64 = 2 << 32

	side           = 32   // of a picture in pixels
	vocabularySize = 1024 // tokens, at most
	vocabularyFrom = 2000 // captions that the vocabulary is learned from
	strangeEvery   = 8    // one pair in so many is of another category
)

// pairs draws pictures with captions.
type pairs struct {
	known, strange *scenes.Set
	batch, workers int
	transform      transform.Config
	vocabulary     *clip.Vocabulary
	tokenizer      *clip.Tokenizer
	common         map[int32]bool // tokens of every tenth caption or more, which tell nothing
}

// batch is what a step learns from.
type batch struct {
	images []float32 // [N,side,side,3]
	tokens [][]int32 // [N][clip.Context]
	words  []float32 // [N,V], shares of tokens in what a caption tells
}

func newPairs(o options, workers int) (*pairs, error) {
	all := scenes.Options{Seed: trainSeeds + o.seed, N: max(o.steps*o.batch, vocabularyFrom), Size: side}
	p := &pairs{batch: o.batch, workers: workers, transform: transform.Native(side)}
	var err error
	if p.known, err = scenes.New(all); err != nil {
		return nil, err
	}
	if p.strange, err = scenes.Strangers(all); err != nil {
		return nil, err
	}
	if p.transform.Mean, p.transform.Std, err = dataset.Statistics(p.known, p.transform, 0, o.seed); err != nil {
		return nil, err
	}
	if p.vocabulary, err = clip.TrainVocabulary(p.captions(vocabularyFrom), vocabularySize); err != nil {
		return nil, err
	}
	p.tokenizer = clip.NewTokenizer(p.vocabulary, clip.TokenizerOptions{})
	p.findCommon()
	return p, nil
}

// at is the set that pair i is taken from.
func (p *pairs) at(i int) *scenes.Set {
	if i%strangeEvery == strangeEvery-1 {
		return p.strange
	}
	return p.known
}

// captions are those of the first n pairs.
func (p *pairs) captions(n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(p.at(i).Caption(i)) {
				return
			}
		}
	}
}

// findCommon finds the tokens that every tenth caption has: articles, full
// stops, "of", the colour that most things have.
func (p *pairs) findCommon() {
	const n = 1000
	counts := map[int32]int{}
	for text := range p.captions(n) {
		ids := p.tokenizer.Encode(text)
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
			counts[id]++
		}
	}
	p.common = map[int32]bool{}
	for id, times := range counts {
		p.common[id] = times > n/10
	}
}

// told spreads a share of 1 over those tokens of a caption that are not common,
// or over all of them where there is no other.
func (p *pairs) told(shares []float32, text string) {
	all := p.tokenizer.Encode(text)
	ids := slices.DeleteFunc(slices.Clone(all), func(id int32) bool { return p.common[id] })
	if len(ids) == 0 {
		ids = all
	}
	for _, id := range ids {
		shares[id] += 1 / float32(len(ids))
	}
}

// draw makes the batch of a step. Pair i depends on i alone.
func (p *pairs) draw(step int) (batch, error) {
	b := batch{images: make([]float32, p.batch*p.transform.Len()), tokens: make([][]int32, p.batch), words: make([]float32, p.batch*p.vocabulary.Size())}
	errs := make([]error, p.workers)
	var wg sync.WaitGroup
	for w := range p.workers {
		wg.Go(func() {
			for j := w; j < p.batch && errs[w] == nil; j += p.workers {
				errs[w] = p.pair(b, step*p.batch+j, j)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// pair draws pair i into place j of a batch.
func (p *pairs) pair(b batch, i, j int) error {
	set := p.at(i)
	img, err := set.Image(i)
	if err != nil {
		return err
	}
	n := p.transform.Len()
	if err := p.transform.Apply(b.images[j*n:(j+1)*n], img); err != nil {
		return fmt.Errorf("%s: %w", set.Name(i), err)
	}
	text, v := set.Caption(i), p.vocabulary.Size()
	p.told(b.words[j*v:(j+1)*v], text)
	b.tokens[j], err = p.tokenizer.Tokens(text, clip.Context)
	return err
}

package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Confusion counts how often samples of one class were taken for another.
// Create one with [NewConfusion]; the zero value has no classes and takes no
// samples.
type Confusion struct {
	classes []string
	counts  []int         // [K,K], rows the true class, columns the predicted one
	samples map[int][]int // by cell, only of those added with AddSample
	n       int
}

// NewConfusion returns an empty matrix over the named classes, K of them.
// Names need not differ: classes are told apart by their index.
func NewConfusion(classes ...string) *Confusion {
	k := len(classes)
	return &Confusion{classes: slices.Clone(classes), counts: make([]int, k*k)}
}

// Add counts one sample of class want that was predicted as class got. An
// index outside 0..K-1 is an error and counts nothing.
func (c *Confusion) Add(want, got int) error {
	k := len(c.classes)
	if want < 0 || want >= k || got < 0 || got >= k {
		return fmt.Errorf("metrics: confusion: want class %d, got class %d: there are %d classes", want, got, k)
	}
	c.counts[want*k+got]++
	c.n++
	return nil
}

// AddSample is [Confusion.Add] that also keeps sample, the caller's number for
// what was classified, so that [Confusion.Samples] can show the pictures
// behind a cell.
func (c *Confusion) AddSample(want, got, sample int) error {
	if err := c.Add(want, got); err != nil {
		return err
	}
	if c.samples == nil {
		c.samples = make(map[int][]int)
	}
	cell := want*len(c.classes) + got
	c.samples[cell] = append(c.samples[cell], sample)
	return nil
}

// Merge adds the counts and samples of another matrix over the same classes;
// the samples come after those already there. Other classes, or the same in
// another order, are an error and change nothing.
func (c *Confusion) Merge(other *Confusion) error {
	if !slices.Equal(c.classes, other.classes) {
		return fmt.Errorf("metrics: confusion: merge: classes differ: %q and %q", c.classes, other.classes)
	}
	for i, n := range other.counts {
		c.counts[i] += n
	}
	c.n += other.n
	for cell, list := range other.samples {
		if c.samples == nil {
			c.samples = make(map[int][]int)
		}
		c.samples[cell] = append(c.samples[cell], list...)
	}
	return nil
}

// Classes returns the names, in index order. The slice is a copy.
func (c *Confusion) Classes() []string { return slices.Clone(c.classes) }

// N is the number of samples counted.
func (c *Confusion) N() int { return c.n }

// Count is the number of samples of class want that were predicted as got; 0
// for an index outside the classes.
func (c *Confusion) Count(want, got int) int {
	k := len(c.classes)
	if want < 0 || want >= k || got < 0 || got >= k {
		return 0
	}
	return c.counts[want*k+got]
}

// Samples returns the numbers given to [Confusion.AddSample] for one cell, in
// the order they came; nil where there are none. The slice is a copy.
func (c *Confusion) Samples(want, got int) []int {
	k := len(c.classes)
	if want < 0 || want >= k || got < 0 || got >= k {
		return nil
	}
	return slices.Clone(c.samples[want*k+got])
}

// Correct is the number of samples on the diagonal.
func (c *Confusion) Correct() int {
	sum := 0
	for i := range c.classes {
		sum += c.counts[i*len(c.classes)+i]
	}
	return sum
}

// Accuracy is the share of samples that were predicted right, NaN when there
// are none.
func (c *Confusion) Accuracy() float64 { return share(c.Correct(), c.n) }

// MeanClassAccuracy is the mean of the classes' recalls, so that each class
// counts the same however many samples it has; scikit-learn calls it balanced
// accuracy. Classes without samples are left out; without any sample it is NaN.
func (c *Confusion) MeanClassAccuracy() float64 { return c.Macro().Recall }

// ClassScore is how well one class was recognised. Shares are 0..1.
type ClassScore struct {
	Class     int     // its index
	Name      string  // its name
	Precision float64 // share of the samples predicted as this class that are of it; NaN when none was
	Recall    float64 // share of the samples of this class that were predicted as it; NaN when there is none
	F1        float64 // 2 TP / (2 TP + FP + FN); NaN when the class neither occurs nor was predicted
	Support   int     // samples of this class
	Predicted int     // samples predicted as this class
}

// PerClass returns the score of every class, in index order.
func (c *Confusion) PerClass() []ClassScore {
	k := len(c.classes)
	scores := make([]ClassScore, k)
	for i, name := range c.classes {
		s := ClassScore{Class: i, Name: name}
		for j := range k {
			s.Support += c.counts[i*k+j]
			s.Predicted += c.counts[j*k+i]
		}
		hit := c.counts[i*k+i]
		s.Precision = share(hit, s.Predicted)
		s.Recall = share(hit, s.Support)
		s.F1 = share(2*hit, s.Support+s.Predicted)
		scores[i] = s
	}
	return scores
}

// Average is a mean over classes of what [ClassScore] holds. Each value is
// NaN where no class has a defined one.
type Average struct {
	Precision, Recall, F1 float64
}

// Macro is the plain mean over the classes for which a value is defined.
func (c *Confusion) Macro() Average {
	return c.average(func(ClassScore) float64 { return 1 })
}

// Weighted is the mean weighted by each class's number of samples, over the
// classes for which a value is defined.
func (c *Confusion) Weighted() Average {
	return c.average(func(s ClassScore) float64 { return float64(s.Support) })
}

func (c *Confusion) average(weight func(ClassScore) float64) Average {
	scores := c.PerClass()
	mean := func(value func(ClassScore) float64) float64 {
		var sum, total float64
		for _, s := range scores {
			if v := value(s); !math.IsNaN(v) {
				sum += weight(s) * v
				total += weight(s)
			}
		}
		return sum / total // 0/0 is NaN
	}
	return Average{
		Precision: mean(func(s ClassScore) float64 { return s.Precision }),
		Recall:    mean(func(s ClassScore) float64 { return s.Recall }),
		F1:        mean(func(s ClassScore) float64 { return s.F1 }),
	}
}

// Pair is one kind of mistake: samples of class Want predicted as class Got.
type Pair struct {
	Want, Got int
	Count     int
	Share     float64 // of the samples of class Want, 0..1
}

// MostConfused returns the n most frequent mistakes, the most frequent first;
// among equals, in order of Want and then Got. Fewer where there are fewer;
// mistakes that never happened are not listed.
func (c *Confusion) MostConfused(n int) []Pair {
	k := len(c.classes)
	var pairs []Pair
	for i := range k {
		support := 0
		for j := range k {
			support += c.counts[i*k+j]
		}
		for j := range k {
			if count := c.counts[i*k+j]; i != j && count > 0 {
				pairs = append(pairs, Pair{i, j, count, share(count, support)})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b Pair) int { return cmp.Compare(b.Count, a.Count) })
	return pairs[:min(max(n, 0), len(pairs))]
}

// share is a/b, NaN when b is 0.
func share(a, b int) float64 {
	if b == 0 {
		return math.NaN()
	}
	return float64(a) / float64(b)
}

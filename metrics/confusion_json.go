package metrics

import (
	"encoding/json"
	"fmt"
	"math"
)

// cell lists the samples of one cell in JSON.
type cell struct {
	Want    int   `json:"want"`
	Got     int   `json:"got"`
	Samples []int `json:"samples"`
}

type confusionJSON struct {
	Classes []string `json:"classes"`
	Counts  [][]int  `json:"counts"`
	Samples []cell   `json:"samples,omitempty"`
}

// MarshalJSON writes the class names, the counts as rows (true class) of
// columns (predicted class), and the kept samples by cell. What is derived is
// left to the reader.
func (c *Confusion) MarshalJSON() ([]byte, error) {
	k := len(c.classes)
	out := confusionJSON{Classes: c.classes, Counts: make([][]int, k)}
	if out.Classes == nil {
		out.Classes = []string{}
	}
	for i := range k {
		out.Counts[i] = c.counts[i*k : (i+1)*k]
		for j := range k {
			if list := c.samples[i*k+j]; len(list) > 0 {
				out.Samples = append(out.Samples, cell{i, j, list})
			}
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote and replaces the matrix by it. A
// matrix that is not square, a negative count, counts whose sum overflows, or
// more samples in a cell than it counts, are errors that change nothing.
func (c *Confusion) UnmarshalJSON(data []byte) error {
	var in confusionJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("metrics: confusion: %w", err)
	}
	k := len(in.Classes)
	if len(in.Counts) != k {
		return fmt.Errorf("metrics: confusion: %d rows of counts for %d classes", len(in.Counts), k)
	}
	// Every row is checked before K*K is allocated: a long list of names alone
	// must not make a large matrix.
	for i, row := range in.Counts {
		if len(row) != k {
			return fmt.Errorf("metrics: confusion: row %d has %d counts for %d classes", i, len(row), k)
		}
	}
	read := NewConfusion(in.Classes...)
	for i, row := range in.Counts {
		for j, count := range row {
			if count < 0 || count > math.MaxInt/4-read.n {
				return fmt.Errorf("metrics: confusion: row %d, column %d: count %d out of range", i, j, count)
			}
			read.counts[i*k+j] = count
			read.n += count
		}
	}
	for _, s := range in.Samples {
		if s.Want < 0 || s.Want >= k || s.Got < 0 || s.Got >= k {
			return fmt.Errorf("metrics: confusion: samples of cell %d, %d: there are %d classes", s.Want, s.Got, k)
		}
		if read.samples == nil {
			read.samples = make(map[int][]int)
		}
		at := s.Want*k + s.Got
		read.samples[at] = append(read.samples[at], s.Samples...)
		if len(read.samples[at]) > read.counts[at] {
			return fmt.Errorf("metrics: confusion: cell %d, %d: %d samples where %d are counted",
				s.Want, s.Got, len(read.samples[at]), read.counts[at])
		}
	}
	*c = *read
	return nil
}
